package openapi

import (
	"strconv"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func ids() func() string {
	n := 0
	return func() string { n++; return strconv.Itoa(n) }
}

// Whatever is imported can replace and be merged with what was imported, and
// says the same afterwards.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"swagger":"2.0","info":{"title":"t"},"paths":{"/a/{b}":{"get":{"parameters":[{"in":"query","name":"q"},{"$ref":"#/parameters/p"}],"responses":{"200":{"headers":{"A":{}}}},
	 "x-amazon-apigateway-integration":{"type":"mock","responses":{"default":{"statusCode":"200","responseParameters":{"method.response.header.A":"'a'"}}}}}}},
	 "parameters":{"p":{"in":"header","name":"h","required":true}},"definitions":{"M":{"type":"object"}}}`))
	f.Add([]byte("openapi: 3.0.1\npaths:\n  /x:\n    get:\n      requestBody: {content: {a/b: {schema: {$ref: '#/components/schemas/S'}}}}\ncomponents: {schemas: {S: {}}}\n"))
	f.Add([]byte(`{"openapi":"3.0","paths":{"/{p+}":{"x-amazon-apigateway-any-method":{"$ref":"#/paths"}}}}`))
	f.Add([]byte(`{"openapi":"3.0","paths":{"/":{"get":{"requestBody":{"$ref":"#/a"}}}},"a":{"$ref":"#/a"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		newID := ids()
		d, err := Parse(body, Options{Root: "root", NewID: newID})
		if err != nil {
			return
		}
		paths := func(a *definition.API) (all []string) {
			for _, r := range a.Sorted() {
				all = append(all, a.Path(r))
			}
			return all
		}
		want := paths(d.API)
		over := d.Overwrite(definition.New("other"))
		again := d.Overwrite(over)
		merged, err := d.Merge(over, newID)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []*definition.API{over, again, merged} {
			got := paths(a)
			if len(got) != len(want) || a.Resources[a.Root] == nil || a.Root != "other" {
				t.Errorf("%q: %q, want %q", body, got, want)
			}
			for id, r := range a.Resources {
				if r.ID != id || id != a.Root && a.Resources[r.Parent] == nil {
					t.Errorf("%q: resource %q of %q", body, id, r.Parent)
				}
			}
		}
	})
}
