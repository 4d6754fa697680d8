package codedeploy

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/background"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// plane drives the deployments.
type plane struct {
	*background.Runner

	mu   sync.Mutex
	news map[string]chan struct{} // by deployment; a signal that its record changed
}

// wake lets a deployment look at its record.
func (p *plane) wake(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.news[id] <- struct{}{}:
	default: // it will look anyway, or does not run
	}
}

// Stop implements call.Worker. Deployments go on at the next start.
func (s *Service) Stop(ctx context.Context) error { return s.plane.Stop(ctx) }

// launch drives a deployment in the background until it is over.
func (s *Service) launch(sc scope, id string) {
	p, news := &s.plane, make(chan struct{}, 1)
	p.mu.Lock()
	p.news[id] = news
	p.mu.Unlock()
	p.Go(func(ctx context.Context) {
		// An error of the store leaves the deployment for the next start.
		next, _ := s.drive(ctx, sc, id, news)
		p.mu.Lock()
		delete(p.news, id)
		p.mu.Unlock()
		if next != "" {
			s.launch(sc, next)
		}
	})
}

func (s *Service) resume(ctx context.Context) error {
	all, err := background.Left(ctx, s.d.Store, runningPrefix())
	for _, l := range all {
		s.launch(scope{l.Account, l.Region}, l.ID)
	}
	return err
}

// drive carries a deployment from event to event. It returns the deployment that
// takes it back, if one does.
func (s *Service) drive(ctx context.Context, sc scope, id string, news <-chan struct{}) (rollback string, err error) {
	for ctx.Err() == nil {
		d, err := s.read(ctx, sc, id)
		if err != nil || d.over() {
			return "", err
		}
		if d.Stopped {
			return s.fail(ctx, d, api.DeploymentStatusStopped, api.ErrorCodeManualStop, "The deployment was stopped by a user.", api.AutoRollbackEventDeploymentStopOnRequest)
		}
		until, problem, err := s.step(ctx, d)
		switch {
		case err != nil || ctx.Err() != nil:
			return "", err
		case problem != nil:
			return s.fail(ctx, d, api.DeploymentStatusFailed, problem.code, problem.text, api.AutoRollbackEventDeploymentFailure)
		case until.IsZero():
			continue
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-s.d.Clock.After(until.Sub(s.d.Clock.Now())):
		}
	}
	return "", ctx.Err()
}

// problem is why a deployment fails.
type problem struct{ code, text string }

// hookTime is how long a hook's function has to answer.
const hookTime = time.Hour

