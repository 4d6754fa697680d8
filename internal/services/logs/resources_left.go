package logs

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// leftGroup is resource.Handlers.Find of a log group: the one of its name. The
// name comes first among those that begin with it.
func leftGroup(ctx context.Context, rq *resource.Request, p *groupProperties) ([]resource.State, error) {
	name := opt.Val(p.LogGroupName)
	if name == "" {
		name = rq.Name(512)
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeLogGroups, &api.DescribeLogGroupsRequest{LogGroupNamePrefix: &name, Limit: new(int32(1))})
	if err != nil || len(out.LogGroups) == 0 || opt.Val(out.LogGroups[0].LogGroupName) != name {
		return nil, err
	}
	return []resource.State{groupState(rq, name)}, nil
}

// leftStream is resource.Handlers.Find of a log stream.
func leftStream(ctx context.Context, rq *resource.Request, p *streamProperties) ([]resource.State, error) {
	name := opt.Val(p.LogStreamName)
	if name == "" {
		name = rq.Name(512)
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeLogStreams, &api.DescribeLogStreamsRequest{LogGroupName: &p.LogGroupName, LogStreamNamePrefix: &name, Limit: new(int32(1))})
	if err != nil || len(out.LogStreams) == 0 || opt.Val(out.LogStreams[0].LogStreamName) != name {
		return nil, unlessGone(err)
	}
	return []resource.State{{ID: name}}, nil
}
