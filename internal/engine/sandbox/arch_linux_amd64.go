package sandbox

import (
	"debug/elf"

	"golang.org/x/sys/unix"
)

const (
	machineArch = elf.EM_X86_64
	auditArch   = unix.AUDIT_ARCH_X86_64
)

// refusedHere are refused calls that only this architecture has.
var refusedHere = [...]uint32{
	unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USTAT, unix.SYS_USELIB, unix.SYS__SYSCTL,
	unix.SYS_CREATE_MODULE, unix.SYS_GET_KERNEL_SYMS, unix.SYS_QUERY_MODULE, unix.SYS_SYSFS,
}
