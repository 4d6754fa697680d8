package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// What an operation on a stack set does at one target. The administration role, which
// CloudFormation assumes, assumes the execution role in the target account; everything
// there is done as that.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html

// act carries the operation out on an instance, whose record it keeps up.
func (r *setRun) act(ctx context.Context, i *instanceRecord, res *resultRecord) (effect, error) {
	if r.op.Action == api.StackSetOperationActionDelete && (r.op.Retain || i.Name == "") {
		return effect{gone: true}, nil
	}
	as, reason, err := r.assume(ctx, i.target)
	if reason != "" || err != nil {
		return effect{reason: reason, gone: r.op.Import != nil}, err
	}
	if r.op.Action == api.StackSetOperationActionDetectDrift {
		return r.detect(ctx, as, i)
	}
	if r.op.Import != nil {
		return r.take(ctx, as, i)
	}
	if reason, err := r.gate(ctx, as, res); reason != "" || err != nil {
		return effect{reason: reason}, err
	}
	if r.op.Action == api.StackSetOperationActionDelete {
		reason, err := r.remove(ctx, as, i)
		e := effect{reason: reason, gone: reason == ""}
		if reason != "" && err == nil {
			st, ferr := r.stack(ctx, i)
			e.broken, err = st != nil && st.Status == api.StackStatusDeleteFailed, ferr
		}
		return e, err
	}
	reason, err = r.apply(ctx, as, i)
	return effect{reason: reason}, err
}

// said is what a fault says, "" if err is none: then it is to be tried again.
func said(err error) string {
	if f := fault.As(err); f != nil {
		return f.Message
	}
	return ""
}

// assume is the execution role in an account, or the reason why it cannot be assumed.
func (r *setRun) assume(ctx context.Context, t target) (as call.As, reason string, err error) {
	s, in := r.s, r.origin(r.sc.Region)
	_, session, _ := strings.Cut(r.set.ID, ":")
	admin := call.AsRole(r.op.AdminRole, session, serviceName, r.sc.Region).From(in)
	a, _ := arn.Parse(r.op.AdminRole)
	name := strings.TrimPrefix(a.Resource, "role/")
	if _, err := call.Do(ctx, s.d.Caller, admin, sts.GetCallerIdentity, &sts.GetCallerIdentityRequest{}); err != nil {
		if said(err) == "" {
			return as, "", err
		}
		return as, fmt.Sprintf("Account %s should have '%s' role with trust relationship to CloudFormation service.", r.sc.Account, name), nil
	}
	out, err := call.Do(ctx, s.d.Caller, admin, sts.AssumeRole, &sts.AssumeRoleRequest{
		RoleArn: new(arn.Make("iam", "", t.Account, "role/"+r.op.ExecRole)), RoleSessionName: &session,
	})
	if err != nil {
		if said(err) == "" {
			return as, "", err
		}
		return as, fmt.Sprintf("Account %s should have '%s' role with trust relationship to Role '%s'.", t.Account, r.op.ExecRole, name), nil
	}
	id, _, err := s.d.Identities.Key(ctx, opt.Val(out.Credentials.AccessKeyId), opt.Val(out.Credentials.SessionToken))
	if err != nil {
		return as, "", err
	}
	return call.AsIdentity(id, t.Region).From(r.origin(t.Region)), "", nil
}

// gateName is the function with which an account may hold up operations.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-account-gating.html
const gateName = "AWSCloudFormationStackSetAccountGate"

