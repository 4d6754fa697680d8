package jsonpath

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

const store = `{"store":{"book":[{"t":"A","p":8.95,"tags":["x","y"]},{"t":"B","p":12},{"t":"C","p":8.99,"isbn":"1"}],"a-b":{"c d":1}},"max":10,"nothing":null}`

func TestFind(t *testing.T) {
	root, err := vtl.ParseJSON([]byte(store))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"$", store}, {"$.max", "10"}, {"max", "10"}, {"$['store']['a-b'][\"c d\"]", "1"}, {"$.store.a-b", `{"c d":1}`},
		{"$.store.book[0].t", `"A"`}, {"$.store.book[-1].t", `"C"`}, {"$.store.book[0,2].t", `["A","C"]`}, {"$.store.book[1:].t", `["B","C"]`},
		{"$.store.book[:-1].t", `["A","B"]`}, {"$.store.book[*].p", "[8.95,12,8.99]"}, {"$..t", `["A","B","C"]`}, {"$..book[0].t", `["A"]`},
		{"$.store.book.length()", "3"}, {"$.store.book[?(@.p < 10)].t", `["A","C"]`}, {"$.store.book[?(@.isbn)].t", `["C"]`}, {"$.store.book[?(!@.isbn && @.p > $.max)].t", `["B"]`},
		{"$.store.book[?(@.t == 'A' || @.t in ['C'])].p", "[8.95,8.99]"}, {"$.store.book[?(@.t =~ /[bc]/i)].t", `["B","C"]`}, {"$.store.book[0]['t','p']", `{"t":"A","p":8.95}`},
		{"$.nothing", "null"}, {"$.none", "none"}, {"$.max.x", "none"}, {"$.store.book[9]", "none"}, {"$.none[*]", "none"}, {"$.store.book[?(@.p == null)]", "[]"},
	} {
		p, err := Parse(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		v, ok := p.Find(root)
		got := "none"
		if ok {
			b, err := vtl.AppendJSON(nil, v)
			if got = string(b); err != nil {
				t.Error(err)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	for _, bad := range []string{"$.", "$[", "$['a", "$[?(", "$[?(@.a ==)]", "$[a]", "$.a b", "$..", "$[1,]", "$[99999999999]", "$[?(@.a =~ /(/)]"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s was parsed", bad)
		}
	}
}

// TestPaths holds what many paths lead to.
func TestPaths(t *testing.T) {
	b, err := os.ReadFile("testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	var root any
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "document "); ok {
			if root, err = vtl.ParseDocument([]byte(text)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		var parts []string
		rest := line
		for strings.HasPrefix(rest, `"`) {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			s, err := strconv.Unquote(q)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			parts, rest = append(parts, s), strings.TrimPrefix(rest[len(q):], " ")
		}
		want := rest
		if len(parts) > 1 {
			want = parts[1] + " " + parts[len(parts)-1]
		}
		if got := look(parts[0], root); got != want {
			t.Errorf("%s\n got %s\nwant %s", parts[0], got, want)
		}
	}
}

// look returns what a path leads to, as JSON and as it prints.
func look(path string, root any) string {
	p, err := Parse(path)
	if err != nil {
		return "error"
	}
	v, ok := p.Find(root)
	if !ok {
		return "none"
	}
	b, err := vtl.AppendJSON(nil, v)
	if err != nil {
		return err.Error()
	}
	s := string(b)
	if text, ok := v.(string); ok {
		return s + " " + text
	}
	return s + " " + vtl.String(v)
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"$.store..book[?(@.p < 10 && !(@.t == 'x'))]['a','b'][0,1][1:2].length()", "a[*].b", "$..[?(@.a in [1,'x',null])]"} {
		f.Add(s)
	}
	root, _ := vtl.ParseJSON([]byte(store))
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := Parse(s); err == nil {
			p.Find(root)
		}
	})
}
