package lambda

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// provision is the part of a pool that is started ahead, because the function
// asks for it, and is kept. All but the counters is guarded by pool.mu.
// https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
type provision struct {
	ready   []*environment // that wait for an event
	want    int            // environments that there are to be
	have    int            // that there are, with busy ones
	making  int            // that start
	failure error          // why the last one could not be had
	asked   atomic.Bool    // want is not 0
	// granted is what of the concurrency of the account, or of the function if it
	// reserves some, belongs to the version, and inside the invocations that use it.
	granted, inside atomic.Int64
}

// enter counts an invocation in, if what is provisioned is not used up.
func (p *provision) enter() bool {
	n := p.granted.Load()
	if n == 0 {
		return false
	}
	if p.inside.Add(1) > n {
		p.inside.Add(-1)
		return false
	}
	return true
}

func (p *provision) leave() { p.inside.Add(-1) }

// provide sets how many environments there are to be.
func (p *pool) provide(want int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired || p.soft == 1 {
		return
	}
	p.granted.Store(int64(want))
	p.asked.Store(want > 0)
	if p.want != want {
		p.want, p.failure = want, nil
	}
	for n := len(p.ready); n > 0 && p.have > p.want; n = len(p.ready) {
		e := p.ready[n-1]
		p.ready = p.ready[:n-1]
		p.drop(e)
	}
	p.fill()
}

// fill starts what is missing, as many at once as the cores can use; p is locked.
// After a failure it rests until somebody asks again.
func (p *pool) fill() {
	for !p.retired && p.failure == nil && p.have+p.making < p.want && p.making < p.ps.p.soft {
		p.making++
		p.total++
		if !p.ps.p.work.Go(p.make) {
			p.making--
			p.total--
			return
		}
	}
}

// make starts one provisioned environment.
func (p *pool) make() {
	charge := p.cost()
	var e *environment
	err := error(errMemory)
	if p.ps.p.memory.take(p, charge) {
		e, err = p.start(charge, true)
	}
	p.mu.Lock()
	p.making--
	if err != nil {
		p.total--
		p.failure = err
		p.mu.Unlock()
		return
	}
	p.have++
	p.mu.Unlock()
	p.give(e)
	p.mu.Lock()
	p.fill()
	p.mu.Unlock()
}

// renew replaces what will not be usable at a time to come, and tries again what
// could not be had.
func (p *pool) renew(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = nil
	p.ready = slices.DeleteFunc(p.ready, func(e *environment) bool {
		old := !e.usable(at)
		if old {
			p.drop(e)
		}
		return old
	})
	p.fill()
}

// shares are how many environments of each version a setting asks for: all of
// one, or of two by the weights of the alias.
func (f *function) shares(qualifier string, n int) map[string]int {
	a := f.rec.Aliases[qualifier]
	if a == nil {
		return map[string]int{qualifier: n}
	}
	out := map[string]int{}
	rest := n
	for v, w := range a.Weights { // there is at most one
		out[v] = min(rest, int(math.Ceil(w*float64(n))))
		rest -= out[v]
	}
	out[a.Version] += rest
	return out
}

// provide lets the pools have what the function asks for; ps is locked.
func (ps *pools) provide(f *function) {
	want := map[string]int{}
	for q, x := range f.rec.Provisioned {
		for v, n := range f.shares(q, int(x.Requested)) {
			want[v] += n
		}
	}
	for name := range ps.versions {
		if _, ok := want[name]; !ok {
			want[name] = 0
		}
	}
	for name, n := range want {
		x, v := ps.versions[name], f.versions[name]
		if v == nil || x != nil && x.v.Revision != v.Revision {
			continue // a newer state of the function will say
		}
		if x == nil {
			x = ps.open(v)
		}
		x.provide(n)
	}
}

// provideAll starts what is provisioned when the server starts.
func (s *Service) provideAll() {
	ctx := s.plane.ctx
	var all []key
	err := s.store.View(ctx, func(r data.Reader) error {
		all = all[:0]
		in, err := areas(r)
		for _, a := range in {
			for p, err := range r.Scan(a.functions(), data.PrefixEnd(a.functions()), false) {
				if err != nil {
					return err
				}
				rec, err := data.Decode[record](p)
				if err != nil {
					return err
				}
				if len(rec.Provisioned) > 0 {
					all = append(all, key{a.account, a.region, rec.Name})
				}
			}
		}
		return err
	})
	if err != nil {
		return // the store is closing; the first use of a function provides as well
	}
	for _, k := range all {
		f, err := s.find(ctx, k)
		if err != nil || f == nil {
			continue
		}
		f.pools.mu.Lock()
		f.pools.provide(f)
		f.pools.mu.Unlock()
	}
}

