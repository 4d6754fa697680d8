package resource

import (
	"reflect"
	"slices"
	"strings"
)

// Schema returns the type's schema, as CloudFormation's registry shows it: the
// properties that are honoured here, which of them are fixed at creation, and what
// can be read.
//
// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
func (t *Type) Schema() map[string]any {
	props := map[string]any{}
	var required, createOnly, readOnly, writeOnly []string
	if t.shape.Kind() == reflect.Struct {
		for _, f := range fields(t.shape) {
			props[f.Name] = schemaOf(t.shape.Field(f.index).Type, nil)
			if f.Required {
				required = append(required, f.Name)
			}
			if f.Replace || !t.Updates() {
				createOnly = append(createOnly, pointer(f.Name))
			}
		}
	}
	for _, name := range t.Attributes {
		if _, settable := props[name]; settable || name == AnyAttribute {
			continue
		}
		// An attribute such as Endpoint.Address is a member of a property Endpoint.
		in, members := name, props
		for head, rest, nested := strings.Cut(in, "."); nested; head, rest, nested = strings.Cut(in, ".") {
			object, _ := members[head].(map[string]any)
			if object == nil {
				object = map[string]any{"type": "object"}
				members[head] = object
			}
			inner, _ := object["properties"].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
				object["properties"] = inner
			}
			in, members = rest, inner
		}
		if _, has := members[in]; !has {
			members[in] = map[string]any{"type": "string"}
		}
		readOnly = append(readOnly, pointer(name))
	}
	for _, name := range t.writeOnly {
		writeOnly = append(writeOnly, pointer(name))
	}
	handlers := map[string]any{}
	for name, has := range map[string]bool{"create": true, "delete": true, "read": t.Reads(), "update": t.Updates(), "list": t.Lists()} {
		if has {
			handlers[name] = map[string]any{"permissions": []any{}}
		}
	}
	var identifier []string
	for _, name := range t.Identifier {
		identifier = append(identifier, pointer(name))
		if _, known := props[name]; !known { // the physical id
			props[name] = map[string]any{"type": "string"}
			if !slices.Contains(readOnly, pointer(name)) {
				readOnly = append(readOnly, pointer(name))
			}
		}
	}
	out := map[string]any{"typeName": t.Name, "properties": props, "additionalProperties": false, "handlers": handlers}
	for name, list := range map[string][]string{
		"required": required, "createOnlyProperties": createOnly, "readOnlyProperties": readOnly, "writeOnlyProperties": writeOnly, "primaryIdentifier": identifier,
	} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	if _, tags := props["Tags"]; tags {
		out["tagging"] = map[string]any{"taggable": true, "tagProperty": pointer("Tags")}
	}
	return out
}

// pointer is where a property stands in a schema.
func pointer(name string) string { return "/properties/" + strings.ReplaceAll(name, ".", "/") }

// schemaOf describes what decode takes for a Go type. within are the structs around
// it: one that holds itself is not taken apart again.
func schemaOf(t reflect.Type, within []reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), within)
	case reflect.Struct:
		if slices.Contains(within, t) {
			return map[string]any{"type": "object"}
		}
		props := map[string]any{}
		var required []string
		for _, f := range fields(t) {
			props[f.Name] = schemaOf(t.Field(f.index).Type, append(slices.Clip(within), t))
			if f.Required {
				required = append(required, f.Name)
			}
		}
		out := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
		if len(required) > 0 {
			out["required"] = required
		}
		return out
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), within)}
	case reflect.Map:
		return map[string]any{"type": "object", "patternProperties": map[string]any{".*": schemaOf(t.Elem(), within)}}
	case reflect.Interface:
		return map[string]any{"type": []string{"object", "string"}}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "string"}
}
