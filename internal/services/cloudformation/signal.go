package cloudformation

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// CreationPolicy: a resource is complete once so many signals came for it.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-creationpolicy.html

func (s *Service) signalBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.SignalResource, onStack(s, "cloudformation:SignalResource", func(in *api.SignalResourceInput) *string { return in.StackName }, nil), s.signalResource),
	}
}

// waitType is the type that may have a CreationPolicy; the others of AWS are not here.
const waitType = "AWS::CloudFormation::WaitCondition"

// creationPolicy is how many signals a resource waits for, and how long.
type creationPolicy struct {
	count   int
	timeout time.Duration
}

// defaultSignalTime is how long signals are waited for if the policy does not say.
const defaultSignalTime = 5 * time.Minute

// creationPolicy reads a resource's CreationPolicy; nil if it has none.
func (p *plan) creationPolicy(id string) (*creationPolicy, error) {
	r := p.tmpl.Resources[id]
	if r.CreationPolicy == nil {
		return nil, nil
	}
	wrong := func(text string, path ...string) (*creationPolicy, error) {
		return nil, p.refuse(text, append([]string{"Resources", id, "CreationPolicy"}, path...)...)
	}
	if r.Type != waitType {
		return wrong("CreationPolicy of resource " + id + " is not supported: of the types that take one, only " + waitType + " is here")
	}
	v, err := p.eval.Eval(r.CreationPolicy)
	if err != nil {
		return nil, p.invalid(err, "Resources", id, "CreationPolicy")
	}
	m, _ := v.(map[string]any)
	signal, ok := m["ResourceSignal"].(map[string]any)
	if !ok || len(m) != 1 {
		return wrong("Template format error: CreationPolicy of resource " + id + " must contain ResourceSignal, and nothing else")
	}
	out := &creationPolicy{count: 1, timeout: defaultSignalTime}
	for k, x := range signal {
		text, _ := template.Text(x)
		switch k {
		case "Count":
			if out.count, err = strconv.Atoi(text); err != nil || out.count < 1 {
				return wrong("Template format error: Count of resource "+id+" must be a positive integer", "ResourceSignal", "Count")
			}
		case "Timeout":
			if out.timeout, ok = isoDuration(text); !ok || out.timeout > maxWait {
				return wrong("Template format error: Timeout of resource "+id+" must be an ISO 8601 duration of at most 12 hours, such as PT1H30M", "ResourceSignal", "Timeout")
			}
		default:
			return wrong("Template format error: ResourceSignal has no property "+k, "ResourceSignal", k)
		}
	}
	if r.Properties["Handle"] != nil {
		return wrong("A wait condition has either a CreationPolicy or a Handle")
	}
	return out, nil
}

// isoDuration reads PT#H#M#S.
func isoDuration(s string) (d time.Duration, ok bool) {
	rest, ok := strings.CutPrefix(s, "PT")
	if !ok || rest == "" {
		return 0, false
	}
	for _, u := range []struct {
		mark string
		unit time.Duration
	}{{"H", time.Hour}, {"M", time.Minute}, {"S", time.Second}} {
		if i := strings.Index(rest, u.mark); i >= 0 {
			n, err := strconv.ParseUint(rest[:i], 10, 20)
			if err != nil {
				return 0, false
			}
			d, rest = d+time.Duration(n)*u.unit, rest[i+1:]
		}
	}
	return d, rest == ""
}

// signalRecord is a signal that came for a resource.
type signalRecord struct {
	V          int `json:"v"`
	ID, Status string
}

func (sc scope) signalPrefix(stack, logical string) []byte { return sc.key("signal", stack, logical) }
func (sc scope) signalKey(stack, logical, id string) []byte {
	return sc.key("signal", stack, logical, id)
}

// maxSignalID is how long the unique id of a signal may be.
const maxSignalID = 64

