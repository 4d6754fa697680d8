package lambda

import (
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// checkSnapStart refuses SnapStart: a process that has initialised cannot be
// copied, with its threads, memory mappings and open files, into sandboxes of
// their own from the outside, and copies that stay in one sandbox would share its
// /tmp, its memory limit and its processes.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
func checkSnapStart(s *api.SnapStart) error {
	if s == nil || opt.Or(s.ApplyOn, api.SnapStartApplyOnNone) == api.SnapStartApplyOnNone {
		return nil
	}
	return api.InvalidParameterValueException("SnapStart: ApplyOn %s is not supported: an initialised process cannot be copied into isolated environments on this platform. Provisioned concurrency initialises environments ahead, and Python and Node.js start from interpreters that wait.", *s.ApplyOn)
}

type snapStartProperty struct {
	ApplyOn string `cfn:"ApplyOn,required"`
}

func (p *functionProperties) snapStart() *api.SnapStart {
	if p.SnapStart == nil {
		return nil
	}
	return &api.SnapStart{ApplyOn: &p.SnapStart.ApplyOn}
}

// managedProperty is RuntimeManagementConfig.
type managedProperty struct {
	UpdateRuntimeOn   string  `cfn:"UpdateRuntimeOn,required"`
	RuntimeVersionArn *string `cfn:"RuntimeVersionArn"`
}
