//go:build !linux

package sandbox

// MachineMemory is how much memory the machine has, or the container that this
// process is in, in bytes; 0 if that is not known.
func MachineMemory() int64 { return 0 }
