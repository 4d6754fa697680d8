package ssm

import (
	"regexp"
	"strconv"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Limits of Parameter Store.
// https://docs.aws.amazon.com/general/latest/gr/ssm.html
const (
	maxStandard = 4 << 10 // bytes
	maxAdvanced = 8 << 10
	maxName     = 1011 // characters
	maxLevels   = 15
	maxVersions = 100
	maxLabels   = 10 // of a version
)

var (
	nameForm  = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
	labelForm = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]{0,99}$`)
)

// checkName checks the name of a parameter that is to be made.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
func checkName(name string) error {
	const form = "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"
	bare := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case len(name) > maxName:
		return api.ValidationException("Parameter name must have at most %d characters.", maxName)
	case !nameForm.MatchString(name) || bare == "":
		return api.ValidationException("Invalid parameter name. Please use correct syntax for referencing a version/label <name>:<version/label>. Parameter name: can consist of letters, numbers and the symbols .-_. %s", form)
	case strings.Contains(name, "/") && name[0] != '/':
		return api.ValidationException("Parameter name must be a fully qualified name.")
	case strings.HasPrefix(bare, "aws"):
		return fault.Of(fault.AccessDenied, "No access to reserved parameter name: %s.", name)
	case strings.HasPrefix(bare, "ssm"):
		return api.ValidationException("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). %s", form)
	case strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		return api.ValidationException("Parameter name: must not end with a slash, nor have empty sub-paths. %s", form)
	case strings.Count(name, "/") > maxLevels:
		return api.HierarchyLevelLimitExceededException("A parameter name can have at most %d levels.", maxLevels)
	}
	return nil
}

// reference is a parameter as a caller names it: NAME, NAME:VERSION, NAME:LABEL,
// or the ARN instead of the name.
type reference struct {
	name, selector string
	foreign        bool // an ARN of another account or Region
}

func refer(a area, s string) reference {
	var r reference
	if x, ok := arn.Parse(s); ok && x.Service == "ssm" {
		r.foreign = x.Account != a.account || x.Region != a.region
		s = strings.TrimPrefix(x.Resource, "parameter")
		// The ARN of a name without a slash has one all the same.
		if strings.Count(s, "/") == 1 {
			s = s[1:]
		}
	}
	r.name, r.selector, _ = strings.Cut(s, ":")
	return r
}

// pick finds the version that a selector means; it is the latest without one.
func (p *parameter) pick(ref reference) (int64, error) {
	if ref.selector == "" {
		return p.Latest, nil
	}
	if n, err := strconv.ParseInt(ref.selector, 10, 64); err == nil {
		if n < p.Oldest || n > p.Latest {
			return 0, noVersion(p.Name, ref.selector)
		}
		return n, nil
	}
	if n, ok := p.Labels[ref.selector]; ok {
		return n, nil
	}
	return 0, api.ParameterVersionNotFound("Systems Manager could not find label %s for parameter %s. Verify the label and try again.", ref.selector, p.Name)
}

func noVersion(name, n string) error {
	return api.ParameterVersionNotFound("Systems Manager could not find version %s of %s. Verify the version and try again.", n, name)
}

// checkPut refuses by name what would not act.
func checkPut(in *api.PutParameterRequest) error {
	switch p := strings.TrimSpace(opt.Val(in.Policies)); p {
	case "", "[]", "{}":
	default:
		return api.ValidationException("Policies is not supported yet: parameters have no expiration and send no notifications.")
	}
	if t := opt.Or(in.DataType, "text"); t != "text" {
		return api.ValidationException("DataType %s is not supported: the data type is text.", t)
	}
	if opt.Val(in.Overwrite) && len(in.Tags) > 0 {
		return api.ValidationException("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	return nil
}

// tier says in which tier a parameter is, given what is asked for and where it was.
func tier(asked *string, was string, size int) (string, error) {
	want := opt.Or(asked, api.ParameterTierStandard)
	if was == api.ParameterTierAdvanced {
		if asked != nil && want == api.ParameterTierStandard {
			return "", api.ValidationException("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
		}
		want = api.ParameterTierAdvanced
	}
	if want == api.ParameterTierIntelligentTiering {
		if want = api.ParameterTierStandard; size > maxStandard {
			want = api.ParameterTierAdvanced
		}
	}
	switch {
	case size > maxAdvanced:
		return "", api.ValidationException("Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvanced)
	case size > maxStandard && want == api.ParameterTierStandard:
		return "", api.ValidationException("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", maxStandard)
	}
	return want, nil
}

// checkPattern holds a value against an allowed pattern.
func checkPattern(pattern, value string) error {
	if pattern == "" {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return api.InvalidAllowedPatternException("The allowed pattern %s is not a regular expression that is known here: %s", pattern, err)
	}
	if !re.MatchString(value) {
		return api.ParameterPatternMismatchException("Parameter value, cannot be validated against allowedPattern: %s", pattern)
	}
	return nil
}

// checkLabel reports whether a label may be given.
func checkLabel(l string) bool {
	lower := strings.ToLower(l)
	return labelForm.MatchString(l) && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

// within reports whether a name stands below a path, at one level or any.
func within(path, name string, recursive bool) bool {
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	if name[0] != '/' {
		name = "/" + name
	}
	rest, ok := strings.CutPrefix(name, path)
	return ok && rest != "" && (recursive || !strings.Contains(rest, "/"))
}

// checkPath checks the path of GetParametersByPath.
func checkPath(path string) error {
	if path == "" || path[0] != '/' || !nameForm.MatchString(path) || strings.Contains(path, "//") {
		return api.ValidationException("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	return nil
}
