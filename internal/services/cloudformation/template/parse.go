package template

import "bytes"

// Limits of a template's text, in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	MaxBody = 51_200    // handed over in the request
	MaxURL  = 1_048_576 // fetched by its URL
)

// Parse reads a template's text, which is JSON if it begins with a brace, else YAML.
func Parse(text []byte) (*Node, error) {
	if len(text) > MaxURL {
		return nil, formatError(Pos{}, "the template has more than %d bytes", MaxURL)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	read := parseYAML
	if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && t[0] == '{' {
		read = parseJSON
	}
	n, err := read(text)
	if err != nil {
		return nil, err
	}
	if n.Kind != Map {
		return nil, formatError(n.Pos, "unsupported structure.")
	}
	return n, nil
}
