package call_test

import (
	"net/netip"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
)

// TestSecure tells which requests nobody could read on their way.
func TestSecure(t *testing.T) {
	for _, c := range []struct {
		scheme, from string
		want         bool
	}{
		{"http", "127.0.0.1", true}, {"http", "::1", true}, {"http", "::ffff:127.0.0.1", true}, {"http", "", true},
		{"http", "192.168.1.7", false}, {"http", "10.0.0.1", false}, {"http", "fe80::1", false}, {"https", "192.168.1.7", true},
	} {
		in := call.Incoming{Scheme: c.scheme}
		if c.from != "" {
			in.SourceIP = netip.MustParseAddr(c.from)
		}
		if got := in.Secure(); got != c.want {
			t.Errorf("%s from %s: %v", c.scheme, c.from, got)
		}
	}
}
