package listen

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// split is a listener whose connections speak TLS where their first byte says so.
// The byte is looked at without being taken, so that connections without TLS stay
// the sockets that they are, and waited for beside the accepting, so that a
// client that sends nothing holds nobody up.
type split struct {
	net.Listener
	tls      *tls.Config
	accepted chan net.Conn
	closed   chan struct{}
	close    sync.Once
	ended    chan struct{} // when nothing more is accepted, for the reason err
	err      error

	mu      sync.Mutex
	waiting map[net.Conn]struct{} // for their first byte
}

func newSplit(l net.Listener, c *tls.Config) *split {
	s := &split{
		Listener: l, tls: c, accepted: make(chan net.Conn), closed: make(chan struct{}), ended: make(chan struct{}),
		waiting: map[net.Conn]struct{}{},
	}
	go s.run()
	return s
}

// Accept implements net.Listener.
func (s *split) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.ended:
		return nil, s.err
	}
}

// Close implements net.Listener. Connections that have said nothing yet end.
func (s *split) Close() error {
	s.close.Do(func() { close(s.closed) })
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.waiting {
		_ = c.Close()
	}
	return err
}

func (s *split) run() {
	defer close(s.ended)
	for {
		c, err := s.Listener.Accept()
		var passing interface{ Temporary() bool } // no descriptors are left, say
		if errors.As(err, &passing) && passing.Temporary() {
			select {
			case <-s.closed:
			case <-(clock.System{}).After(acceptPause):
			}
			continue
		}
		if err != nil {
			s.err = err
			return
		}
		go s.sort(c)
	}
}

// acceptPause is how long accepting rests after an error that passes.
const acceptPause = 50 * time.Millisecond

// sort waits for a connection's first byte and hands it on as what it is.
func (s *split) sort(c net.Conn) {
	s.mu.Lock()
	s.waiting[c] = struct{}{}
	s.mu.Unlock()
	// The deadlines of sockets go by the system's clock and no other.
	_ = c.SetReadDeadline(clock.System{}.Now().Add(headerTimeout))
	first, err := peek(c)
	s.mu.Lock()
	delete(s.waiting, c)
	s.mu.Unlock()
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = c.Close()
		return
	}
	if first == handshake {
		c = tls.Server(c, s.tls)
	}
	select {
	case s.accepted <- c:
	case <-s.closed:
		_ = c.Close()
	}
}

// handshake is the first byte of TLS; no HTTP request begins with it.
const handshake = 0x16

// errNoByte says that a connection ended before it said anything.
var errNoByte = errors.New("the connection ended before its first byte")

// peek returns the first byte that c has to read, which stays there.
func peek(c net.Conn) (byte, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0, errors.New("not a socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var b [1]byte
	n, failed := 0, error(nil)
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, failed = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
			if !errors.Is(failed, syscall.EINTR) {
				return !errors.Is(failed, syscall.EAGAIN)
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, errNoByte
	}
	return b[0], nil
}
