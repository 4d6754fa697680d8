package cloudformation

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) stackBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateStack, onStack(s, "cloudformation:CreateStack", func(in *api.CreateStackInput) *string { return in.StackName },
			func(in *api.CreateStackInput) (map[string][]string, string) {
				return withPolicyURL(conditionKeys(in.TemplateURL, in.RoleARN, in.Tags, in.ResourceTypes), in.StackPolicyURL), opt.Val(in.RoleARN)
			}), s.createStack),
		call.Bind(api.UpdateStack, onStack(s, "cloudformation:UpdateStack", func(in *api.UpdateStackInput) *string { return in.StackName },
			func(in *api.UpdateStackInput) (map[string][]string, string) {
				return withPolicyURL(conditionKeys(in.TemplateURL, in.RoleARN, in.Tags, in.ResourceTypes), in.StackPolicyURL), opt.Val(in.RoleARN)
			}), s.updateStack),
		call.Bind(api.DeleteStack, onStack(s, "cloudformation:DeleteStack", func(in *api.DeleteStackInput) *string { return in.StackName },
			func(in *api.DeleteStackInput) (map[string][]string, string) {
				return conditionKeys(nil, in.RoleARN, nil, nil), opt.Val(in.RoleARN)
			}), s.deleteStack),
		call.Bind(api.UpdateTerminationProtection, onStack(s, "cloudformation:UpdateTerminationProtection", func(in *api.UpdateTerminationProtectionInput) *string { return in.StackName }, nil), s.updateTerminationProtection),
	}
}

// caller is who a request's operation acts as, for the record.
func caller(rq *call.Authorized, role string) callerRecord {
	in := rq.Incoming()
	return callerRecord{Role: role, Identity: rq.Identity(), Scheme: in.Scheme, Host: in.Host}
}

// onFailure reads the two ways of saying what a failure leads to.
func onFailure(disable *bool, name *string) (string, error) {
	if disable != nil && name != nil {
		return "", fault.Of(fault.Validation, "You may specify either OnFailure or DisableRollback, but not both.")
	}
	if opt.Val(disable) {
		return api.OnFailureDoNothing, nil
	}
	return opt.Or(name, api.OnFailureRollback), nil
}

