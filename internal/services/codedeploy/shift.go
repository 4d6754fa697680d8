package codedeploy

import (
	"time"

	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
)

// shifting is how traffic moves to the new version.
type shifting struct {
	Type    string // AllAtOnce, TimeBasedCanary or TimeBasedLinear
	Percent int    `json:",omitempty"` // of the canary, or of each step
	Minutes int    `json:",omitempty"` // between two steps
}

// next returns how much of the traffic the new version has after the next step, and
// how long that stays; zero for ever.
func (s shifting) next(weight int) (int, time.Duration) {
	switch {
	case s.Type == api.TrafficRoutingTypeTimeBasedCanary && weight == 0:
		weight = s.Percent
	case s.Type == api.TrafficRoutingTypeTimeBasedLinear:
		weight += s.Percent
	default:
		weight = 100
	}
	if weight >= 100 {
		return 100, 0
	}
	return weight, time.Duration(s.Minutes) * time.Minute
}

func (s shifting) api() *api.TrafficRoutingConfig {
	out := &api.TrafficRoutingConfig{Type: new(s.Type)}
	percent, minutes := new(int32(s.Percent)), new(int32(s.Minutes))
	switch s.Type {
	case api.TrafficRoutingTypeTimeBasedCanary:
		out.TimeBasedCanary = &api.TimeBasedCanary{CanaryPercentage: percent, CanaryInterval: minutes}
	case api.TrafficRoutingTypeTimeBasedLinear:
		out.TimeBasedLinear = &api.TimeBasedLinear{LinearPercentage: percent, LinearInterval: minutes}
	}
	return out
}

// predefined returns one of the configurations that every account has.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html#deployment-configurations-predefined-lambda
func predefined(name string) (shifting, bool) {
	canary, linear := api.TrafficRoutingTypeTimeBasedCanary, api.TrafficRoutingTypeTimeBasedLinear
	switch name {
	case "CodeDeployDefault.LambdaAllAtOnce":
		return shifting{Type: api.TrafficRoutingTypeAllAtOnce}, true
	case "CodeDeployDefault.LambdaCanary10Percent5Minutes":
		return shifting{canary, 10, 5}, true
	case "CodeDeployDefault.LambdaCanary10Percent10Minutes":
		return shifting{canary, 10, 10}, true
	case "CodeDeployDefault.LambdaCanary10Percent15Minutes":
		return shifting{canary, 10, 15}, true
	case "CodeDeployDefault.LambdaCanary10Percent30Minutes":
		return shifting{canary, 10, 30}, true
	case "CodeDeployDefault.LambdaLinear10PercentEvery1Minute":
		return shifting{linear, 10, 1}, true
	case "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes":
		return shifting{linear, 10, 2}, true
	case "CodeDeployDefault.LambdaLinear10PercentEvery3Minutes":
		return shifting{linear, 10, 3}, true
	case "CodeDeployDefault.LambdaLinear10PercentEvery10Minutes":
		return shifting{linear, 10, 10}, true
	}
	return shifting{}, false
}

// predefinedNames are the names of those configurations, sorted.
func predefinedNames() []string {
	const d = "CodeDeployDefault.Lambda"
	return []string{
		d + "AllAtOnce", d + "Canary10Percent10Minutes", d + "Canary10Percent15Minutes", d + "Canary10Percent30Minutes", d + "Canary10Percent5Minutes",
		d + "Linear10PercentEvery10Minutes", d + "Linear10PercentEvery1Minute", d + "Linear10PercentEvery2Minutes", d + "Linear10PercentEvery3Minutes",
	}
}

// maxMinutes is the longest time between two steps: two days.
const maxMinutes = 2880

// shiftingOf reads what a configuration of one's own says.
func shiftingOf(in *api.TrafficRoutingConfig) (shifting, error) {
	wrong := func(text string) (shifting, error) {
		return shifting{}, api.InvalidTrafficRoutingConfigurationException("Invalid traffic routing configuration: %s", text)
	}
	if in == nil || in.Type == nil {
		return wrong("a Lambda deployment configuration must have a type")
	}
	out := shifting{Type: *in.Type}
	var percent, minutes *int32
	switch {
	case out.Type == api.TrafficRoutingTypeAllAtOnce && in.TimeBasedCanary == nil && in.TimeBasedLinear == nil:
		return out, nil
	case out.Type == api.TrafficRoutingTypeTimeBasedCanary && in.TimeBasedCanary != nil && in.TimeBasedLinear == nil:
		percent, minutes = in.TimeBasedCanary.CanaryPercentage, in.TimeBasedCanary.CanaryInterval
	case out.Type == api.TrafficRoutingTypeTimeBasedLinear && in.TimeBasedLinear != nil && in.TimeBasedCanary == nil:
		percent, minutes = in.TimeBasedLinear.LinearPercentage, in.TimeBasedLinear.LinearInterval
	default:
		return wrong("the type and its settings do not go together")
	}
	if percent == nil || *percent < 1 || *percent > 99 {
		return wrong("the percentage must be between 1 and 99")
	}
	if minutes == nil || *minutes < 1 || *minutes > maxMinutes {
		return wrong("the interval must be between 1 and 2880 minutes")
	}
	out.Percent, out.Minutes = int(*percent), int(*minutes)
	return out, nil
}
