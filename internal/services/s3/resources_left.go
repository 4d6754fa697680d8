package s3

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// leftBucket is resource.Handlers.Find of a bucket: the one of its name, whoever
// has it.
func (s *Service) leftBucket(ctx context.Context, rq *resource.Request, p *bucketProps) ([]resource.State, error) {
	name := opt.Val(p.BucketName)
	if name == "" {
		name = strings.ToLower(rq.Name(63))
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.HeadBucket, &api.HeadBucketRequest{Bucket: &name})
	if f := fault.As(err); f != nil && f.Status == 404 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []resource.State{s.bucketState(rq, name)}, nil
}
