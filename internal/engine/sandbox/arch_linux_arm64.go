package sandbox

import (
	"debug/elf"

	"golang.org/x/sys/unix"
)

const (
	machineArch = elf.EM_AARCH64
	auditArch   = unix.AUDIT_ARCH_AARCH64
)

// refusedHere are refused calls that only this architecture has.
var refusedHere = [...]uint32{}
