package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Egress is what a sandbox with a private network reaches beyond it. Every TCP
// connection to such an address arrives at Gateway.TCP, whatever the address and
// port; all other addresses are unreachable. Addresses are of IPv4.
type Egress struct {
	Reach []netip.Prefix
	// Except are parts of Reach that are unreachable all the same.
	Except []netip.Prefix
}

// Gateway is the other side of a sandbox's egress. Its sockets are in the
// sandbox's network and are closed with it.
type Gateway struct {
	// TCP accepts the connections; Destination tells where they want to.
	TCP net.Listener
	// DNS is asked for names, by what the sandbox finds in its resolv.conf, over
	// UDP. Over TCP such questions are connections to Resolver.
	DNS net.PacketConn
}

// Resolver is the name server that a sandbox with egress is told of.
func Resolver() netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53) }

// Destination is where a connection that Gateway.TCP accepted wants to.
func Destination(c net.Conn) (netip.AddrPort, error) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return netip.AddrPort{}, errors.New("the destination is known of TCP connections only")
	}
	return destination(t)
}

// check refuses addresses that can lead nowhere.
func (e *Egress) check() error {
	for _, list := range [][]netip.Prefix{e.Reach, e.Except} {
		for _, p := range list {
			if !p.IsValid() || !p.Addr().Is4() {
				return fmt.Errorf("%s is no range of IPv4 addresses", p)
			}
		}
	}
	return nil
}
