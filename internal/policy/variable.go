package policy

import (
	"fmt"
	"strings"
)

// parseVariable reads the ${...} that text begins with and returns it with its
// length in bytes; a length of 0 says that it is never closed. ${*}, ${?} and
// ${$} stand for those characters.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func parseVariable(text string) (v piece, size int, err error) {
	end := strings.IndexByte(text, '}')
	quote := strings.IndexByte(text, '\'')
	if quote >= 0 && quote < end { // the default may hold braces
		closing := strings.IndexByte(text[quote+1:], '\'')
		if closing < 0 {
			return piece{}, 0, fmt.Errorf("the policy variable %s has a default without a closing quote", text[:end+1])
		}
		closing += quote + 1
		if end = strings.IndexByte(text[closing:], '}'); end >= 0 {
			end += closing
		}
	}
	if end < 0 {
		return piece{}, 0, nil
	}
	body := text[2:end]
	size = end + 1
	if body == "*" || body == "?" || body == "$" {
		return piece{kind: literal, text: body}, size, nil
	}
	name, fallback, has := strings.Cut(body, ",")
	v = piece{kind: variable, key: newKey(strings.TrimSpace(name)), fallback: has}
	if v.key.name == "" {
		return piece{}, 0, fmt.Errorf("the policy variable %s names no key", text[:size])
	}
	if has {
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return piece{}, 0, fmt.Errorf("the policy variable %s must have its default in single quotes", text[:size])
		}
		v.text = fallback[1 : len(fallback)-1]
	}
	return v, size, nil
}

// variable returns what a variable stands for in this request. A key with
// several values has no one value to put in.
func (e *evaluation) variable(v *piece) (string, bool) {
	if s, ok := e.known(v.key.source); ok {
		return s, true
	}
	if e.request.Context != nil {
		if values := e.request.Context.Lookup(v.key.name); len(values) == 1 {
			return values[0], true
		} else if len(values) > 1 {
			return "", false
		}
	}
	return v.text, v.fallback
}
