package egress

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// resolver answers questions for names: those of the platform itself, and all
// others as the machine's name servers do.
type resolver struct{ conf string }

const (
	askTimeout   = 3 * time.Second // one name server, one time
	idleTimeout  = 10 * time.Second
	maxQuestions = 64 // of one sandbox at a time
	maxServers   = 3  // as in C libraries
	maxDatagram  = 8 << 10
	localTTL     = 60
)

// serve answers over UDP until the socket is closed.
func (r *resolver) serve(ctx context.Context, c net.PacketConn) {
	places := make(chan struct{}, maxQuestions)
	b := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		select {
		case places <- struct{}{}:
		default:
			continue // who asks will ask again
		}
		q := bytes.Clone(b[:n])
		go func() {
			defer func() { <-places }()
			if a := r.answer(ctx, "udp", q); a != nil {
				_, _ = c.WriteTo(a, from) // it may be gone
			}
		}()
	}
}

// converse answers over TCP until the other side is done.
func (r *resolver) converse(ctx context.Context, c net.Conn) {
	defer c.Close()
	for {
		_ = c.SetDeadline(time.Now().Add(idleTimeout))
		q, err := readMessage(c)
		if err != nil {
			return
		}
		a := r.answer(ctx, "tcp", q)
		if a == nil || writeMessage(c, a) != nil {
			return
		}
	}
}

// answer answers a message, which is nil if it is no question.
func (r *resolver) answer(ctx context.Context, network string, msg []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.Response {
		return nil
	}
	h.Response, h.RecursionAvailable, h.Authoritative, h.Truncated = true, true, false, false
	q, err := p.Question()
	if err != nil || h.OpCode != 0 {
		h.RCode = dnsmessage.RCodeFormatError
		return build(h, nil, false)
	}
	if local(q.Name.String()) {
		h.RCode = dnsmessage.RCodeSuccess
		return build(h, &q, q.Type == dnsmessage.TypeA && q.Class == dnsmessage.ClassINET)
	}
	for _, s := range r.servers() {
		if a, err := ask(ctx, network, s, msg); err == nil {
			return a
		}
	}
	h.RCode = dnsmessage.RCodeServerFailure
	return build(h, &q, false)
}

// local tells whether a name is one of the platform, which functions find at
// their own loopback interface.
func local(name string) bool {
	name = "." + strings.ToLower(strings.TrimSuffix(name, "."))
	return strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".localhost.localstack.cloud")
}

// build forms an answer of our own.
func build(h dnsmessage.Header, q *dnsmessage.Question, here bool) []byte {
	m := dnsmessage.Message{Header: h}
	if q != nil {
		m.Questions = []dnsmessage.Question{*q}
		if here {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: localTTL},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// servers are the machine's name servers. The file is read every time, as a
// laptop changes them.
func (r *resolver) servers() []string {
	b, _ := os.ReadFile(r.conf) // without one, the default holds
	return parseServers(b)
}

func parseServers(conf []byte) (servers []string) {
	for line := range strings.Lines(string(conf)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" || len(servers) == maxServers {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			servers = append(servers, netip.AddrPortFrom(a, 53).String())
		}
	}
	if servers == nil {
		servers = []string{"127.0.0.1:53"}
	}
	return servers
}

var errNotTheAnswer = errors.New("the name server answers something else")

// ask hands a question on.
func ask(ctx context.Context, network, server string, q []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if network == "tcp" {
		if err := writeMessage(c, q); err != nil {
			return nil, err
		}
		a, err := readMessage(c)
		if err == nil && !answers(a, q) {
			err = errNotTheAnswer
		}
		return a, err
	}
	if _, err := c.Write(q); err != nil {
		return nil, err
	}
	b := make([]byte, maxDatagram)
	for {
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		if answers(b[:n], q) {
			return b[:n], nil
		}
	}
}

// answers tells whether a is an answer with the number of q.
func answers(a, q []byte) bool {
	return len(a) >= 12 && a[2]&0x80 != 0 && a[0] == q[0] && a[1] == q[1]
}

// Over TCP a message follows its length.
func readMessage(r io.Reader) ([]byte, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// writeMessage writes a message that came over UDP or TCP, so that its length fits.
func writeMessage(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}
