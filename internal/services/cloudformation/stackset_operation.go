package cloudformation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// Operations on stack sets: how they begin, and what is said of them.

func (s *Service) setOperationBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeStackSetOperation, onSet(s, "cloudformation:DescribeStackSetOperation", func(in *api.DescribeStackSetOperationInput) *string { return in.StackSetName }, nil), s.describeStackSetOperation),
		call.Bind(api.ListStackSetOperations, onSet(s, "cloudformation:ListStackSetOperations", func(in *api.ListStackSetOperationsInput) *string { return in.StackSetName }, nil), s.listStackSetOperations),
		call.Bind(api.ListStackSetOperationResults, onSet(s, "cloudformation:ListStackSetOperationResults", func(in *api.ListStackSetOperationResultsInput) *string { return in.StackSetName }, nil), s.listStackSetOperationResults),
		call.Bind(api.StopStackSetOperation, onSet(s, "cloudformation:StopStackSetOperation", func(in *api.StopStackSetOperationInput) *string { return in.StackSetName }, nil), s.stopStackSetOperation),
	}
}

// digest tells requests apart that come with the same operation id.
func digest(in any) (string, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// setWork is an operation that a request asks for.
type setWork struct {
	name   string // of the stack set, or its id
	id     *string
	callAs *string
	prefs  *api.StackSetOperationPreferences
	in     any // the request
	action string
	// targets says where it acts, with what it changes of the set and of op; a nil result
	// is an operation that has nothing to do.
	targets func(tx data.Txn, set *setRecord, op *setOperation) ([]target, error)
}

// beginSet stores an operation, and starts it as soon as no other is in its way. It
// returns the operation's id. A request that came before, with its operation id, is
// not carried out again.
func (s *Service) beginSet(ctx context.Context, rq *call.Authorized, w setWork) (*string, error) {
	sc := scopeOf(rq.Decoded)
	if err := callAsSelf(w.callAs); err != nil {
		return nil, err
	}
	prefs, err := readPreferences(w.prefs)
	if err != nil {
		return nil, err
	}
	sum, err := digest(w.in)
	if err != nil {
		return nil, err
	}
	id, from, again := opt.Or(w.id, s.d.IDs.UUID()), rq.Incoming(), false
	var set *setRecord
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		if set, err = sc.activeSet(tx, w.name); err != nil {
			return err
		}
		if err := sc.forgetPast(tx, set.ID, s.d.Clock.Now()); err != nil {
			return err
		}
		old, err := sc.findSetOp(tx, set.ID, id)
		if err != nil {
			return err
		}
		if again = old != nil && old.Digest == sum && old.Action == w.action; again {
			return nil
		}
		if old != nil {
			return api.OperationIdAlreadyExistsException("The operation ID %s already exists", id)
		}
		open, err := sc.openSetOps(tx, set.ID)
		if err != nil {
			return err
		}
		if len(open) > 0 && !set.Managed {
			return inProgress(set)
		}
		set.Seq++
		op := &setOperation{
			V: version, ID: id, Set: set.ID, Seq: set.Seq, Action: w.action, Status: api.StackSetOperationStatusQueued, Digest: sum,
			Created: s.d.Clock.Now(), Prefs: prefs, Scheme: from.Scheme, Host: from.Host,
		}
		targets, err := w.targets(tx, set, op)
		if err != nil {
			return err
		}
		op.Spec, op.AdminRole, op.ExecRole = set.Spec, set.AdminRole, set.ExecRole
		op.Regions = op.Prefs.order(op.Regions)
		if !slices.ContainsFunc(open, func(o *setOperation) bool { return conflict(tx, sc, o, targets) }) {
			op.Status = api.StackSetOperationStatusRunning
		}
		for _, t := range targets {
			if err := put(tx, sc.resultKey(set.ID, op.Seq, t), &resultRecord{V: version, target: t, Status: api.StackSetOperationResultStatusPending}); err != nil {
				return err
			}
		}
		if err := put(tx, sc.setKey(set.ID), set); err != nil {
			return err
		}
		if err := put(tx, sc.setOpKey(set.ID, op.Seq), op); err != nil {
			return err
		}
		if err := tx.Put(sc.setOpIDKey(set.ID, id), []byte(padded(op.Seq))); err != nil {
			return err
		}
		return tx.Put(sc.setRunningKey(set.ID, op.Seq), []byte{1})
	})
	if err != nil || again {
		return &id, err
	}
	if done := s.scheduleSet(ctx, sc, set.ID, id); done != nil {
		s.linger(ctx, done)
	}
	return &id, nil
}

// conflict reports whether an operation acts on one of the targets; an error of the
// store counts as one, and comes again when the operation is stored.
func conflict(rd data.Reader, sc scope, op *setOperation, targets []target) bool {
	for _, t := range targets {
		if _, is, err := rd.Get(sc.resultKey(op.Set, op.Seq, t)); is || err != nil {
			return true
		}
	}
	return false
}

// setOperationOf reads an operation for an answer.
func (s *Service) setOperationOf(rd data.Reader, sc scope, name, id string) (*setRecord, *setOperation, error) {
	set, err := sc.activeSet(rd, name)
	if err != nil {
		return nil, nil, err
	}
	op, err := sc.findSetOp(rd, set.ID, id)
	if err == nil && (op == nil || op.past(s.d.Clock.Now())) {
		err = api.OperationNotFoundException("Operation %s not found for StackSet %s", id, set.Name)
	}
	return set, op, err
}

