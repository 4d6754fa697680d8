package route

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func table(routes ...string) *Table[string] {
	t := &Table[string]{}
	for _, r := range routes {
		method, path, _ := strings.Cut(r, " ")
		t.Add(method, path, r)
	}
	return t
}

func TestMatch(t *testing.T) {
	tab := table("GET /", "GET /pets", "POST /pets", "GET /pets/{id}", "PATCH /pets/me", "ANY /pets/{id}/toys/{toy}",
		"DELETE /pets/me/toys/ball", "ANY /{proxy+}", "GET /files/{path+}", "GET /a.b~c")
	for _, c := range []struct{ method, path, want, params string }{
		{"GET", "/", "GET /", ""},
		{"GET", "", "GET /", ""},
		{"POST", "/", "", ""},
		{"GET", "/pets", "GET /pets", ""},
		{"GET", "/pets/", "GET /pets", ""},
		{"GET", "/pets/1", "GET /pets/{id}", "id=1"},
		{"GET", "/pets/me", "GET /pets/{id}", "id=me"},
		{"PATCH", "/pets/me", "PATCH /pets/me", ""},
		{"POST", "/pets/me", "ANY /{proxy+}", "proxy=pets/me"},
		{"DELETE", "/pets/me/toys/ball", "DELETE /pets/me/toys/ball", ""},
		{"GET", "/pets/me/toys/ball", "ANY /pets/{id}/toys/{toy}", "id=me toy=ball"},
		{"GET", "/pets/a%2Fb%20c/toys/x", "ANY /pets/{id}/toys/{toy}", "id=a/b c toy=x"},
		{"GET", "/files/a/b%2Fc/", "GET /files/{path+}", "path=a/b/c"},
		{"POST", "/files/a", "ANY /{proxy+}", "proxy=files/a"},
		{"GET", "/files", "ANY /{proxy+}", "proxy=files"},
		{"GET", "//x", "ANY /{proxy+}", "proxy=/x"},
		{"GET", "/%70ets", "GET /pets", ""},
		{"GET", "/bad%zz", "ANY /{proxy+}", "proxy=bad%zz"},
	} {
		got, params, _ := tab.Match(c.method, c.path, nil)
		if got != c.want || text(params) != c.params {
			t.Errorf("%s %s: %q with %q, want %q with %q", c.method, c.path, got, text(params), c.want, c.params)
		}
	}
}

func text(params []Param) string {
	var p []string
	for _, x := range params {
		p = append(p, x.Name+"="+x.Value)
	}
	return strings.Join(p, " ")
}

// naive looks at every route: those that fit, the most specific first.
func naive(routes []string, method, path string) string {
	var segments []string
	if path = strings.TrimSuffix(path, "/"); path != "" {
		segments = strings.Split(path[1:], "/")
	}
	best, bestRank := "", []byte(nil)
	for _, r := range routes {
		m, p, _ := strings.Cut(r, " ")
		if m != method && m != Any {
			continue
		}
		rank, ok := fits(strings.FieldsFunc(p, func(c rune) bool { return c == '/' }), segments)
		if m == Any {
			rank = append(rank, 9)
		} else {
			rank = append(rank, 8)
		}
		if ok && (best == "" || slices.Compare(rank, bestRank) < 0) {
			best, bestRank = r, rank
		}
	}
	return best
}

func fits(parts, segments []string) (rank []byte, ok bool) {
	for i, p := range parts {
		switch {
		case strings.HasSuffix(p, "+}"):
			return append(rank, 3), i < len(segments) && strings.Join(segments[i:], "/") != ""
		case i >= len(segments):
			return nil, false
		case strings.HasPrefix(p, "{"):
			if segments[i] == "" {
				return nil, false
			}
			rank = append(rank, 2)
		case p != segments[i]:
			return nil, false
		default:
			rank = append(rank, 1)
		}
	}
	return rank, len(parts) == len(segments)
}

// The table answers as the naive matcher does.
func TestNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "b", "c", "{x}"})
		method := rapid.SampledFrom([]string{"GET", "POST", Any})
		routes := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
			p := rapid.SliceOfN(part, 0, 4).Draw(t, "parts")
			if rapid.Bool().Draw(t, "greedy") {
				p = append(p, "{p+}")
			}
			return method.Draw(t, "method") + " /" + strings.Join(p, "/")
		}), 0, 12, rapid.ID[string]).Draw(t, "routes")
		tab := table(routes...)
		for range 20 {
			path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", ""}), 0, 5).Draw(t, "path"), "/")
			m := rapid.SampledFrom([]string{"GET", "POST", "PUT"}).Draw(t, "verb")
			got, _, _ := tab.Match(m, path, nil)
			if want := naive(routes, m, path); got != want {
				t.Fatalf("%s %s among %q: %q, want %q", m, path, routes, got, want)
			}
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("GET /pets/{id}\nANY /{proxy+}", "GET", "/pets/1%2f")
	f.Add("GET /{a}/{b+}", "GET", "//%")
	f.Fuzz(func(t *testing.T, routes, method, path string) {
		if path != "" && path[0] != '/' {
			path = "/" + path
		}
		table(strings.Split(routes, "\n")...).Match(method, path, nil)
	})
}

func BenchmarkMatch(b *testing.B) {
	var routes []string
	for i := range 50 {
		routes = append(routes, "GET /r"+string(rune('a'+i%26))+strings.Repeat("x", i)+"/{id}/things/{thing}")
	}
	tab := table(append(routes, "GET /pets/{id}/toys/{toy}")...)
	var space [8]Param
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := tab.Match("GET", "/pets/12/toys/ball", space[:0]); !ok {
			b.Fatal("no match")
		}
	}
}
