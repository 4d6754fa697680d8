package cloudformation

import (
	"context"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Drift: what the resources are now, against what the template says. Resources are
// read while the request is answered, as its caller or as the stack's role; types
// that cannot be read stay NOT_CHECKED. Properties with dynamic references are not
// compared.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html

func (s *Service) driftBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DetectStackDrift, onStack(s, "cloudformation:DetectStackDrift", func(in *api.DetectStackDriftInput) *string { return in.StackName }, nil), s.detectStackDrift),
		call.Bind(api.DetectStackResourceDrift, onStack(s, "cloudformation:DetectStackResourceDrift", func(in *api.DetectStackResourceDriftInput) *string { return in.StackName }, nil), s.detectStackResourceDrift),
		call.Bind(api.DescribeStackResourceDrifts, onStack(s, "cloudformation:DescribeStackResourceDrifts", func(in *api.DescribeStackResourceDriftsInput) *string { return in.StackName }, nil), s.describeStackResourceDrifts),
		call.Bind(api.DescribeStackDriftDetectionStatus, call.Any[api.DescribeStackDriftDetectionStatusInput]("cloudformation:DescribeStackDriftDetectionStatus"), s.describeStackDriftDetectionStatus),
	}
}

// driftRecord is what a detection found of one resource.
type driftRecord struct {
	V                int `json:"v"`
	ID, Physical     string
	Type             string
	Expected, Actual string `json:",omitempty"` // JSON
	Differences      []api.PropertyDifference
	Status           string
	Reason           string `json:",omitempty"`
	At               time.Time
}

// detectionRecord is one detection of a whole stack, or of some of its resources.
type detectionRecord struct {
	V                 int `json:"v"`
	ID, Stack         string
	Drift             string // the stack's drift status
	Detection, Reason string
	Drifted           int32
	At                time.Time
}

func (sc scope) driftKey(stack, id string) []byte { return sc.key("drift", stack, id) }
func (sc scope) detectionKey(id string) []byte    { return sc.key("detection", id) }

// drifting finds a stack whose drift may be detected.
func (s *Service) drifting(ctx context.Context, rq *call.Authorized, name string) (*stackRecord, *specRecord, map[string]*resourceRecord, error) {
	st, spec, recs, err := s.present(ctx, scopeOf(rq.Decoded), name)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case st == nil || st.Status == api.StackStatusDeleteComplete:
		return nil, nil, nil, fault.Of(fault.Validation, "Stack [%s] does not exist", name)
	case !updatable(st.Status) && st.Status != api.StackStatusUpdateRollbackFailed:
		return nil, nil, nil, fault.Of(fault.Validation, "Drift detection cannot be performed on stack [%s] while it is in %s state", st.ID, st.Status)
	}
	return st, spec, recs, nil
}

// reader is what a resource type is told that reads for a stack's sake.
func (s *Service) reader(rq *call.Authorized, st *stackRecord, spec *specRecord, rec *resourceRecord) *resource.Request {
	as := rq.As()
	if spec != nil && spec.Role != "" {
		as = call.AsRole(spec.Role, "AWSCloudFormation", serviceName, st.Region).From(rq.Incoming())
	}
	r := &resource.Request{
		Caller: s.d.Caller, As: as, Account: st.Account, Region: st.Region, StackName: st.Name, StackID: st.ID, LogicalID: rec.ID, Type: rec.Type,
		Name: func(int) string { return rec.Physical },
	}
	if spec != nil {
		r.StackTags = spec.Tags
	}
	return r
}

