package logs

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// IAM sees operations on a group as operations on its streams: the resource ends
// with ":log-stream:", so that policies that name the group must end with ":*",
// as AWS's page of the service's actions says.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html

// groupARN is the ARN of a group without the final ":*".
func groupARN(region, account, group string) string {
	return arn.Make("logs", region, account, "log-group:"+group)
}

func streamARN(region, account, group, stream string) string {
	return groupARN(region, account, group) + ":log-stream:" + stream
}

// onGroup is the rule of operations on one group.
func onGroup[I any](action string, name func(*I) *string) call.Access[I] {
	return call.Allow(action, func(rq *call.Decoded, in *I) string {
		return streamARN(rq.Region(), rq.Account(), groupName(opt.Val(name(in))), "")
	})
}

// onStream is the rule of operations on one stream.
func onStream[I any](action string, name func(*I) (group, stream *string)) call.Access[I] {
	return call.Allow(action, func(rq *call.Decoded, in *I) string {
		g, s := name(in)
		return streamARN(rq.Region(), rq.Account(), groupName(opt.Val(g)), opt.Val(s))
	})
}

// groupName takes a group's name out of a name or an ARN, with or without ":*".
func groupName(identifier string) string {
	a, ok := arn.Parse(identifier)
	if !ok {
		return identifier
	}
	name := strings.TrimPrefix(a.Resource, "log-group:")
	return strings.TrimSuffix(name, ":*")
}

// either returns the one of a group's name and identifier that was given.
func either(name, identifier *string) *string {
	if name != nil {
		return name
	}
	return identifier
}
