package cloudformation

import (
	"context"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) eventBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeStackEvents, onStack(s, "cloudformation:DescribeStackEvents", func(in *api.DescribeStackEventsInput) *string { return in.StackName }, nil), s.describeStackEvents),
		call.Bind(api.DescribeEvents, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.DescribeEventsInput) ([]call.Need, error) {
			need := call.Need{Action: "cloudformation:DescribeEvents", Resource: arn.Make("cloudformation", rq.Region(), rq.Account(), "stack/*/*")}
			var err error
			if in.StackName != nil {
				need.Resource, err = s.stackResource(ctx, rq, *in.StackName)
			}
			return []call.Need{need}, err
		}, "cloudformation:DescribeEvents"), s.describeEvents),
	}
}

// eventsPerPage is how many events one answer has at most.
const eventsPerPage = 100

func (s *Service) describeStackEvents(ctx context.Context, rq *call.Authorized, in *api.DescribeStackEventsInput) (*api.DescribeStackEventsOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.DescribeStackEventsOutput{StackEvents: []api.StackEvent{}}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, fault.Of(fault.Validation, "Invalid NextToken")
	}
	err = s.view(ctx, func(rd data.Reader) error {
		st, err := sc.find(rd, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
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
			parts, _ := data.Parts(p.Key)
			if len(out.StackEvents) == eventsPerPage {
				n, _ := strconv.ParseInt(parts[len(parts)-1], 10, 64)
				out.NextToken = new(page.Token(strconv.FormatInt(n+1, 10)))
				return nil
			}
			var e eventRecord
			if err := decode(p.Value, &e); err != nil {
				return err
			}
			out.StackEvents = append(out.StackEvents, api.StackEvent{
				StackId: new(st.ID), StackName: new(st.Name), EventId: new(e.ID), OperationId: opt.NonZero(e.Op),
				LogicalResourceId: new(e.Logical), PhysicalResourceId: new(e.Physical), ResourceType: new(e.Type),
				Timestamp: new(e.At), ResourceStatus: new(e.Status), ResourceStatusReason: opt.NonZero(e.Reason),
				ResourceProperties: opt.NonZero(e.Properties), ClientRequestToken: opt.NonZero(e.Token),
			})
		}
		return nil
	})
	return out, err
}