// step does what is next, and says until when there is nothing to do; zero if
// there is at once.
func (s *Service) step(ctx context.Context, d *deploymentRecord) (until time.Time, p *problem, err error) {
	now := s.d.Clock.Now()
	var e *eventRecord
	for i := range d.Events {
		if d.Events[i].Status != api.LifecycleEventStatusSucceeded {
			e = &d.Events[i]
			break
		}
	}
	if e == nil {
		return time.Time{}, nil, s.succeed(ctx, d)
	}
	if e.Status == api.LifecycleEventStatusPending {
		e.Status, e.Start = api.LifecycleEventStatusInProgress, now
		if d.Status == api.DeploymentStatusCreated {
			d.Status, d.Started = api.DeploymentStatusInProgress, now
		}
		if e.Name == eventBefore || e.Name == eventAfter {
			d.Hook = hookRecord{ID: s.d.IDs.UUID(), Deadline: now.Add(hookTime)}
		}
		return time.Time{}, nil, s.keep(ctx, d)
	}
	done := func() (time.Time, *problem, error) {
		e.Status, e.End = api.LifecycleEventStatusSucceeded, s.d.Clock.Now()
		return time.Time{}, nil, s.keep(ctx, d)
	}
	switch e.Name {
	case eventStart:
		if p := s.checkAlias(ctx, d); p != nil {
			return now, p, nil
		}
		return done()
	case eventBefore, eventAfter:
		switch {
		case d.Hook.Answer == api.LifecycleEventStatusSucceeded:
			return done()
		case d.Hook.Answer != "" || !now.Before(d.Hook.Deadline):
			e.Status, e.End, e.Code = api.LifecycleEventStatusFailed, now, api.LifecycleErrorCodeScriptFailed
			e.Message = "The hook reported that it failed"
			if d.Hook.Answer == "" {
				e.Code, e.Message = api.LifecycleErrorCodeScriptTimedOut, "The hook did not report its status within one hour"
			}
			return now, &problem{api.ErrorCodeHookExecutionFailure, fmt.Sprintf("The lifecycle event %s failed: %s", e.Name, e.Message)}, nil
		case !d.Hook.Asked:
			function := d.Spec.Before
			if e.Name == eventAfter {
				function = d.Spec.After
			}
			if err := s.ask(ctx, d, function); err != nil {
				if ctx.Err() != nil {
					return now, nil, ctx.Err()
				}
				e.Status, e.End, e.Code, e.Message = api.LifecycleEventStatusFailed, now, api.LifecycleErrorCodeUnknownError, err.Error()
				return now, &problem{api.ErrorCodeHookExecutionFailure, fmt.Sprintf("The hook %s of lifecycle event %s could not be invoked: %s", function, e.Name, said(err))}, nil
			}
			d.Hook.Asked = true
			return time.Time{}, nil, s.keep(ctx, d)
		}
		return d.Hook.Deadline, nil, nil
	case eventAllow:
		if now.Before(d.Next) {
			return d.Next, nil, nil
		}
		if d.Weight >= 100 {
			return done()
		}
		weight, wait := d.Shift.next(d.Weight)
		if err := s.route(ctx, d, weight); err != nil {
			if ctx.Err() != nil {
				return now, nil, ctx.Err()
			}
			e.Status, e.End, e.Code, e.Message = api.LifecycleEventStatusFailed, now, api.LifecycleErrorCodeUnknownError, said(err)
			return now, &problem{api.ErrorCodeInvalidLambdaConfiguration, "The alias could not be changed: " + said(err)}, nil
		}
		if d.Weight = weight; wait > 0 {
			d.Next = now.Add(wait)
		}
		return time.Time{}, nil, s.keep(ctx, d)
	}
	return done()
}

// said is an error's text without its code.
func said(err error) string {
	if f := fault.As(err); f != nil {
		return f.Message
	}
	return err.Error()
}

// keep writes the record, but for what others write into it meanwhile.
func (s *Service) keep(ctx context.Context, d *deploymentRecord) error {
	return s.d.Store.Update(ctx, func(tx data.Txn) error {
		now, err := data.Load[deploymentRecord](tx, d.deploymentKey(d.ID))
		if err != nil {
			return err
		}
		c := *d
		if now != nil {
			c.Stopped, c.StopRollback = now.Stopped, now.StopRollback
			if now.Hook.ID == c.Hook.ID {
				c.Hook.Answer = now.Hook.Answer
			}
		}
		return data.Save(tx, d.deploymentKey(d.ID), &c)
	})
}

func (s *Service) as(d *deploymentRecord) call.As {
	return call.AsRole(d.Role, "CodeDeploy", serviceName, d.Region)
}

// checkAlias finds out whether the alias is where the AppSpec file says.
func (s *Service) checkAlias(ctx context.Context, d *deploymentRecord) *problem {
	a, err := call.Do(ctx, s.d.Caller, s.as(d), lambda.GetAlias, &lambda.GetAliasRequest{FunctionName: &d.Spec.Function, Name: &d.Spec.Alias})
	if err != nil {
		return &problem{api.ErrorCodeInvalidLambdaFunction, "The alias " + d.targetID() + " could not be read: " + said(err)}
	}
	if v := *a.FunctionVersion; v != d.Spec.Current && d.RollbackOf == "" {
		return &problem{api.ErrorCodeInvalidLambdaConfiguration, fmt.Sprintf("The alias %s points to version %s, not to the CurrentVersion %s", d.targetID(), v, d.Spec.Current)}
	}
	return nil
}

