package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Dynamic references stay as they are written in everything that is stored, shown
// and compared: records, events, change sets. Their values are fetched as the
// stack's principal when a resource type is about to act, given to it alone, and
// taken out of what it says when it fails.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html

// dynamicForm finds dynamic references.
var dynamicForm = regexp.MustCompile(`\{\{resolve:([^:{}]*):([^{}]*)\}\}`)

// The services that dynamic references name.
const (
	plainParameter  = "ssm"
	secureParameter = "ssm-secure"
	secretValue     = "secretsmanager"
)

// maxDynamic is how many dynamic references a template may have.
const maxDynamic = 60

// dynamic is a dynamic reference taken apart.
type dynamic struct {
	service string
	id      string // a parameter's name, or a secret's name or ARN
	version string // of a parameter, or a version id
	stage   string
	key     string // in the JSON text of a secret, "" for the whole
}

// parseDynamic reads what stands between the braces after "resolve:".
func parseDynamic(service, rest string) (dynamic, error) {
	d := dynamic{service: service}
	wrong := errors.New("Incorrect format is used in the following dynamic reference: {{resolve:" + service + ":" + rest + "}}")
	switch service {
	case plainParameter, secureParameter:
		d.id, d.version, _ = strings.Cut(rest, ":")
		if d.id == "" || strings.Trim(d.version, "0123456789") != "" {
			return d, wrong
		}
		return d, nil
	case secretValue:
	default:
		return d, errors.New("Dynamic reference to an unknown service: {{resolve:" + service + ":" + rest + "}}")
	}
	parts := strings.Split(rest, ":")
	n := 1
	if parts[0] == "arn" {
		n = 7
	}
	if len(parts) < n || len(parts) > n+4 {
		return d, wrong
	}
	d.id = strings.Join(parts[:n], ":")
	parts = append(parts[n:], "", "", "", "")
	d.key, d.stage, d.version = parts[1], parts[2], parts[3]
	if d.id == "" || parts[0] != "" && parts[0] != "SecretString" || d.stage != "" && d.version != "" {
		return d, wrong
	}
	return d, nil
}

// eachDynamic calls f for every dynamic reference in a value, with its path. f
// returns what takes its place.
func eachDynamic(v any, path []string, f func(path []string, whole string, d dynamic, err error) string) any {
	switch v := v.(type) {
	case string:
		return dynamicForm.ReplaceAllStringFunc(v, func(whole string) string {
			m := dynamicForm.FindStringSubmatch(whole)
			d, err := parseDynamic(m[1], m[2])
			return f(path, whole, d, err)
		})
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = eachDynamic(x, path, f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = eachDynamic(x, append(slices.Clip(path), k), f)
		}
		return out
	}
	return v
}

// secureAllowed are the properties in which a SecureString may be used, by type:
// those of AWS's list whose types there are here.
var secureAllowed = map[string]string{"AWS::IAM::User": "LoginProfile/Password"}

// checkDynamic finds what is wrong with the dynamic references in a resource's
// properties, as far as that is known before they are resolved.
func (p *plan) checkDynamic(id string, props map[string]any) error {
	if !hasDynamic(props) {
		return nil
	}
	kind, n := p.tmpl.Resources[id].Type, 0
	var wrong error
	eachDynamic(props, nil, func(path []string, whole string, d dynamic, err error) string {
		where := strings.Join(path, "/")
		n++
		text := ""
		switch {
		case err != nil:
			text = err.Error()
		case d.service == secureParameter && secureAllowed[kind] != where:
			text = "SSM Secure reference is not supported in: [" + kind + "/Properties/" + where + "]"
		case d.service == secretValue && (strings.HasPrefix(kind, "Custom::") || strings.HasPrefix(kind, "AWS::CloudFormation::")):
			text = "Secrets Manager reference is not supported in: [" + kind + "/Properties/" + where + "]: the value would be shown there"
		case n > maxDynamic:
			text = "Template error: a resource can have at most 60 dynamic references"
		}
		if wrong == nil && text != "" {
			wrong = p.refuse(text, append([]string{"Resources", id, "Properties"}, path...)...)
		}
		return whole
	})
	return wrong
}

