package ssm

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) describeBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeParameters, call.Allow("ssm:DescribeParameters", func(rq *call.Decoded, _ *api.DescribeParametersRequest) string {
			return areaOf(rq).arn("*")
		}), s.describeParameters),
	}
}

// filter holds parameters against ParameterFilters: all must match.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
type filter []condition

type condition struct {
	key, option string
	values      []string
}

// The options that each key takes, the default first.
var (
	describeFilters = map[string][]string{
		"Name": {"Equals", "BeginsWith", "Contains"}, "Type": {"Equals", "BeginsWith"}, "KeyId": {"Equals", "BeginsWith"},
		"Path": {"OneLevel", "Recursive"}, "Tier": {"Equals"}, "DataType": {"Equals", "BeginsWith"}, "tag:": {"Equals"},
	}
	byPathFilters = map[string][]string{"Type": {"Equals", "BeginsWith"}, "KeyId": {"Equals", "BeginsWith"}, "Label": {"Equals"}, "DataType": {"Equals", "BeginsWith"}}
)

func newFilter(list []api.ParameterStringFilter, known map[string][]string) (filter, error) {
	var out filter
	for _, f := range list {
		c := condition{opt.Val(f.Key), opt.Val(f.Option), f.Values}
		kind := c.key
		if strings.HasPrefix(kind, "tag:") {
			kind = "tag:"
		}
		options := known[kind]
		if options == nil {
			return nil, api.InvalidFilterKey("The following filter key is not valid: %s. Valid filter keys here: %s", c.key, strings.Join(keysOf(known), ", "))
		}
		if slices.ContainsFunc(out, func(x condition) bool { return x.key == c.key }) {
			return nil, api.ValidationException("The following filters are duplicated in the request: [%s]. A request can contain only one occurrence of a specific filter.", c.key)
		}
		if c.option == "" {
			c.option = options[0]
		}
		if !slices.Contains(options, c.option) {
			return nil, api.InvalidFilterOption("The following filter option is not valid: %s. Valid options include: %s", c.option, strings.Join(options, ", "))
		}
		if len(c.values) == 0 && kind != "tag:" {
			return nil, api.InvalidFilterValue("The following filter values are missing : null for filter key %s", c.key)
		}
		out = append(out, c)
	}
	return out, nil
}

func keysOf(m map[string][]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// takes reports whether a parameter meets the filter.
func (f filter) takes(p *parameter) bool {
	for _, c := range f {
		if !c.holds(p) {
			return false
		}
	}
	return true
}

// label is the label that the filter asks for, if the parameter has it.
func (f filter) label(p *parameter) (string, bool) {
	for _, c := range f {
		if c.key == "Label" {
			for _, l := range c.values {
				if _, ok := p.Labels[l]; ok {
					return l, true
				}
			}
		}
	}
	return "", false
}

func (c *condition) holds(p *parameter) bool {
	any := func(have string) bool {
		return slices.ContainsFunc(c.values, func(v string) bool {
			switch c.option {
			case "BeginsWith":
				return strings.HasPrefix(have, v)
			case "Contains":
				return strings.Contains(have, v)
			}
			return have == v
		})
	}
	switch c.key {
	case "Name": // with and without the slash that it begins with
		return any(p.Name) || any("/"+strings.TrimPrefix(p.Name, "/")) || any(strings.TrimPrefix(p.Name, "/"))
	case "Type":
		return any(p.Now.Type)
	case "KeyId":
		return any(p.Now.KeyID)
	case "Tier":
		return any(p.Now.Tier)
	case "DataType":
		return any("text")
	case "Path":
		return slices.ContainsFunc(c.values, func(v string) bool { return within(v, p.Name, c.option == "Recursive") })
	case "Label":
		_, ok := filter{*c}.label(p)
		return ok
	}
	v, ok := p.Tags[strings.TrimPrefix(c.key, "tag:")]
	return ok && (len(c.values) == 0 || any(v))
}

func (s *Service) describeParameters(ctx context.Context, rq *call.Authorized, in *api.DescribeParametersRequest) (*api.DescribeParametersResult, error) {
	if opt.Val(in.Shared) {
		return nil, api.ValidationException("Shared is not supported: no parameters are shared here.")
	}
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, api.ValidationException("You can use either Filters or ParameterFilters in a single request.")
	}
	list := in.ParameterFilters
	for _, f := range in.Filters { // the older form: names begin with, the rest equals
		x := api.ParameterStringFilter{Key: f.Key, Values: f.Values}
		if opt.Val(f.Key) == "Name" {
			x.Option = new("BeginsWith")
		}
		list = append(list, x)
	}
	filter, err := newFilter(list, describeFilters)
	if err != nil {
		return nil, err
	}
	a, out := areaOf(rq.Decoded), &api.DescribeParametersResult{}
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		out.Parameters = []api.ParameterMetadata{}
		var err error
		out.NextToken, err = a.walk(r, "", in.NextToken, opt.Or(in.MaxResults, describePage), func(p *parameter) (bool, error) {
			if !filter.takes(p) {
				return false, nil
			}
			v := &p.Now
			out.Parameters = append(out.Parameters, api.ParameterMetadata{
				Name: new(p.Name), ARN: new(a.arn(p.Name)), Type: new(v.Type), KeyId: opt.NonZero(v.KeyID), LastModifiedDate: new(v.Modified), LastModifiedUser: opt.NonZero(v.User),
				Description: opt.NonZero(v.Description), AllowedPattern: opt.NonZero(v.Pattern), Version: new(v.Version), Tier: new(v.Tier), DataType: new("text"),
				Policies: []api.ParameterInlinePolicy{},
			})
			return true, nil
		})
		return err
	})
	return out, err
}
