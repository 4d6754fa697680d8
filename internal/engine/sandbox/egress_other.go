//go:build !linux || (!amd64 && !arm64)

package sandbox

import (
	"errors"
	"net"
	"net/netip"
)

func destination(*net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errors.ErrUnsupported
}
