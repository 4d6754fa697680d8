package codedeploy

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// serviceName is the principal that the service roles of groups trust.
const serviceName = "codedeploy.amazonaws.com"

func scopeOf(rq *call.Decoded) scope { return scope{rq.Account(), rq.Region()} }

func (sc scope) arn(kind, name string) string {
	return arn.Make("codedeploy", sc.Region, sc.Account, kind+":"+name)
}

func (sc scope) groupARN(application, group string) string {
	return sc.arn("deploymentgroup", application+"/"+group)
}

// onApplication is the rule of operations on one application.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodedeploy.html
func onApplication[I any](action string, name func(*I) *string) call.Access[I] {
	return call.Allow("codedeploy:"+action, func(rq *call.Decoded, in *I) string { return scopeOf(rq).arn("application", opt.Val(name(in))) })
}

// onGroup is the rule of operations on one deployment group. role, if not nil, gives
// the service role that the operation passes on.
func onGroup[I any](action string, names func(*I) (application, group *string), role func(*I) *string) call.Access[I] {
	actions := []string{"codedeploy:" + action}
	if role != nil {
		actions = append(actions, "iam:PassRole")
	}
	return call.Rule(func(_ context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		a, g := names(in)
		needs := []call.Need{{Action: actions[0], Resource: scopeOf(rq).groupARN(opt.Val(a), opt.Val(g))}}
		if role != nil && role(in) != nil {
			needs = append(needs, call.Need{Action: "iam:PassRole", Resource: *role(in), Keys: map[string][]string{"iam:passedtoservice": {serviceName}}})
		}
		return needs, nil
	}, actions...)
}

// onDeployment is the rule of operations on one deployment: the resource is its group.
func onDeployment[I any](s *Service, action string, id func(*I) *string) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		sc := scopeOf(rq)
		r := sc.groupARN("*", "*")
		err := s.d.Store.View(ctx, func(rd data.Reader) error {
			d, err := data.Load[deploymentRecord](rd, sc.deploymentKey(opt.Val(id(in))))
			if d != nil {
				r = sc.groupARN(d.Application, d.Group)
			}
			return err
		})
		return []call.Need{{Action: "codedeploy:" + action, Resource: r}}, err
	}, "codedeploy:"+action)
}
