package cloudformation

import (
	"maps"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Expand returns the template that CloudFormation makes of a text by the
// transforms that it names, without a server: as GetTemplate shows it in its
// Processed stage. A parameter that has neither a value nor a default keeps the
// references to it, and a path of this disk stays a path. An error's text is what the server would answer.
func Expand(text []byte, params map[string]string, account, region string) (map[string]any, error) {
	source, err := template.Parse(text)
	if err != nil {
		return nil, err
	}
	doc, ok := source.Value().(map[string]any)
	if !ok {
		return nil, fault.Of(fault.Validation, "Template format error: unsupported structure.")
	}
	raw, err := template.Read(withoutLoops(doc), source)
	if err != nil {
		return nil, err
	}
	known := *raw
	known.Parameters = maps.Clone(raw.Parameters)
	for name, p := range raw.Parameters {
		if _, given := params[name]; !given && p.Default == nil {
			delete(known.Parameters, name)
		}
	}
	values, err := intrinsic.Values(&known, params)
	if err != nil {
		return nil, err
	}
	out, err := process(doc, &known, source, values, scope{Account: account, Region: region}, "sample", "", nil)
	if err != nil {
		return nil, err
	}
	if contains(raw.Transforms, languageExtensions) {
		// Its functions are evaluated with the stack's resources, and need it then.
		out["Transform"] = languageExtensions
	}
	return out, nil
}