func (s *Service) provisionedBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutProvisionedConcurrencyConfig, on("lambda:PutProvisionedConcurrencyConfig", func(in *api.PutProvisionedConcurrencyConfigRequest) (n, q *string) {
			return in.FunctionName, in.Qualifier
		}), s.putProvisionedConcurrencyConfig),
		call.Bind(api.GetProvisionedConcurrencyConfig, on("lambda:GetProvisionedConcurrencyConfig", func(in *api.GetProvisionedConcurrencyConfigRequest) (n, q *string) {
			return in.FunctionName, in.Qualifier
		}), s.getProvisionedConcurrencyConfig),
		call.Bind(api.DeleteProvisionedConcurrencyConfig, on("lambda:DeleteProvisionedConcurrencyConfig", func(in *api.DeleteProvisionedConcurrencyConfigRequest) (n, q *string) {
			return in.FunctionName, in.Qualifier
		}), s.deleteProvisionedConcurrencyConfig),
		call.Bind(api.ListProvisionedConcurrencyConfigs, on("lambda:ListProvisionedConcurrencyConfigs", func(in *api.ListProvisionedConcurrencyConfigsRequest) (n, q *string) {
			return in.FunctionName, nil
		}), s.listProvisionedConcurrencyConfigs),
	}
}

// errUnpublished says that $LATEST cannot have what is provisioned.
func errUnpublished() error {
	return api.InvalidParameterValueException("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
}

// provisionable says whether concurrency can be provisioned for a qualifier.
func (f *function) provisionable(q string) error {
	bad := api.InvalidParameterValueException
	if q == latest {
		return errUnpublished()
	}
	a := f.rec.Aliases[q]
	if a == nil {
		for name := range f.rec.Provisioned {
			if b := f.rec.Aliases[name]; b != nil && b.Version == q {
				return bad("Version is pointed by a Provisioned Concurrency alias")
			}
		}
		return nil
	}
	switch {
	case a.Version == latest:
		return errUnpublished()
	case len(a.Weights) > 0:
		return bad("Alias with weights can not be used with Provisioned Concurrency")
	}
	for name := range f.rec.Provisioned {
		b := f.rec.Aliases[name]
		if name == a.Version || name != q && b != nil && b.Version == a.Version {
			return bad("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
		}
	}
	return nil
}

// requested is how much a function asks for in all.
func (rec *record) requested() (n int) {
	for _, x := range rec.Provisioned {
		n += int(x.Requested)
	}
	return n
}

func (s *Service) putProvisionedConcurrencyConfig(ctx context.Context, rq *call.Authorized, in *api.PutProvisionedConcurrencyConfigRequest) (*api.PutProvisionedConcurrencyConfigResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	n := *in.ProvisionedConcurrentExecutions
	f, err := s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound(q)
		}
		if err := f.has(q); err != nil {
			return err
		}
		if err := f.provisionable(q); err != nil {
			return err
		}
		if f.rec.Provisioned == nil {
			f.rec.Provisioned = map[string]*provisioned{}
		}
		f.rec.Provisioned[q] = &provisioned{Requested: n, Modified: s.clock.Now()}
		sum := f.rec.requested()
		if f.rec.Reserved != nil {
			if sum > int(*f.rec.Reserved) {
				return api.InvalidParameterValueException("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
			}
			return data.Save(t, k.record(), f.rec)
		}
		others, err := used(t, k.area(), k.name)
		if err != nil {
			return err
		}
		switch free := maxConcurrency - others.reserved; {
		case sum > free:
			return api.InvalidParameterValueException("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [%d].", free)
		case free-sum < minUnreserved:
			return api.InvalidParameterValueException("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", minUnreserved)
		}
		return data.Save(t, k.record(), f.rec)
	})
	if err != nil {
		return nil, err
	}
	if err := s.plane.recount(context.WithoutCancel(ctx), k.area()); err != nil {
		return nil, err
	}
	x := f.shown(q)
	return &api.PutProvisionedConcurrencyConfigResponse{
		RequestedProvisionedConcurrentExecutions: x.RequestedProvisionedConcurrentExecutions, AvailableProvisionedConcurrentExecutions: new(int32(0)),
		AllocatedProvisionedConcurrentExecutions: new(int32(0)), Status: new(api.ProvisionedConcurrencyStatusEnumInProgress), LastModified: x.LastModified,
	}, nil
}