func (s *Service) signalResource(ctx context.Context, rq *call.Authorized, in *api.SignalResourceInput) (*call.None, error) {
	sc, logical, id := scopeOf(rq.Decoded), opt.Val(in.LogicalResourceId), opt.Val(in.UniqueId)
	if len(id) > maxSignalID {
		return nil, fault.Of(fault.Validation, "1 validation error detected: Value at 'uniqueId' failed to satisfy constraint: Member must have length less than or equal to %d", maxSignalID)
	}
	stack := ""
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		st, err := sc.find(tx, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil || st.Status == api.StackStatusDeleteComplete {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
		}
		stack = st.ID
		rec, err := get[resourceRecord](tx, sc.resourceKey(st.ID, logical))
		if err != nil {
			return err
		}
		if rec == nil {
			return fault.Of(fault.Validation, "Resource %s does not exist for stack %s", logical, st.Name)
		}
		if rec.Status != api.ResourceStatusCreateInProgress && rec.Status != api.ResourceStatusUpdateInProgress {
			return fault.Of(fault.Validation, "Resource %s is in %s state and cannot be signaled", logical, rec.Status)
		}
		old, err := get[signalRecord](tx, sc.signalKey(st.ID, logical, id))
		if err != nil {
			return err
		}
		if old != nil && opt.Val(in.Status) != api.ResourceSignalStatusFailure {
			return fault.Of(fault.Validation, "Signal ID %s for resource %s already exists. Signals may only be updated with a FAILURE status.", id, logical)
		}
		return put(tx, sc.signalKey(st.ID, logical, id), &signalRecord{V: version, ID: id, Status: opt.Val(in.Status)})
	})
	if err != nil {
		return nil, err
	}
	s.plane.signal(stack, logical)
	return &call.None{}, nil
}

// signal wakes who waits for signals of a resource.
func (p *plane) signal(stack, logical string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.signals[[2]string{stack, logical}] <- struct{}{}:
	default: // nobody waits, or it looks anyway
	}
}

// awaited registers that signals of a resource are waited for, until the function
// that it returns is called.
func (p *plane) awaited(stack, logical string) (<-chan struct{}, func()) {
	key, news := [2]string{stack, logical}, make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.signals == nil {
		p.signals = map[[2]string]chan struct{}{}
	}
	p.signals[key] = news
	return news, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.signals, key)
	}
}

// await waits for the signals of a resource's CreationPolicy, if it has one. Each
// that comes makes an event.
func (r *run) await(ctx context.Context, rec *resourceRecord, again bool) error {
	want, err := r.plan.creationPolicy(rec.ID)
	if err != nil || want == nil {
		return err
	}
	if !again { // those of an earlier creation do not count
		if err := r.forgetSignals(ctx, rec.ID); err != nil {
			return err
		}
		c := *rec
		if err := r.save(ctx, &c, initiated(&c)); err != nil {
			return err
		}
	}
	news, unlist := r.s.plane.awaited(r.st.ID, rec.ID)
	defer unlist()
	deadline, err := r.s.deadline(ctx, r.request(rec.ID, rec.Type, "create"), want.timeout)
	if err != nil {
		return err
	}
	seen := map[string]string{}
	for {
		var all []*signalRecord
		if err := r.s.view(ctx, func(rd data.Reader) (err error) {
			all, err = list[signalRecord](rd, r.sc.signalPrefix(r.st.ID, rec.ID))
			return err
		}); err != nil {
			return err
		}
		failed, fine := 0, 0
		for _, x := range all {
			if seen[x.ID] != x.Status {
				seen[x.ID] = x.Status
				c := *rec
				if err := r.save(ctx, &c, eventRecord{Physical: rec.Physical, Status: api.ResourceStatusCreateInProgress, Reason: "Received " + x.Status + " signal with UniqueId " + x.ID}); err != nil {
					return err
				}
			}
			if x.Status == api.ResourceSignalStatusFailure {
				failed++
			} else {
				fine++
			}
		}
		switch {
		case failed > 0 && fine+failed >= want.count:
			return &saidError{fmt.Sprintf("Received %d FAILURE signal(s) out of %d.  Unable to satisfy 100%% MinSuccessfulInstancesPercent requirement", failed, want.count)}
		case fine >= want.count:
			return r.forgetSignals(ctx, rec.ID)
		}
		left := deadline.Sub(r.s.d.Clock.Now())
		if left <= 0 {
			return &saidError{fmt.Sprintf("Failed to receive %d resource signal(s) within the specified duration", want.count-fine)}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		case <-r.s.d.Clock.After(left):
		}
	}
}

func (r *run) forgetSignals(ctx context.Context, id string) error {
	return r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		prefix := r.sc.signalPrefix(r.st.ID, id)
		for p, err := range tx.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			if err := tx.Delete(p.Key); err != nil {
				return err
			}
		}
		return nil
	})
}
