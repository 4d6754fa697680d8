package cloudformation

import (
	"context"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Drift of stack sets: that of their stacks, detected in each as its execution role.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-drift.html

func (s *Service) detectStackSetDrift(ctx context.Context, rq *call.Authorized, in *api.DetectStackSetDriftInput) (*api.DetectStackSetDriftOutput, error) {
	sc := scopeOf(rq.Decoded)
	id, err := s.beginSet(ctx, rq, setWork{
		name: opt.Val(in.StackSetName), id: in.OperationId, callAs: in.CallAs, prefs: in.OperationPreferences, in: in, action: api.StackSetOperationActionDetectDrift,
		targets: func(tx data.Txn, set *setRecord, op *setOperation) ([]target, error) {
			all, err := op.everywhere(tx, sc)
			op.Drift = &setDrift{
				Status: api.StackSetDriftStatusNotChecked, Detection: api.StackSetDriftDetectionStatusInProgress,
				Total: int32(len(all)), Running: int32(len(all)),
			}
			return all, err
		},
	})
	return &api.DetectStackSetDriftOutput{OperationId: id}, err
}

// detect detects an instance's drift.
func (r *setRun) detect(ctx context.Context, as call.As, i *instanceRecord) (effect, error) {
	if i.Stack == "" {
		return effect{reason: "The stack instance has no stack"}, nil
	}
	begun, err := call.Do(ctx, r.s.d.Caller, as, api.DetectStackDrift, &api.DetectStackDriftInput{StackName: &i.Stack})
	if err != nil {
		return effect{reason: said(err)}, unsaid(err)
	}
	var found *api.DescribeStackDriftDetectionStatusOutput
	for {
		found, err = call.Do(ctx, r.s.d.Caller, as, api.DescribeStackDriftDetectionStatus, &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: begun.StackDriftDetectionId})
		if err != nil {
			return effect{reason: said(err)}, unsaid(err)
		}
		if opt.Val(found.DetectionStatus) != api.StackDriftDetectionStatusDetectionInProgress {
			break
		}
		select {
		case <-ctx.Done():
			return effect{}, ctx.Err()
		case <-r.s.d.Clock.After(nestedLook):
		}
	}
	if opt.Val(found.DetectionStatus) == api.StackDriftDetectionStatusDetectionFailed {
		return effect{reason: opt.Or(found.DetectionStatusReason, "Drift detection failed")}, nil
	}
	e := effect{drifts: []setDriftRecord{}}
	var token *string
	for {
		page, err := call.Do(ctx, r.s.d.Caller, as, api.DescribeStackResourceDrifts, &api.DescribeStackResourceDriftsInput{StackName: &i.Stack, NextToken: token})
		if err != nil {
			return effect{reason: said(err)}, unsaid(err)
		}
		for _, d := range page.StackResourceDrifts {
			e.drifts = append(e.drifts, setDriftRecord{V: version, Op: r.op.ID, StackInstanceResourceDriftsSummary: api.StackInstanceResourceDriftsSummary{
				StackId: d.StackId, LogicalResourceId: d.LogicalResourceId, PhysicalResourceId: d.PhysicalResourceId, PhysicalResourceIdContext: d.PhysicalResourceIdContext,
				ResourceType: d.ResourceType, PropertyDifferences: d.PropertyDifferences, StackResourceDriftStatus: d.StackResourceDriftStatus, Timestamp: d.Timestamp,
			}})
		}
		if token = page.NextToken; token == nil {
			break
		}
	}
	i.Drift, i.DriftAt = opt.Val(found.StackDriftStatus), opt.Or(found.Timestamp, time.Time{})
	return e, nil
}

// noteDrifts stores what a detection found of an instance's resources, in place of what
// the one before did.
func (r *setRun) noteDrifts(tx data.Txn, t target, found []setDriftRecord) error {
	prefix := r.sc.setDrifts(r.set.ID, t)
	if err := clearAll(tx, prefix); err != nil {
		return err
	}
	for _, d := range found {
		if err := put(tx, r.sc.setDriftKey(r.set.ID, t, opt.Val(d.LogicalResourceId)), &d); err != nil {
			return err
		}
	}
	return nil
}

// countDrift sums up a detection, for the operation and for the stack set.
func (r *setRun) countDrift(tx data.Txn, op *setOperation, results []*resultRecord) error {
	d := &setDrift{Status: api.StackSetDriftStatusInSync, Detection: api.StackSetDriftDetectionStatusCompleted, Total: int32(len(results)), At: op.Ended}
	for _, res := range results {
		if res.Status != api.StackSetOperationResultStatusSucceeded {
			d.Failures++
			continue
		}
		i, err := get[instanceRecord](tx, r.sc.instanceKey(r.set.ID, res.target))
		if err != nil {
			return err
		}
		if i != nil && i.Drift == api.StackDriftStatusDrifted {
			d.Drifted++
			d.Status = api.StackSetDriftStatusDrifted
		} else {
			d.InSync++
		}
	}
	switch {
	case op.Status == api.StackSetOperationStatusStopped:
		d.Detection = api.StackSetDriftDetectionStatusStopped
	case op.Status == api.StackSetOperationStatusFailed:
		d.Detection = api.StackSetDriftDetectionStatusFailed
	case d.Failures > 0:
		d.Detection = api.StackSetDriftDetectionStatusPartialSuccess
	}
	if d.Drifted+d.InSync == 0 {
		d.Status = api.StackSetDriftStatusNotChecked
	}
	op.Drift = d
	set, err := get[setRecord](tx, r.sc.setKey(r.set.ID))
	if err != nil {
		return err
	}
	set.Drift = d
	return put(tx, r.sc.setKey(set.ID), set)
}

func (s *Service) listStackInstanceResourceDrifts(ctx context.Context, rq *call.Authorized, in *api.ListStackInstanceResourceDriftsInput) (*api.ListStackInstanceResourceDriftsOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, out := scopeOf(rq.Decoded), &api.ListStackInstanceResourceDriftsOutput{Summaries: []api.StackInstanceResourceDriftsSummary{}}
	return out, s.view(ctx, func(rd data.Reader) error {
		set, op, err := s.setOperationOf(rd, sc, opt.Val(in.StackSetName), opt.Val(in.OperationId))
		if err != nil {
			return err
		}
		t := target{opt.Val(in.StackInstanceAccount), opt.Val(in.StackInstanceRegion)}
		if i, err := get[instanceRecord](rd, sc.instanceKey(set.ID, t)); err != nil {
			return err
		} else if i == nil {
			return noInstance(set.ID, t)
		}
		all, next, err := filtered(rd, sc.setDrifts(set.ID, t), in.NextToken, in.MaxResults, func(d *setDriftRecord) bool {
			return d.Op == op.ID && (len(in.StackInstanceResourceDriftStatuses) == 0 || contains(in.StackInstanceResourceDriftStatuses, opt.Val(d.StackResourceDriftStatus)))
		})
		for _, d := range all {
			out.Summaries = append(out.Summaries, d.StackInstanceResourceDriftsSummary)
		}
		out.NextToken = next
		return err
	})
}
