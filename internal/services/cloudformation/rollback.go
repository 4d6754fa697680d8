package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) rollbackBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CancelUpdateStack, onStack(s, "cloudformation:CancelUpdateStack", func(in *api.CancelUpdateStackInput) *string { return in.StackName }, nil), s.cancelUpdateStack),
		call.Bind(api.ContinueUpdateRollback, onStack(s, "cloudformation:ContinueUpdateRollback", func(in *api.ContinueUpdateRollbackInput) *string { return in.StackName },
			func(in *api.ContinueUpdateRollbackInput) (map[string][]string, string) {
				return conditionKeys(nil, in.RoleARN, nil, nil), opt.Val(in.RoleARN)
			}), s.continueUpdateRollback),
		call.Bind(api.RollbackStack, onStack(s, "cloudformation:RollbackStack", func(in *api.RollbackStackInput) *string { return in.StackName },
			func(in *api.RollbackStackInput) (map[string][]string, string) {
				return conditionKeys(nil, in.RoleARN, nil, nil), opt.Val(in.RoleARN)
			}), s.rollbackStack),
	}
}

// cancellable lets an update be cancelled until the function that it returns is
// called. One whose cancellation was asked for before a restart is at once.
func (s *Service) cancellable(ctx context.Context, r *run) (unlist func(), err error) {
	if r.st.Op.Kind != "update" {
		return func() {}, nil
	}
	p := &s.plane
	p.mu.Lock()
	p.runs[r.st.ID] = r
	p.mu.Unlock()
	unlist = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.runs, r.st.ID)
	}
	err = s.view(ctx, func(rd data.Reader) error {
		_, asked, err := rd.Get(r.sc.cancelKey(r.st.ID))
		if asked {
			r.halt()
		}
		return err
	})
	return unlist, err
}

// halt lets no further step begin and breaks off those that wait.
func (r *run) halt() {
	r.mu.Lock()
	r.halted = true
	r.mu.Unlock()
	r.fail()
}

func (r *run) isHalted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.halted
}

func (s *Service) cancelUpdateStack(ctx context.Context, rq *call.Authorized, in *api.CancelUpdateStackInput) (*call.None, error) {
	sc, id := scopeOf(rq.Decoded), ""
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		st, err := sc.find(tx, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil || st.Status == api.StackStatusDeleteComplete {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
		}
		if st.Status != api.StackStatusUpdateInProgress {
			return fault.Of(fault.Validation, "CancelUpdateStack cannot be called from current stack status")
		}
		id = st.ID
		return tx.Put(sc.cancelKey(id), []byte{1})
	})
	if err != nil {
		return nil, err
	}
	s.plane.mu.Lock()
	r := s.plane.runs[id]
	s.plane.mu.Unlock()
	if r != nil {
		r.halt()
	}
	return &call.None{}, nil
}

func (s *Service) continueUpdateRollback(ctx context.Context, rq *call.Authorized, in *api.ContinueUpdateRollbackInput) (*api.ContinueUpdateRollbackOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.StackName)
	st, spec, recs, err := s.present(ctx, sc, name)
	if err != nil {
		return nil, err
	}
	if st == nil || st.Status == api.StackStatusDeleteComplete {
		return nil, fault.Of(fault.Validation, "Stack [%s] does not exist", name)
	}
	if t := opt.Val(in.ClientRequestToken); t != "" && t == st.Op.Token && st.Status != api.StackStatusUpdateRollbackFailed {
		return &api.ContinueUpdateRollbackOutput{}, nil
	}
	if st.Status != api.StackStatusUpdateRollbackFailed {
		return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
	}
	var wrong []string
	for _, id := range in.ResourcesToSkip {
		if recs[id] == nil || recs[id].Status != api.ResourceStatusUpdateFailed {
			wrong = append(wrong, id)
		}
	}
	if len(wrong) > 0 {
		return nil, fault.Of(fault.Validation, "The following resources to skip are not in the UPDATE_FAILED state: [%s]", strings.Join(wrong, ", "))
	}
	role := opt.Val(in.RoleARN)
	if role == "" && spec != nil {
		role = spec.Role
	}
	// It is the same operation that goes on: its id is what resources are marked with.
	st.Op.back(s.d.IDs.UUID(), api.OperationTypeContinueRollback)
	st.Status, st.Reason = api.StackStatusUpdateRollbackInProgress, "User Initiated"
	st.Op.Token, st.Op.Caller, st.Op.Skip = opt.Val(in.ClientRequestToken), caller(rq, role), slices.Clone(in.ResourcesToSkip)
	if err := s.begin(ctx, rq, st, nil, false, nil); err != nil {
		return nil, err
	}
	return &api.ContinueUpdateRollbackOutput{}, nil
}

// rollbackStack takes back what an operation did that failed without being taken back.
func (s *Service) rollbackStack(ctx context.Context, rq *call.Authorized, in *api.RollbackStackInput) (*api.RollbackStackOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.StackName)
	st, spec, _, err := s.present(ctx, sc, name)
	if err != nil {
		return nil, err
	}
	if st == nil || st.Status == api.StackStatusDeleteComplete {
		return nil, fault.Of(fault.Validation, "Stack [%s] does not exist", name)
	}
	if t := opt.Val(in.ClientRequestToken); t != "" && t == st.Op.Token && st.Op.Back != "" {
		return &api.RollbackStackOutput{StackId: new(st.ID), OperationId: new(st.Op.Back)}, nil
	}
	next := api.StackStatusRollbackInProgress
	switch {
	case st.Status == api.StackStatusUpdateFailed && st.Prior != "":
		next = api.StackStatusUpdateRollbackInProgress
	case st.Status != api.StackStatusCreateFailed:
		return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
	}
	role := opt.Val(in.RoleARN)
	if role == "" && spec != nil {
		role = spec.Role
	}
	st.Status, st.Reason = next, "User Initiated"
	st.Op.Token, st.Op.Caller = opt.Val(in.ClientRequestToken), caller(rq, role)
	st.Op.DeleteRetained = st.Op.DeleteRetained || opt.Val(in.RetainExceptOnCreate)
	st.Op.back(s.d.IDs.UUID(), api.OperationTypeRollback)
	if err := s.begin(ctx, rq, st, nil, false, nil); err != nil {
		return nil, err
	}
	return &api.RollbackStackOutput{StackId: new(st.ID), OperationId: new(st.Op.Back)}, nil
}
