package blob

import (
	"errors"
	"fmt"
	"strings"
)

// MaxName is the most bytes that a name has.
const MaxName = 200

// ErrName says that a name is not one of those that Store allows. No blob can have
// it, so Open and Stat of it answer ErrNotFound and Delete does nothing.
var ErrName = errors.New("blob: not a valid name")

// CheckName returns an error that wraps ErrName unless name may be given to Commit.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return fmt.Errorf("%w: it has %d bytes, not 1 to %d", ErrName, len(name), MaxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: %q has the part %q", ErrName, name, part)
		}
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._-/", c) >= 0:
		default:
			return fmt.Errorf("%w: %q has the byte %q", ErrName, name, c)
		}
	}
	return nil
}
