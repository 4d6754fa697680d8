//go:build linux && (amd64 || arm64)

package egress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// The world of TestGateway are three networks: the outside, with a public, a
// private and a metadata address; the server's, which is joined to it; and that of
// a function. All are made for the test, and so is the name server.
const (
	outsidePublic, serverPublic   = "8.8.4.1", "8.8.4.2"
	outsidePrivate, serverPrivate = "10.9.9.1", "10.9.9.2"
	metadata                      = "169.254.169.254"
)

const roleVariable = "TIERRA_EGRESS_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "outside":
		outside()
	case "function":
		function(os.Args[1:])
	default:
		os.Exit(m.Run())
	}
}

// function does what the arguments say and prints a line of each.
func function(args []string) {
	for _, a := range args {
		what, where, _ := strings.Cut(a, "=")
		answer, err := "", error(nil)
		switch what {
		case "say":
			answer, err = say(where)
		case "udp", "tcp":
			answer, err = lookup(what, where)
		}
		fmt.Println(strings.ReplaceAll(fmt.Sprint(a, ": ", answer, " ", err), "\n", " "))
	}
}

// say sends a word, half-closes, and returns what comes back.
func say(where string) (string, error) {
	c, err := net.DialTimeout("tcp", where, 20*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	// A reset is told once: when it comes before the word, the writing hears of it,
	// and reading finds an ordinary end.
	if _, err := io.WriteString(c, "hello"); err != nil {
		return "", err
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	return string(b), err
}

func lookup(network, name string) (string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, server string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server)
	}}
	all, err := r.LookupHost(context.Background(), name)
	return strings.Join(all, ","), err
}

// outside serves what the outside has, once its network is joined.
func outside() {
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	for _, c := range []string{"link set lo up", "addr add " + outsidePublic + "/24 dev far", "addr add " + outsidePrivate + "/24 dev far", "addr add " + metadata + "/32 dev far", "link set far up"} {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			fmt.Printf("ip %s: %v: %s\n", c, err, out)
			return
		}
	}
	echo("0.0.0.0:80", "outside heard ")
	l, err := net.Listen("tcp", outsidePublic+":53")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if q, err := readMessage(c); err == nil {
				_ = writeMessage(c, named(q))
			}
			c.Close()
		}
	}()
	u, err := net.ListenPacket("udp", outsidePublic+":53")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready")
	b := make([]byte, 512)
	for {
		n, from, err := u.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = u.WriteTo(named(b[:n]), from)
	}
}

// named answers that every name of example is the outside's public address.
func named(q []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(q) != nil {
		return nil
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	k := m.Questions[0]
	switch known := strings.HasSuffix(k.Name.String(), ".example."); {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case k.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: k.Name, Type: k.Type, Class: k.Class}, Body: &dnsmessage.AResource{A: [4]byte{8, 8, 4, 1}}}}
	}
	b, _ := m.Pack()
	return b
}

func echo(address, greeting string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(c) // until the other side has said all
			fmt.Fprintf(c, "%s%s", greeting, b)
			c.Close()
		}
	}()
}

func TestGateway(t *testing.T) {
	if os.Getenv(roleVariable) == "world" {
		inWorld(t)
		return
	}
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		t.Skip("networks are made by root with the program ip")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run=^TestGateway$", "-test.v")
	c.Env = append(os.Environ(), roleVariable+"=world")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip(string(out))
	}
}

// inWorld is the test in a network of its own.
func inWorld(t *testing.T) {
	ip := func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", args, err, out)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	far := exec.Command(exe)
	far.Env = append(os.Environ(), roleVariable+"=outside")
	far.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, _ := far.StdinPipe()
	out, _ := far.StdoutPipe()
	if err := far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Process.Kill(); _ = far.Wait() })
	ip("link set lo up")
	ip("link add near type veth peer name far")
	ip(fmt.Sprintf("link set far netns %d", far.Process.Pid))
	ip("addr add " + serverPublic + "/24 dev near")
	ip("addr add " + serverPrivate + "/24 dev near")
	ip("link set near up")
	ip("route add " + metadata + " dev near")
	_, _ = io.WriteString(in, "\n")
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the outside: %q", line)
	}
	if answer, err := say(metadata + ":80"); answer != "outside heard hello" {
		t.Fatalf("the server's own way out: %q %v", answer, err)
	}
	echo("0.0.0.0:4566", "server heard ")

	l, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: filepath.Join(t.TempDir(), "sandbox")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if !l.Tier().Egress {
		t.Skip("this host has no packet filter in networks")
	}
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver "+outsidePublic+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	heard, unreachable, reset := "outside heard hello <nil>", "no route to host", "connection reset by peer"
	for policy, attempts := range map[string][][2]string{
		"internet": {
			{"say=" + outsidePublic + ":80", heard},
			{"say=" + outsidePublic + ":81", reset}, // nobody listens there
			{"say=" + serverPublic + ":4566", reset},
			{"say=" + outsidePrivate + ":80", unreachable}, {"say=" + serverPrivate + ":4566", unreachable},
			{"say=" + metadata + ":80", unreachable}, {"say=127.0.0.1:4566", "refused"}, {"say=0.0.0.0:4566", "refused"},
			{"udp=far.example", outsidePublic}, {"tcp=far.example", outsidePublic}, {"udp=bucket.localhost", "127.0.0.1"},
			{"udp=some.test", "no such host"}, {"tcp=s3.localhost.localstack.cloud", "127.0.0.1"},
			{"say=far.example:80", heard},
		},
		"10.9.9.0/24": {
			{"say=" + outsidePrivate + ":80", heard}, {"say=" + serverPrivate + ":4566", reset},
			{"say=" + outsidePublic + ":80", "network is unreachable"}, {"say=" + metadata + ":80", unreachable},
			{"udp=far.example", outsidePublic},
		},
		"0.0.0.0/0": {
			{"say=" + outsidePublic + ":80", heard}, {"say=" + outsidePrivate + ":80", heard}, {"say=" + metadata + ":80", unreachable},
			{"say=" + serverPrivate + ":4566", reset},
		},
	} {
		p, err := Parse(policy)
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for _, a := range attempts {
			args = append(args, a[0])
		}
		lines := run(t, l, NewGateway(p, conf), args)
		for i, a := range attempts {
			if i >= len(lines) || !strings.HasPrefix(lines[i], a[0]+": ") || !strings.Contains(lines[i], a[1]) {
				t.Errorf("%s: %q, want %s", policy, lines[min(i, len(lines)-1)], a[1])
			}
		}
	}
}

// run runs the function to its end and returns what it printed.
func run(t *testing.T, l sandbox.Launcher, g *Gateway, args []string) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Launch(t.Context(), sandbox.Spec{
		Argv: slices.Concat([]string{"/var/task/" + filepath.Base(exe)}, args), Env: []string{roleVariable + "=function"},
		Mounts:  []sandbox.Mount{{Source: filepath.Dir(exe), Target: "/var/task"}},
		Network: sandbox.NetworkPrivate, Egress: g.Sandbox(),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Serve(p.Gateway())
	out, _ := io.ReadAll(p.Output())
	p.Output().Close()
	if st, err := p.Wait(t.Context()); err != nil || st.Code != 0 {
		t.Fatalf("%+v %v: %s", st, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