// drift reads one resource and compares it.
func (s *Service) drift(ctx context.Context, rq *call.Authorized, st *stackRecord, spec *specRecord, rec *resourceRecord) *driftRecord {
	d := &driftRecord{V: version, ID: rec.ID, Physical: rec.Physical, Type: rec.Type, Status: api.StackResourceDriftStatusNotChecked, At: s.d.Clock.Now()}
	t := s.types().of(rec.Type)
	if t == nil || !t.Reads() || rec.Physical == "" {
		return d
	}
	request := s.reader(rq, st, spec, rec)
	actual, _, err := t.Read(ctx, request, rec.Physical, rec.Properties)
	switch {
	case err != nil:
		d.Status, d.Reason = api.StackResourceDriftStatusUnknown, err.Error()
		if f := fault.As(err); f != nil {
			d.Reason = f.Message
		}
		return d
	case actual == nil:
		d.Status, d.Expected = api.StackResourceDriftStatusDeleted, rec.text()
		return d
	}
	d.Status = api.StackResourceDriftStatusInSync
	expected, shownExpected, shownActual := map[string]any{}, map[string]any{}, map[string]any{}
	// secret says that what a property has of a parameter must not be shown.
	secret := func(name string) bool { return !intrinsic.Same(rec.Properties[name], rec.echoed()[name]) }
	for k, v := range rec.Properties {
		if hasDynamic(v) {
			continue
		}
		expected[k], shownExpected[k] = v, rec.echoed()[k]
		if a, ok := actual[k]; ok {
			shownActual[k] = a
			if secret(k) {
				shownActual[k] = hidden
			}
		}
	}
	for _, x := range t.Differences(expected, actual, request.StackTags) {
		d.Status = api.StackResourceDriftStatusModified
		if name, _, _ := strings.Cut(strings.TrimPrefix(x.Path, "/"), "/"); secret(name) {
			x.Expected, x.Actual = hidden, hidden
		}
		d.Differences = append(d.Differences, api.PropertyDifference{
			PropertyPath: new(x.Path), DifferenceType: new(x.Kind), ExpectedValue: new(driftText(x.Expected)), ActualValue: new(driftText(x.Actual)),
		})
	}
	d.Expected, d.Actual = template.JSON(shownExpected), template.JSON(shownActual)
	return d
}

// driftText is a value as drifts show it.
func driftText(v any) string {
	if v == nil {
		return "null"
	}
	if s, ok := template.Text(v); ok {
		return s
	}
	return template.JSON(v)
}

func (s *Service) detectStackDrift(ctx context.Context, rq *call.Authorized, in *api.DetectStackDriftInput) (*api.DetectStackDriftOutput, error) {
	st, spec, recs, err := s.drifting(ctx, rq, opt.Val(in.StackName))
	if err != nil {
		return nil, err
	}
	for _, id := range in.LogicalResourceIds {
		if recs[id] == nil {
			return nil, fault.Of(fault.Validation, "Resource %s does not exist for stack %s", id, st.Name)
		}
	}
	found := &detectionRecord{
		V: version, ID: s.d.IDs.UUID(), Stack: st.ID, Drift: api.StackDriftStatusInSync,
		Detection: api.StackDriftDetectionStatusDetectionComplete, At: s.d.Clock.Now(),
	}
	var drifts []*driftRecord
	for _, rec := range recs {
		if len(in.LogicalResourceIds) > 0 && !contains(in.LogicalResourceIds, rec.ID) {
			continue
		}
		d := s.drift(ctx, rq, st, spec, rec)
		drifts = append(drifts, d)
		switch d.Status {
		case api.StackResourceDriftStatusModified, api.StackResourceDriftStatusDeleted:
			found.Drift = api.StackDriftStatusDrifted
			found.Drifted++
		case api.StackResourceDriftStatusUnknown:
			found.Detection, found.Reason = api.StackDriftDetectionStatusDetectionFailed, "Failed to detect drift on resource ["+d.ID+"]: "+d.Reason
		}
	}
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		for _, d := range drifts {
			if err := put(tx, st.driftKey(st.ID, d.ID), d); err != nil {
				return err
			}
		}
		if err := put(tx, st.detectionKey(found.ID), found); err != nil {
			return err
		}
		return s.noteDrift(tx, st, found.Drift, found.At)
	})
	return &api.DetectStackDriftOutput{StackDriftDetectionId: new(found.ID)}, err
}

// noteDrift writes the drift into a stack's record, unless an operation has begun
// meanwhile, after which it would not be true.
func (s *Service) noteDrift(tx data.Txn, st *stackRecord, status string, at time.Time) error {
	now, err := get[stackRecord](tx, st.stackKey(st.ID))
	if err != nil || now == nil || !finished(now.Status) {
		return err
	}
	now.Drift, now.DriftAt = status, at
	return put(tx, st.stackKey(st.ID), now)
}

func (s *Service) detectStackResourceDrift(ctx context.Context, rq *call.Authorized, in *api.DetectStackResourceDriftInput) (*api.DetectStackResourceDriftOutput, error) {
	st, spec, recs, err := s.drifting(ctx, rq, opt.Val(in.StackName))
	if err != nil {
		return nil, err
	}
	rec := recs[opt.Val(in.LogicalResourceId)]
	if rec == nil {
		return nil, fault.Of(fault.Validation, "Resource %s does not exist for stack %s", opt.Val(in.LogicalResourceId), st.Name)
	}
	if t := s.types().of(rec.Type); t == nil || !t.Reads() {
		return nil, fault.Of(fault.Validation, "Drift detection is not supported for resource type %s of resource %s", rec.Type, rec.ID)
	}
	d := s.drift(ctx, rq, st, spec, rec)
	if d.Status == api.StackResourceDriftStatusUnknown {
		return nil, fault.Of(fault.Validation, "Failed to detect drift on resource [%s]: %s", rec.ID, d.Reason)
	}
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		if err := put(tx, st.driftKey(st.ID, d.ID), d); err != nil {
			return err
		}
		if d.Status == api.StackResourceDriftStatusInSync {
			return nil // the others may have drifted
		}
		return s.noteDrift(tx, st, api.StackDriftStatusDrifted, d.At)
	})
	return &api.DetectStackResourceDriftOutput{StackResourceDrift: new(d.describe(st))}, err
}

