package lambda

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// debugged is a function that somebody debugs.
type debugged struct{ port uint16 }

// suspended is the time that a debugged function has for an event, in seconds: who
// steps through it is not to be cut off.
const suspended = 24 * 60 * 60

// Debug starts one environment of a function's $LATEST with a debugger that
// listens at a port of 127.0.0.1, 0 meaning that of its language's custom, and
// ends those that it had. From then on the function has no more than this one
// environment a version, and a day for an event. Functions in a private network
// cannot be debugged, as their debugger could not be reached.
func (s *Service) Debug(ctx context.Context, account, region, name string, port uint16) (*engine.Debugger, error) {
	if s.plane.deps.Network == sandbox.NetworkPrivate {
		return nil, errors.New("functions in a private network cannot be debugged; --network host lets them share this machine's")
	}
	k := key{account: account, region: region, name: name}
	f, err := s.find(ctx, k)
	if err != nil {
		return nil, err
	}
	if f == nil || f.versions[latest] == nil {
		return nil, fmt.Errorf("there is no function %s in %s", name, region)
	}
	v := f.versions[latest]
	if v.Image != nil {
		return nil, fmt.Errorf("%s is a container image: its own command starts its debugger", name)
	}
	choice, err := s.runtimes.Resolve(ctx, v.Runtime)
	if err != nil {
		return nil, err
	}
	if choice, err = choice.Debugged(ctx, port); err != nil {
		return nil, err
	}
	s.plane.debug.Store(k, &debugged{port})
	f.pools.renew()
	// The port is there before the first event is.
	pool, err := f.pools.pool(v)
	if err != nil {
		return nil, err
	}
	e, err := pool.take(ctx)
	if err != nil {
		var init *initFailure
		if errors.As(err, &init) {
			return nil, fmt.Errorf("%s does not start: %s", name, init.Message)
		}
		return nil, err
	}
	pool.give(e)
	return choice.Debugger(), nil
}

// renew ends the function's environments: new events get new ones.
func (ps *pools) renew() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for name, x := range ps.versions {
		delete(ps.versions, name)
		x.retire()
	}
}

// debugs tells how a function is debugged, nil if it is not.
func (p *plane) debugs(k key) *debugged {
	x, ok := p.debug.Load(k)
	if !ok {
		return nil
	}
	return x.(*debugged)
}

// unhurried is the version with a suspended deadline.
func (v *version) unhurried() *version {
	w := *v
	w.Timeout = suspended
	return &w
}

// attach gives the environments of a function that is debugged their debugger.
// Another one of the function may be about to end, which has the port still.
func (p *plane) attach(ctx context.Context, k key, choice engine.Choice) (engine.Choice, error) {
	d := p.debugs(k)
	if d == nil {
		return choice, nil
	}
	choice, err := choice.Debugged(ctx, d.port)
	if err != nil {
		return choice, err
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(choice.Debugger().Port)))
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", at)
		if err == nil {
			return choice, l.Close()
		}
		if try == 200 {
			return choice, fmt.Errorf("the debugger of %s cannot listen: %w", k.name, err)
		}
		select {
		case <-p.s.clock.After(50 * time.Millisecond):
		case <-ctx.Done():
			return choice, ctx.Err()
		}
	}
}
