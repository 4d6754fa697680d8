package cloudformation

import (
	"context"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// describeEvents answers the events of a stack or of one of its operations, the
// latest first. A change set has none: what is wrong with it is answered when it is
// asked for.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
func (s *Service) describeEvents(ctx context.Context, rq *call.Authorized, in *api.DescribeEventsInput) (*api.DescribeEventsOutput, error) {
	sc, out, op := scopeOf(rq.Decoded), &api.DescribeEventsOutput{OperationEvents: []api.OperationEvent{}}, opt.Val(in.OperationId)
	if in.ChangeSetName != nil {
		_, err := s.namedChangeSet(ctx, rq, in.ChangeSetName, in.StackName)
		return out, err
	}
	if in.StackName == nil && op == "" {
		return nil, fault.Of(fault.Validation, "One of ChangeSetName, OperationId or StackName must be specified.")
	}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, fault.Of(fault.Validation, "Invalid NextToken")
	}
	err = s.view(ctx, func(rd data.Reader) error {
		st, err := sc.operated(rd, in.StackName, op)
		if err != nil {
			return err
		}
		prefix := sc.key("event", st.ID)
		end := data.PrefixEnd(prefix)
		if after != "" {
			n, err := strconv.ParseInt(after, 10, 64)
			if err != nil {
				return fault.Of(fault.Validation, "Invalid NextToken")
			}
			end = sc.eventKey(st.ID, n)
		}
		for p, err := range rd.Scan(prefix, end, true) {
			if err != nil {
				return err
			}
			var e eventRecord
			if err := decode(p.Value, &e); err != nil {
				return err
			}
			failed := strings.HasSuffix(e.Status, "_FAILED")
			if op != "" && e.Op != op || in.Filters != nil && opt.Val(in.Filters.FailedEvents) && !failed {
				continue
			}
			if len(out.OperationEvents) == eventsPerPage {
				parts, _ := data.Parts(p.Key)
				n, _ := strconv.ParseInt(parts[len(parts)-1], 10, 64)
				out.NextToken = new(page.Token(strconv.FormatInt(n+1, 10)))
				return nil
			}
			out.OperationEvents = append(out.OperationEvents, e.ofOperation(st))
		}
		return nil
	})
	return out, err
}

// ofOperation is the event as DescribeEvents shows it.
func (e *eventRecord) ofOperation(st *stackRecord) api.OperationEvent {
	out := api.OperationEvent{
		EventId: new(e.ID), StackId: new(st.ID), OperationId: opt.NonZero(e.Op), OperationType: opt.NonZero(e.Kind), EventType: new(api.EventTypeProgressEvent),
		LogicalResourceId: new(e.Logical), PhysicalResourceId: opt.NonZero(e.Physical), ResourceType: new(e.Type), Timestamp: new(e.At),
		ResourceStatus: new(e.Status), ResourceStatusReason: opt.NonZero(e.Reason), ResourceProperties: opt.NonZero(e.Properties), ClientRequestToken: opt.NonZero(e.Token),
	}
	failed := strings.HasSuffix(e.Status, "_FAILED")
	if e.Physical != st.ID {
		if failed {
			out.EventType = new(api.EventTypeProvisioningError)
		}
		return out
	}
	out.EventType, out.OperationStatus = new(api.EventTypeStackEvent), new(api.BeaconStackOperationStatusInProgress)
	switch {
	case failed:
		out.OperationStatus = new(api.BeaconStackOperationStatusFailed)
	case finished(e.Status):
		out.OperationStatus = new(api.BeaconStackOperationStatusSucceeded)
	}
	return out
}

// operated finds the stack of a name, or that of which an operation is.
func (sc scope) operated(rd data.Reader, name *string, op string) (*stackRecord, error) {
	if name != nil {
		st, err := sc.find(rd, *name)
		if err == nil && st == nil {
			err = fault.Of(fault.Validation, "Stack [%s] does not exist", *name)
		}
		return st, err
	}
	prefix := sc.key("event")
	for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		var e eventRecord
		if err := decode(p.Value, &e); err != nil {
			return nil, err
		}
		if parts, ok := data.Parts(p.Key); ok && e.Op == op {
			return sc.find(rd, parts[len(parts)-2])
		}
	}
	return nil, fault.Of(fault.Validation, "Operation [%s] does not exist", op)
}
