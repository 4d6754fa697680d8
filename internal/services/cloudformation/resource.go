package cloudformation

import (
	"context"
	"sort"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) resourceBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeStackResource, onStack(s, "cloudformation:DescribeStackResource", func(in *api.DescribeStackResourceInput) *string { return in.StackName }, nil), s.describeStackResource),
		call.Bind(api.DescribeStackResources, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.DescribeStackResourcesInput) ([]call.Need, error) {
			name, err := s.stackOfInput(ctx, scopeOf(rq), in)
			if err != nil {
				return nil, err
			}
			r, err := s.stackResource(ctx, rq, opt.Or(opt.NonZero(name), "*"))
			return []call.Need{{Action: "cloudformation:DescribeStackResources", Resource: r}}, err
		}, "cloudformation:DescribeStackResources"), s.describeStackResources),
		call.Bind(api.ListStackResources, onStack(s, "cloudformation:ListStackResources", func(in *api.ListStackResourcesInput) *string { return in.StackName }, nil), s.listStackResources),
	}
}

// stackResources reads a stack and its resources in order of their logical ids.
func (s *Service) stackResources(ctx context.Context, rq *call.Authorized, name string) (st *stackRecord, out []*resourceRecord, drifts map[string]*driftRecord, err error) {
	sc := scopeOf(rq.Decoded)
	err = s.view(ctx, func(rd data.Reader) error {
		if st, err = sc.find(rd, name); err != nil || st == nil {
			return err
		}
		if out, err = list[resourceRecord](rd, sc.key("resource", st.ID)); err != nil {
			return err
		}
		drifts, err = sc.driftStates(rd, st.ID, out)
		return err
	})
	return st, out, drifts, err
}

func (s *Service) describeStackResource(ctx context.Context, rq *call.Authorized, in *api.DescribeStackResourceInput) (*api.DescribeStackResourceOutput, error) {
	name, id := opt.Val(in.StackName), opt.Val(in.LogicalResourceId)
	st, all, drifts, err := s.stackResources(ctx, rq, name)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, fault.Of(fault.Validation, "Stack '%s' does not exist", name)
	}
	for _, r := range all {
		if r.ID == id {
			drift, driftAt := drifts[r.ID].state()
			return &api.DescribeStackResourceOutput{StackResourceDetail: &api.StackResourceDetail{
				StackName: new(st.Name), StackId: new(st.ID), LogicalResourceId: new(r.ID), PhysicalResourceId: opt.NonZero(r.Physical),
				ResourceType: new(r.Type), LastUpdatedTimestamp: new(r.Updated), ResourceStatus: new(r.Status), ResourceStatusReason: opt.NonZero(r.Reason),
				Metadata: new(opt.Or(opt.NonZero(r.Metadata), "{}")), DriftInformation: &api.StackResourceDriftInformation{StackResourceDriftStatus: &drift, LastCheckTimestamp: driftAt},
			}}, nil
		}
	}
	return nil, fault.Of(fault.Validation, "Resource %s does not exist for stack %s", id, st.Name)
}

func (s *Service) describeStackResources(ctx context.Context, rq *call.Authorized, in *api.DescribeStackResourcesInput) (*api.DescribeStackResourcesOutput, error) {
	if (opt.Val(in.StackName) == "") == (in.PhysicalResourceId == nil) {
		return nil, fault.Of(fault.Validation, "Either StackName or PhysicalResourceId must be specified, but not both.")
	}
	name, err := s.stackOfInput(ctx, scopeOf(rq.Decoded), in)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, fault.Of(fault.Validation, "Stack for %s does not exist", *in.PhysicalResourceId)
	}
	st, all, drifts, err := s.stackResources(ctx, rq, name)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, fault.Of(fault.Validation, "Stack with id %s does not exist", name)
	}
	out := &api.DescribeStackResourcesOutput{StackResources: []api.StackResource{}}
	for _, r := range all {
		if in.LogicalResourceId != nil && *in.LogicalResourceId != r.ID {
			continue
		}
		drift, driftAt := drifts[r.ID].state()
		out.StackResources = append(out.StackResources, api.StackResource{
			StackName: new(st.Name), StackId: new(st.ID), LogicalResourceId: new(r.ID), PhysicalResourceId: opt.NonZero(r.Physical),
			ResourceType: new(r.Type), Timestamp: new(r.Updated), ResourceStatus: new(r.Status), ResourceStatusReason: opt.NonZero(r.Reason),
			DriftInformation: &api.StackResourceDriftInformation{StackResourceDriftStatus: &drift, LastCheckTimestamp: driftAt},
		})
	}
	if in.LogicalResourceId != nil && len(out.StackResources) == 0 {
		return nil, fault.Of(fault.Validation, "Resource %s does not exist for stack %s", *in.LogicalResourceId, st.Name)
	}
	return out, nil
}

// stackOfInput returns the stack that a request names, or the id of the one that
// has the resource that it names; "" if there is none.
func (s *Service) stackOfInput(ctx context.Context, sc scope, in *api.DescribeStackResourcesInput) (name string, err error) {
	if opt.Val(in.StackName) != "" || in.PhysicalResourceId == nil {
		return opt.Val(in.StackName), nil
	}
	err = s.view(ctx, func(rd data.Reader) error {
		prefix := sc.key("resource")
		for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			var rec resourceRecord
			if err := decode(p.Value, &rec); err != nil {
				return err
			}
			if parts, ok := data.Parts(p.Key); ok && rec.Physical == *in.PhysicalResourceId && rec.Status != api.ResourceStatusDeleteComplete {
				name = parts[len(parts)-2]
			}
		}
		return nil
	})
	return name, err
}

// resourcesPerPage is how many resources one listing has at most.
const resourcesPerPage = 100

func (s *Service) listStackResources(ctx context.Context, rq *call.Authorized, in *api.ListStackResourcesInput) (*api.ListStackResourcesOutput, error) {
	name := opt.Val(in.StackName)
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, fault.Of(fault.Validation, "Invalid NextToken")
	}
	st, all, drifts, err := s.stackResources(ctx, rq, name)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, fault.Of(fault.Validation, "Stack with id %s does not exist", name)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	out := &api.ListStackResourcesOutput{StackResourceSummaries: []api.StackResourceSummary{}}
	for _, r := range all {
		if after != "" && r.ID <= after {
			continue
		}
		if n := len(out.StackResourceSummaries); n == resourcesPerPage {
			out.NextToken = new(page.Token(*out.StackResourceSummaries[n-1].LogicalResourceId))
			break
		}
		drift, driftAt := drifts[r.ID].state()
		out.StackResourceSummaries = append(out.StackResourceSummaries, api.StackResourceSummary{
			LogicalResourceId: new(r.ID), PhysicalResourceId: opt.NonZero(r.Physical), ResourceType: new(r.Type),
			LastUpdatedTimestamp: new(r.Updated), ResourceStatus: new(r.Status), ResourceStatusReason: opt.NonZero(r.Reason),
			DriftInformation: &api.StackResourceDriftInformationSummary{StackResourceDriftStatus: &drift, LastCheckTimestamp: driftAt},
		})
	}
	return out, nil
}
