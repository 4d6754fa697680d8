//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

func openEgress(t testing.TB) sandbox.Launcher {
	l := openBest(t)
	if !l.Tier().Egress {
		t.Skip("this host has no packet filter in networks")
	}
	return l
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

func TestEgress(t *testing.T) { bothWays(t, openEgress, testEgress) }

func testEgress(t *testing.T, l sandbox.Launcher) {
	host, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	port := host.Addr().(*net.TCPAddr).Port
	at := func(ip string) string { return fmt.Sprintf("%s:%d", ip, port) }
	reached := []string{"203.0.113.7:443", at("203.0.113.8"), "198.51.100.9:53", "198.51.100.9:9001"}
	refused := []string{
		at("127.0.0.1"), at("127.8.8.8"), // the sandbox's own loopback
		"169.254.169.254:80", "203.0.113.128:443", "192.0.2.1:80", at("169.254.76.2"), "0.0.0.0:9001", "[2001:db8::1]:80", at("[::1]"),
	}
	spec := self(t, append([]string{"attempt", "dial"}, append(reached, refused...)...)...)
	spec.Network = sandbox.NetworkPrivate
	spec.Egress = &sandbox.Egress{Reach: prefixes("203.0.113.0/24", "198.51.100.0/24"), Except: prefixes("203.0.113.128/25")}
	p, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	for _, want := range reached {
		c, err := p.Gateway().TCP.Accept()
		if err != nil {
			t.Fatal(err)
		}
		to, err := sandbox.Destination(c)
		if err != nil || to.String() != want {
			t.Errorf("destination %v, %v, want %s", to, err, want)
		}
		io.WriteString(c, "on the way to "+to.String())
		c.Close()
	}
	out, _ := io.ReadAll(p.Output())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(reached)+len(refused) {
		t.Fatalf("%q", lines)
	}
	for i, want := range reached {
		if lines[i] != "on the way to "+want {
			t.Errorf("%s: %q", want, lines[i])
		}
	}
	for i, addr := range refused {
		if line := lines[len(reached)+i]; !strings.Contains(line, "refused") && !strings.Contains(line, "unreachable") && !strings.Contains(line, "no route to host") {
			t.Errorf("%s: %q", addr, line)
		}
	}
}

func TestEgressKeepsIsolation(t *testing.T) {
	l := openEgress(t)
	spec := self(t, "attempt", "forbidden")
	spec.Network, spec.Egress = sandbox.NetworkPrivate, &sandbox.Egress{Reach: prefixes("0.0.0.0/0")}
	if out, st := finish(t, l, spec); out != "" || st.Code != 0 {
		t.Errorf("%+v\n%s", st, out)
	}
}

func TestEgressAsksForNames(t *testing.T) {
	l := openEgress(t)
	spec := sandbox.Spec{Argv: []string{"/bin/sh", "-c", "cat /etc/resolv.conf; command -v getent >/dev/null || exit 3; getent ahostsv4 some.example"},
		Network: sandbox.NetworkPrivate, Egress: &sandbox.Egress{Reach: prefixes("0.0.0.0/0")}}
	p, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	asked := make(chan []byte, 1)
	go func() {
		b := make([]byte, 512)
		n, from, err := p.Gateway().DNS.ReadFrom(b)
		if err == nil {
			b[2] |= 0x80 // an answer
			b[3] = b[3]&0xf0 | 3
			_, _ = p.Gateway().DNS.WriteTo(b[:n], from)
		}
		asked <- b[:n]
	}()
	out, _ := io.ReadAll(p.Output())
	st, err := p.Wait(t.Context())
	if err != nil || !strings.HasPrefix(string(out), "nameserver 127.0.0.1\n") {
		t.Fatalf("%q %v", out, err)
	}
	if st.Code == 3 {
		t.Skip("there is no getent")
	}
	if b := <-asked; !strings.Contains(string(b), "\x04some\x07example\x00") {
		t.Errorf("asked %q", b)
	}
	// The sandbox's end is the gateway's.
	if _, err := p.Gateway().TCP.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if _, _, err := p.Gateway().DNS.ReadFrom(nil); !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func BenchmarkEgress(b *testing.B) {
	l := openEgress(b)
	hold, err := l.Launch(b.Context(), sandbox.Spec{Argv: []string{"/bin/sleep", "1000"}, Network: sandbox.NetworkPrivate, Egress: &sandbox.Egress{Reach: prefixes("0.0.0.0/0")}})
	if err != nil {
		b.Fatal(err)
	}
	defer hold.Kill()
	for name, e := range map[string]*sandbox.Egress{"none": nil, "all": {Reach: prefixes("0.0.0.0/0"), Except: prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := l.Launch(b.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Network: sandbox.NetworkPrivate, Egress: e})
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.ReadAll(p.Output())
				p.Output().Close()
				_, _ = p.Wait(b.Context())
			}
		})
	}
}
