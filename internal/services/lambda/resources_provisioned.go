package lambda

import (
	"context"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// provisionedProperty is the ProvisionedConcurrencyConfig of versions and aliases.
type provisionedProperty struct {
	ProvisionedConcurrentExecutions int32 `cfn:"ProvisionedConcurrentExecutions,required"`
}

// provisionedPoll is how often a stack looks whether what it provisions is ready.
const provisionedPoll = 20 * time.Millisecond

// setProvisioned sets what is provisioned for a version or alias, by its ARN, and
// waits until it is there, as a stack on AWS does.
func (s *Service) setProvisioned(ctx context.Context, rq *resource.Request, arn string, old, p *provisionedProperty) error {
	k, q, region, _ := parseName(arn, key{})
	k.region = region
	name := k.arn("")
	switch {
	case p == nil && old == nil:
		return nil
	case p == nil:
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteProvisionedConcurrencyConfig, &api.DeleteProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &q})
		return unlessGone(err)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutProvisionedConcurrencyConfig, &api.PutProvisionedConcurrencyConfigRequest{
		FunctionName: &name, Qualifier: &q, ProvisionedConcurrentExecutions: &p.ProvisionedConcurrentExecutions,
	})
	for err == nil {
		var x *api.GetProvisionedConcurrencyConfigResponse
		x, err = call.Do(ctx, rq.Caller, rq.As, api.GetProvisionedConcurrencyConfig, &api.GetProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &q})
		if err != nil {
			break
		}
		switch *x.Status {
		case api.ProvisionedConcurrencyStatusEnumReady:
			return nil
		case api.ProvisionedConcurrencyStatusEnumFailed:
			return fmt.Errorf("the provisioned concurrency of %s failed: %s", arn, opt.Val(x.StatusReason))
		}
		select {
		case <-s.clock.After(provisionedPoll):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return err
}