// withoutDynamic is a value for checks: what has a dynamic reference is not known.
func withoutDynamic(v any) any {
	switch v := v.(type) {
	case string:
		if dynamicForm.MatchString(v) {
			return resource.Unknown{}
		}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = withoutDynamic(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = withoutDynamic(x)
		}
		return out
	}
	return v
}

// hasDynamic reports whether there may be a dynamic reference in a value.
func hasDynamic(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "{{resolve:")
	case []any:
		return slices.ContainsFunc(v, hasDynamic)
	case map[string]any:
		for _, x := range v {
			if hasDynamic(x) {
				return true
			}
		}
	}
	return false
}

// resolve puts the values in the place of dynamic references. hide takes them out
// of an error.
func (r *run) resolve(ctx context.Context, props map[string]any) (resolved map[string]any, hide func(error) error, err error) {
	if !hasDynamic(props) {
		return props, func(err error) error { return err }, nil
	}
	values := map[string]string{}
	var secrets []string
	out := eachDynamic(props, nil, func(_ []string, whole string, d dynamic, bad error) string {
		v, ok := values[whole]
		if !ok && err == nil {
			if err = bad; err == nil {
				v, err = r.s.fetch(ctx, r.as, d)
			}
			if values[whole] = v; d.service != plainParameter && v != "" {
				secrets = append(secrets, v)
			}
		}
		return v
	})
	if err != nil {
		return nil, nil, err
	}
	return out.(map[string]any), func(err error) error { return hideIn(err, secrets) }, nil
}

// hideIn takes secrets out of what an error says.
func hideIn(err error, secrets []string) error {
	if err == nil || len(secrets) == 0 {
		return err
	}
	clean := func(s string) string {
		for _, x := range secrets {
			s = strings.ReplaceAll(s, x, hidden)
		}
		return s
	}
	if f := fault.As(err); f != nil {
		c := *f
		c.Message = clean(f.Message)
		return &c
	}
	if text := clean(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// fetch reads the value of one dynamic reference as the stack's principal.
func (s *Service) fetch(ctx context.Context, as call.As, d dynamic) (string, error) {
	if d.service != secretValue {
		name := d.id
		if d.version != "" {
			name += ":" + d.version
		}
		secure := d.service == secureParameter
		p, err := s.parameter(ctx, as, name, secure)
		if err != nil {
			return "", err
		}
		if is := opt.Val(p.Type) == ssm.ParameterTypeSecureString; is != secure {
			return "", fault.Of(fault.Validation, "Non-secure %s prefix was used for secure parameter, or the other way round: %s is a %s", d.service, d.id, opt.Val(p.Type))
		}
		return opt.Val(p.Value), nil
	}
	out, err := call.Do(ctx, s.d.Caller, as, secretsmanager.GetSecretValue, &secretsmanager.GetSecretValueRequest{
		SecretId: &d.id, VersionId: opt.NonZero(d.version), VersionStage: opt.NonZero(d.stage),
	})
	if err != nil {
		return "", err
	}
	if out.SecretString == nil {
		return "", fault.Of(fault.Validation, "The secret %s has no SecretString: binary secrets cannot be referenced", d.id)
	}
	if d.key == "" {
		return *out.SecretString, nil
	}
	var m map[string]any
	if json.Unmarshal([]byte(*out.SecretString), &m) != nil {
		return "", fault.Of(fault.Validation, "Could not parse SecretString JSON of %s", d.id)
	}
	v, ok := m[d.key]
	if !ok {
		return "", fault.Of(fault.Validation, "Could not find a value associated with JSONKey in SecretString of %s", d.id)
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// parameter reads a parameter of SSM.
func (s *Service) parameter(ctx context.Context, as call.As, name string, decrypt bool) (*ssm.Parameter, error) {
	out, err := call.Do(ctx, s.d.Caller, as, ssm.GetParameters, &ssm.GetParametersRequest{Names: []string{name}, WithDecryption: &decrypt})
	if err != nil {
		return nil, err
	}
	if len(out.Parameters) != 1 {
		return nil, fault.Of(fault.Validation, "Parameters: [%s] cannot be found.", name)
	}
	return &out.Parameters[0], nil
}
