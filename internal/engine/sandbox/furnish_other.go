//go:build !linux || (!amd64 && !arm64)

package sandbox

import "errors"

// Furnish makes the places for mounts in a folder that is to be a root; there are
// none on this system.
func Furnish(string) error { return errors.ErrUnsupported }
