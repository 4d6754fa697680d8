package sandbox

import "golang.org/x/sys/unix"

// MachineMemory is how much memory the machine has, in bytes; 0 if that is not
// known.
func MachineMemory() int64 {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return 0
	}
	return int64(s.Totalram) * int64(s.Unit)
}
