// Package constraint checks an input against the constraints of its shape:
// required members, lengths, ranges, patterns, enums. The wording is that of
// AWS's services.
package constraint

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Kind says which constraint was not met.
type Kind uint8

// The kinds of violation.
const (
	Required Kind = iota
	Length
	Range
	Pattern
	Enum
	Union
)

// Violation is one constraint that one member does not meet.
type Violation struct {
	Kind Kind
	// Path leads to the member in the form of AWS's messages: names begin in
	// lower case, list entries are "1.member", map values "key.value".
	Path string
	// Member is the member's name in the model.
	Member string
	// Value is what was given, as text; Missing if nothing was.
	Value   string
	Missing bool
	// Text is what the value failed to satisfy: "Member must not be null".
	Text string
}

// maxViolations bounds what is reported, as AWS does.
const maxViolations = 10

// Check returns the violations of in, a pointer to a generated struct of shape
// number shape; none if it is in order.
func Check(s *model.Service, shape int, in any) []Violation {
	c := checker{s: s}
	c.structure(&s.Shapes[shape], reflect.ValueOf(in).Elem(), "")
	return c.bad
}

// Message words violations as AWS does.
func Message(bad []Violation) string {
	var b strings.Builder
	n := len(bad)
	if n == 1 {
		b.WriteString("1 validation error detected: ")
	} else {
		fmt.Fprintf(&b, "%d validation errors detected: ", n)
	}
	for i, v := range bad {
		if i > 0 {
			b.WriteString("; ")
		}
		if v.Missing {
			fmt.Fprintf(&b, "Value at '%s' failed to satisfy constraint: %s", v.Path, v.Text)
		} else {
			fmt.Fprintf(&b, "Value '%s' at '%s' failed to satisfy constraint: %s", v.Value, v.Path, v.Text)
		}
	}
	return b.String()
}

type checker struct {
	s   *model.Service
	bad []Violation
}

func (c *checker) add(v Violation) {
	if len(c.bad) < maxViolations {
		c.bad = append(c.bad, v)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}

func (c *checker) structure(sh *model.Shape, v reflect.Value, path string) {
	for i := range sh.Members {
		m := &sh.Members[i]
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func:
			if f.IsNil() {
				if m.Required {
					p := join(path, lowerFirst(m.Name))
					c.add(Violation{Kind: Required, Path: p, Member: m.Name, Missing: true, Text: "Member must not be null"})
				}
				continue
			}
		}
		if !c.constrained(m.Shape) {
			continue
		}
		c.value(m, m.Shape, f, join(path, lowerFirst(m.Name)))
	}
	if sh.Union {
		set := 0
		for i := 0; i < v.NumField(); i++ {
			if !v.Field(i).IsZero() {
				set++
			}
		}
		if set > 1 {
			c.add(Violation{Kind: Union, Path: path, Member: sh.Name, Missing: true, Text: "Member must have exactly one of its members set"})
		}
	}
}

// constrained reports whether a value of the shape can violate anything: it
// spares the walk the common unconstrained scalar.
func (c *checker) constrained(shape int) bool {
	sh := &c.s.Shapes[shape]
	switch sh.Kind {
	case model.Structure, model.List, model.Map:
		return true
	case model.Document, model.Events, model.Timestamp, model.Boolean:
		return false
	}
	return sh.HasMin || sh.HasMax || sh.Pattern != "" || len(sh.Enum) > 0
}

func (c *checker) value(m *model.Member, shape int, v reflect.Value, path string) {
	sh := &c.s.Shapes[shape]
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.Kind {
	case model.Structure:
		c.structure(sh, v, path)
	case model.List:
		c.length(m, sh, v.Len(), path, func() string { return listText(v) })
		if c.constrained(sh.Elem) {
			for i := 0; i < v.Len() && len(c.bad) < maxViolations; i++ {
				c.value(m, sh.Elem, v.Index(i), path+"."+strconv.Itoa(i+1)+".member")
			}
		}
	case model.Map:
		c.length(m, sh, v.Len(), path, func() string { return "" })
		if c.constrained(sh.Elem) || c.constrained(sh.Key) {
			for it := v.MapRange(); it.Next() && len(c.bad) < maxViolations; {
				if c.constrained(sh.Key) {
					c.value(m, sh.Key, it.Key(), path+".key")
				}
				if c.constrained(sh.Elem) {
					c.value(m, sh.Elem, it.Value(), path+"."+it.Key().String()+".member")
				}
			}
		}
	case model.String:
		c.text(m, sh, v.String(), path)
	case model.Blob:
		if _, streams := v.Interface().(io.Reader); !streams {
			c.length(m, sh, v.Len(), path, func() string { return "java.nio.HeapByteBuffer" })
		}
	case model.Integer, model.Long:
		c.number(m, sh, float64(v.Int()), strconv.FormatInt(v.Int(), 10), path)
	case model.Float, model.Double:
		c.number(m, sh, v.Float(), strconv.FormatFloat(v.Float(), 'g', -1, 64), path)
	}
}

func listText(v reflect.Value) string {
	if v.Type().Elem().Kind() != reflect.String {
		return "[]"
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = v.Index(i).String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (c *checker) length(m *model.Member, sh *model.Shape, n int, path string, text func() string) {
	if sh.HasMin && float64(n) < sh.Min {
		c.add(Violation{Kind: Length, Path: path, Member: m.Name, Value: text(), Text: "Member must have length greater than or equal to " + num(sh.Min)})
	}
	if sh.HasMax && float64(n) > sh.Max {
		c.add(Violation{Kind: Length, Path: path, Member: m.Name, Value: text(), Text: "Member must have length less than or equal to " + num(sh.Max)})
	}
}

func (c *checker) number(m *model.Member, sh *model.Shape, x float64, text, path string) {
	if sh.HasMin && x < sh.Min {
		c.add(Violation{Kind: Range, Path: path, Member: m.Name, Value: text, Text: "Member must have value greater than or equal to " + num(sh.Min)})
	}
	if sh.HasMax && x > sh.Max {
		c.add(Violation{Kind: Range, Path: path, Member: m.Name, Value: text, Text: "Member must have value less than or equal to " + num(sh.Max)})
	}
}

func (c *checker) text(m *model.Member, sh *model.Shape, s, path string) {
	if len(sh.Enum) > 0 {
		for _, e := range sh.Enum {
			if e == s {
				return
			}
		}
		c.add(Violation{Kind: Enum, Path: path, Member: m.Name, Value: s, Text: "Member must satisfy enum value set: [" + strings.Join(sh.Enum, ", ") + "]"})
		return
	}
	if sh.HasMin || sh.HasMax {
		c.length(m, sh, utf8.RuneCountInString(s), path, func() string { return s })
	}
	if sh.Pattern != "" && !matches(sh.Pattern, s) {
		c.add(Violation{Kind: Pattern, Path: path, Member: m.Name, Value: s, Text: "Member must satisfy regular expression pattern: " + sh.Pattern})
	}
}

func num(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e18 {
		return strconv.FormatInt(int64(x), 10)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// Accepts reports whether s meets the constraints of a string shape.
func Accepts(sh *model.Shape, s string) bool {
	c := checker{}
	c.text(&model.Member{}, sh, s, "")
	return len(c.bad) == 0
}
