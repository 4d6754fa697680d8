package sam

import (
	"slices"
	"strings"
	"testing"
)

// TestHashOrder is the order of Python 2.7's dictionaries, as that interpreter prints
// the keys: of one that has its first size, and of one that has grown.
func TestHashOrder(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"GetHtml PostHtml PutHtml", "PutHtml GetHtml PostHtml"},
		{"a b c", "a c b"},
		{"a b c d e f g h", "a c b e d g f h"},
		{"x", "x"},
	} {
		if got := hashOrder(strings.Fields(c.names)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s come as %v, not %s", c.names, got, c.want)
		}
	}
}
