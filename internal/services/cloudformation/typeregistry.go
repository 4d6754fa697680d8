package cloudformation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// The registry of types, as far as it can be read: the resource types of the rooms,
// which are AWS's public ones, with the properties that are honoured here. Nothing
// can be registered or activated in it.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/registry.html

func (s *Service) registryBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeType, call.Any[api.DescribeTypeInput]("cloudformation:DescribeType"), s.describeType),
		call.Bind(api.ListTypes, call.Any[api.ListTypesInput]("cloudformation:ListTypes"), s.listTypes),
	}
}

func typeARN(region, name string) string {
	return arn.Make("cloudformation", region, "", "type/resource/"+strings.ReplaceAll(name, "::", "-"))
}

// provisioning says how far a type's resources can be managed.
func provisioning(t *resource.Type) string {
	switch {
	case !t.Reads():
		return api.ProvisioningTypeNonProvisionable
	case !t.Updates():
		return api.ProvisioningTypeImmutable
	}
	return api.ProvisioningTypeFullyMutable
}

func (s *Service) describeType(_ context.Context, rq *call.Authorized, in *api.DescribeTypeInput) (*api.DescribeTypeOutput, error) {
	name, id := opt.Val(in.TypeName), opt.Val(in.Arn)
	if id == "" && (name == "" || in.Type == nil) {
		return nil, api.CFNRegistryException("Either Arn or both TypeName and Type are required.")
	}
	asked := name
	if id != "" {
		_, rest, _ := strings.Cut(id, ":type/resource/")
		rest, _, _ = strings.Cut(rest, "/") // without the version
		asked, name = id, strings.ReplaceAll(rest, "-", "::")
	}
	t := s.types()[name]
	if t == nil || opt.Or(in.Type, api.RegistryTypeResource) != api.RegistryTypeResource || in.VersionId != nil || in.PublisherId != nil || in.PublicVersionNumber != nil {
		return nil, api.TypeNotFoundException("The type '%s' cannot be found.", asked)
	}
	return &api.DescribeTypeOutput{
		Arn: new(typeARN(rq.Region(), name)), Type: new(api.RegistryTypeResource), TypeName: new(name), IsDefaultVersion: new(true),
		Description: new("Resource type schema for " + name), Schema: new(template.JSON(t.Schema())), ProvisioningType: new(provisioning(t)),
		DeprecatedStatus: new(api.DeprecatedStatusLive), Visibility: new(api.VisibilityPublic),
	}, nil
}

// typesPerPage is how many types one listing has at most.
const typesPerPage = 100

func (s *Service) listTypes(_ context.Context, rq *call.Authorized, in *api.ListTypesInput) (*api.ListTypesOutput, error) {
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, fault.Of(fault.Validation, "Invalid NextToken")
	}
	out := &api.ListTypesOutput{TypeSummaries: []api.TypeSummary{}}
	filter := opt.Val(in.Filters)
	// There are only AWS's own types: none is private, of a third party, or activated.
	if opt.Or(in.Visibility, api.VisibilityPrivate) != api.VisibilityPublic || opt.Or(in.Type, api.RegistryTypeResource) != api.RegistryTypeResource ||
		opt.Or(in.DeprecatedStatus, api.DeprecatedStatusLive) != api.DeprecatedStatusLive || opt.Or(filter.Category, api.CategoryAwsTypes) != api.CategoryAwsTypes || filter.PublisherId != nil {
		return out, nil
	}
	most := int(opt.Or(in.MaxResults, typesPerPage))
	for _, name := range slices.Sorted(maps.Keys(s.types())) {
		t := s.types()[name]
		if name <= after || !strings.HasPrefix(name, opt.Val(filter.TypeNamePrefix)) || opt.Or(in.ProvisioningType, provisioning(t)) != provisioning(t) {
			continue
		}
		if n := len(out.TypeSummaries); n == most {
			out.NextToken = new(page.Token(*out.TypeSummaries[n-1].TypeName))
			break
		}
		out.TypeSummaries = append(out.TypeSummaries, api.TypeSummary{
			Type: new(api.RegistryTypeResource), TypeName: new(name), TypeArn: new(typeARN(rq.Region(), name)), Description: new("Resource type schema for " + name),
		})
	}
	return out, nil
}
