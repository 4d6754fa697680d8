package runtime

import (
	"os"

	"golang.org/x/sys/unix"
)

// opaque tells whether a layer's folder hides that of the layers below.
// https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
func opaque(f *os.File) bool {
	var b [1]byte
	n, err := unix.Fgetxattr(int(f.Fd()), "trusted.overlay.opaque", b[:])
	return err == nil && n == 1 && b[0] == 'y'
}
