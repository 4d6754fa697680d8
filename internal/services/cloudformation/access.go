package cloudformation

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// serviceName is the principal that stack roles trust.
const serviceName = "cloudformation.amazonaws.com"

func isStackID(s string) bool     { return arn.Is(s) && strings.Contains(s, ":stack/") }
func isChangeSetID(s string) bool { return arn.Is(s) && strings.Contains(s, ":changeSet/") }

func stackARN(sc scope, name, uuid string) string {
	return arn.Make("cloudformation", sc.Region, sc.Account, "stack/"+name+"/"+uuid)
}

// stackNameOf returns the name in a stack's id, or a name as it is.
func stackNameOf(nameOrID string) string {
	if i := strings.Index(nameOrID, ":stack/"); i >= 0 && arn.Is(nameOrID) {
		name, _, _ := strings.Cut(nameOrID[i+len(":stack/"):], "/")
		return name
	}
	return nameOrID
}

func scopeOf(rq *call.Decoded) scope { return scope{rq.Account(), rq.Region()} }

// stackResource is the ARN that a policy names for a stack: its id, with * for
// the part that a stack gets when it is made.
func (s *Service) stackResource(ctx context.Context, rq *call.Decoded, nameOrID string) (string, error) {
	if isStackID(nameOrID) {
		return nameOrID, nil
	}
	sc := scopeOf(rq)
	id := stackARN(sc, nameOrID, "*")
	err := s.view(ctx, func(rd data.Reader) error {
		b, ok, err := rd.Get(sc.nameKey(nameOrID))
		if ok {
			id = string(b)
		}
		return err
	})
	return id, err
}

// onStack is the rule of operations on one stack. More adds condition keys and
// the role that the operation passes on, if it does.
func onStack[I any](s *Service, action string, name func(*I) *string, more func(*I) (keys map[string][]string, role string)) call.Access[I] {
	return onNamed(s.stackResource, action, name, more)
}

// onNamed is the rule of operations on what has a name, whose ARN resource tells.
func onNamed[I any](resource func(context.Context, *call.Decoded, string) (string, error), action string, name func(*I) *string, more func(*I) (keys map[string][]string, role string)) call.Access[I] {
	actions := []string{action}
	if more != nil {
		actions = append(actions, "iam:PassRole")
	}
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		r, err := resource(ctx, rq, opt.Val(name(in)))
		if err != nil {
			return nil, err
		}
		need := call.Need{Action: action, Resource: r}
		if more == nil {
			return []call.Need{need}, nil
		}
		var role string
		need.Keys, role = more(in)
		needs := []call.Need{need}
		if role != "" {
			needs = append(needs, call.Need{
				Action: "iam:PassRole", Resource: role,
				Keys: map[string][]string{"iam:passedtoservice": {serviceName}},
			})
		}
		return needs, nil
	}, actions...)
}

// conditionKeys are those of the operations that take a template.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
func conditionKeys(url, role *string, tags []api.Tag, types []string) map[string][]string {
	k := map[string][]string{}
	if url != nil {
		k["cloudformation:templateurl"] = []string{*url}
	}
	if role != nil {
		k["cloudformation:rolearn"] = []string{*role}
	}
	if len(types) > 0 {
		k["cloudformation:resourcetypes"] = types
	}
	for _, t := range tags {
		k["aws:requesttag/"+strings.ToLower(opt.Val(t.Key))] = []string{opt.Val(t.Value)}
		k["aws:tagkeys"] = append(k["aws:tagkeys"], opt.Val(t.Key))
	}
	return k
}