// gate asks the target's account gate, if there is one that may be asked.
func (r *setRun) gate(ctx context.Context, as call.As, res *resultRecord) (reason string, err error) {
	out, err := call.Do(ctx, r.s.d.Caller, as, lambda.Invoke, &lambda.InvocationRequest{FunctionName: new(gateName), Payload: []byte("{}")})
	f := fault.As(err)
	function := arn.Make("lambda", res.Region, res.Account, "function:"+gateName)
	switch {
	case f != nil && strings.HasPrefix(f.Code, "ResourceNotFound"):
		res.Gate, res.GateReason = api.AccountGateStatusSkipped, "Function not found: "+function
		return "", nil
	case f != nil && f.Common == fault.AccessDenied:
		res.Gate, res.GateReason = api.AccountGateStatusSkipped, "The role "+r.op.ExecRole+" has no permission to invoke "+function
		return "", nil
	case f != nil:
		res.Gate, res.GateReason = api.AccountGateStatusFailed, f.Message
	case err != nil:
		return "", err
	default:
		var answer struct{ Status string }
		res.Gate = api.AccountGateStatusFailed
		switch {
		case out.FunctionError != nil:
			res.GateReason = "The account gate function failed: " + string(out.Payload)
		case json.Unmarshal(out.Payload, &answer) == nil && answer.Status == api.AccountGateStatusSucceeded:
			res.Gate = api.AccountGateStatusSucceeded
			return "", nil
		default:
			res.GateReason = "The account gate function answered " + string(out.Payload)
		}
	}
	return "Account gate check failed", nil
}

// stack reads an instance's stack; nil if there is none any more.
func (r *setRun) stack(ctx context.Context, i *instanceRecord) (*stackRecord, error) {
	if i.Name == "" {
		return nil, nil
	}
	name := i.Name
	if i.Stack != "" {
		name = i.Stack
	}
	st, err := r.s.taken(ctx, scope(i.target), name)
	if st != nil && st.Status == api.StackStatusDeleteComplete {
		return nil, err
	}
	return st, err
}

// token is that of the operation's requests.
func (r *setRun) token() string {
	_, id, _ := strings.Cut(r.set.ID, ":")
	return id + "-" + padded(r.op.Seq)
}

// note writes an instance's record while the operation is under way.
func (r *setRun) note(ctx context.Context, i *instanceRecord) error {
	return r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		if i.Stack != "" {
			if err := tx.Put(memberKey(i.Stack), []byte(r.set.ID)); err != nil {
				return err
			}
		}
		return put(tx, r.sc.instanceKey(r.set.ID, i.target), i)
	})
}

// values are the parameters, tags and capabilities of an instance's stack.
func (r *setRun) values(i *instanceRecord) []api.Parameter {
	all := maps.Clone(r.spec.Params)
	for k, v := range i.Overrides {
		if _, ok := all[k]; ok { // the template may have lost it
			all[k] = v
		}
	}
	return parameterList(all)
}

// maxSetInStack is how much of a stack set's name goes into those of its stacks.
const maxSetInStack = maxStackName - len("StackSet--") - 36

// apply makes an instance's stack what the stack set says.
func (r *setRun) apply(ctx context.Context, as call.As, i *instanceRecord) (reason string, err error) {
	st, err := r.stack(ctx, i)
	if err != nil {
		return "", err
	}
	if st != nil && st.Op.Token == r.token() && st.Op.Kind != "delete" { // begun before the last start
		return r.judge(ctx, st)
	}
	i.Overrides = r.op.Overrides.apply(i.Overrides)
	if st != nil && neverMade(st) {
		if reason, err = r.remove(ctx, as, i); reason != "" || err != nil {
			return reason, err
		}
		st = nil
	}
	// The template may have come from S3 and be longer than a request's body may be.
	ctx = context.WithValue(ctx, longBody{}, true)
	if st != nil {
		_, err := call.Do(ctx, r.s.d.Caller, as, api.UpdateStack, &api.UpdateStackInput{
			StackName: &st.ID, TemplateBody: &r.spec.Body, Parameters: r.values(i), Tags: tagList(r.spec.Tags), Capabilities: r.spec.Capabilities,
			ClientRequestToken: new(r.token()),
		})
		if reason = said(err); strings.HasPrefix(reason, "No updates are to be performed") {
			return "", nil
		}
		if err != nil {
			return reason, unsaid(err)
		}
		return r.judge(ctx, st)
	}
	if i.Name == "" || i.Stack != "" {
		if i.Stack != "" {
			if err := r.s.d.Store.Update(ctx, func(tx data.Txn) error { return tx.Delete(memberKey(i.Stack)) }); err != nil {
				return "", err
			}
		}
		name := r.set.Name
		i.Name, i.Stack = "StackSet-"+name[:min(len(name), maxSetInStack)]+"-"+r.s.d.IDs.UUID(), ""
		if err := r.note(ctx, i); err != nil { // it must be found again
			return "", err
		}
	}
	out, err := call.Do(ctx, r.s.d.Caller, as, api.CreateStack, &api.CreateStackInput{
		StackName: &i.Name, TemplateBody: &r.spec.Body, Parameters: r.values(i), Tags: tagList(r.spec.Tags), Capabilities: r.spec.Capabilities,
		ClientRequestToken: new(r.token()),
	})
	if err != nil {
		reason = said(err)
		i.Name = "" // there is none of that name
		return reason, unsaid(err)
	}
	i.Stack = *out.StackId
	if err := r.note(ctx, i); err != nil {
		return "", err
	}
	st, err = r.stack(ctx, i)
	if err != nil || st == nil {
		return "The stack was deleted while it was made", err
	}
	return r.judge(ctx, st)
}