// shown is how it stands with what is provisioned for a qualifier.
func (f *function) shown(q string) *api.ProvisionedConcurrencyConfigListItem {
	x := f.rec.Provisioned[q]
	var allocated, available int
	var failure error
	for v, n := range f.shares(q, int(x.Requested)) {
		f.pools.mu.Lock()
		p := f.pools.versions[v]
		f.pools.mu.Unlock()
		if p == nil {
			continue
		}
		p.mu.Lock()
		allocated += min(n, p.have)
		available += min(n, len(p.ready))
		if p.failure != nil {
			failure = p.failure
		}
		p.mu.Unlock()
	}
	out := &api.ProvisionedConcurrencyConfigListItem{
		FunctionArn: new(f.key.arn(q)), RequestedProvisionedConcurrentExecutions: &x.Requested,
		AllocatedProvisionedConcurrentExecutions: new(int32(allocated)), AvailableProvisionedConcurrentExecutions: new(int32(available)),
		Status: new(api.ProvisionedConcurrencyStatusEnumInProgress), LastModified: new(x.Modified.Format(timeForm)),
	}
	switch {
	case allocated >= int(x.Requested):
		out.Status = new(api.ProvisionedConcurrencyStatusEnumReady)
	case failure != nil:
		out.Status, out.StatusReason = new(api.ProvisionedConcurrencyStatusEnumFailed), new(reasonOf(failure))
	}
	return out
}

// reasonOf says why an environment could not be had.
func reasonOf(err error) string {
	init := (*initFailure)(nil)
	switch f := fault.As(err); {
	case errors.As(err, &init):
		return "FUNCTION_ERROR_INIT_FAILURE: " + init.Type
	case errors.Is(err, errMemory):
		return "The memory that functions may hold on this server is used up."
	case f != nil:
		return f.Message
	}
	return "The environment could not be started."
}

func (s *Service) getProvisionedConcurrencyConfig(ctx context.Context, rq *call.Authorized, in *api.GetProvisionedConcurrencyConfigRequest) (*api.GetProvisionedConcurrencyConfigResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, q)
	if err != nil {
		return nil, err
	}
	if f.rec.Provisioned[q] == nil {
		return nil, api.ProvisionedConcurrencyConfigNotFoundException("No Provisioned Concurrency Config found for this function").With("Type", "User")
	}
	x := f.shown(q)
	return &api.GetProvisionedConcurrencyConfigResponse{
		RequestedProvisionedConcurrentExecutions: x.RequestedProvisionedConcurrentExecutions, AvailableProvisionedConcurrentExecutions: x.AvailableProvisionedConcurrentExecutions,
		AllocatedProvisionedConcurrentExecutions: x.AllocatedProvisionedConcurrentExecutions, Status: x.Status, StatusReason: x.StatusReason, LastModified: x.LastModified,
	}, nil
}

func (s *Service) deleteProvisionedConcurrencyConfig(ctx context.Context, rq *call.Authorized, in *api.DeleteProvisionedConcurrencyConfigRequest) (*call.None, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		if err := f.has(q); err != nil {
			return err
		}
		delete(f.rec.Provisioned, q) // AWS answers success also where there is none
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.plane.recount(context.WithoutCancel(ctx), k.area())
}

func (s *Service) listProvisionedConcurrencyConfigs(ctx context.Context, rq *call.Authorized, in *api.ListProvisionedConcurrencyConfigsRequest) (*api.ListProvisionedConcurrencyConfigsResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListProvisionedConcurrencyConfigsResponse{ProvisionedConcurrencyConfigs: []api.ProvisionedConcurrencyConfigListItem{}}
	last := ""
	for _, q := range slices.Sorted(maps.Keys(f.rec.Provisioned)) {
		if q <= marker {
			continue
		}
		if len(out.ProvisionedConcurrencyConfigs) == pageSize(in.MaxItems) {
			out.NextMarker = new(page.Token(last))
			break
		}
		out.ProvisionedConcurrencyConfigs = append(out.ProvisionedConcurrencyConfigs, *f.shown(q))
		last = q
	}
	return out, nil
}
