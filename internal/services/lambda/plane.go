package lambda

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// plane runs functions: it keeps pools of environments and gives each event one.
type plane struct {
	s    *Service
	deps Deps
	// soft is how many environments of one version are started at once without
	// waiting whether a busy one comes free.
	soft int

	pools    sync.Map // key to *pools
	accounts sync.Map // area to *account
	memory   memory
	past     sync.Mutex // guards what accounts keep of functions that are gone
	debug    sync.Map   // key to *debugged

	closing chan struct{}
	courier *delivery.Courier // of functions' logs
	once    sync.Once
	work    crew // what starts, ends and serves environments, delivers logs, reaps
	kill    context.CancelFunc
	ctx     context.Context // ends when environments have to
}

// account counts what runs in one account and region.
type account struct {
	reserved atomic.Int64 // by functions, or provisioned for those that reserve nothing
	running  atomic.Int64 // of functions that reserve nothing, beyond what is provisioned

	all                 level     // all that run
	unreserved, claimed histogram // running, and that with what is reserved, when an invocation began
	past                tally     // of functions that are gone
}

// claim takes notice of how many run that are of functions which reserve nothing.
func (a *account) claim(running int64) {
	a.unreserved.add(float64(running), concurrencyBounds[:])
	a.claimed.add(float64(running+a.reserved.Load()), concurrencyBounds[:])
}

// pools are the environments of one function.
type pools struct {
	p       *plane
	key     key
	sign    string // of the function in lineages
	account *account
	running atomic.Int64
	meters  meters

	mu       sync.Mutex
	versions map[string]*pool

	roleMu sync.Mutex
	role   roleSession
}

func newPlane(s *Service, d Deps) *plane {
	p := &plane{s: s, deps: d, soft: max(2, 2*d.Cores), closing: make(chan struct{})}
	p.ctx, p.kill = context.WithCancel(context.Background())
	p.courier = delivery.Under(s.clock, d.Caller, p.work.Go, p.closing)
	p.memory.p, p.memory.limit = p, d.Memory
	return p
}

// of returns the pools of a function.
func (p *plane) of(ctx context.Context, k key) (*pools, error) {
	if x, ok := p.pools.Load(k); ok {
		return x.(*pools), nil
	}
	a, err := p.account(ctx, k.area())
	if err != nil {
		return nil, err
	}
	x, _ := p.pools.LoadOrStore(k, &pools{p: p, key: k, sign: k.sign(), account: a, meters: meters{account: a}, versions: map[string]*pool{}})
	return x.(*pools), nil
}

func (p *plane) account(ctx context.Context, a area) (*account, error) {
	if x, ok := p.accounts.Load(a); ok {
		return x.(*account), nil
	}
	x := &account{}
	if err := p.count(ctx, a, x); err != nil {
		return nil, err
	}
	y, _ := p.accounts.LoadOrStore(a, x)
	return y.(*account), nil
}

func (p *plane) count(ctx context.Context, a area, x *account) error {
	return p.s.store.View(ctx, func(r data.Reader) error {
		u, err := used(r, a, "")
		x.reserved.Store(int64(u.reserved))
		return err
	})
}

// recount takes notice of a change of what functions reserve.
func (p *plane) recount(ctx context.Context, a area) error {
	x, err := p.account(ctx, a)
	if err != nil {
		return err
	}
	return p.count(ctx, a, x)
}

