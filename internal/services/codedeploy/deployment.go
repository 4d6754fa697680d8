package codedeploy

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) deploymentBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateDeployment, onGroup("CreateDeployment", func(in *api.CreateDeploymentInput) (_, _ *string) { return in.ApplicationName, in.DeploymentGroupName }, nil), s.createDeployment),
		call.Bind(api.GetDeployment, onDeployment(s, "GetDeployment", func(in *api.GetDeploymentInput) *string { return in.DeploymentId }), s.getDeployment),
		call.Bind(api.ListDeployments, onGroup("ListDeployments", func(in *api.ListDeploymentsInput) (_, _ *string) {
			return new(opt.Or(in.ApplicationName, "*")), new(opt.Or(in.DeploymentGroupName, "*"))
		}, nil), s.listDeployments),
		call.Bind(api.StopDeployment, onDeployment(s, "StopDeployment", func(in *api.StopDeploymentInput) *string { return in.DeploymentId }), s.stopDeployment),
		call.Bind(api.PutLifecycleEventHookExecutionStatus, onDeployment(s, "PutLifecycleEventHookExecutionStatus", func(in *api.PutLifecycleEventHookExecutionStatusInput) *string { return in.DeploymentId }), s.putLifecycleEventHookExecutionStatus),
	}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// content returns the text of a revision's AppSpec file; from S3 as the caller.
func (s *Service) content(ctx context.Context, rq *call.Authorized, r *api.RevisionLocation) (string, error) {
	if r == nil {
		return "", api.RevisionRequiredException("A revision is required: this platform does not know the last one of a group")
	}
	switch kind := opt.Val(r.RevisionType); {
	case kind == api.RevisionLocationTypeAppSpecContent && r.AppSpecContent != nil:
		return opt.Val(r.AppSpecContent.Content), nil
	case kind == api.RevisionLocationTypeString && r.String != nil:
		return opt.Val(r.String.Content), nil
	case kind == api.RevisionLocationTypeS3 && r.S3Location != nil:
		l := r.S3Location
		if b := opt.Val(l.BundleType); b != api.BundleTypeYaml && b != api.BundleTypeJson {
			return "", api.InvalidRevisionException("For a Lambda deployment the bundle type must be YAML or JSON")
		}
		out, err := call.Do(ctx, s.d.Caller, rq.As(), s3.GetObject, &s3.GetObjectRequest{Bucket: l.Bucket, Key: l.Key, VersionId: l.Version, IfMatch: l.ETag})
		if err != nil {
			return "", api.InvalidRevisionException("The AppSpec file s3://%s/%s cannot be read: %s", opt.Val(l.Bucket), opt.Val(l.Key), err.Error())
		}
		defer func() { _ = out.Body.Close() }()
		text, err := io.ReadAll(io.LimitReader(out.Body, maxAppSpec+1))
		return string(text), err
	}
	return "", api.InvalidRevisionException("The revision type %s is not supported, or its location is missing: AppSpecContent, String and S3 are", opt.Val(r.RevisionType))
}

func (s *Service) createDeployment(ctx context.Context, rq *call.Authorized, in *api.CreateDeploymentInput) (*api.CreateDeploymentOutput, error) {
	sc, application, name := scopeOf(rq.Decoded), opt.Val(in.ApplicationName), opt.Val(in.DeploymentGroupName)
	if err := noAlarms(in.OverrideAlarmConfiguration); err != nil {
		return nil, err
	}
	for member, set := range map[string]bool{
		"targetInstances": in.TargetInstances != nil, "updateOutdatedInstancesOnly": opt.Val(in.UpdateOutdatedInstancesOnly), "fileExistsBehavior": in.FileExistsBehavior != nil,
		"ignoreApplicationStopFailures": opt.Val(in.IgnoreApplicationStopFailures), "ec2DeploymentOptions": in.Ec2DeploymentOptions != nil, "deploymentMode": in.DeploymentMode != nil,
	} {
		if set {
			return nil, api.InvalidInputException("%s is not supported: it is for instances, of which this platform has none", member)
		}
	}
	own, err := rollbackOf(in.AutoRollbackConfiguration)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, api.DeploymentGroupNameRequiredException("Deployment group name is missing")
	}
	var g *groupRecord
	if err := s.d.Store.View(ctx, func(rd data.Reader) (err error) {
		g, err = sc.group(rd, application, name)
		return err
	}); err != nil {
		return nil, err
	}
	text, err := s.content(ctx, rq, in.Revision)
	if err != nil {
		return nil, err
	}
	spec, err := parseAppSpec(text)
	if err != nil {
		return nil, err
	}
	d := s.fresh(sc, application, name, spec, in.Revision)
	d.Description, d.Creator = opt.Val(in.Description), api.DeploymentCreatorUser
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		if g, err = sc.group(tx, application, name); err != nil {
			return err
		}
		d.Config, d.Role, d.Rollback = opt.Or(in.DeploymentConfigName, g.Config), g.Role, g.Rollback
		if own != nil {
			d.Rollback = own
		}
		c, err := sc.config(tx, d.Config)
		if err != nil {
			return err
		}
		d.Shift = c.shifting
		return s.enlist(tx, d)
	})
	if err != nil {
		return nil, err
	}
	s.launch(sc, d.ID)
	return &api.CreateDeploymentOutput{DeploymentId: new(d.ID)}, nil
}

