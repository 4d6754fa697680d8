//go:build !linux && !darwin

package runtime

// hungUp is not known here.
func (c *httpConn) hungUp() bool { return false }
