package apigateway

import (
	"slices"
	"strconv"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// methodSettingProperty is a member of a stage's MethodSettings.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigateway-stage-methodsetting.html
type methodSettingProperty struct {
	HTTPMethod           *string  `cfn:"HttpMethod"`
	ResourcePath         *string  `cfn:"ResourcePath"`
	ThrottlingRateLimit  *float64 `cfn:"ThrottlingRateLimit"`
	ThrottlingBurstLimit *int32   `cfn:"ThrottlingBurstLimit"`
	LoggingLevel         *string  `cfn:"LoggingLevel"`
	DataTraceEnabled     *bool    `cfn:"DataTraceEnabled"`
	MetricsEnabled       *bool    `cfn:"MetricsEnabled"`
	CachingEnabled       *bool    `cfn:"CachingEnabled"`
	CacheTTLInSeconds    *int32   `cfn:"CacheTtlInSeconds"`
	CacheDataEncrypted   *bool    `cfn:"CacheDataEncrypted"`
}

// key names what the settings are of.
func (m *methodSettingProperty) key() string {
	path, method := opt.Or(m.ResourcePath, "/*"), opt.Or(m.HTTPMethod, "*")
	if path == "/*" || path == "*" {
		return "*/" + method
	}
	if strings.HasPrefix(path, "/~1") { // escaped, as templates often have it
		return path[1:] + "/" + method
	}
	return settingKey(path, method)
}

// patches are those that make the settings.
func (m *methodSettingProperty) patches() (p patches) {
	at := "/" + m.key()
	p.throttle(at+"/throttling", &throttleProperty{m.ThrottlingRateLimit, m.ThrottlingBurstLimit})
	p.set(at+"/logging/loglevel", m.LoggingLevel)
	p.flag(at+"/logging/dataTrace", m.DataTraceEnabled)
	p.flag(at+"/metrics/enabled", m.MetricsEnabled)
	p.flag(at+"/caching/enabled", m.CachingEnabled)
	p.flag(at+"/caching/dataEncrypted", m.CacheDataEncrypted)
	if m.CacheTTLInSeconds != nil {
		p.set(at+"/caching/ttlInSeconds", new(strconv.Itoa(int(*m.CacheTTLInSeconds))))
	}
	return p
}

// methodSettings makes the settings of methods what they are in the template.
func (p *patches) methodSettings(was, is []methodSettingProperty) {
	for i := range was {
		// What the template had, so that a setting that it lacks now is as if never set.
		if !slices.ContainsFunc(was[:i], func(o methodSettingProperty) bool { return o.key() == was[i].key() }) && len(was[i].patches()) > 0 {
			p.op(api.OpRemove, "/"+was[i].key(), nil)
		}
	}
	for i := range is {
		*p = append(*p, is[i].patches()...)
	}
}

// flag replaces a boolean at path, unless there is no value.
func (p *patches) flag(path string, value *bool) {
	if value != nil {
		p.set(path, new(strconv.FormatBool(*value)))
	}
}

// accessLogProperty is a stage's access log.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigateway-stage-accesslogsetting.html
type accessLogProperty struct {
	DestinationARN *string `cfn:"DestinationArn"`
	Format         *string `cfn:"Format"`
}

// accessLog makes the access log of a stage what it is in the template.
func (p *patches) accessLog(was, is *accessLogProperty) {
	const at = "/accessLogSettings"
	if is == nil {
		if was != nil {
			p.op(api.OpRemove, at, nil)
		}
		return
	}
	p.set(at+"/destinationArn", new(opt.Val(is.DestinationARN)))
	p.set(at+"/format", new(opt.Val(is.Format)))
}

// canaryProperty is a canary in a stage or in the description of one.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigateway-stage-canarysetting.html
type canaryProperty struct {
	DeploymentID           *string           `cfn:"DeploymentId"`
	PercentTraffic         *float64          `cfn:"PercentTraffic"`
	StageVariableOverrides map[string]string `cfn:"StageVariableOverrides"`
	UseStageCache          *bool             `cfn:"UseStageCache"`
}

// settings are the canary of a new stage; nil if there is none.
func (c *canaryProperty) settings() *api.CanarySettings {
	if c == nil {
		return nil
	}
	return &api.CanarySettings{DeploymentId: c.DeploymentID, PercentTraffic: c.PercentTraffic, StageVariableOverrides: c.StageVariableOverrides, UseStageCache: c.UseStageCache}
}

// canary makes the canary of a stage what it is in the template.
func (p *patches) canary(was, is *canaryProperty) {
	const at = "/canarySettings"
	if is == nil {
		if was != nil {
			p.op(api.OpRemove, at, nil)
		}
		return
	}
	var before map[string]string
	if was != nil {
		before = was.StageVariableOverrides
	}
	p.set(at+"/deploymentId", is.DeploymentID)
	p.set(at+"/percentTraffic", new(strconv.FormatFloat(opt.Val(is.PercentTraffic), 'g', -1, 64)))
	p.flag(at+"/useStageCache", new(opt.Val(is.UseStageCache)))
	p.entries(at+"/stageVariableOverrides", before, is.StageVariableOverrides)
}
