//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A script begins with a header of eight words, of which the machine knows:
//
//	0  the descriptor to report a failed step to
//	1  the report: the address of the failed step, and
//	2  its negative error number
//	4  the wait status of the program, once it has been reaped
//
// then come the steps, then the data that they point to. Pointers are absolute.
const (
	headerBytes   = 64
	stepBytes     = 80
	statusAddress = scriptBase + 32
	scratch       = scriptBase + 56
	reapStep      = ^uint64(0)
)

// step is one system call: number, six arguments, where to store the result,
// where to go on if the result is zero (0: with the next step), and whether an
// error ends it all (0) or is passed over (1).
type step struct {
	words [10]uint64
	what  string
}

// script is built with call, in order; str and bytes place data.
type script struct {
	steps []step
	data  []byte
	// fixes are the words that hold an offset into data, to be made absolute.
	fixes []fix
}

type fix struct{ step, word int }

// dataRef is a place in the script's data, as an argument of a call.
type dataRef int

// call adds a system call. Arguments are numbers or dataRefs. It returns the step.
func (s *script) call(what string, nr uintptr, args ...any) int {
	st := step{what: what}
	st.words[0] = uint64(nr)
	st.words[7] = scratch
	i := len(s.steps)
	for n, a := range args {
		switch v := a.(type) {
		case int:
			st.words[1+n] = uint64(v)
		case uint64:
			st.words[1+n] = v
		case dataRef:
			st.words[1+n] = uint64(v)
			s.fixes = append(s.fixes, fix{i, 1 + n})
		default:
			panic(fmt.Sprintf("sandbox: script argument of type %T", a))
		}
	}
	s.steps = append(s.steps, st)
	return i
}

// result sends the result of step from into argument arg of step to.
func (s *script) result(from, to, arg int) {
	s.steps[from].words[7] = stepAddress(to) + uint64(8*(1+arg))
}

// onZero makes step from go on at step to if its result is zero.
func (s *script) onZero(from, to int) { s.steps[from].words[8] = stepAddress(to) }

// optional makes errors of a step be passed over.
func (s *script) optional(i int) { s.steps[i].words[9] = 1 }

func stepAddress(i int) uint64 { return scriptBase + headerBytes + uint64(i)*stepBytes }

// put places data, aligned to words.
func (s *script) put(b []byte) dataRef {
	for len(s.data)%8 != 0 {
		s.data = append(s.data, 0)
	}
	at := len(s.data)
	s.data = append(s.data, b...)
	return dataRef(at)
}

// str places a string that ends with a zero byte.
func (s *script) str(v string) dataRef {
	at := len(s.data)
	s.data = append(s.data, v...)
	s.data = append(s.data, 0)
	return dataRef(at)
}

// words places words, of which dataRefs become addresses when the script is encoded.
func (s *script) words(vs ...any) dataRef {
	at := s.put(nil)
	for _, v := range vs {
		var w uint64
		switch v := v.(type) {
		case int:
			w = uint64(v)
		case uint64:
			w = v
		case dataRef:
			w = uint64(v)
			s.fixes = append(s.fixes, fix{-1, len(s.data)})
		}
		s.data = binary.LittleEndian.AppendUint64(s.data, w)
	}
	return at
}

// strs places a list of strings as argv and envp want it.
func (s *script) strs(vs []string) dataRef {
	refs := make([]any, 0, len(vs)+1)
	for _, v := range vs {
		refs = append(refs, s.str(v))
	}
	return s.words(append(refs, 0)...)
}

// encode forms the bytes for the machine. report is the descriptor for failures.
func (s *script) encode(report int) ([]byte, error) {
	start := headerBytes + len(s.steps)*stepBytes
	if start+len(s.data) > scriptSize {
		return nil, errors.New("arguments and environment are too long")
	}
	out := make([]byte, start, start+len(s.data))
	binary.LittleEndian.PutUint64(out, uint64(report))
	base := uint64(scriptBase + start)
	for _, f := range s.fixes {
		if f.step >= 0 {
			s.steps[f.step].words[f.word] += base
			continue
		}
		p := s.data[f.word:]
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)+base)
	}
	for i, st := range s.steps {
		for w, v := range st.words {
			binary.LittleEndian.PutUint64(out[headerBytes+i*stepBytes+8*w:], v)
		}
	}
	return append(out, s.data...), nil
}

// failure decodes the machine's report of a failed step.
func (s *script) failure(report []byte) error {
	if len(report) != 16 {
		return fmt.Errorf("the sandbox ended while it was set up")
	}
	at := binary.LittleEndian.Uint64(report)
	errno := syscall.Errno(-int64(binary.LittleEndian.Uint64(report[8:])))
	i := int((at - scriptBase - headerBytes) / stepBytes)
	if i < 0 || i >= len(s.steps) {
		return fmt.Errorf("an unknown step: %w", errno)
	}
	if s.steps[i].words[0] == unix.SYS_EXECVE {
		return &ExecError{s.steps[i].what, errno}
	}
	if dir, ok := strings.CutPrefix(s.steps[i].what, enteringDir); ok && s.steps[i].words[0] == unix.SYS_CHDIR {
		return &DirError{dir, errno}
	}
	return fmt.Errorf("%s: %w", s.steps[i].what, errno)
}

// enteringDir begins what a step does that enters the program's working folder.
const enteringDir = "entering the working folder "

// The first step of every script closes descriptor 0, so whatever is opened
// after it is descriptor 0 until it is closed again.
const opened = 0

// begin gives descriptor 0 up.
func (s *script) begin() { s.call("closing the script", unix.SYS_CLOSE, opened) }

// writeFile writes content to an existing file in one write.
func (s *script) writeFile(path, content string) {
	s.call("opening "+path, unix.SYS_OPENAT, unix.AT_FDCWD, s.str(path), unix.O_WRONLY)
	s.call("writing "+path, unix.SYS_WRITE, opened, s.str(content), len(content))
	s.call("closing "+path, unix.SYS_CLOSE, opened)
}
