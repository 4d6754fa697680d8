package ssm

import (
	"context"
	"errors"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) parameterBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutParameter, call.Rule(s.putNeeds, "ssm:PutParameter", "ssm:AddTagsToResource"), s.putParameter),
		call.Bind(api.DeleteParameter, on(s, "ssm:DeleteParameter", func(in *api.DeleteParameterRequest) []string { return one(in.Name) }), s.deleteParameter),
		call.Bind(api.DeleteParameters, on(s, "ssm:DeleteParameters", func(in *api.DeleteParametersRequest) []string { return in.Names }), s.deleteParameters),
	}
}

func (s *Service) putNeeds(ctx context.Context, rq *call.Decoded, in *api.PutParameterRequest) ([]call.Need, error) {
	m := map[string]string{}
	for _, t := range in.Tags {
		m[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	keys := tagConditions(m)
	keys["ssm:overwrite"] = yes(in.Overwrite)
	n, err := s.need(ctx, rq, "ssm:PutParameter", opt.Val(in.Name), keys)
	needs := []call.Need{n}
	if len(m) > 0 {
		n.Action = "ssm:AddTagsToResource"
		needs = append(needs, n)
	}
	return needs, err
}

// errMoved says that a parameter changed while its new value was encrypted.
var errMoved = errors.New("ssm: the parameter has changed")

func (s *Service) putParameter(ctx context.Context, rq *call.Authorized, in *api.PutParameterRequest) (*api.PutParameterResult, error) {
	a := areaOf(rq.Decoded)
	ref := refer(a, *in.Name)
	if ref.foreign {
		return nil, notHere()
	}
	if ref.selector != "" {
		return nil, api.ValidationException("Parameter name: can't have a version or label: %s", *in.Name)
	}
	if err := checkName(ref.name); err != nil {
		return nil, err
	}
	if err := checkPut(in); err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	for {
		out, err := s.tryPut(ctx, rq, a, ref.name, in, tags)
		if !errors.Is(err, errMoved) {
			return out, err
		}
	}
}

// tryPut makes the next version of a parameter. KMS is asked before the
// transaction that writes, which gives up with errMoved if what it was asked for
// no longer fits.
func (s *Service) tryPut(ctx context.Context, rq *call.Authorized, a area, name string, in *api.PutParameterRequest, tags map[string]string) (*api.PutParameterResult, error) {
	var before *parameter
	err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
		before, err = data.Load[parameter](r, a.parameter(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	v, err := s.next(ctx, rq, a, name, in, before)
	if err != nil {
		return nil, err
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		p, err := data.Load[parameter](t, a.parameter(name))
		if err != nil {
			return err
		}
		if (p == nil) != (before == nil) || p != nil && p.Latest != before.Latest {
			return errMoved
		}
		if p == nil {
			p = &parameter{V: recordVersion, Name: name, Oldest: 1, Tags: tags}
		} else if err := s.archive(t, a, p); err != nil {
			return err
		}
		p.Latest, p.Now = v.Version, *v
		return data.Save(t, a.parameter(name), p)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutParameterResult{Version: new(v.Version), Tier: new(v.Tier)}, nil
}

// next is the version that a request makes of a parameter, nil if there is none.
func (s *Service) next(ctx context.Context, rq *call.Authorized, a area, name string, in *api.PutParameterRequest, before *parameter) (*value, error) {
	p := rq.Principal()
	v := &value{
		V: recordVersion, Version: 1, Type: opt.Val(in.Type), Description: opt.Val(in.Description), Pattern: opt.Val(in.AllowedPattern),
		Modified: s.d.Clock.Now(), User: p.ARN,
	}
	was := ""
	if before != nil {
		if !opt.Val(in.Overwrite) {
			return nil, api.ParameterAlreadyExists("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		if v.Type == "" {
			v.Type = before.Now.Type
		}
		if v.Type != before.Now.Type {
			return nil, api.HierarchyTypeMismatchException("Parameter Store does not support changing a parameter type in a hierarchy: %s is a %s.", name, before.Now.Type)
		}
		was, v.Version = before.Now.Tier, before.Latest+1
	}
	if v.Type == "" {
		return nil, api.ValidationException("A parameter type is required when you create a parameter.")
	}
	if in.KeyId != nil && v.Type != api.ParameterTypeSecureString {
		return nil, api.ValidationException("KeyId is required for SecureString type parameter only.")
	}
	if err := checkPattern(v.Pattern, *in.Value); err != nil {
		return nil, err
	}
	if *in.Value == "" {
		return nil, api.ValidationException("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	}
	var err error
	if v.Tier, err = tier(in.Tier, was, len(*in.Value)); err != nil {
		return nil, err
	}
	if v.Type != api.ParameterTypeSecureString {
		v.Text = *in.Value
		return v, nil
	}
	v.KeyID = opt.Or(in.KeyId, defaultKey)
	return v, s.seal(ctx, rq, a.arn(name), v, *in.Value)
}

// archive sets the latest version aside, and lets the oldest go if there are too
// many.
func (s *Service) archive(t data.Txn, a area, p *parameter) error {
	if p.Latest-p.Oldest+1 >= maxVersions {
		for l, n := range p.Labels {
			if n == p.Oldest {
				return api.ParameterMaxVersionLimitExceeded("You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it (%s). Move the label to another version of the parameter, and try again.", p.Name, p.Oldest, l)
			}
		}
		if err := t.Delete(a.version(p.Name, p.Oldest)); err != nil {
			return err
		}
		p.Oldest++
	}
	return data.Save(t, a.version(p.Name, p.Latest), &p.Now)
}

func notHere() error {
	return api.ValidationException("Parameters of other accounts and Regions are not supported: nothing is shared here.")
}

// remove deletes a parameter with its versions; it reports whether there was one.
func (s *Service) remove(t data.Txn, a area, name string) (bool, error) {
	p, err := data.Load[parameter](t, a.parameter(name))
	if err != nil || p == nil {
		return false, err
	}
	for n := p.Oldest; n < p.Latest; n++ {
		if err := t.Delete(a.version(name, n)); err != nil {
			return false, err
		}
	}
	return true, t.Delete(a.parameter(name))
}

func (s *Service) deleteParameter(ctx context.Context, rq *call.Authorized, in *api.DeleteParameterRequest) (*api.DeleteParameterResult, error) {
	a := areaOf(rq.Decoded)
	ref := refer(a, *in.Name)
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		if ref.foreign || ref.selector != "" {
			return api.ParameterNotFound("")
		}
		was, err := s.remove(t, a, ref.name)
		if err == nil && !was {
			err = api.ParameterNotFound("")
		}
		return err
	})
	return &api.DeleteParameterResult{}, err
}

func (s *Service) deleteParameters(ctx context.Context, rq *call.Authorized, in *api.DeleteParametersRequest) (*api.DeleteParametersResult, error) {
	a, out := areaOf(rq.Decoded), &api.DeleteParametersResult{}
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		*out = api.DeleteParametersResult{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			was := false
			if ref := refer(a, name); !ref.foreign && ref.selector == "" {
				var err error
				if was, err = s.remove(t, a, ref.name); err != nil {
					return err
				}
			}
			if was {
				out.DeletedParameters = append(out.DeletedParameters, name)
			} else {
				out.InvalidParameters = append(out.InvalidParameters, name)
			}
		}
		return nil
	})
	return out, err
}