// longBody, in a context, lets a template be as long as one from S3.
type longBody struct{}

// unsaid is err if it is no fault.
func unsaid(err error) error {
	if said(err) != "" {
		return nil
	}
	return err
}

// neverMade reports a stack whose creation failed, which cannot be updated.
func neverMade(st *stackRecord) bool {
	switch st.Status {
	case api.StackStatusRollbackComplete, api.StackStatusRollbackFailed, api.StackStatusCreateFailed, api.StackStatusDeleteFailed, api.StackStatusDeleteInProgress:
		return true
	}
	return false
}

// remove deletes an instance's stack.
func (r *setRun) remove(ctx context.Context, as call.As, i *instanceRecord) (reason string, err error) {
	st, err := r.stack(ctx, i)
	if err != nil || st == nil {
		return "", err
	}
	if st.Op.Token != r.token() || st.Op.Kind != "delete" {
		_, err := call.Do(ctx, r.s.d.Caller, as, api.DeleteStack, &api.DeleteStackInput{StackName: &st.ID, ClientRequestToken: new(r.token())})
		if err != nil {
			return said(err), unsaid(err)
		}
	}
	return r.judge(ctx, st)
}

// judge waits for the end of a stack's operation and says why it failed, "" if it did
// not.
func (r *setRun) judge(ctx context.Context, st *stackRecord) (reason string, err error) {
	st, err = r.s.ended(ctx, st.scope, st.ID)
	if err != nil || st == nil || finishedWell(st.Status) && st.Status != api.StackStatusUpdateRollbackComplete || st.Status == api.StackStatusDeleteComplete {
		return "", err
	}
	err = r.s.view(ctx, func(rd data.Reader) error {
		prefix := st.key("event", st.ID)
		for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			var e eventRecord
			if err := decode(p.Value, &e); err != nil {
				return err
			}
			if e.Op == st.Op.ID && e.Physical != st.ID && strings.HasSuffix(e.Status, "_FAILED") {
				reason = fmt.Sprintf("ResourceLogicalId:%s, ResourceType:%s, ResourceStatusReason:%s.", e.Logical, e.Type, strings.TrimSuffix(e.Reason, "."))
				return nil
			}
		}
		reason = fmt.Sprintf("Stack %s is in %s state: %s", st.Name, st.Status, st.Reason)
		return nil
	})
	return reason, err
}

// ended waits for the end of a stack's operation; it returns nil if the stack is gone.
func (s *Service) ended(ctx context.Context, sc scope, id string) (*stackRecord, error) {
	for {
		// First the job: one that ends now must be found to have ended.
		s.plane.mu.Lock()
		job := s.plane.jobs[id]
		s.plane.mu.Unlock()
		st, err := s.taken(ctx, sc, id)
		if err != nil || st == nil || finished(st.Status) {
			return st, err
		}
		var later <-chan time.Time
		if job == nil { // another start takes it up
			later = s.d.Clock.After(nestedLook)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-job:
		case <-later:
		}
	}
}
