package expr

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestExpressions runs testdata: a command is a kind of expression. Its input is
// the expression and lines that begin with "names", "values", "item" or "keys",
// followed by JSON.
func TestExpressions(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := evaluate(t, d)
			if err != nil {
				return "error: " + err.Error() + "\n"
			}
			return out + "\n"
		})
	})
}

func evaluate(t *testing.T, d *datadriven.TestData) (string, error) {
	var names map[string]string
	var values map[string]Value
	var item Item
	var keys []string
	var source []string
	for _, line := range strings.Split(d.Input, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		var into any
		switch word {
		case "names":
			into = &names
		case "values":
			into = &values
		case "item":
			into = &item
		case "keys":
			into = &keys
		default:
			source = append(source, line)
			continue
		}
		if err := json.Unmarshal([]byte(rest), into); err != nil {
			d.Fatalf(t, "%s: %v", line, err)
		}
	}
	src := strings.Join(source, "\n")
	scope, err := NewScope(names, values, true, true)
	if err != nil {
		return "", err
	}
	if item != nil {
		if item, err = NormalItem(item); err != nil {
			return "", err
		}
	}
	out := ""
	switch d.Cmd {
	case "condition":
		c, err := scope.Condition(src)
		if err != nil {
			return "", err
		}
		out = fmt.Sprint(c.Holds(item))
	case "update":
		u, err := scope.Update(src)
		if err != nil {
			return "", err
		}
		before := text(item)
		changed, err := u.Apply(item)
		if err != nil {
			return "", err
		}
		if text(item) != before {
			d.Fatalf(t, "the update changed its input")
		}
		out = text(changed)
	case "projection":
		p, err := scope.Projection(src)
		if err != nil {
			return "", err
		}
		out = text(p.Apply(item))
	case "key":
		k, err := scope.KeyCondition(src, keys[0], keys[1])
		if err != nil {
			return "", err
		}
		out = fmt.Sprintf("%s %q", valueText(k.Hash), k.Op)
		for _, v := range []*Value{k.Low, k.High} {
			if v != nil {
				out += " " + valueText(v)
			}
		}
	}
	return out, scope.Finish()
}

func text(item Item) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, k := range sortedKeys(item) {
		if i > 0 {
			b.WriteString(", ")
		}
		v := item[k]
		b.WriteString(k + ": " + valueText(&v))
	}
	return b.String() + "}"
}

func valueText(v *Value) string {
	switch t := TypeOf(v); t {
	case typeS:
		return fmt.Sprintf("%q", *v.S)
	case typeN:
		return *v.N
	case typeB:
		return fmt.Sprintf("b%q", v.B)
	case typeBOOL:
		return fmt.Sprint(*v.BOOL)
	case typeNULL:
		return "null"
	case typeM:
		return text(v.M)
	case typeL:
		parts := make([]string, len(v.L))
		for i := range v.L {
			parts[i] = valueText(&v.L[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case typeSS:
		return fmt.Sprintf("SS%q", v.SS)
	case typeNS:
		return fmt.Sprintf("NS%v", v.NS)
	default:
		return fmt.Sprintf("%s%q", t, v.BS)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a = :v AND NOT (b <> :v OR size(#n) >= :v)", "a BETWEEN :v AND :v", "#n IN (:v, a.b[3].c)", "begins_with(a, :v)",
		"SET a = if_not_exists(a, :v) + :v, b[2] = list_append(c, :v) REMOVE d ADD e :v DELETE f :v", "a, b.c[0], #n", "((a = :v))", "SET a = (b - :v)",
	} {
		f.Add(s)
	}
	one := "1"
	values := map[string]Value{":v": {N: &one}, ":s": {SS: []string{"x"}}, ":l": {L: []Value{}}}
	item := Item{"a": {N: &one}, "b": {L: []Value{{N: &one}, {M: map[string]Value{"c": {S: &one}}}}}, "s": {SS: []string{"x", "y"}}}
	f.Fuzz(func(t *testing.T, src string) {
		scope := func() *Scope {
			s, err := NewScope(map[string]string{"#n": "b"}, values, true, true)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		before := text(item)
		if c, err := scope().Condition(src); err == nil {
			c.Holds(item)
			c.Holds(nil)
			Uses(c, "a")
		}
		if u, err := scope().Update(src); err == nil {
			if out, err := u.Apply(item); err == nil {
				if again, err := NormalItem(out); err != nil || !EqualItems(out, again) {
					t.Fatalf("%q: %s is not in normal form: %v", src, text(out), err)
				}
			}
			_, _ = u.Apply(nil)
		}
		if p, err := scope().Projection(src); err == nil {
			p.Apply(item)
		}
		_, _ = scope().KeyCondition(src, "a", "b")
		Tops(src, map[string]string{"#n": "b"})
		if text(item) != before {
			t.Fatalf("%q changed the item", src)
		}
	})
}
