package runtime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// An event passes through no goroutine but its caller's, if the runtime uses one
// connection for all, as the clients do: whoever has the event reads the connection
// itself, from the next that it answers up to the response. A goroutine that waits
// for what comes and passes it on takes as much time as all the rest. Until the
// next event nobody reads there: what the runtime asks next is read with that. Other
// connections have goroutines of their own, which wake the event's where necessary.

// roundTrip implements transport.
func (a *httpAPI) roundTrip(inv *Invocation) (*Result, bool, error) {
	h := a.awaitNext()
	if h == nil {
		return nil, false, ErrNotDelivered
	}
	x := &exchange{id: inv.RequestID, stream: inv.Stream, result: make(chan *Result, 1)}
	a.mu.Lock()
	a.state, a.current, a.reading = stateRunning, x, h
	a.mu.Unlock()
	if err := h.writeEvent(inv); err != nil {
		a.end(h)
		return nil, false, fmt.Errorf("%w: %w", ErrNotDelivered, err)
	}
	for more := true; more; {
		select {
		case res := <-x.result:
			a.keep(h)
			return res, true, nil
		default:
			more = a.once(h)
		}
	}
	select {
	case res := <-x.result:
		return res, true, nil
	case <-a.gone:
		a.settle()
		select {
		case res := <-x.result:
			return res, false, nil
		default:
			return nil, false, io.EOF
		}
	}
}

// awaitNext waits until the runtime asks for an event and returns the connection
// where it does; nil if the runtime has ended.
func (a *httpAPI) awaitNext() *httpConn {
	for {
		h := a.asked()
		if h == nil {
			select {
			case h = <-a.parked:
			case <-a.gone:
				return nil
			}
		}
		if !h.hungUp() {
			return h
		}
		// It will ask again, on another connection.
		a.mu.Lock()
		a.state = stateResponded
		a.mu.Unlock()
		a.end(h)
	}
}

// asked reads the connection of the last event until the runtime asks for another
// one, there or elsewhere; nil if that connection ended, or there is none.
func (a *httpAPI) asked() *httpConn {
	a.mu.Lock()
	h := a.kept
	a.kept, a.reading = nil, h
	a.mu.Unlock()
	if h == nil {
		return nil
	}
	for more := true; more; {
		select {
		case n := <-a.parked:
			if n != h {
				a.leave(h, nil)
			}
			return n
		default:
			more = a.once(h)
		}
	}
	return nil
}

// once reads one request of the connection that roundTrip reads and acts on it. It
// reports whether to go on reading, once it is clear that what roundTrip waits for
// has not come meanwhile; if not, it has left the connection.
func (a *httpAPI) once(h *httpConn) bool {
	r, err := h.head()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rewind(h)
		return true
	}
	if !a.rest(h, r, err) {
		a.end(h)
		return false
	}
	switch p, lent := a.handle(h, r); {
	case p != nil:
		a.leave(h, p)
		return false
	case r.close && !lent:
		a.end(h)
		return false
	}
	return true
}

// wake makes roundTrip look up from the connection that it reads, unless that is h;
// a is locked.
func (a *httpAPI) wake(h *httpConn) {
	if a.reading == nil || a.reading == h {
		return
	}
	a.woken = true
	_ = a.reading.conn.SetReadDeadline(time.Unix(1, 0)) // else it has ended, which wakes as well
}

// rewind lets a connection be read again after wake; a is locked.
func (a *httpAPI) rewind(h *httpConn) {
	if a.woken {
		a.woken = false
		_ = h.conn.SetReadDeadline(time.Time{}) // else it has ended, as reading will show
	}
}

// end closes the connection that roundTrip reads.
func (a *httpAPI) end(h *httpConn) {
	h.conn.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reading, a.woken = nil, false
	delete(a.conns, h.conn)
}

// leave has a connection served that roundTrip has read; last is an extension's next
// that came there.
func (a *httpAPI) leave(h *httpConn, last *parkedNext) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rewind(h)
	a.reading = nil
	a.serveAside(h, last)
}

// keep is leave for a connection where the next event will be asked for.
func (a *httpAPI) keep(h *httpConn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rewind(h)
	a.reading, a.kept = nil, h
}

// watch lets roundTrip go when the runtime has ended, if somebody else keeps the
// connection open.
func (a *httpAPI) watch() {
	select {
	case <-a.gone:
	case <-a.shut:
		return
	}
	select {
	case <-a.clock.After(settleTime):
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.reading != nil {
			a.reading.conn.Close()
		}
	case <-a.shut:
	}
}