// changed swaps what has changed: pools of versions that are no more as they
// were take no events any more, and their environments end when they are idle.
// f is nil if the function is gone.
func (p *plane) changed(k key, f *function) {
	x, ok := p.pools.Load(k)
	if !ok {
		return
	}
	ps := x.(*pools)
	if f == nil {
		p.past.Lock()
		p.pools.Delete(k)
		ps.account.past.join(ps.meters.retain(nil))
		p.past.Unlock()
	} else {
		ps.meters.retain(f)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for name, pool := range ps.versions {
		if f == nil || f.versions[name] == nil || f.versions[name].Revision != pool.v.Revision {
			delete(ps.versions, name)
			pool.retire()
		}
	}
	if f != nil {
		ps.provide(f)
	}
}

// Reasons of TooManyRequestsException.
const (
	reasonReserved = "ReservedFunctionConcurrentInvocationLimitExceeded"
	reasonAccount  = "ConcurrentInvocationLimitExceeded"
)

// enter counts an invocation in, or says that there are too many. leave counts
// it out. What is provisioned for versions is for these alone, and no more of the
// account's, or of what the function reserves.
func (ps *pools) enter(reserved *int32, provisioned int32, x *pool) (leave func(), err error) {
	n, limit, reason := &ps.running, int64(0), reasonReserved
	switch {
	case x.enter():
		return x.leave, nil
	case reserved != nil:
		limit = int64(*reserved - provisioned)
	default:
		n, limit, reason = &ps.account.running, maxConcurrency-ps.account.reserved.Load(), reasonAccount
	}
	now := n.Add(1)
	if now > limit {
		n.Add(-1)
		return nil, tooMany(reason)
	}
	if reserved == nil {
		ps.account.claim(now)
	}
	return func() { n.Add(-1) }, nil
}

// tooMany refuses an invocation because too much runs.
func tooMany(reason string) error {
	return api.TooManyRequestsException("Rate Exceeded.").With("Reason", reason).With("Type", "User")
}

// invocation is one event on its way to a function.
type invocation struct {
	id      string
	payload []byte
	trace   string
	arn     string        // as invoked
	context string        // client context, JSON
	tail    bool          // keep the end of the log
	stream  engine.Stream // takes the response of a function that streams it
	as      string        // the qualifier
	meter   *meter        // set by the plane
}

// outcome is what came of an invocation.
type outcome struct {
	payload []byte // of a streamed response: the error with which it broke off
	failure string // "" or "Unhandled" or "Handled"
	version string
	log     []byte // the last 4 KiB, if asked for
	rest    func() // what is still to be done with the environment, or nil
}

// maxDeliveries bounds how often an event is tried that no environment has seen.
const maxDeliveries = 3

// errStopping says that the server is about to end.
func errStopping() error {
	return api.ServiceException("The server is stopping.").With("Type", "Service")
}

// invoke runs one event. The function goes on when the caller goes away, as on
// AWS; the wait for an environment ends with ctx, and so does the wait for the
// function if ctx has a deadline that it may pass.
func (p *plane) invoke(ctx context.Context, f *function, v *version, inv *invocation) (outcome, error) {
	if v == nil {
		return outcome{}, f.key.notFound("")
	}
	select {
	case <-p.closing:
		return outcome{}, errStopping()
	default:
	}
	if !p.work.enter() {
		return outcome{}, errStopping()
	}
	defer p.work.done()
	inv.meter = f.pools.meters.of(inv.as, v.Version)
	leave, err := f.admit(v, inv)
	if err != nil {
		inv.meter.refused(err)
		return outcome{}, err
	}
	inv.meter.begin()
	at, ok := ctx.Deadline()
	if !ok || inv.stream != nil || p.s.clock.Now().Add(time.Duration(v.Timeout)*time.Second).Before(at) {
		return p.complete(ctx, f, v, inv, leave)
	}
	type answer struct {
		outcome
		err error
	}
	answered := make(chan answer, 1)
	if !p.work.Go(func() {
		out, err := p.complete(ctx, f, v, inv, leave)
		answered <- answer{out, err}
	}) {
		return p.complete(ctx, f, v, inv, leave)
	}
	select {
	case a := <-answered:
		return a.outcome, a.err
	case <-ctx.Done():
		return outcome{}, context.Cause(ctx)
	}
}

// complete runs an event that was counted in, up to its end.
func (p *plane) complete(ctx context.Context, f *function, v *version, inv *invocation, leave func()) (outcome, error) {
	out, err := p.run(ctx, f, v, inv)
	inv.meter.end(out, err)
	if out.rest == nil {
		leave()
		return out, err
	}
	// The environment, and its place among those that may run, go on being used.
	rest := func() { out.rest(); leave() }
	if !p.work.Go(rest) {
		rest()
	}
	return out, err
}

// admit lets an invocation in, which leaves with leave, or refuses it.
func (f *function) admit(v *version, inv *invocation) (leave func(), err error) {
	if err := f.recursion(inv); err != nil {
		return nil, err
	}
	pool, err := f.pools.pool(v)
	if err != nil {
		return nil, err
	}
	var provisioned int32
	if f.rec.Reserved != nil {
		provisioned = int32(f.rec.requested())
	}
	return f.pools.enter(f.rec.Reserved, provisioned, pool)
}

// run runs an event that was admitted.
func (p *plane) run(ctx context.Context, f *function, v *version, inv *invocation) (outcome, error) {
	for try := 1; ; try++ {
		pool, err := f.pools.pool(v)
		if err != nil {
			return outcome{}, err
		}
		e, err := pool.take(ctx)
		if errors.Is(err, errMemory) {
			err = tooMany(reasonAccount)
		}
		if init := (*initFailure)(nil); errors.As(err, &init) {
			return init.outcome(v, inv), nil
		}
		if err != nil {
			return outcome{}, err
		}
		left := inv.meter.placed(pool, e)
		out, rest, err := e.serve(inv)
		if rest != nil {
			out.rest = func() { rest(); left(); pool.give(e) }
			return out, nil
		}
		left()
		pool.give(e)
		if errors.Is(err, engine.ErrNotDelivered) && try < maxDeliveries {
			continue
		}
		return out, err
	}
}

// pool returns the pool of a version as it is now, which may be newer than what
// the caller has seen.
func (ps *pools) pool(v *version) (*pool, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	x := ps.versions[v.Version]
	if x != nil && x.v.Revision == v.Revision {
		return x, nil
	}
	f, ok := ps.p.s.shelf.functions.Load(ps.key)
	if ok && f.(*function).pools == ps {
		v = f.(*function).versions[v.Version]
	}
	if !ok || v == nil {
		return nil, ps.key.notFound("")
	}
	if x != nil {
		if x.v.Revision == v.Revision {
			return x, nil
		}
		x.retire()
	}
	return ps.open(v), nil
}

// open makes the pool of a version; ps is locked. Once the server stops, its
// environments end when they are idle.
func (ps *pools) open(v *version) *pool {
	x := &pool{ps: ps, v: v, soft: ps.p.soft}
	if ps.p.debugs(ps.key) != nil {
		x.v, x.soft = v.unhurried(), 1
	}
	select {
	case <-ps.p.closing:
		x.retired = true
	default:
	}
	ps.versions[v.Version] = x
	return x
}

// start begins the reaper.
func (p *plane) start() {
	p.work.Go(func() {
		for {
			select {
			case <-p.closing:
				return
			case now := <-p.s.clock.After(p.deps.Idle / 4):
				p.each(func(x *pool) {
					x.reap(now.Add(-p.deps.Idle))
					x.renew(now.Add(p.deps.Idle / 4))
				})
			}
		}
	})
}

// each calls f with every pool.
func (p *plane) each(f func(*pool)) {
	p.pools.Range(func(_, x any) bool {
		ps := x.(*pools)
		ps.mu.Lock()
		defer ps.mu.Unlock()
		for _, pool := range ps.versions {
			f(pool)
		}
		return true
	})
}

// stop ends all environments: idle ones at once, busy ones when they are done or
// ctx ends.
func (p *plane) stop(ctx context.Context) error {
	p.once.Do(func() { close(p.closing) })
	p.each((*pool).retire)
	done := p.work.wait()
	select {
	case <-done:
		p.kill()
		return nil
	case <-ctx.Done():
	}
	p.kill()
	<-done
	return ctx.Err()
}

// roleSession are credentials of a role.
type roleSession struct {
	role               string
	key, secret, token string
	expires            time.Time
}

// Credentials are handed to new environments while they have this long to live,
// and an environment is replaced when its have less than the margin.
const (
	credentialsFresh  = 30 * time.Minute
	credentialsMargin = 5 * time.Minute
)

// credentials gets credentials of the role that environments share.
func (ps *pools) credentials(ctx context.Context, role string) (roleSession, error) {
	ps.roleMu.Lock()
	defer ps.roleMu.Unlock()
	s := ps.p.s
	if ps.role.role == role && ps.role.expires.Sub(s.clock.Now()) > credentialsFresh {
		return ps.role, nil
	}
	c, err := s.assume(ctx, ps.key, role)
	if err != nil {
		return roleSession{}, err
	}
	if c == nil || c.AccessKeyId == nil || c.SecretAccessKey == nil || c.SessionToken == nil || c.Expiration == nil {
		return roleSession{}, errors.New("lambda: AssumeRole answered without credentials")
	}
	ps.role = roleSession{role, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken, *c.Expiration}
	return ps.role, nil
}
