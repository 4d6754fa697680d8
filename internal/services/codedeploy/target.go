package codedeploy

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// A deployment to Lambda has one target: FUNCTION:ALIAS.

func (s *Service) targetBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ListDeploymentTargets, onDeployment(s, "ListDeploymentTargets", func(in *api.ListDeploymentTargetsInput) *string { return in.DeploymentId }), s.listDeploymentTargets),
		call.Bind(api.GetDeploymentTarget, onDeployment(s, "GetDeploymentTarget", func(in *api.GetDeploymentTargetInput) *string { return in.DeploymentId }), s.getDeploymentTarget),
		call.Bind(api.BatchGetDeploymentTargets, onDeployment(s, "BatchGetDeploymentTargets", func(in *api.BatchGetDeploymentTargetsInput) *string { return in.DeploymentId }), s.batchGetDeploymentTargets),
		call.Bind(api.BatchGetDeployments, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.BatchGetDeploymentsInput) ([]call.Need, error) {
			sc := scopeOf(rq)
			needs := []call.Need{}
			err := s.d.Store.View(ctx, func(rd data.Reader) error {
				for _, id := range in.DeploymentIds {
					r := sc.groupARN("*", "*")
					d, err := data.Load[deploymentRecord](rd, sc.deploymentKey(id))
					if err != nil {
						return err
					}
					if d != nil {
						r = sc.groupARN(d.Application, d.Group)
					}
					needs = append(needs, call.Need{Action: "codedeploy:BatchGetDeployments", Resource: r})
				}
				return nil
			})
			if len(needs) == 0 {
				needs = append(needs, call.Need{Action: "codedeploy:BatchGetDeployments", Resource: sc.groupARN("*", "*")})
			}
			return needs, err
		}, "codedeploy:BatchGetDeployments"), s.batchGetDeployments),
	}
}

func (d *deploymentRecord) targetID() string { return d.Spec.Function + ":" + d.Spec.Alias }

func (d *deploymentRecord) target() *api.DeploymentTarget {
	t := &api.LambdaTarget{
		DeploymentId: new(d.ID), TargetId: new(d.targetID()), TargetArn: new(arn.Make("lambda", d.Region, d.Account, "function:"+d.targetID())), LifecycleEvents: []api.LifecycleEvent{},
		LambdaFunctionInfo: &api.LambdaFunctionInfo{
			FunctionName: new(d.Spec.Function), FunctionAlias: new(d.Spec.Alias), CurrentVersion: new(d.Spec.Current), TargetVersion: new(d.Spec.Target),
			TargetVersionWeight: new(float64(d.Weight)),
		},
	}
	last := d.Created
	for _, e := range d.Events {
		x := api.LifecycleEvent{LifecycleEventName: new(e.Name), StartTime: instant(e.Start), EndTime: instant(e.End), Status: new(e.Status)}
		if e.Code != "" {
			x.Diagnostics = &api.Diagnostics{ErrorCode: new(e.Code), Message: new(e.Message)}
		}
		if e.Start.After(last) {
			last = e.Start
		}
		if e.End.After(last) {
			last = e.End
		}
		t.LifecycleEvents = append(t.LifecycleEvents, x)
	}
	t.LastUpdatedAt = &last
	switch d.Status {
	case api.DeploymentStatusCreated, api.DeploymentStatusQueued:
		t.Status = new(api.TargetStatusPending)
	case api.DeploymentStatusStopped:
		t.Status = new(api.TargetStatusFailed)
	default:
		t.Status = new(d.Status)
	}
	return &api.DeploymentTarget{DeploymentTargetType: new(api.DeploymentTargetTypeLambdaTarget), LambdaTarget: t}
}

func (s *Service) listDeploymentTargets(ctx context.Context, rq *call.Authorized, in *api.ListDeploymentTargetsInput) (*api.ListDeploymentTargetsOutput, error) {
	d, err := s.read(ctx, scopeOf(rq.Decoded), opt.Val(in.DeploymentId))
	if err != nil {
		return nil, err
	}
	out := &api.ListDeploymentTargetsOutput{TargetIds: []string{}}
	for name, values := range in.TargetFilters {
		if name != api.TargetFilterNameTargetStatus {
			return nil, api.InvalidTargetFilterNameException("The target filter %s is not supported for Lambda", name)
		}
		found := false
		for _, v := range values {
			found = found || v == *d.target().LambdaTarget.Status
		}
		if !found {
			return out, nil
		}
	}
	out.TargetIds = append(out.TargetIds, d.targetID())
	return out, nil
}

func (s *Service) getDeploymentTarget(ctx context.Context, rq *call.Authorized, in *api.GetDeploymentTargetInput) (*api.GetDeploymentTargetOutput, error) {
	d, err := s.read(ctx, scopeOf(rq.Decoded), opt.Val(in.DeploymentId))
	if err != nil {
		return nil, err
	}
	if opt.Val(in.TargetId) != d.targetID() {
		return nil, api.DeploymentTargetDoesNotExistException("The deployment %s has no target %s", d.ID, opt.Val(in.TargetId))
	}
	return &api.GetDeploymentTargetOutput{DeploymentTarget: d.target()}, nil
}

func (s *Service) batchGetDeploymentTargets(ctx context.Context, rq *call.Authorized, in *api.BatchGetDeploymentTargetsInput) (*api.BatchGetDeploymentTargetsOutput, error) {
	d, err := s.read(ctx, scopeOf(rq.Decoded), opt.Val(in.DeploymentId))
	if err != nil {
		return nil, err
	}
	out := &api.BatchGetDeploymentTargetsOutput{DeploymentTargets: []api.DeploymentTarget{}}
	for _, id := range in.TargetIds {
		if id != d.targetID() {
			return nil, api.DeploymentTargetDoesNotExistException("The deployment %s has no target %s", d.ID, id)
		}
		out.DeploymentTargets = append(out.DeploymentTargets, *d.target())
	}
	return out, nil
}

// maxBatch is how many deployments one request may name.
const maxBatch = 25

func (s *Service) batchGetDeployments(ctx context.Context, rq *call.Authorized, in *api.BatchGetDeploymentsInput) (*api.BatchGetDeploymentsOutput, error) {
	if len(in.DeploymentIds) > maxBatch {
		return nil, api.BatchLimitExceededException("At most %d deployments can be named at a time", maxBatch)
	}
	sc, out := scopeOf(rq.Decoded), &api.BatchGetDeploymentsOutput{DeploymentsInfo: []api.DeploymentInfo{}}
	return out, s.d.Store.View(ctx, func(rd data.Reader) error {
		for _, id := range in.DeploymentIds {
			d, err := data.Load[deploymentRecord](rd, sc.deploymentKey(id))
			if err != nil {
				return err
			}
			if d != nil {
				out.DeploymentsInfo = append(out.DeploymentsInfo, *d.info())
			}
		}
		return nil
	})
}
