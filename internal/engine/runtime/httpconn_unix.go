//go:build linux || darwin

package runtime

import (
	"errors"
	"syscall"
)

// hungUp reports that the other side has closed the connection and sent nothing
// that is still to be read.
func (c *httpConn) hungUp() bool {
	s, ok := c.conn.(syscall.Conn)
	if !ok || c.start < c.end {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	n := 0
	cerr := raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return cerr != nil || n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
}