// route gives the new version so much of the alias's traffic, in percent.
func (s *Service) route(ctx context.Context, d *deploymentRecord, weight int) error {
	in := &lambda.UpdateAliasRequest{FunctionName: &d.Spec.Function, Name: &d.Spec.Alias, FunctionVersion: &d.Spec.Target, RoutingConfig: &lambda.AliasRoutingConfiguration{}}
	if weight < 100 {
		in.FunctionVersion = &d.Spec.Current
		in.RoutingConfig.AdditionalVersionWeights = map[string]float64{d.Spec.Target: float64(weight) / 100}
	}
	_, err := call.Do(ctx, s.d.Caller, s.as(d), lambda.UpdateAlias, in)
	return err
}

// ask invokes the function of a hook, which answers later.
func (s *Service) ask(ctx context.Context, d *deploymentRecord, function string) error {
	payload, err := json.Marshal(map[string]string{"DeploymentId": d.ID, "LifecycleEventHookExecutionId": d.Hook.ID})
	if err != nil {
		return err
	}
	_, err = call.Do(ctx, s.d.Caller, s.as(d), lambda.Invoke, &lambda.InvocationRequest{
		FunctionName: &function, InvocationType: new(lambda.InvocationTypeEvent), Payload: payload,
	})
	return err
}

func (s *Service) succeed(ctx context.Context, d *deploymentRecord) error {
	_, err := s.end(ctx, d, api.DeploymentStatusSucceeded, false)
	return err
}

// fail ends a deployment that went wrong or was stopped, and begins its rollback if
// there is to be one.
func (s *Service) fail(ctx context.Context, d *deploymentRecord, status, code, text, event string) (string, error) {
	d.Code, d.Message = code, text
	for i := range d.Events {
		e := &d.Events[i]
		switch e.Status {
		case api.LifecycleEventStatusPending:
			e.Status = api.LifecycleEventStatusSkipped
		case api.LifecycleEventStatusInProgress:
			e.Status, e.End = api.LifecycleEventStatusFailed, s.d.Clock.Now()
		}
	}
	back := d.Rollback.on(event)
	if d.Stopped && d.StopRollback != nil {
		back = *d.StopRollback
	}
	return s.end(ctx, d, status, back && d.RollbackOf == "")
}

// end notes that a deployment is over; with back it enlists the one that gives the
// traffic back to the version that had it.
func (s *Service) end(ctx context.Context, d *deploymentRecord, status string, back bool) (rollback string, err error) {
	d.Status, d.Completed, d.Next = status, s.d.Clock.Now(), time.Time{}
	var r *deploymentRecord
	if back {
		spec := appSpec{Function: d.Spec.Function, Alias: d.Spec.Alias, Current: d.Spec.Target, Target: d.Spec.Current}
		r = s.fresh(d.scope, d.Application, d.Group, spec, spec.revision())
		r.Config, r.Shift.Type = "CodeDeployDefault.LambdaAllAtOnce", api.TrafficRoutingTypeAllAtOnce
		r.Role, r.Creator, r.RollbackOf, d.RolledBackBy = d.Role, api.DeploymentCreatorCodeDeployRollback, d.ID, r.ID
		rollback = r.ID
	}
	return rollback, s.d.Store.Update(ctx, func(tx data.Txn) error {
		for _, key := range [][]byte{d.runningKey(d.ID), d.activeKey(d.Application, d.Group)} {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		if g, err := data.Load[groupRecord](tx, d.groupKey(d.Application, d.Group)); err != nil {
			return err
		} else if g != nil && status == api.DeploymentStatusSucceeded {
			g.Succeeded = d.ID
			if err := data.Save(tx, d.groupKey(d.Application, d.Group), g); err != nil {
				return err
			}
		}
		if r != nil {
			if err := s.enlist(tx, r); err != nil {
				return err
			}
		}
		return data.Save(tx, d.deploymentKey(d.ID), d)
	})
}
