package sam

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
)

// object is a map of a template.
type object = map[string]any

var subVariable = regexp.MustCompile(`\$\{[A-Za-z0-9_.:]+\}`)

// clone copies a value with everything in it.
func clone(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

func keys(m object) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func pick(m object, names ...string) object {
	out := object{}
	for _, n := range names {
		if v, ok := m[n]; ok {
			out[n] = v
		}
	}
	return out
}

func typeOf(r any) (string, bool) {
	m, _ := r.(object)
	s, ok := m["Type"].(string)
	return s, ok
}

// properties returns a resource's properties, never nil.
func properties(r object) object {
	p, ok := r["Properties"].(object)
	if !ok {
		p = object{}
		r["Properties"] = p
	}
	return p
}

// truthy is Python's notion of a value that is there: the transform that this one
// answers to is full of it.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case object:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return true
}

// or returns nil for a value that is not truthy.
func or(v any) any {
	if truthy(v) {
		return v
	}
	return nil
}

func ref(id string) object               { return object{"Ref": id} }
func getAtt(id, attribute string) object { return object{"Fn::GetAtt": []any{id, attribute}} }
func noValue() object                    { return ref("AWS::NoValue") }

func sub(text string, variables object) object {
	if len(variables) > 0 {
		return object{"Fn::Sub": []any{text, variables}}
	}
	return object{"Fn::Sub": text}
}

// when is what stands for v if it exists only under a condition.
func when(condition string, v any) any {
	if condition == "" {
		return v
	}
	return object{"Fn::If": []any{condition, v, noValue()}}
}

func intrinsic(v any) bool {
	m, ok := v.(object)
	if !ok || len(m) != 1 {
		return false
	}
	k := keys(m)[0]
	return k == "Ref" || k == "Condition" || strings.HasPrefix(k, "Fn::")
}

func isNoValue(v any) bool {
	m, ok := v.(object)
	return ok && len(m) == 1 && m["Ref"] == "AWS::NoValue"
}

// branches returns the two branches of a Fn::If.
func branches(v any) (list []any, ok bool) {
	m, isMap := v.(object)
	if !isMap || len(m) != 1 {
		return nil, false
	}
	list, ok = m["Fn::If"].([]any)
	return list, ok && len(list) == 3
}

// resolve puts the values of parameters in the place of references to them. What
// it returns is for decisions and hashes; where a value of it goes into the
// result, AWS's transform does the same.
func (t *transform) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = t.resolve(x)
		}
		return out
	case object:
		if len(v) == 1 {
			if name, ok := v["Ref"].(string); ok {
				if p, ok := t.params[name]; ok {
					return p
				}
				return v
			}
			switch s := v["Fn::Sub"].(type) {
			case string:
				return object{"Fn::Sub": t.resolveSub(s)}
			case []any:
				if text, ok := first(s).(string); ok {
					out := append([]any{t.resolveSub(text)}, s[1:]...)
					for i := 1; i < len(out); i++ {
						out[i] = t.resolve(out[i])
					}
					return object{"Fn::Sub": out}
				}
			}
		}
		out := make(object, len(v))
		for k, x := range v {
			out[k] = t.resolve(x)
		}
		return out
	}
	return v
}

// mapped is resolve with what the template's mappings hold in the place of
// Fn::FindInMap, where that is known.
func (t *transform) mapped(v any) any {
	v = t.resolve(v)
	m, ok := v.(object)
	if !ok {
		return v
	}
	path, ok := m["Fn::FindInMap"].([]any)
	if !ok || len(m) != 1 || len(path) != 3 {
		return v
	}
	at := t.doc["Mappings"]
	for _, k := range path {
		name, ok := k.(string)
		level, isMap := at.(object)
		if !ok || !isMap || level[name] == nil {
			return v
		}
		at = level[name]
	}
	return at
}

func first(l []any) any {
	if len(l) == 0 {
		return nil
	}
	return l[0]
}

func (t *transform) resolveSub(text string) string {
	return subVariable.ReplaceAllStringFunc(text, func(v string) string {
		if p, ok := t.params[v[2:len(v)-1]]; ok {
			return plain(p)
		}
		return v
	})
}

// plain is a scalar as text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case object, []any, nil:
		return python(v)
	}
	return fmt.Sprint(v)
}

// python spells a value as the messages of AWS's transform do.
func python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case object:
		var parts []string
		for _, k := range keys(v) {
			parts = append(parts, quoted(k)+": "+quoted(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = quoted(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return plain(v)
}

// unicode is python with a "u" before each string within a value.
func unicode(v any) string {
	switch v := v.(type) {
	case object:
		var parts []string
		for _, k := range hashOrder(keys(v)) {
			parts = append(parts, "u'"+k+"': "+unicodeQuoted(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = unicodeQuoted(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return python(v)
}

func unicodeQuoted(v any) string {
	if s, ok := v.(string); ok {
		return "u'" + s + "'"
	}
	return unicode(v)
}

// quoted is a value within another in such a spelling.
func quoted(v any) string {
	if s, ok := v.(string); ok {
		return "'" + s + "'"
	}
	return python(v)
}

// pythonType names the type of a value as such messages do.
func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case object:
		return "dict"
	case []any:
		return "list"
	case string:
		return "str"
	case bool:
		return "bool"
	case float64:
		return "float"
	}
	return "int"
}

// tagList turns SAM's map of tags into CloudFormation's list.
func tagList(tags object) []any {
	out := []any{}
	for _, k := range keys(tags) {
		v := tags[k]
		if v == nil {
			v = ""
		}
		out = append(out, object{"Key": k, "Value": v})
	}
	return out
}

// hashed is prefix with the first ten digits of a hash of v; nothing is added for
// a v that is not there.
func hashed(prefix string, v any) string {
	if !truthy(v) {
		return prefix
	}
	return prefix + digest(v)[:10]
}

// digest is the hash from which AWS's transform makes logical ids: SHA-1 of the
// compact JSON with sorted keys, of a string as it is.
func digest(v any) string {
	text, ok := v.(string)
	if !ok {
		var b strings.Builder
		writeJSON(&b, v)
		text = b.String()
	}
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// writeJSON writes JSON in the one spelling that the hashes are made of: only
// ASCII, sorted keys, no space.
func writeJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case object:
		b.WriteByte('{')
		for i, k := range keys(v) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, k)
			b.WriteByte(':')
			writeJSON(b, v[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, x)
		}
		b.WriteByte(']')
	case string:
		writeString(b, v)
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eE") {
			s += ".0"
		}
		b.WriteString(s)
	default:
		fmt.Fprint(b, v)
	}
}

func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		case r < 0x20 || r > 0x7e:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// alphanumeric is Python's isalnum for what can stand in a logical id.
func alphanumeric(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == ""
}
