package cloudformation

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call/resource"
)

// cdkMetadata is what the CDK puts into every stack for its usage statistics.
type cdkMetadata struct {
	Analytics *string `cfn:"Analytics,meaningless"`
}

// ownTypes are the resource types of this room.
func ownTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CDK::Metadata", resource.Handlers[cdkMetadata]{
			Create: func(_ context.Context, rq *resource.Request, _ *cdkMetadata) (resource.State, error) {
				return resource.State{ID: rq.Token}, nil
			},
			Update: func(_ context.Context, _ *resource.Request, id string, _, _ *cdkMetadata) (resource.State, error) {
				return resource.State{ID: id}, nil
			},
			Delete: func(context.Context, *resource.Request, string, *cdkMetadata) error { return nil },
		}),
	}
}
