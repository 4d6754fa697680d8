package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// object is a JSON object.
type object = map[string]any

// errInput is AWS's answer to what cannot be read at all.
var errInput = problem.New("Invalid OpenAPI input.")

// read reads a document in JSON or YAML.
func read(body []byte) (object, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	var v any
	if len(body) > 0 && body[0] == '{' {
		if err := json.Unmarshal(body, &v); err != nil {
			return nil, errInput
		}
	} else {
		// Anchors could make a small document a huge one.
		for _, t := range lexer.Tokenize(string(body)) {
			if t.Type == token.AnchorType || t.Type == token.AliasType {
				return nil, problem.New("Invalid OpenAPI input. YAML anchors and aliases are not taken.")
			}
		}
		if err := yaml.Unmarshal(body, &v); err != nil {
			return nil, errInput
		}
		v = plain(v)
	}
	o, ok := v.(object)
	if !ok {
		return nil, errInput
	}
	return o, nil
}

// plain turns what YAML has more than JSON into JSON's kinds.
func plain(v any) any {
	switch v := v.(type) {
	case map[any]any:
		o := object{}
		for k, e := range v {
			o[fmt.Sprint(k)] = plain(e)
		}
		return o
	case object:
		for k, e := range v {
			v[k] = plain(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plain(e)
		}
	case uint64:
		return float64(v)
	case int64:
		return float64(v)
	case int:
		return float64(v)
	}
	return v
}

// text returns a scalar as text; "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func child(o object, key string) object {
	c, _ := o[key].(object)
	return c
}

func sorted(o object) []string { return slices.Sorted(maps.Keys(o)) }

// texts reads an object of strings.
func texts(v any) map[string]string {
	o, _ := v.(object)
	if len(o) == 0 {
		return nil
	}
	m := make(map[string]string, len(o))
	for k, e := range o {
		m[k] = text(e)
	}
	return m
}

// list reads a list of strings.
func list(v any) []string {
	l, _ := v.([]any)
	var all []string
	for _, e := range l {
		all = append(all, text(e))
	}
	return all
}