func (s *Service) describeStackSetOperation(ctx context.Context, rq *call.Authorized, in *api.DescribeStackSetOperationInput) (*api.DescribeStackSetOperationOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	out := &api.DescribeStackSetOperationOutput{}
	return out, s.view(ctx, func(rd data.Reader) error {
		_, op, err := s.setOperationOf(rd, scopeOf(rq.Decoded), opt.Val(in.StackSetName), opt.Val(in.OperationId))
		if err != nil {
			return err
		}
		out.StackSetOperation = &api.StackSetOperation{
			OperationId: new(op.ID), StackSetId: new(op.Set), Action: new(op.Action), Status: new(op.Status), StatusReason: opt.NonZero(op.Reason),
			OperationPreferences: op.Prefs.describe(), AdministrationRoleARN: new(op.AdminRole), ExecutionRoleName: new(op.ExecRole),
			CreationTimestamp: new(op.Created), EndTimestamp: instant(op.Ended),
			StatusDetails: &api.StackSetOperationStatusDetails{FailedStackInstancesCount: new(op.Failed)},
		}
		if op.Action == api.StackSetOperationActionDelete {
			out.StackSetOperation.RetainStacks = new(op.Retain)
		}
		if len(op.Accounts) > 0 {
			out.StackSetOperation.DeploymentTargets = &api.DeploymentTargets{Accounts: op.Accounts}
		}
		if op.Drift != nil {
			out.StackSetOperation.StackSetDriftDetectionDetails = op.Drift.describe()
		}
		return nil
	})
}

// listStackSetOperations lists the latest first.
func (s *Service) listStackSetOperations(ctx context.Context, rq *call.Authorized, in *api.ListStackSetOperationsInput) (*api.ListStackSetOperationsOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, now, out := scopeOf(rq.Decoded), s.d.Clock.Now(), &api.ListStackSetOperationsOutput{Summaries: []api.StackSetOperationSummary{}}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, fault.Of(fault.Validation, "Invalid NextToken")
	}
	return out, s.view(ctx, func(rd data.Reader) error {
		set, err := sc.activeSet(rd, opt.Val(in.StackSetName))
		if err != nil {
			return err
		}
		prefix := sc.key("setop", set.ID)
		end := data.PrefixEnd(prefix)
		if after != "" {
			n, err := strconv.ParseInt(after, 10, 64)
			if err != nil {
				return fault.Of(fault.Validation, "Invalid NextToken")
			}
			end = sc.setOpKey(set.ID, n)
		}
		for p, err := range rd.Scan(prefix, end, true) {
			if err != nil {
				return err
			}
			var op setOperation
			if err := decode(p.Value, &op); err != nil {
				return err
			}
			if op.past(now) {
				continue
			}
			if len(out.Summaries) == int(opt.Or(in.MaxResults, setsPerPage)) {
				out.NextToken = new(page.Token(strconv.FormatInt(op.Seq+1, 10)))
				return nil
			}
			out.Summaries = append(out.Summaries, api.StackSetOperationSummary{
				OperationId: new(op.ID), Action: new(op.Action), Status: new(op.Status), StatusReason: opt.NonZero(op.Reason),
				CreationTimestamp: new(op.Created), EndTimestamp: instant(op.Ended), OperationPreferences: op.Prefs.describe(),
				StatusDetails: &api.StackSetOperationStatusDetails{FailedStackInstancesCount: new(op.Failed)},
			})
		}
		return nil
	})
}

func (s *Service) listStackSetOperationResults(ctx context.Context, rq *call.Authorized, in *api.ListStackSetOperationResultsInput) (*api.ListStackSetOperationResultsOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, out := scopeOf(rq.Decoded), &api.ListStackSetOperationResultsOutput{Summaries: []api.StackSetOperationResultSummary{}}
	return out, s.view(ctx, func(rd data.Reader) error {
		set, op, err := s.setOperationOf(rd, sc, opt.Val(in.StackSetName), opt.Val(in.OperationId))
		if err != nil {
			return err
		}
		all, next, err := filtered(rd, sc.results(set.ID, op.Seq), in.NextToken, in.MaxResults, func(r *resultRecord) bool {
			for _, f := range in.Filters { // by OPERATION_RESULT_STATUS, the only name
				if opt.Val(f.Values) != r.Status {
					return false
				}
			}
			return true
		})
		for _, r := range all {
			d := api.StackSetOperationResultSummary{Account: new(r.Account), Region: new(r.Region), Status: new(r.Status), StatusReason: opt.NonZero(r.Reason)}
			if r.Gate != "" {
				d.AccountGateResult = &api.AccountGateResult{Status: new(r.Gate), StatusReason: opt.NonZero(r.GateReason)}
			}
			out.Summaries = append(out.Summaries, d)
		}
		out.NextToken = next
		return err
	})
}

func (s *Service) stopStackSetOperation(ctx context.Context, rq *call.Authorized, in *api.StopStackSetOperationInput) (*api.StopStackSetOperationOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc := scopeOf(rq.Decoded)
	var id string
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		set, op, err := s.setOperationOf(tx, sc, opt.Val(in.StackSetName), opt.Val(in.OperationId))
		if err != nil {
			return err
		}
		if op.ended() {
			return api.InvalidOperationException("Operation %s is already in %s state and can not be stopped", op.ID, op.Status)
		}
		id, op.Status = set.ID, api.StackSetOperationStatusStopping
		return put(tx, sc.setOpKey(set.ID, op.Seq), op)
	})
	if err == nil { // one that had not begun ends now
		s.scheduleSet(ctx, sc, id, "")
	}
	return &api.StopStackSetOperationOutput{}, err
}
