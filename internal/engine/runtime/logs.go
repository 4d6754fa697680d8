package runtime

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"
)

// LogSink takes one line, without its line feed, that an environment wrote to
// standard output or standard error. What a bootstrap logs as one event of
// several lines comes as one, with its line feeds. requestID is the invocation it was written
// in or after; it is empty during initialisation. The line is only valid during
// the call. Calls are made one after the other.
type LogSink func(requestID string, line []byte)

// maxLine is where lines are cut: an event of CloudWatch Logs holds 256 KiB less 26 bytes.
const maxLine = 256<<10 - 26

// logReader puts lines together from a pipe. Whoever finishes an invocation
// empties the pipe first, so that all lines written before a response are with
// the sink before the response is with the caller.
type logReader struct {
	file *os.File
	raw  syscall.RawConn
	sink LogSink

	mu      sync.Mutex
	id      string
	partial []byte
	buf     []byte
}

func newLogReader(file *os.File, sink LogSink) (*logReader, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	if sink == nil {
		sink = func(string, []byte) {}
	}
	return &logReader{file: file, raw: raw, sink: sink, buf: make([]byte, 4<<10)}, nil
}

// run reads until the end of the pipe.
func (l *logReader) run() {
	_ = l.raw.Read(func(fd uintptr) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.empty(int(fd))
	})
	l.flush()
	l.file.Close()
}

// begin says which invocation the lines from now on belong to.
func (l *logReader) begin(id string) {
	l.mu.Lock()
	l.id = id
	l.mu.Unlock()
}

// flush hands out everything that has been written so far.
func (l *logReader) flush() {
	_ = l.raw.Control(func(fd uintptr) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.empty(int(fd))
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.emit(l.partial)
		l.partial = l.partial[:0]
	}
}

// empty reads what is there and tells whether the end was reached.
func (l *logReader) empty(fd int) bool {
	for {
		n, err := syscall.Read(fd, l.buf)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil || n == 0:
			return true
		default:
			l.add(l.buf[:n])
		}
	}
}

func (l *logReader) add(b []byte) {
	for {
		line, rest, found := bytes.Cut(b, []byte{'\n'})
		if found && len(l.partial) == 0 {
			l.emit(line)
			b = rest
			continue
		}
		l.partial = append(l.partial, line...)
		if !found {
			for len(l.partial) >= maxLine {
				l.hand(l.partial[:maxLine])
				l.partial = append(l.partial[:0], l.partial[maxLine:]...)
			}
			return
		}
		l.emit(l.partial)
		if l.partial = l.partial[:0]; cap(l.partial) > 64<<10 {
			l.partial = nil
		}
		b = rest
	}
}

func (l *logReader) emit(line []byte) {
	for len(line) > maxLine {
		l.hand(line[:maxLine])
		line = line[maxLine:]
	}
	l.hand(line)
}

// feed stands for a line feed within what the bootstraps log as one event.
const feed = 0x1e

// hand gives the sink what is one event.
func (l *logReader) hand(line []byte) {
	for rest := line; ; {
		i := bytes.IndexByte(rest, feed)
		if i < 0 {
			break
		}
		rest[i] = '\n'
		rest = rest[i+1:]
	}
	l.sink(l.id, line)
}
