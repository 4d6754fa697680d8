package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Macros: functions that transform templates, and AWS::Include.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-macro.html

// include is the transform that takes text in from S3.
const include = "AWS::Include"

// inSnippet is the function that hands a part of a template to a macro.
const inSnippet = "Fn::Transform"

type macroProperties struct {
	Name         string  `cfn:"Name,required,replace"`
	FunctionName string  `cfn:"FunctionName,required"`
	Description  *string `cfn:"Description"`

	_ any `cfn:"LogGroupName,refused"`
	_ any `cfn:"LogRoleARN,refused"`
}

// macroRecord is a macro of an account in a region.
type macroRecord struct {
	V                           int `json:"v"`
	Name, Function, Description string
	Token                       string // of the step that made it
}

func (sc scope) macroKey(name string) []byte { return sc.key("macro", name) }

func (s *Service) macroType() resource.Type {
	return resource.Define("AWS::CloudFormation::Macro", resource.Handlers[macroProperties]{
		Create: s.createMacro, Update: s.updateMacro, Delete: s.deleteMacro, Identifier: []string{"Name"}, Read: s.readMacro, List: s.listMacros,
	})
}

func (s *Service) createMacro(ctx context.Context, rq *resource.Request, p *macroProperties) (resource.State, error) {
	key := scope{rq.Account, rq.Region}.macroKey(p.Name)
	return resource.State{ID: p.Name}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		old, err := get[macroRecord](tx, key)
		if err != nil {
			return err
		}
		if old != nil && old.Token != rq.Token {
			return api.AlreadyExistsException("A macro with the name %s already exists in account %s.", p.Name, rq.Account)
		}
		return put(tx, key, &macroRecord{V: version, Name: p.Name, Function: p.FunctionName, Description: opt.Val(p.Description), Token: rq.Token})
	})
}

func (s *Service) updateMacro(ctx context.Context, rq *resource.Request, id string, _, p *macroProperties) (resource.State, error) {
	return resource.State{ID: id}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		return put(tx, scope{rq.Account, rq.Region}.macroKey(id), &macroRecord{V: version, Name: id, Function: p.FunctionName, Description: opt.Val(p.Description), Token: rq.Token})
	})
}

func (s *Service) deleteMacro(ctx context.Context, rq *resource.Request, id string, _ *macroProperties) error {
	return s.d.Store.Update(ctx, func(tx data.Txn) error { return tx.Delete(scope{rq.Account, rq.Region}.macroKey(id)) })
}

func (s *Service) readMacro(ctx context.Context, rq *resource.Request, id string, _ *macroProperties) (p *macroProperties, st resource.State, err error) {
	err = s.view(ctx, func(rd data.Reader) error {
		m, err := get[macroRecord](rd, scope{rq.Account, rq.Region}.macroKey(id))
		if m != nil {
			p, st = &macroProperties{Name: m.Name, FunctionName: m.Function, Description: opt.NonZero(m.Description)}, resource.State{ID: id}
		}
		return err
	})
	return p, st, err
}

func (s *Service) listMacros(ctx context.Context, rq *resource.Request, _ *macroProperties) (names []string, err error) {
	err = s.view(ctx, func(rd data.Reader) error {
		all, err := list[macroRecord](rd, scope{rq.Account, rq.Region}.key("macro"))
		for _, m := range all {
			names = append(names, m.Name)
		}
		return err
	})
	return names, err
}

// macro carries out one transform that is not part of the engine.
type macro func(name string, params map[string]any, fragment map[string]any) (any, error)

// macros returns what carries out the transforms of a template of rq's: macros are
// called as as, what is included is read as the caller.
func (s *Service) macros(ctx context.Context, rq *call.Authorized, as call.As, w *wanted, values map[string]string) macro {
	return func(name string, params map[string]any, fragment map[string]any) (any, error) {
		// Nobody's function runs before somebody has agreed to it.
		if w.direct && !contains(w.capabilities, api.CapabilityCapabilityAutoExpand) {
			return nil, api.InsufficientCapabilitiesException("Requires capabilities : [%s]", api.CapabilityCapabilityAutoExpand)
		}
		if name == include {
			return s.include(ctx, rq, params, fragment)
		}
		return s.invoke(ctx, rq, as, name, params, fragment, values)
	}
}

func transformFailed(name, format string, args ...any) error {
	return invalid(errors.New("Transform " + name + " failed with: " + fmt.Sprintf(format, args...)))
}

// include puts the text at Location into the fragment that names it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html
func (s *Service) include(ctx context.Context, rq *call.Authorized, params, fragment map[string]any) (any, error) {
	location, ok := params["Location"].(string)
	if !ok || len(params) != 1 {
		return nil, transformFailed(include, "The transform takes the parameter Location alone, which must resolve to a string.")
	}
	text, err := s.object(ctx, rq, location, template.MaxURL, "Location", "The included object")
	if f := fault.As(err); f != nil {
		return nil, transformFailed(include, "%s", f.Message)
	}
	if err != nil {
		return nil, err
	}
	node, err := template.Parse([]byte(text))
	if err != nil {
		return nil, transformFailed(include, "The specified S3 object's content should be valid Yaml/JSON")
	}
	out, _ := node.Value().(map[string]any)
	return merge(fragment, out), nil
}

