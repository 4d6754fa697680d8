package dynamodb

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// leftResource is resource.Handlers.Find of a table: the one of its name.
func leftResource(ctx context.Context, rq *resource.Request, p *tableProperties) ([]resource.State, error) {
	name := opt.Val(p.TableName)
	if p.TableName == nil {
		name = rq.Name(255)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeTable, &api.DescribeTableInput{TableName: &name})
	if fault.Is(err, "ResourceNotFoundException") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []resource.State{stateOf(rq, name)}, nil
}
