//go:build !linux

package sandbox

import "syscall"

// maxrssUnit is the unit of getrusage's ru_maxrss, in bytes.
const maxrssUnit = 1

func plainAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
