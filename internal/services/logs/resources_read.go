package logs

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// groups calls f with every log group whose name begins with prefix.
func groups(ctx context.Context, rq *resource.Request, prefix *string, f func(*api.LogGroup)) error {
	in := &api.DescribeLogGroupsRequest{LogGroupNamePrefix: prefix}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeLogGroups, in)
		if err != nil {
			return err
		}
		for i := range page.LogGroups {
			f(&page.LogGroups[i])
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

func readGroup(ctx context.Context, rq *resource.Request, name string, _ *groupProperties) (*groupProperties, resource.State, error) {
	var p *groupProperties
	err := groups(ctx, rq, &name, func(g *api.LogGroup) {
		if *g.LogGroupName == name {
			p = &groupProperties{LogGroupName: &name, RetentionInDays: g.RetentionInDays, LogGroupClass: g.LogGroupClass, DeletionProtectionEnabled: g.DeletionProtectionEnabled}
		}
	})
	if p == nil || err != nil {
		return nil, resource.State{}, err
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsForResource, &api.ListTagsForResourceRequest{ResourceArn: new(groupARN(rq.Region, rq.Account, name))})
	if err != nil {
		return nil, resource.State{}, err
	}
	for k, v := range out.Tags {
		p.Tags = append(p.Tags, tagProperty{k, v})
	}
	return p, groupState(rq, name), nil
}

func listGroups(ctx context.Context, rq *resource.Request, _ *groupProperties) (out []string, err error) {
	err = groups(ctx, rq, nil, func(g *api.LogGroup) { out = append(out, *g.LogGroupName) })
	return out, err
}

// streams calls f with every stream of a group.
func streams(ctx context.Context, rq *resource.Request, group string, prefix *string, f func(name string)) error {
	in := &api.DescribeLogStreamsRequest{LogGroupName: &group, LogStreamNamePrefix: prefix}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeLogStreams, in)
		if err != nil {
			return unlessGone(err)
		}
		for _, s := range page.LogStreams {
			f(opt.Val(s.LogStreamName))
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

func readStream(ctx context.Context, rq *resource.Request, name string, known *streamProperties) (p *streamProperties, st resource.State, err error) {
	err = streams(ctx, rq, known.LogGroupName, &name, func(is string) {
		if is == name {
			p, st = &streamProperties{LogGroupName: known.LogGroupName, LogStreamName: &name}, resource.State{ID: name}
		}
	})
	return p, st, err
}

func listStreams(ctx context.Context, rq *resource.Request, known *streamProperties) (out []string, err error) {
	err = streams(ctx, rq, known.LogGroupName, nil, func(name string) { out = append(out, known.LogGroupName+"|"+name) })
	return out, err
}
