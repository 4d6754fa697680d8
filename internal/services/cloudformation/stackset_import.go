package cloudformation

import (
	"context"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Stacks that exist become instances of a stack set, without being touched. They must
// have its template; parameters whose values differ become overrides.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-import.html

// Limits of one import.
const (
	maxSetImports       = 10  // that are named in the request
	maxSetImportsFromS3 = 200 // that are named in an object
)

func (s *Service) importStacksToStackSet(ctx context.Context, rq *call.Authorized, in *api.ImportStacksToStackSetInput) (*api.ImportStacksToStackSetOutput, error) {
	sc, ids, most := scopeOf(rq.Decoded), in.StackIds, maxSetImports
	switch {
	case len(in.OrganizationalUnitIds) > 0:
		return nil, fault.Of(fault.Validation, "StackSets with SELF_MANAGED permission model can only have accounts as target")
	case in.StackIdsUrl != nil && len(ids) > 0:
		return nil, fault.Of(fault.Validation, "StackIds and StackIdsUrl cannot be specified together")
	case in.StackIdsUrl != nil:
		var err error
		if ids, err = s.listAt(ctx, rq, *in.StackIdsUrl, "StackIdsUrl"); err != nil {
			return nil, err
		}
		most = maxSetImportsFromS3
	}
	if len(ids) == 0 || len(ids) > most {
		return nil, fault.Of(fault.Validation, "Between 1 and %d stacks can be imported at a time", most)
	}
	at := map[target]string{}
	for _, id := range ids {
		a, ok := arn.Parse(id)
		t := target{a.Account, a.Region}
		if !ok || !isStackID(id) {
			return nil, fault.Of(fault.Validation, "Stack id %s is not valid", id)
		}
		if at[t] != "" {
			return nil, fault.Of(fault.Validation, "Only one stack can be imported for account %s and region %s", t.Account, t.Region)
		}
		at[t] = id
	}
	id, err := s.beginSet(ctx, rq, setWork{
		name: opt.Val(in.StackSetName), id: in.OperationId, callAs: in.CallAs, prefs: in.OperationPreferences, in: in, action: api.StackSetOperationActionCreate,
		targets: func(tx data.Txn, set *setRecord, op *setOperation) (all []target, err error) {
			op.Import = map[string]string{}
			for t, id := range at {
				old, err := get[instanceRecord](tx, sc.instanceKey(set.ID, t))
				if err != nil {
					return nil, err
				}
				if old != nil {
					return nil, fault.Of(fault.Validation, "StackSet %s already has a stack instance in account %s and region %s", set.Name, t.Account, t.Region)
				}
				i := &instanceRecord{V: version, target: t, Set: set.ID}
				op.pending(i)
				if err := put(tx, sc.instanceKey(set.ID, t), i); err != nil {
					return nil, err
				}
				op.Import[t.Account+"/"+t.Region] = id
				op.Regions = append(op.Regions, t.Region)
				all = append(all, t)
			}
			op.Regions = unique(op.Regions)
			return all, nil
		},
	})
	return &api.ImportStacksToStackSetOutput{OperationId: id}, err
}

// take makes a stack an instance of the set.
func (r *setRun) take(ctx context.Context, as call.As, i *instanceRecord) (effect, error) {
	id := r.op.Import[i.Account+"/"+i.Region]
	no := func(reason string) (effect, error) { return effect{reason: reason, gone: true}, nil }
	got, err := call.Do(ctx, r.s.d.Caller, as, api.GetTemplate, &api.GetTemplateInput{StackName: &id})
	if err == nil {
		_, err = call.Do(ctx, r.s.d.Caller, as, api.DescribeStacks, &api.DescribeStacksInput{StackName: &id})
	}
	if err != nil {
		return effect{reason: said(err), gone: true}, unsaid(err)
	}
	st, spec, _, err := r.s.present(ctx, scope(i.target), id)
	if err != nil {
		return effect{}, err
	}
	switch {
	case st == nil || spec == nil || !finishedWell(st.Status):
		return no("Stack " + id + " cannot be imported: it is not in a state in which it is complete")
	case st.Parent != "":
		return no("Stack " + id + " cannot be imported: it is nested")
	case !sameTemplate(opt.Val(got.TemplateBody), r.spec.Body):
		return no("Stack " + id + " cannot be imported: its template is not that of the stack set")
	}
	overrides := map[string]string{}
	for k, v := range spec.Params {
		if r.spec.Params[k] != v {
			overrides[k] = v
		}
	}
	reason := ""
	err = r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		owner, taken, err := tx.Get(memberKey(id))
		if err != nil {
			return err
		}
		if reason = ""; taken && string(owner) != r.set.ID {
			reason = "Stack " + id + " belongs to another stack set"
			return nil
		}
		i.Stack, i.Name, i.Overrides = id, st.Name, overrides
		if err := tx.Put(memberKey(id), []byte(r.set.ID)); err != nil {
			return err
		}
		return put(tx, r.sc.instanceKey(r.set.ID, i.target), i)
	})
	if err == nil && reason != "" {
		return no(reason)
	}
	return effect{differs: !sameTags(spec.Tags, r.spec.Tags)}, err
}

// sameTemplate reports whether two texts say the same.
func sameTemplate(a, b string) bool {
	if a == b {
		return true
	}
	x, err := template.Parse([]byte(a))
	if err != nil {
		return false
	}
	y, err := template.Parse([]byte(b))
	return err == nil && reflect.DeepEqual(x.Value(), y.Value())
}