func (d *driftRecord) describe(st *stackRecord) api.StackResourceDrift {
	return api.StackResourceDrift{
		StackId: new(st.ID), LogicalResourceId: new(d.ID), PhysicalResourceId: opt.NonZero(d.Physical), ResourceType: new(d.Type),
		ExpectedProperties: opt.NonZero(d.Expected), ActualProperties: opt.NonZero(d.Actual), PropertyDifferences: append([]api.PropertyDifference{}, d.Differences...),
		StackResourceDriftStatus: new(d.Status), DriftStatusReason: opt.NonZero(d.Reason), Timestamp: new(d.At),
	}
}

func (s *Service) describeStackResourceDrifts(ctx context.Context, rq *call.Authorized, in *api.DescribeStackResourceDriftsInput) (*api.DescribeStackResourceDriftsOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.DescribeStackResourceDriftsOutput{StackResourceDrifts: []api.StackResourceDrift{}}
	err := s.view(ctx, func(rd data.Reader) error {
		st, err := sc.find(rd, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
		}
		recs, err := sc.resources(rd, st.ID)
		if err != nil {
			return err
		}
		all, next, err := pageOf[driftRecord](rd, sc.key("drift", st.ID), in.NextToken, int(opt.Or(in.MaxResults, 100)))
		for _, d := range all {
			if d.stale(recs[d.ID]) || len(in.StackResourceDriftStatusFilters) > 0 && !contains(in.StackResourceDriftStatusFilters, d.Status) {
				continue
			}
			out.StackResourceDrifts = append(out.StackResourceDrifts, d.describe(st))
		}
		out.NextToken = next
		return err
	})
	return out, err
}

// stale reports whether the resource was changed after it was read.
func (d *driftRecord) stale(rec *resourceRecord) bool {
	return rec == nil || rec.Physical != d.Physical || rec.Updated.After(d.At)
}

// driftStates returns the drift status of the stack's resources that were read
// since they were last changed.
func (sc scope) driftStates(rd data.Reader, stack string, recs []*resourceRecord) (map[string]*driftRecord, error) {
	all, err := list[driftRecord](rd, sc.key("drift", stack))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	out := map[string]*driftRecord{}
	for _, d := range all {
		for _, rec := range recs {
			if rec.ID == d.ID && !d.stale(rec) {
				out[d.ID] = d
			}
		}
	}
	return out, nil
}

// state returns the status and the time of what may be nil.
func (d *driftRecord) state() (status string, at *time.Time) {
	if d == nil {
		return api.StackResourceDriftStatusNotChecked, nil
	}
	return d.Status, &d.At
}

// driftState is the stack's drift status, and since when; not that of an earlier
// state of the stack.
func (st *stackRecord) driftState() (status string, at *time.Time) {
	if st.Drift == "" || st.Op.Started.After(st.DriftAt) {
		return api.StackDriftStatusNotChecked, nil
	}
	return st.Drift, &st.DriftAt
}

func (s *Service) describeStackDriftDetectionStatus(ctx context.Context, rq *call.Authorized, in *api.DescribeStackDriftDetectionStatusInput) (*api.DescribeStackDriftDetectionStatusOutput, error) {
	var d *detectionRecord
	err := s.view(ctx, func(rd data.Reader) (err error) {
		d, err = get[detectionRecord](rd, scopeOf(rq.Decoded).detectionKey(opt.Val(in.StackDriftDetectionId)))
		return err
	})
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fault.Of(fault.Validation, "Drift detection with id %s does not exist", opt.Val(in.StackDriftDetectionId))
	}
	return &api.DescribeStackDriftDetectionStatusOutput{
		StackId: new(d.Stack), StackDriftDetectionId: new(d.ID), StackDriftStatus: new(d.Drift), DetectionStatus: new(d.Detection),
		DetectionStatusReason: opt.NonZero(d.Reason), DriftedStackResourceCount: new(d.Drifted), Timestamp: new(d.At),
	}, nil
}
