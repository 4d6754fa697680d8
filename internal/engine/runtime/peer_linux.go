package runtime

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// peerCheck keeps other processes of the host from using an environment's
// Runtime API: where the sandbox has a user of the host to itself, connections
// of all others are closed. Where it has not (the server is an ordinary user's),
// every process of that user can connect; no secret can be demanded, as the
// official clients send none.
type peerCheck struct{ user int }

func newPeerCheck(p sandbox.Process) peerCheck { return peerCheck{p.User()} }

// allows tells whether a connection comes from the sandbox.
func (p peerCheck) allows(c net.Conn) bool {
	if p.user == 0 {
		return true
	}
	local, ok := c.LocalAddr().(*net.TCPAddr)
	remote, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !ok2 || remote.IP.To4() == nil {
		return false
	}
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		return false
	}
	user, found := socketUser(string(table), remote, local)
	return found && user == p.user
}

// socketUser finds the owner of the socket that is bound to local and connected
// to remote in the kernel's table, where addresses are in the machine's order.
func socketUser(table string, local, remote *net.TCPAddr) (user int, found bool) {
	hex := func(a *net.TCPAddr) string {
		ip := a.IP.To4()
		return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port)
	}
	from, to := hex(local), hex(remote)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 7 && f[1] == from && f[2] == to {
			user, err := strconv.Atoi(f[7])
			return user, err == nil
		}
	}
	return 0, false
}
