package runtime

import (
	"net"
	"os"
	"testing"
)

func TestPeerCheck(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Skip(err)
	}
	user, found := socketUser(string(table), s.RemoteAddr().(*net.TCPAddr), s.LocalAddr().(*net.TCPAddr))
	if !found || user != os.Getuid() {
		t.Errorf("got %d, %v", user, found)
	}
	if !(peerCheck{}).allows(s) || (peerCheck{user: os.Getuid() + 1_900_000_000}).allows(s) {
		t.Error("connections of the wrong user are let in, or others are not")
	}
}
