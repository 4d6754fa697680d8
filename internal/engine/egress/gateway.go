package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

const (
	// maxConnections is how many connections one sandbox may have to the outside:
	// as many as the descriptors of a process there.
	maxConnections = 1024
	connectTimeout = 60 * time.Second
)

// Gateway connects sandboxes with the outside. It is safe for concurrent use.
type Gateway struct {
	policy Policy
	opens  sandbox.Egress
	names  resolver
	dialer net.Dialer
}

// NewGateway makes a gateway. resolvConf is the file that names the machine's name
// servers: "/etc/resolv.conf".
func NewGateway(p Policy, resolvConf string) *Gateway {
	reach, except := p.Routes()
	return &Gateway{policy: p, opens: sandbox.Egress{Reach: reach, Except: except}, names: resolver{conf: resolvConf}, dialer: net.Dialer{Timeout: connectTimeout}}
}

// Sandbox is what a sandbox has to be started with.
func (g *Gateway) Sandbox() *sandbox.Egress { return &g.opens }

// Serve serves a sandbox in the background until it has ended.
func (g *Gateway) Serve(s *sandbox.Gateway) {
	ctx, cancel := context.WithCancel(context.Background())
	go g.names.serve(ctx, s.DNS)
	go func() {
		defer cancel()
		g.accept(ctx, s.TCP)
	}()
}

func (g *Gateway) accept(ctx context.Context, l net.Listener) {
	places := make(chan struct{}, maxConnections)
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, perhaps: nobody is to spin
			select {
			case <-ctx.Done():
				return
			case <-time.After(10 * time.Millisecond):
				continue
			}
		}
		select {
		case places <- struct{}{}:
		default:
			reset(c)
			continue
		}
		go func() {
			defer func() { <-places }()
			g.connect(ctx, c)
		}()
	}
}

// connect brings one connection to its destination.
func (g *Gateway) connect(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	to, err := sandbox.Destination(c)
	if err != nil {
		reset(c)
		return
	}
	if to == sandbox.Resolver() {
		g.names.converse(ctx, c)
		return
	}
	if !g.policy.Allows(to.Addr()) || ours(to.Addr()) {
		reset(c)
		return
	}
	out, err := g.dialer.DialContext(ctx, "tcp4", to.String())
	if err != nil {
		reset(c)
		return
	}
	stopOut := context.AfterFunc(ctx, func() { out.Close() })
	defer stopOut()
	join(c.(*net.TCPConn), out.(*net.TCPConn))
}

// ours tells whether an address is this machine's, whatever the policy says: its
// services are not for functions. In doubt it is.
func ours(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(all, func(own net.Addr) bool {
		p, err := netip.ParsePrefix(own.String())
		return err != nil || p.Addr().Unmap() == a
	})
}

// join copies both ways until both sides have ended, or one has failed.
func join(a, b *net.TCPConn) {
	var both sync.WaitGroup
	carry := func(to, from *net.TCPConn) {
		if _, err := io.Copy(to, from); err != nil {
			reset(to)
			reset(from)
			return
		}
		_ = to.CloseWrite() // the other side may be gone
	}
	both.Go(func() { carry(a, b) })
	carry(b, a)
	both.Wait()
	a.Close()
	b.Close()
}

// reset closes a connection so that the other side sees that it has failed.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
