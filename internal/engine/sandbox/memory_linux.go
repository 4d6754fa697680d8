package sandbox

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MachineMemory is how much memory the machine has, or the container that this
// process is in, in bytes; 0 if that is not known.
func MachineMemory() int64 {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return 0
	}
	return least(int64(s.Totalram)*int64(s.Unit), "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
}

// least is the least of n and the limits in files, of which those count that are
// there and hold one.
func least(n int64, files ...string) int64 {
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && limit > 0 {
			n = min(n, limit)
		}
	}
	return n
}
