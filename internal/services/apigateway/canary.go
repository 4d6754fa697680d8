package apigateway

import (
	"encoding/binary"
	"maps"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// A canary is a second deployment of a stage, which gets a part of its requests.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/canary-release.html

// canary is the record of a stage's canary.
type canary struct {
	Percent    float64 `json:"percent"` // of the requests: 0 to 100
	Deployment string  `json:"deployment"`
	// Variables stand in the place of the stage's of the same names.
	Variables     map[string]string `json:"variables,omitempty"`
	UseStageCache bool              `json:"useStageCache,omitempty"`
}

func (c *canary) answer() *api.CanarySettings {
	if c == nil {
		return nil
	}
	return &api.CanarySettings{PercentTraffic: &c.Percent, DeploymentId: &c.Deployment, StageVariableOverrides: c.Variables, UseStageCache: &c.UseStageCache}
}

// newCanary makes the canary of a deployment.
func newCanary(deployment string, percent *float64, overrides map[string]string, cache *bool) (*canary, error) {
	c := &canary{Percent: opt.Val(percent), Deployment: deployment, Variables: overrides, UseStageCache: opt.Val(cache)}
	return c, c.check()
}

func (c *canary) check() error {
	if c.Percent != c.Percent || c.Percent < 0 || c.Percent > 100 {
		return api.BadRequestException("Invalid canary settings: percentTraffic must be between 0.0 and 100.0, but is %s", strconv.FormatFloat(c.Percent, 'g', -1, 64))
	}
	return checkVariables(c.Variables)
}

// checkCanaryDeployment checks that a canary's deployment exists.
func checkCanaryDeployment(r data.Reader, a area, id, dep string) error {
	if d, err := data.Load[deployment](r, a.deployment(id, dep)); d != nil || err != nil {
		return err
	}
	return api.BadRequestException("Deployment id does not exist")
}

// canaried returns the stage's canary, making one that gets no requests if there
// is none.
func (st *stage) canaried() *canary {
	if st.Canary == nil {
		st.Canary = &canary{Deployment: st.Deployment}
	}
	return st.Canary
}

// canaryEdits adds what a patch may do with the canary. Promoting one is to copy
// its deployment and its variables to the stage.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/promote-canary-deployment.html
func (st *stage) canaryEdits(e edits, r data.Reader, a area, id string) {
	promote := func(f func(*canary)) func(_, _ string) error {
		return func(_, _ string) error {
			if st.Canary == nil {
				return api.BadRequestException("Promotion not available. Canary does not exist.")
			}
			f(st.Canary)
			return nil
		}
	}
	maps.Copy(e, edits{
		"replace /canarySettings/percentTraffic": func(_, v string) error {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return api.BadRequestException("Invalid canary settings: percentTraffic is no number: %s", v)
			}
			st.canaried().Percent = f
			return nil
		},
		"replace /canarySettings/deploymentId": func(_, v string) error {
			st.canaried().Deployment = v
			return checkCanaryDeployment(r, a, id, v)
		},
		"replace /canarySettings/useStageCache": func(_, v string) (err error) {
			st.canaried().UseStageCache, err = flag("/canarySettings/useStageCache", v)
			return err
		},
		"replace /canarySettings/stageVariableOverrides/*": func(name, v string) error {
			return entry(&st.canaried().Variables)(name, v)
		},
		"remove /canarySettings/stageVariableOverrides/*": func(name, _ string) error {
			if st.Canary != nil {
				delete(st.Canary.Variables, name)
			}
			return nil
		},
		"remove /canarySettings": func(_, _ string) error { st.Canary = nil; return nil },
		"copy /canarySettings/deploymentId /deploymentId": promote(func(c *canary) {
			st.Deployment = c.Deployment
		}),
		"copy /canarySettings/stageVariableOverrides /variables": promote(func(c *canary) {
			if len(c.Variables) > 0 {
				st.Variables = merged(st.Variables, c.Variables)
			}
		}),
	})
}

// canaryStage is the stage as its canary sees it.
func (st *stage) canaryStage() *stage {
	c := *st
	c.Deployment, c.Variables = st.Canary.Deployment, merged(st.Variables, st.Canary.Variables)
	return &c
}

// choose returns the stage or its canary, by chance.
func (s *Service) choose(st *liveStage) *liveStage {
	if st.canary == nil {
		return st
	}
	const all = 1 << 32
	if float64(binary.LittleEndian.Uint32(s.ids.Bytes(4)))*100 < st.percent*all {
		return st.canary
	}
	return st
}
