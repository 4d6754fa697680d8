package lambda

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// key names a function.
type key struct{ account, region, name string }

// arn is the function's ARN, with a qualifier if it is not "".
func (k key) arn(qualifier string) string {
	s := arn.Make("lambda", k.region, k.account, "function:"+k.name)
	if qualifier != "" {
		s += ":" + qualifier
	}
	return s
}

func (k key) notFound(qualifier string) *fault.Fault {
	return api.ResourceNotFoundException("Function not found: %s", k.arn(qualifier)).With("Type", "User")
}

// parseName reads a function's name in any of its forms: name, partial ARN
// (123456789012:function:name) or ARN, each with a qualifier perhaps. What it does
// not say is as in from; region is "" unless it says one.
func parseName(s string, from key) (k key, qualifier, region string, ok bool) {
	k = from
	parts := strings.Split(s, ":")
	switch {
	case parts[0] == "arn":
		if len(parts) < 7 || parts[2] != "lambda" || parts[5] != "function" {
			return key{}, "", "", false
		}
		region, k.account, parts = parts[3], parts[4], parts[6:]
	case len(parts) > 2 && parts[1] == "function":
		k.account, parts = parts[0], parts[2:]
	case len(parts) > 1 && parts[0] == "function":
		parts = parts[1:]
	}
	if k.name = parts[0]; len(parts) > 2 || k.name == "" {
		return key{}, "", "", false
	}
	if len(parts) == 2 {
		if qualifier = parts[1]; qualifier == "" {
			return key{}, "", "", false
		}
	}
	return k, qualifier, region, true
}

// target finds out which function and qualifier a request means.
func target(rq *call.Decoded, name, qualifier *string) (key, string, error) {
	k, q, region, ok := parseName(opt.Val(name), key{rq.Account(), rq.Region(), ""})
	if !ok {
		return key{}, "", fault.Of(fault.Validation, "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must be a function's name, partial ARN or ARN", opt.Val(name))
	}
	if region != "" && region != k.region {
		return key{}, "", api.ResourceNotFoundException("Functions from '%s' are not reachable in this region ('%s')", region, k.region).With("Type", "User")
	}
	given := opt.Val(qualifier)
	if q != "" && given != "" && q != given {
		return key{}, "", api.InvalidParameterValueException("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if q == "" {
		q = given
	}
	return k, q, nil
}

// on is the rule of operations on one function.
func on[I any](action string, name func(*I) (name, qualifier *string)) call.Access[I] {
	return call.Rule(func(_ context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		k, q, err := target(rq, firstOf(name(in)), secondOf(name(in)))
		if err != nil {
			return nil, err
		}
		return []call.Need{{Action: action, Resource: k.arn(q), Owner: k.account}}, nil
	}, action)
}

func firstOf(a, _ *string) *string  { return a }
func secondOf(_, b *string) *string { return b }

// passRole is the permission to hand a role to the service.
func passRole(role string) call.Need {
	return call.Need{
		Action: "iam:PassRole", Resource: role,
		Keys: map[string][]string{"iam:passedtoservice": {principal}},
	}
}

// layerKeys adds the condition key of the layers in a request.
func layerKeys(keys map[string][]string, layers []string) map[string][]string {
	if len(layers) == 0 {
		return keys
	}
	if keys == nil {
		keys = map[string][]string{}
	}
	keys["lambda:layer"] = layers
	return keys
}

// principal is the service's own.
const principal = "lambda.amazonaws.com"

// tagKeys are the condition keys of the tags in a request.
func tagKeys(t map[string]string) map[string][]string {
	if len(t) == 0 {
		return nil
	}
	keys := map[string][]string{}
	for k, v := range t {
		keys["aws:requesttag/"+k] = []string{v}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], k)
	}
	return keys
}
