package egress

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func question(name string, kind dnsmessage.Type) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 4711, RecursionDesired: true}, Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func TestNamesOfThePlatform(t *testing.T) {
	r := resolver{conf: "/nonexistent"}
	for _, c := range []struct {
		name    string
		kind    dnsmessage.Type
		answers int
	}{
		{"localhost.", dnsmessage.TypeA, 1}, {"Bucket.S3.LOCALHOST.", dnsmessage.TypeA, 1},
		{"s3.localhost.localstack.cloud.", dnsmessage.TypeA, 1}, {"localhost.", dnsmessage.TypeAAAA, 0}, {"a.localhost.", dnsmessage.TypeMX, 0},
	} {
		var m dnsmessage.Message
		if err := m.Unpack(r.answer(t.Context(), "udp", question(c.name, c.kind))); err != nil {
			t.Fatal(err)
		}
		if m.ID != 4711 || !m.Response || m.RCode != 0 || len(m.Answers) != c.answers || len(m.Questions) != 1 {
			t.Errorf("%s %s: %+v", c.name, c.kind, m)
		}
		if c.answers > 0 && m.Answers[0].Body.(*dnsmessage.AResource).A != [4]byte{127, 0, 0, 1} {
			t.Errorf("%s: %+v", c.name, m.Answers)
		}
	}
	for _, name := range []string{"notlocalhost.", "localhost.example.", "localstack.cloud."} {
		if local(name) {
			t.Errorf("%s is none of the platform", name)
		}
	}
}

// TestAsk asks a name server that lies about the question's number first.
func TestAsk(t *testing.T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		b := make([]byte, 512)
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		b[2] |= 0x80
		wrong := append([]byte(nil), b[:n]...)
		wrong[0]++
		_, _ = c.WriteTo(wrong, from)
		_, _ = c.WriteTo(b[:n], from)
	}()
	a, err := ask(t.Context(), "udp", c.LocalAddr().String(), question("some.example.", dnsmessage.TypeA))
	if err != nil || a[0] != 4711>>8 || a[1] != 4711&0xff {
		t.Errorf("%x %v", a, err)
	}
}

func TestServers(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	r := resolver{conf: conf}
	for text, want := range map[string][]string{
		"# none\nsearch here\n":                                                          {"127.0.0.1:53"},
		"nameserver 10.0.0.1\nnameserver fe80::1%eth0\n":                                 {"10.0.0.1:53", "[fe80::1%eth0]:53"},
		"nameserver a\nnameserver\n nameserver 1.1.1.1 #x":                               {"1.1.1.1:53"},
		"nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4": {"1.1.1.1:53", "1.1.1.2:53", "1.1.1.3:53"},
	} {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := r.servers(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(question("localhost.", dnsmessage.TypeA))
	f.Add([]byte{})
	f.Add(make([]byte, 12))
	f.Add(append(make([]byte, 12), 0xc0, 0x0c))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var p dnsmessage.Parser
		if _, err := p.Start(msg); err == nil {
			if q, err := p.Question(); err == nil && !local(q.Name.String()) {
				return // that would be asked outside
			}
		}
		r := resolver{conf: "/nonexistent"}
		if a := r.answer(t.Context(), "udp", msg); a != nil && !answers(a, msg) {
			t.Errorf("%x is no answer to %x", a, msg)
		}
	})
}