// checkStackName checks the name of a stack that is to be made. The model's
// constraints say what names a stack that is there, by its ARN as well.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
func checkStackName(name string) error {
	if len(name) > maxStackName {
		return fault.Of(fault.Validation, "1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must have length less than or equal to %d", name, maxStackName)
	}
	if !validSetName(name) { // sets and stacks have names of the same kind
		return fault.Of(fault.Validation, "1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name)
	}
	return nil
}

func (s *Service) createStack(ctx context.Context, rq *call.Authorized, in *api.CreateStackInput) (*api.CreateStackOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.StackName)
	failure, err := onFailure(in.DisableRollback, in.OnFailure)
	if err != nil {
		return nil, err
	}
	if err := checkStackName(name); err != nil {
		return nil, err
	}
	id := stackARN(sc, name, s.d.IDs.UUID())
	old, err := s.taken(ctx, sc, name)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if t := opt.Val(in.ClientRequestToken); t != "" && t == old.Op.Token && old.Op.Kind == "create" {
			return &api.CreateStackOutput{StackId: new(old.ID)}, nil
		}
		return nil, api.AlreadyExistsException("Stack [%s] already exists", name)
	}
	spec, p, err := s.prepare(ctx, rq, wanted{
		body: in.TemplateBody, url: in.TemplateURL, params: in.Parameters, capabilities: in.Capabilities, resourceTypes: in.ResourceTypes,
		tags: in.Tags, role: in.RoleARN, direct: true, rollback: in.RollbackConfiguration, notifications: in.NotificationARNs,
	}, nil, name, id)
	if err != nil {
		return nil, err
	}
	policy, err := s.stackPolicyText(ctx, rq, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	now := s.d.Clock.Now()
	st := &stackRecord{
		V: version, scope: sc, ID: id, Name: name, Created: now, Description: p.tmpl.Description,
		Protected: opt.Val(in.EnableTerminationProtection), Policy: policy, OnFailure: failure, Timeout: opt.Val(in.TimeoutInMinutes),
		Status: api.StackStatusCreateInProgress, Reason: "User Initiated", Spec: s.d.IDs.UUID(),
		Op: operation{
			ID: s.d.IDs.UUID(), Kind: "create", Token: opt.Val(in.ClientRequestToken), Started: now, Caller: caller(rq, spec.Role),
			DeleteRetained: opt.Val(in.RetainExceptOnCreate),
		},
	}
	err = s.begin(ctx, rq, st, spec, true, func(tx data.Txn) error {
		nest, err := get[nestRecord](tx, sc.nestKey(name))
		if nest != nil {
			st.Parent, st.Root = nest.Parent, nest.Root
			err = tx.Delete(sc.nestKey(name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateStackOutput{StackId: new(id), OperationId: new(st.Op.ID)}, nil
}

// taken returns the stack that has a name, nil if none has.
func (s *Service) taken(ctx context.Context, sc scope, name string) (st *stackRecord, err error) {
	err = s.view(ctx, func(rd data.Reader) error {
		st, err = sc.find(rd, name)
		return err
	})
	return st, err
}

// errChanged says that a stack changed while a request was being prepared.
var errChanged = errors.New("the stack changed meanwhile")

// begin stores an operation and starts it. st is the stack as it is to be while
// the operation runs; spec, if not nil, is stored under st.Spec. check looks once
// more at the stack as it is in the store.
func (s *Service) begin(ctx context.Context, rq *call.Authorized, st *stackRecord, spec *specRecord, fresh bool, also func(data.Txn) error) error {
	sc := st.scope
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		if fresh {
			if _, taken, err := tx.Get(sc.nameKey(st.Name)); err != nil {
				return err
			} else if taken {
				return api.AlreadyExistsException("Stack [%s] already exists", st.Name)
			}
			if err := tx.Put(sc.nameKey(st.Name), []byte(st.ID)); err != nil {
				return err
			}
		} else {
			now, err := get[stackRecord](tx, sc.stackKey(st.ID))
			if err != nil {
				return err
			}
			if now == nil || !finished(now.Status) && now.Status != api.StackStatusReviewInProgress && !(st.Op.Kind == "delete" && deletable(now.Status)) {
				return errChanged
			}
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if spec != nil {
			if err := put(tx, sc.specKey(st.ID, st.Spec), spec); err != nil {
				return err
			}
		}
		if err := put(tx, sc.stackKey(st.ID), st); err != nil {
			return err
		}
		if st.Status != api.StackStatusReviewInProgress {
			if err := tx.Put(sc.runningKey(st.ID), []byte{1}); err != nil {
				return err
			}
		}
		seq, last, err := sc.lastEvent(tx, st.ID)
		if err != nil {
			return err
		}
		return s.stackEvent(tx, st, seq+1, after(last, s.d.Clock.Now()))
	})
	if errors.Is(err, errChanged) {
		return fault.Of(fault.Validation, "Stack:%s is in the middle of another operation and can not be updated.", st.ID)
	}
	if err != nil || st.Status == api.StackStatusReviewInProgress {
		return err
	}
	as := rq.As()
	s.linger(ctx, s.launch(sc, st.ID, &as))
	return nil
}

// updatable reports whether an update may begin in a status.
func updatable(status string) bool {
	switch status {
	case api.StackStatusCreateComplete, api.StackStatusUpdateComplete, api.StackStatusUpdateRollbackComplete,
		api.StackStatusCreateFailed, api.StackStatusUpdateFailed, api.StackStatusImportComplete, api.StackStatusImportRollbackComplete:
		return true
	}
	return false
}

func deletable(status string) bool {
	return finished(status) || status == api.StackStatusReviewInProgress
}

func (s *Service) updateStack(ctx context.Context, rq *call.Authorized, in *api.UpdateStackInput) (*api.UpdateStackOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.StackName)
	st, prior, recs, err := s.present(ctx, sc, name)
	if err != nil {
		return nil, err
	}
	if st == nil || st.Status == api.StackStatusDeleteComplete {
		return nil, fault.Of(fault.Validation, "Stack [%s] does not exist", name)
	}
	if t := opt.Val(in.ClientRequestToken); t != "" && t == st.Op.Token && st.Op.Kind == "update" {
		return &api.UpdateStackOutput{StackId: new(st.ID)}, nil
	}
	if !updatable(st.Status) {
		return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
	}
	spec, p, err := s.prepare(ctx, rq, wanted{
		body: in.TemplateBody, url: in.TemplateURL, previous: opt.Val(in.UsePreviousTemplate), params: in.Parameters, capabilities: in.Capabilities,
		resourceTypes: in.ResourceTypes, tags: in.Tags, role: in.RoleARN, direct: true, rollback: in.RollbackConfiguration,
		notifications: in.NotificationARNs,
	}, prior, st.Name, st.ID)
	if err != nil {
		return nil, err
	}
	policy, err := s.stackPolicyText(ctx, rq, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	during, err := s.stackPolicyText(ctx, rq, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL)
	if err != nil {
		return nil, err
	}
	if finishedWell(st.Status) {
		d, err := p.compare(recs, prior, spec)
		if err != nil {
			return nil, err
		}
		if len(d) == 0 && !p.outputsChanged(recs, st.Outputs) {
			return nil, fault.Of(fault.Validation, "No updates are to be performed.")
		}
	}
	s.update(st, rq, spec, opt.Val(in.ClientRequestToken), opt.Val(in.DisableRollback), opt.Val(in.RetainExceptOnCreate))
	if during != "" {
		st.Op.Policy = during
	}
	if policy != "" {
		st.Policy = policy
	}
	if err := s.begin(ctx, rq, st, spec, false, nil); err != nil {
		return nil, err
	}
	return &api.UpdateStackOutput{StackId: new(st.ID), OperationId: new(st.Op.ID)}, nil
}

// finishedWell reports a status in which the resources are what the
// specification says.
func finishedWell(status string) bool {
	return status == api.StackStatusCreateComplete || status == api.StackStatusUpdateComplete || status == api.StackStatusUpdateRollbackComplete ||
		status == api.StackStatusImportComplete || status == api.StackStatusImportRollbackComplete
}

// update turns a stack's record into that of a stack that is being updated.
func (s *Service) update(st *stackRecord, rq *call.Authorized, spec *specRecord, token string, disableRollback, deleteRetained bool) {
	now := s.d.Clock.Now()
	var since []string
	if st.Status == api.StackStatusUpdateFailed && st.Prior != "" { // what failed is taken back with this one
		since = append(st.Op.Since, st.Op.ID)
	} else {
		st.Prior = st.Spec
	}
	st.Spec = s.d.IDs.UUID()
	st.Status, st.Reason, st.Updated = api.StackStatusUpdateInProgress, "User Initiated", now
	st.OnFailure = api.OnFailureRollback
	if disableRollback {
		st.OnFailure = api.OnFailureDoNothing
	}
	st.Op = operation{
		ID: s.d.IDs.UUID(), Kind: "update", Token: token, Started: now, Caller: caller(rq, spec.Role), DeleteRetained: deleteRetained, Since: since,
		Policy: st.Policy,
	}
}

// present reads a stack with its specification and its resources.
func (s *Service) present(ctx context.Context, sc scope, name string) (st *stackRecord, spec *specRecord, recs map[string]*resourceRecord, err error) {
	err = s.view(ctx, func(rd data.Reader) error {
		if st, err = sc.find(rd, name); err != nil || st == nil {
			return err
		}
		if spec, err = get[specRecord](rd, sc.specKey(st.ID, st.Spec)); err != nil {
			return err
		}
		recs, err = sc.resources(rd, st.ID)
		return err
	})
	return st, spec, recs, err
}

func (s *Service) deleteStack(ctx context.Context, rq *call.Authorized, in *api.DeleteStackInput) (*call.None, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.StackName)
	force := opt.Val(in.DeletionMode) == api.DeletionModeForceDeleteStack
	st, spec, recs, err := s.present(ctx, sc, name)
	if err != nil {
		return nil, err
	}
	// A stack that is not there, or gone, is none to complain of.
	if st == nil || st.Status == api.StackStatusDeleteComplete || st.Status == api.StackStatusDeleteInProgress {
		return &call.None{}, nil
	}
	protected, err := s.protected(ctx, st)
	if err != nil {
		return nil, err
	}
	if protected {
		return nil, fault.Of(fault.Validation, "Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	}
	if !deletable(st.Status) {
		return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be deleted.", st.ID, st.Status)
	}
	if force && st.Status != api.StackStatusDeleteFailed {
		return nil, fault.Of(fault.Validation, "Invalid operation on stack [%s]. DeletionMode FORCE_DELETE_STACK is only for stacks in the DELETE_FAILED state.", st.ID)
	}
	if len(in.RetainResources) > 0 {
		if st.Status != api.StackStatusDeleteFailed {
			return nil, fault.Of(fault.Validation, "Invalid operation on stack [%s]. When you delete a stack, specify which resources to retain only when the stack is in the DELETE_FAILED state.", st.ID)
		}
		for _, id := range in.RetainResources {
			if recs[id] == nil || recs[id].Status != api.ResourceStatusDeleteFailed {
				return nil, fault.Of(fault.Validation, "The specified resources to retain must be in a valid state. Valid states are: [DELETE_FAILED]: %s", id)
			}
		}
	}
	role := opt.Val(in.RoleARN)
	if role == "" && spec != nil {
		role = spec.Role
	}
	st.Status, st.Reason, st.Prior = api.StackStatusDeleteInProgress, "User Initiated", ""
	st.Op = operation{
		ID: s.d.IDs.UUID(), Kind: "delete", Token: opt.Val(in.ClientRequestToken), Started: s.d.Clock.Now(),
		Caller: caller(rq, role), Retain: slices.Clone(in.RetainResources), Force: force,
	}
	err = s.begin(ctx, rq, st, nil, false, func(tx data.Txn) error {
		for _, o := range st.Outputs {
			if o.Export == "" {
				continue
			}
			users, err := sc.importers(tx, o.Export)
			if err != nil {
				return err
			}
			if len(users) > 0 {
				return fault.Of(fault.Validation, "Export %s cannot be deleted as it is in use by %s", o.Export, strings.Join(users, ", "))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, nil
}

// protected reports whether a stack cannot be deleted. A nested one is protected by its
// root, but against its own deletion alone: an operation of its parent may delete it.
func (s *Service) protected(ctx context.Context, st *stackRecord) (is bool, err error) {
	if st.Parent == "" {
		return st.Protected, nil
	}
	err = s.view(ctx, func(rd data.Reader) error {
		parent, err := get[stackRecord](rd, st.stackKey(st.Parent))
		if err != nil || parent != nil && !finished(parent.Status) {
			return err
		}
		root, err := get[stackRecord](rd, st.stackKey(st.root()))
		is = root != nil && root.Protected
		return err
	})
	return is, err
}

func (s *Service) updateTerminationProtection(ctx context.Context, rq *call.Authorized, in *api.UpdateTerminationProtectionInput) (*api.UpdateTerminationProtectionOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.UpdateTerminationProtectionOutput{}
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		st, err := sc.find(tx, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil || st.Status == api.StackStatusDeleteComplete {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
		}
		if st.Parent != "" {
			return fault.Of(fault.Validation, "Termination protection of the nested stack [%s] is that of its root stack [%s] and can only be changed there", st.Name, st.root())
		}
		// A running operation holds the record in memory and would write over it.
		if !deletable(st.Status) {
			return fault.Of(fault.Validation, "Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
		}
		st.Protected, out.StackId = opt.Val(in.EnableTerminationProtection), new(st.ID)
		return put(tx, sc.stackKey(st.ID), st)
	})
	return out, err
}
