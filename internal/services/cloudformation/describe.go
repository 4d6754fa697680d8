package cloudformation

import (
	"context"
	"sort"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) describeBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeStacks, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.DescribeStacksInput) ([]call.Need, error) {
			r := arn.Make("cloudformation", rq.Region(), rq.Account(), "stack/*/*")
			if in.StackName != nil {
				var err error
				if r, err = s.stackResource(ctx, rq, *in.StackName); err != nil {
					return nil, err
				}
			}
			return []call.Need{{Action: "cloudformation:DescribeStacks", Resource: r}}, nil
		}, "cloudformation:DescribeStacks"), s.describeStacks),
		call.Bind(api.ListStacks, call.Any[api.ListStacksInput]("cloudformation:ListStacks"), s.listStacks),
	}
}

// stacksPerPage is how many stacks one answer has at most.
const stacksPerPage = 100

func (s *Service) describeStacks(ctx context.Context, rq *call.Authorized, in *api.DescribeStacksInput) (*api.DescribeStacksOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.DescribeStacksOutput{Stacks: []api.Stack{}}
	err := s.view(ctx, func(rd data.Reader) error {
		if in.StackName != nil {
			st, err := sc.find(rd, *in.StackName)
			if err != nil {
				return err
			}
			if st == nil {
				return fault.Of(fault.Validation, "Stack with id %s does not exist", *in.StackName)
			}
			return describe(rd, st, out)
		}
		token := in.NextToken
		for {
			all, next, err := pageOf[stackRecord](rd, sc.key("stack"), token, stacksPerPage)
			if err != nil {
				return err
			}
			for _, st := range all {
				if st.Status != api.StackStatusDeleteComplete {
					if err := describe(rd, st, out); err != nil {
						return err
					}
				}
			}
			if out.NextToken = next; next == nil || len(out.Stacks) > 0 {
				return nil
			}
			token = next
		}
	})
	return out, err
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// hidden stands for the value of a parameter that is not to be shown.
const hidden = "****"

// describe adds a stack to the answer.
func describe(rd data.Reader, st *stackRecord, out *api.DescribeStacksOutput) error {
	drift, driftAt := st.driftState()
	ops := []api.OperationEntry{{OperationId: new(st.Op.ID), OperationType: new(st.Op.kind())}}
	if st.Op.Back != "" {
		ops = append([]api.OperationEntry{{OperationId: new(st.Op.Back), OperationType: new(st.Op.BackKind)}}, ops...)
	}
	d := api.Stack{
		LastOperations: ops,
		StackId:        new(st.ID), StackName: new(st.Name), ChangeSetId: opt.NonZero(st.ChangeSet), Description: opt.NonZero(st.Description),
		CreationTime: new(st.Created), LastUpdatedTime: instant(st.Updated), DeletionTime: instant(st.Deleted),
		StackStatus: new(st.Status), StackStatusReason: opt.NonZero(st.Reason), DisableRollback: new(st.OnFailure == api.OnFailureDoNothing),
		TimeoutInMinutes: opt.NonZero(st.Timeout), EnableTerminationProtection: new(st.Protected), ParentId: opt.NonZero(st.Parent), RootId: opt.NonZero(st.Root),
		RollbackConfiguration: &api.RollbackConfiguration{}, NotificationARNs: []string{}, Tags: []api.Tag{},
		DriftInformation: &api.StackDriftInformation{StackDriftStatus: &drift, LastCheckTimestamp: driftAt},
	}
	spec, err := get[specRecord](rd, st.specKey(st.ID, st.Spec))
	if err != nil {
		return err
	}
	if spec != nil {
		d.RoleARN, d.Capabilities = opt.NonZero(spec.Role), spec.Capabilities
		d.Tags, d.Parameters = tagList(spec.Tags), shownParams(spec)
	}
	for _, o := range st.Outputs {
		d.Outputs = append(d.Outputs, api.Output{OutputKey: new(o.Key), OutputValue: new(o.Value), Description: opt.NonZero(o.Description), ExportName: opt.NonZero(o.Export)})
	}
	out.Stacks = append(out.Stacks, d)
	return nil
}

func tagList(m map[string]string) []api.Tag {
	out := []api.Tag{}
	for k, v := range m {
		out = append(out, api.Tag{Key: new(k), Value: new(v)})
	}
	sort.Slice(out, func(i, j int) bool { return *out[i].Key < *out[j].Key })
	return out
}

// shownParams lists the parameters' values, those with NoEcho hidden.
func shownParams(spec *specRecord) []api.Parameter {
	var out []api.Parameter
	for k, v := range spec.Params {
		if contains(spec.Hidden, k) {
			v = hidden
		}
		p := api.Parameter{ParameterKey: new(k), ParameterValue: new(v)}
		if r, ok := spec.Resolved[k]; ok {
			if p.ResolvedValue = &r; contains(spec.Hidden, k) {
				p.ResolvedValue = new(hidden)
			}
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return *out[i].ParameterKey < *out[j].ParameterKey })
	return out
}

func (s *Service) listStacks(ctx context.Context, rq *call.Authorized, in *api.ListStacksInput) (*api.ListStacksOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.ListStacksOutput{StackSummaries: []api.StackSummary{}}
	err := s.view(ctx, func(rd data.Reader) error {
		token := in.NextToken
		for {
			all, next, err := pageOf[stackRecord](rd, sc.key("stack"), token, stacksPerPage)
			if err != nil {
				return err
			}
			for _, st := range all {
				if len(in.StackStatusFilter) > 0 && !contains(in.StackStatusFilter, st.Status) {
					continue
				}
				drift, driftAt := st.driftState()
				out.StackSummaries = append(out.StackSummaries, api.StackSummary{
					StackId: new(st.ID), StackName: new(st.Name), TemplateDescription: opt.NonZero(st.Description), CreationTime: new(st.Created),
					LastUpdatedTime: instant(st.Updated), DeletionTime: instant(st.Deleted), StackStatus: new(st.Status), StackStatusReason: opt.NonZero(st.Reason),
					ParentId: opt.NonZero(st.Parent), RootId: opt.NonZero(st.Root),
					DriftInformation: &api.StackDriftInformationSummary{StackDriftStatus: &drift, LastCheckTimestamp: driftAt},
				})
			}
			if out.NextToken = next; next == nil || len(out.StackSummaries) > 0 {
				return nil
			}
			token = next
		}
	})
	return out, err
}