// fresh makes the record of a new deployment.
func (s *Service) fresh(sc scope, application, group string, spec appSpec, revision *api.RevisionLocation) *deploymentRecord {
	d := &deploymentRecord{
		V: version, scope: sc, ID: "d-" + s.d.IDs.Of(ids.UpperAlnum, 9), Application: application, Group: group, Spec: spec, Revision: revision,
		Status: api.DeploymentStatusCreated, Created: s.d.Clock.Now(),
	}
	for _, name := range []string{eventStart, eventBefore, eventAllow, eventAfter, eventEnd} {
		if name == eventBefore && spec.Before == "" || name == eventAfter && spec.After == "" {
			continue
		}
		d.Events = append(d.Events, eventRecord{Name: name, Status: api.LifecycleEventStatusPending})
	}
	return d
}

// enlist stores a deployment that is to begin; a group has one at a time.
func (s *Service) enlist(tx data.Txn, d *deploymentRecord) error {
	if id, active, err := tx.Get(d.activeKey(d.Application, d.Group)); err != nil || active {
		if err == nil {
			err = api.DeploymentLimitExceededException("The Deployment Group '%s' already has an active Deployment '%s'", d.Group, id)
		}
		return err
	}
	g, err := d.group(tx, d.Application, d.Group)
	if err != nil {
		return err
	}
	g.Attempted = d.ID
	if err := data.Save(tx, d.groupKey(d.Application, d.Group), g); err != nil {
		return err
	}
	if err := tx.Put(d.activeKey(d.Application, d.Group), []byte(d.ID)); err != nil {
		return err
	}
	if err := tx.Put(d.runningKey(d.ID), []byte{1}); err != nil {
		return err
	}
	return data.Save(tx, d.deploymentKey(d.ID), d)
}

// deployment reads a deployment, or fails.
func (sc scope) deployment(rd data.Reader, id string) (*deploymentRecord, error) {
	if id == "" {
		return nil, api.DeploymentIdRequiredException("The deployment id is missing")
	}
	d, err := data.Load[deploymentRecord](rd, sc.deploymentKey(id))
	if err == nil && d == nil {
		err = api.DeploymentDoesNotExistException("The deployment %s could not be found", id)
	}
	return d, err
}

func (s *Service) read(ctx context.Context, sc scope, id string) (d *deploymentRecord, err error) {
	err = s.d.Store.View(ctx, func(rd data.Reader) error {
		d, err = sc.deployment(rd, id)
		return err
	})
	return d, err
}

// over reports whether a deployment has ended.
func (d *deploymentRecord) over() bool {
	return d.Status == api.DeploymentStatusSucceeded || d.Status == api.DeploymentStatusFailed || d.Status == api.DeploymentStatusStopped
}

func (d *deploymentRecord) info() *api.DeploymentInfo {
	out := &api.DeploymentInfo{
		ApplicationName: new(d.Application), DeploymentGroupName: new(d.Group), DeploymentConfigName: new(d.Config), DeploymentId: new(d.ID), Revision: d.Revision,
		Status: new(d.Status), CreateTime: new(d.Created), StartTime: instant(d.Started), CompleteTime: instant(d.Completed), Description: opt.NonZero(d.Description),
		Creator: new(d.Creator), AutoRollbackConfiguration: d.Rollback.api(), DeploymentStyle: lambdaStyle(), ComputePlatform: new(api.ComputePlatformLambda),
		DeploymentStatusMessages: []string{}, IgnoreApplicationStopFailures: new(false), UpdateOutdatedInstancesOnly: new(false),
		DeploymentOverview: &api.DeploymentOverview{Pending: new(int64(0)), InProgress: new(int64(0)), Succeeded: new(int64(0)), Failed: new(int64(0)), Skipped: new(int64(0)), Ready: new(int64(0))},
	}
	o := out.DeploymentOverview
	switch d.Status {
	case api.DeploymentStatusSucceeded:
		o.Succeeded = new(int64(1))
	case api.DeploymentStatusFailed, api.DeploymentStatusStopped:
		o.Failed = new(int64(1))
	case api.DeploymentStatusInProgress:
		o.InProgress = new(int64(1))
	default:
		o.Pending = new(int64(1))
	}
	if d.Code != "" {
		out.ErrorInformation = &api.ErrorInformation{Code: new(d.Code), Message: new(d.Message)}
	}
	switch {
	case d.RolledBackBy != "":
		out.RollbackInfo = &api.RollbackInfo{RollbackDeploymentId: new(d.RolledBackBy), RollbackMessage: new("The traffic was given back by deployment " + d.RolledBackBy)}
	case d.RollbackOf != "":
		out.RollbackInfo = &api.RollbackInfo{RollbackTriggeringDeploymentId: new(d.RollbackOf)}
	}
	return out
}