// merge adds what is included to the fragment; sections that both have become one.
func merge(into, from map[string]any) map[string]any {
	out := maps.Clone(into)
	for k, v := range from {
		a, one := out[k].(map[string]any)
		b, both := v.(map[string]any)
		if one && both {
			v = merge(a, b)
		}
		out[k] = v
	}
	return out
}

// invoke hands a fragment to a macro's function and returns what it made of it.
func (s *Service) invoke(ctx context.Context, rq *call.Authorized, as call.As, name string, params, fragment map[string]any, values map[string]string) (any, error) {
	full := rq.Account() + "::" + name
	if strings.HasPrefix(name, rq.Account()+"::") {
		full, name = name, strings.TrimPrefix(name, rq.Account()+"::")
	}
	var m *macroRecord
	err := s.view(ctx, func(rd data.Reader) (err error) {
		m, err = get[macroRecord](rd, scopeOf(rq.Decoded).macroKey(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fault.Of(fault.Validation, "No transform named %s found.", full)
	}
	id := s.d.IDs.UUID()
	payload, err := json.Marshal(map[string]any{
		"region": rq.Region(), "accountId": rq.Account(), "fragment": fragment, "transformId": full, "params": params, "requestId": id,
		"templateParameterValues": values,
	})
	if err != nil {
		return nil, err
	}
	out, err := call.Do(ctx, s.d.Caller, as, lambda.Invoke, &lambda.InvocationRequest{FunctionName: &m.Function, Payload: payload})
	if f := fault.As(err); f != nil {
		return nil, transformFailed(full, "%s", f.Message)
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		RequestID    string `json:"requestId"`
		Status       string `json:"status"`
		ErrorMessage string `json:"errorMessage"`
		Fragment     any    `json:"fragment"`
	}
	dec := json.NewDecoder(strings.NewReader(string(out.Payload)))
	dec.UseNumber()
	err = dec.Decode(&answer)
	switch {
	case out.FunctionError != nil && err == nil && answer.ErrorMessage != "":
		return nil, transformFailed(full, "%s", answer.ErrorMessage)
	case err != nil || out.FunctionError != nil || answer.RequestID != id:
		return nil, fault.Of(fault.Validation, "Received malformed response from transform %s", full)
	case !strings.EqualFold(answer.Status, "success") && answer.ErrorMessage == "":
		return nil, fault.Of(fault.Validation, "Transform %s failed without an error message.", full)
	case !strings.EqualFold(answer.Status, "success"):
		return nil, transformFailed(full, "%s", answer.ErrorMessage)
	case answer.Fragment == nil:
		return nil, fault.Of(fault.Validation, "Received malformed response from transform %s", full)
	}
	return plain(answer.Fragment), nil
}

// plain turns numbers into those that a template's text has.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

// snippets carries out the transforms in the parts of a template, the innermost
// first. v stays as it is.
func snippets(v any, eval *intrinsic.Scope, run macro) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			y, err := snippets(x, eval, run)
			if err != nil {
				return nil, err
			}
			out[i] = y
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			y, err := snippets(v[k], eval, run)
			if err != nil {
				return nil, err
			}
			out[k] = y
		}
		arg, is := out[inSnippet]
		if !is {
			return out, nil
		}
		delete(out, inSnippet)
		name, params, err := transformOf(arg, eval)
		if err != nil {
			return nil, err
		}
		return run(name, params, out)
	}
	return v, nil
}

// transformOf reads the name and the parameters of a transform, whose values may
// refer to the template's parameters.
func transformOf(arg any, eval *intrinsic.Scope) (name string, params map[string]any, err error) {
	m, _ := arg.(map[string]any)
	name, _ = m["Name"].(string)
	if name == "" {
		return "", nil, invalid(&saidError{"Template error: every Fn::Transform object requires a Name"})
	}
	params = map[string]any{}
	if given, has := m["Parameters"]; has {
		v, err := eval.Eval(given)
		if err != nil {
			return "", nil, invalid(err)
		}
		var ok bool
		if params, ok = v.(map[string]any); !ok {
			return "", nil, invalid(&saidError{"Template error: the Parameters of the transform " + name + " must be an object"})
		}
	}
	return name, params, nil
}

// hasSnippets reports whether a part of the value is handed to a macro.
func hasSnippets(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, hasSnippets)
	case map[string]any:
		if _, is := v[inSnippet]; is {
			return true
		}
		for _, x := range v {
			if hasSnippets(x) {
				return true
			}
		}
	}
	return false
}

// wholes are the transforms of a whole template with their parameters, in their order.
func wholes(doc map[string]any, eval *intrinsic.Scope) (names []string, params []map[string]any, err error) {
	all, ok := doc["Transform"].([]any)
	if x := doc["Transform"]; !ok && x != nil {
		all = []any{x}
	}
	for _, x := range all {
		if text, ok := x.(string); ok {
			x = map[string]any{"Name": text}
		}
		name, p, err := transformOf(x, eval)
		if err != nil {
			return nil, nil, err
		}
		names, params = append(names, name), append(params, p)
	}
	return names, params, nil
}
