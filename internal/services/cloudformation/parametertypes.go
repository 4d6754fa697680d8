package cloudformation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// exist refuses values of parameters whose types say that they name something of the
// account: AWS looks whether it exists. Availability zones do, those that Fn::GetAZs
// gives; of Amazon EC2 and Route 53 nothing does, so that such a parameter takes no
// value, its default neither, until there are rooms for them.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
func exist(sc scope, parameters map[string]*template.Parameter, values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		p := parameters[name]
		kind := p.Names()
		if kind == "" {
			continue
		}
		for _, v := range intrinsic.Members(p, values[name]) {
			if kind == template.ZoneName && slices.Contains(intrinsic.Zones(sc.Region), v) {
				continue
			}
			service, _, _ := strings.Cut(strings.TrimPrefix(kind, "AWS::"), "::")
			why := " (there is no " + service + " on this platform: a parameter of the type String takes any value)"
			if kind == template.ZoneName {
				why = ""
			}
			return fault.Of(fault.Validation, "Parameter validation failed: parameter value %s for parameter name %s does not exist%s. Rollback requested by user.", v, name, why)
		}
	}
	return nil
}

const parameterName = "AWS::SSM::Parameter::Name"

// resolveParameters reads the values of the parameters whose types are
// AWS::SSM::Parameter::Value<…>, and looks for those of AWS::SSM::Parameter::Name.
// Those that are not there are told all at once.
func (s *Service) resolveParameters(ctx context.Context, as call.As, parameters map[string]*template.Parameter, spec *specRecord) error {
	var missing, unfit []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !parameters[name].IsSSM() {
			continue
		}
		key := spec.Params[name]
		p, err := s.parameter(ctx, as, key, false)
		switch f := fault.As(err); {
		case f != nil && f.Common == fault.Validation:
			missing = append(missing, key)
			continue
		case err != nil:
			return err
		case parameters[name].Type == parameterName:
			continue
		case opt.Val(p.Type) == ssm.ParameterTypeSecureString:
			unfit = append(unfit, key)
			continue
		}
		if spec.Resolved == nil {
			spec.Resolved = map[string]string{}
		}
		spec.Resolved[name] = opt.Val(p.Value)
	}
	switch {
	case len(missing) > 0:
		return fault.Of(fault.Validation, "Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(missing, ","))
	case len(unfit) > 0:
		return fault.Of(fault.Validation, "Parameters [%s] referenced by template have types not supported by CloudFormation.", strings.Join(unfit, ","))
	}
	return nil
}

// values are the parameters as functions see them.
func (spec *specRecord) values() map[string]string {
	if len(spec.Resolved) == 0 {
		return spec.Params
	}
	out := maps.Clone(spec.Params)
	maps.Copy(out, spec.Resolved)
	return out
}
