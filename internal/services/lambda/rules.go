package lambda

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Limits of functions.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxName            = 64
	maxTimeout         = 900    // seconds
	maxMemory          = 10_240 // MiB
	maxEnvironment     = 4 << 10
	maxZip             = 50 << 20  // bytes of a package in the request
	maxUnzipped        = 250 << 20 // bytes of an unpacked package
	maxCodeStorage     = 75 << 30
	maxLayers          = 5
	maxLayerName       = 140
	maxLayerRuntimes   = 15
	maxConcurrency     = 1000 // of an account in a region
	minUnreserved      = 100
	maxPayload         = 6 << 20 // bytes, each way
	maxEventPayload    = 1 << 20
	maxClientContext   = 3583
	defaultTimeout     = 3
	defaultMemory      = 128
	defaultEphemeral   = 512
	defaultRetries     = 2
	defaultMaxEventAge = 6 * 60 * 60 // seconds
)

// setting is a setting that a request may carry.
type setting struct {
	name  string
	given bool
}

// refuse answers the first setting that was given with its name.
func refuse(operation string, settings ...setting) error {
	for _, s := range settings {
		if s.given {
			return api.InvalidParameterValueException("%s: %s is not supported yet; it comes with a later version of Tierra.", operation, s.name)
		}
	}
	return nil
}

// violation words a constraint as AWS does.
func violation(value any, member, constraint string) error {
	return fault.Of(fault.Validation, "1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}

var functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)

func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return violation(name, "functionName", fmt.Sprintf("Member must have length less than or equal to %d", maxName))
	case !functionName.MatchString(name):
		return violation(name, "functionName", "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+")
	}
	return nil
}

// The runtimes that functions can be made with.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
var (
	runtimes = []string{
		"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x",
		"python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14",
		"java17", "java21", "java25", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0",
		"provided.al2", "provided.al2023",
	}
	// otherRuntimes are not run here as managed runtimes; what they are named
	// runs on OS-only runtimes, with the client that is in the package.
	otherRuntimes = map[string]string{
		"java":   "java17 and later are.",
		"ruby":   "ruby3.2 and later are.",
		"dotnet": "Publish the function as an executable named bootstrap (it contains Amazon.Lambda.RuntimeSupport) and use provided.al2023.",
	}
)

func checkRuntime(name string) error {
	if slices.Contains(runtimes, name) {
		return nil
	}
	for p, how := range otherRuntimes {
		if strings.HasPrefix(name, p) {
			return api.InvalidParameterValueException("Runtime: %s is not supported. %s What runs: %s.", name, how, strings.Join(runtimes, ", "))
		}
	}
	return api.InvalidParameterValueException("The runtime parameter of %s is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.", name)
}

var layerName = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)

// checkLayer checks what PublishLayerVersion is given.
func checkLayer(name string, runtimes []string) error {
	if !layerName.MatchString(name) || len(name) > maxLayerName {
		return violation(name, "layerName", fmt.Sprintf("Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+, with at most %d characters", maxLayerName))
	}
	if len(runtimes) > maxLayerRuntimes {
		return violation(runtimes, "compatibleRuntimes", fmt.Sprintf("Member must have length less than or equal to %d", maxLayerRuntimes))
	}
	return nil
}

func checkTimeout(seconds int32) error {
	if seconds > maxTimeout {
		return violation(seconds, "timeout", fmt.Sprintf("Member must have value less than or equal to %d", maxTimeout))
	}
	return nil
}

func checkMemory(mib int32) error {
	if mib > maxMemory {
		return violation(mib, "memorySize", fmt.Sprintf("Member must have value less than or equal to %d", maxMemory))
	}
	return nil
}

// architecture is the machine's own, in Lambda's words.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// checkArchitectures returns the architecture of a function. Interpreted code runs
// on any, so it may name the other one; what is compiled must be the machine's.
func checkArchitectures(list []string, runtime string) (string, error) {
	own := architecture()
	switch {
	case len(list) == 0:
		return own, nil
	case len(list) > 1:
		return "", api.InvalidParameterValueException("Architectures must have exactly one entry.")
	case list[0] != own && interpreted(runtime):
		return list[0], nil
	case list[0] != own:
		return "", api.InvalidParameterValueException("Architectures: %s is not what this machine runs; use %s.", list[0], own)
	}
	return own, nil
}

