//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The machine is the program that every sandbox starts with and that stays in
// it as process 1: some 250 bytes of machine code without a runtime of its own.
// It reads a script from descriptor 0 and executes it: a list of steps, each a
// system call with its arguments (and one step that is none: reap). The script
// is made here in Go for each launch, so all decisions are taken in Go, and
// what runs between clone and exec is only a loop over a table.
//
// The code is assembled with this package (machine_linux_*.s) and copied out of
// our own text into a file of its own in memory; nothing has to be built or installed.

const (
	machineCode = 0x400000   // where the code is loaded
	scriptBase  = 0x10000000 // where the script is loaded
	scriptSize  = 0x100000   // how long it may be
)

// machine is the code, never called as a Go function: it is here so that vet
// compares the assembly with a declaration.
//
//lint:ignore U1000 the assembly defines it, and machineAddress refers to it there
func machine()

// machineAddress is the address of the code in this program.
func machineAddress() uintptr

// machineText is the code's bytes: all up to the mark at its end.
func machineText() ([]byte, error) {
	const limit = 1 << 10
	mark := bytes.Repeat([]byte("the-end!"), 2)
	for n := len(mark); n <= limit; n++ {
		// Byte by byte, as what follows the mark may not be ours to read.
		text := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), machineAddress())), n)
		if bytes.HasSuffix(text, mark) {
			return bytes.Clone(text[:n-len(mark)]), nil
		}
	}
	return nil, errors.New("the end of the sandbox's machine code was not found")
}

// machineImage is the code as an ELF executable: code, script space, no stack to speak of.
func machineImage(arch elf.Machine) ([]byte, error) {
	text, err := machineText()
	if err != nil {
		return nil, err
	}
	const headers = 64 + 3*56
	var b bytes.Buffer
	hdr := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(arch), Version: 1,
		Entry: machineCode + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 3,
	}
	copy(hdr.Ident[:], elf.ELFMAG)
	hdr.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	hdr.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	hdr.Ident[elf.EI_VERSION] = 1
	size := uint64(headers + len(text))
	parts := []any{
		hdr,
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: machineCode, Paddr: machineCode, Filesz: size, Memsz: size, Align: 0x10000},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Vaddr: scriptBase, Paddr: scriptBase, Memsz: scriptSize, Align: 0x10000},
		elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W), Align: 16},
		text,
	}
	for _, p := range parts {
		if err := binary.Write(&b, binary.LittleEndian, p); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// newMachine puts the machine into a sealed file in memory, or into a file of
// dir where the kernel forbids to execute such, and returns it open for execution.
func newMachine(dir string) (*os.File, error) {
	image, err := machineImage(machineArch)
	if err != nil {
		return nil, err
	}
	const mfdExec = 0x10 // MFD_EXEC: Linux 6.3 and newer
	fd, err := unix.MemfdCreate("tierra-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|mfdExec)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("tierra-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return machineFile(dir, image)
	}
	w := os.NewFile(uintptr(fd), "tierra-init")
	defer w.Close()
	if _, err := w.Write(image); err != nil {
		return nil, fmt.Errorf("writing the sandbox's machine: %w", err)
	}
	_ = w.Chmod(0o555)
	_, err = unix.FcntlInt(w.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	if err != nil {
		return nil, fmt.Errorf("sealing the sandbox's machine: %w", err)
	}
	// What is executed must not be open for writing.
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()))
}

func machineFile(dir string, image []byte) (*os.File, error) {
	path := dir + "/init"
	if err := os.WriteFile(path+".new", image, 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, err
	}
	return os.Open(path)
}