func (s *Service) getDeployment(ctx context.Context, rq *call.Authorized, in *api.GetDeploymentInput) (*api.GetDeploymentOutput, error) {
	d, err := s.read(ctx, scopeOf(rq.Decoded), opt.Val(in.DeploymentId))
	if err != nil {
		return nil, err
	}
	return &api.GetDeploymentOutput{DeploymentInfo: d.info()}, nil
}

func (s *Service) listDeployments(ctx context.Context, rq *call.Authorized, in *api.ListDeploymentsInput) (*api.ListDeploymentsOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.ListDeploymentsOutput{}
	if in.ExternalId != nil {
		return nil, api.InvalidExternalIdException("externalId is not supported: there are no deployments from outside")
	}
	err := s.d.Store.View(ctx, func(rd data.Reader) error {
		if in.DeploymentGroupName != nil {
			if in.ApplicationName == nil {
				return api.ApplicationNameRequiredException("Application name is missing")
			}
			if _, err := sc.group(rd, *in.ApplicationName, *in.DeploymentGroupName); err != nil {
				return err
			}
		}
		all, err := data.LoadAll[deploymentRecord](rd, sc.key("deployment"))
		if err != nil {
			return err
		}
		var found []string
		for _, d := range all {
			r := opt.Val(in.CreateTimeRange)
			if in.ApplicationName != nil && *in.ApplicationName != d.Application || in.DeploymentGroupName != nil && *in.DeploymentGroupName != d.Group ||
				len(in.IncludeOnlyStatuses) > 0 && !slices.Contains(in.IncludeOnlyStatuses, d.Status) ||
				r.Start != nil && d.Created.Before(*r.Start) || r.End != nil && d.Created.After(*r.End) {
				continue
			}
			found = append(found, d.ID)
		}
		out.Deployments, out.NextToken, err = names(found, in.NextToken)
		return err
	})
	return out, err
}

func (s *Service) stopDeployment(ctx context.Context, rq *call.Authorized, in *api.StopDeploymentInput) (*api.StopDeploymentOutput, error) {
	sc, id := scopeOf(rq.Decoded), opt.Val(in.DeploymentId)
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		d, err := sc.deployment(tx, id)
		if err != nil {
			return err
		}
		if d.over() {
			return api.DeploymentAlreadyCompletedException("The deployment %s has already completed", id)
		}
		d.Stopped, d.StopRollback = true, in.AutoRollbackEnabled
		return data.Save(tx, sc.deploymentKey(id), d)
	})
	if err != nil {
		return nil, err
	}
	s.plane.wake(id)
	return &api.StopDeploymentOutput{Status: new(api.StopStatusPending), StatusMessage: new("The deployment is being stopped.")}, nil
}

func (s *Service) putLifecycleEventHookExecutionStatus(ctx context.Context, rq *call.Authorized, in *api.PutLifecycleEventHookExecutionStatusInput) (*api.PutLifecycleEventHookExecutionStatusOutput, error) {
	sc, id, hook := scopeOf(rq.Decoded), opt.Val(in.DeploymentId), opt.Val(in.LifecycleEventHookExecutionId)
	status := opt.Val(in.Status)
	if status != api.LifecycleEventStatusSucceeded && status != api.LifecycleEventStatusFailed {
		return nil, api.InvalidLifecycleEventHookExecutionStatusException("The status of a hook must be Succeeded or Failed, not %q", status)
	}
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		d, err := sc.deployment(tx, id)
		if err != nil {
			return err
		}
		switch {
		case hook == "" || d.Hook.ID != hook:
			return api.InvalidLifecycleEventHookExecutionIdException("There is no hook with the execution id %q in deployment %s", hook, id)
		case d.over() || d.Hook.Answer != "":
			return api.LifecycleEventAlreadyCompletedException("The hook %s has already completed", hook)
		}
		d.Hook.Answer = status
		return data.Save(tx, sc.deploymentKey(id), d)
	})
	if err != nil {
		return nil, err
	}
	s.plane.wake(id)
	return &api.PutLifecycleEventHookExecutionStatusOutput{LifecycleEventHookExecutionId: in.LifecycleEventHookExecutionId}, nil
}