// interpreted reports whether a runtime brings the program that runs the code.
func interpreted(runtime string) bool {
	return slices.ContainsFunc([]string{"nodejs", "python", "java", "ruby", "dotnet"}, func(family string) bool { return strings.HasPrefix(runtime, family) })
}

// reserved are the environment variables that belong to the service.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
	"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

func checkEnvironment(env map[string]string) error {
	var used []string
	for k, v := range env {
		if slices.Contains(reserved, k) {
			used = append(used, k)
		}
		if strings.IndexByte(v, 0) >= 0 {
			return api.InvalidParameterValueException("The environment variable %s holds a NUL character.", k)
		}
	}
	const unable = "Lambda was unable to configure your environment variables because the environment variables you have provided "
	if len(used) > 0 {
		slices.Sort(used)
		return api.InvalidParameterValueException(unable+"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(used, ", "))
	}
	if len(env) == 0 {
		return nil
	}
	text, err := json.Marshal(env)
	if err != nil {
		return err
	}
	if len(text) > maxEnvironment {
		return api.InvalidParameterValueException(unable+"exceeded the 4KB limit. String measured: %s", text)
	}
	return nil
}

// refused are the settings of functions that this version does not honour.
type refused struct {
	vpc         *api.VpcConfig
	deadLetter  *api.DeadLetterConfig
	kmsKey      *string
	tracing     *api.TracingConfig
	fileSystems []api.FileSystemConfig
	snapStart   *api.SnapStart
	capacity    *api.CapacityProviderConfig
	durable     *api.DurableConfig
	operation   string
}

func (r *refused) check() error {
	if err := checkSnapStart(r.snapStart); err != nil {
		return err
	}
	vpc := r.vpc != nil && (len(r.vpc.SubnetIds) > 0 || len(r.vpc.SecurityGroupIds) > 0 || opt.Val(r.vpc.Ipv6AllowedForDualStack))
	return refuse(r.operation,
		setting{"VpcConfig", vpc},
		setting{"DeadLetterConfig", r.deadLetter != nil && opt.Val(r.deadLetter.TargetArn) != ""},
		setting{"KMSKeyArn", opt.Val(r.kmsKey) != ""},
		setting{"TracingConfig with Mode Active", r.tracing != nil && opt.Or(r.tracing.Mode, "PassThrough") != "PassThrough"},
		setting{"FileSystemConfigs", len(r.fileSystems) > 0},
		setting{"CapacityProviderConfig", r.capacity != nil},
		setting{"DurableConfig", r.durable != nil},
	)
}

// aliasPattern is what the name of an alias is made of; a number would be a version.
// It is of a dialect of regular expressions that the constraints of models are not
// checked with.
const aliasPattern = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"

func checkAliasName(name string) error {
	allowed := func(r rune) bool {
		return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	digit := func(r rune) bool { return '0' <= r && r <= '9' }
	if strings.TrimFunc(name, digit) == "" || strings.ContainsFunc(name, func(r rune) bool { return !allowed(r) }) {
		return violation(name, "name", "Member must satisfy regular expression pattern: "+aliasPattern)
	}
	return nil
}

// checkWeights checks the routing of an alias to version.
func checkWeights(version string, c *api.AliasRoutingConfiguration) (map[string]float64, error) {
	if c == nil || len(c.AdditionalVersionWeights) == 0 {
		return nil, nil
	}
	if len(c.AdditionalVersionWeights) > 1 {
		return nil, api.InvalidParameterValueException("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for v, w := range c.AdditionalVersionWeights {
		switch {
		case version == latest || v == latest:
			return nil, api.InvalidParameterValueException("$LATEST is not supported for an alias pointing to more than 1 version")
		case v == version:
			return nil, api.InvalidParameterValueException("Invalid function version %s. Function version %s is already included in routing configuration.", v, version)
		case math.IsNaN(w) || w < 0 || w > 1:
			return nil, violation(w, "routingConfig.additionalVersionWeights", "Member must have value between 0 and 1")
		}
	}
	return c.AdditionalVersionWeights, nil
}
