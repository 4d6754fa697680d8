package apigateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// documents are OpenAPI documents of real projects, which .ci/run takes out of
// published packages.
func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", ".cache", "documents", "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		if os.Getenv("TIERRA_CLIENTS") == "require" {
			t.Fatalf("%d documents of real projects in .cache/documents, want 10; .ci/run fetches them", len(files))
		}
		t.Skip("no documents of real projects in .cache/documents; .ci/run fetches them")
	}
	return files
}

// TestDocumentsOfRealProjects imports documents, serves them, and exports them:
// all that API Gateway knows of a document is in its export, and an export that is
// imported is exported as it was, in both versions and both notations.
func TestDocumentsOfRealProjects(t *testing.T) {
	for _, file := range documents(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source := parseDocument(t, body)
			own, other := "oas30", "swagger"
			if source["swagger"] != nil {
				own, other = other, own
			}
			w := newWorld(t)
			id := w.imported(t, body)
			names := source.schemas()
			want := source.facts(t, names)
			if len(want) < 3 {
				t.Fatalf("only %d facts: %v", len(want), want)
			}
			text := w.exported(t, id, own, "application/json")
			same(t, "the export and its source", want, parseDocument(t, text).facts(t, names))

			again := w.imported(t, text)
			second := w.exported(t, again, own, "application/json")
			if got := strings.ReplaceAll(string(second), again, id); got != string(text) {
				same(t, "the second export and the first", parseDocument(t, text).facts(t, nil), parseDocument(t, second).facts(t, nil))
				t.Errorf("the second export is not the first: %s", firstDifference(string(text), got))
			}
			third := w.imported(t, w.exported(t, id, own, "application/yaml"))
			if got := strings.ReplaceAll(string(w.exported(t, third, own, "application/json")), third, id); got != string(text) {
				t.Errorf("through YAML: %s", firstDifference(string(text), got))
			}
			// The other version says the same of everything that both can say.
			crossed := parseDocument(t, w.exported(t, id, other, "application/json")).facts(t, names)
			if own == "swagger" {
				same(t, "the other version and the source", want, crossed)
			}
			for k := range want {
				if _, ok := crossed[k]; !ok && !strings.Contains(k, "body") && !strings.Contains(k, "example") && !strings.HasSuffix(k, "deprecated") {
					t.Errorf("lost in the other version: %s", k)
				}
			}
		})
	}
}

// imported makes an API of a document, with an integration for every method that
// has none, and deploys it with its documentation.
func (w *world) imported(t *testing.T, body []byte) (id string) {
	t.Helper()
	x := calltest.Must(t, w.World, api.ImportRestApi, &api.ImportRestApiRequest{Body: body})
	a := area{calltest.Account, calltest.Region}
	err := w.s.store.Update(t.Context(), func(txn data.Txn) error {
		d, err := loadDefinition(txn, a, *x.Id)
		if err != nil {
			return err
		}
		for _, r := range d.Resources {
			for _, m := range r.Methods {
				m.Integration = &definition.Integration{Type: definition.Mock}
			}
		}
		return data.Save(txn, a.definition(*x.Id), d)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.deploy(t, *x.Id, "prod")
	calltest.Must(t, w.World, api.CreateDocumentationVersion, &api.CreateDocumentationVersionRequest{RestApiId: x.Id, DocumentationVersion: new("1"), StageName: new("prod")})
	return *x.Id
}

func (w *world) exported(t *testing.T, id, typ, notation string) []byte {
	t.Helper()
	out := calltest.Must(t, w.World, api.GetExport, &api.GetExportRequest{RestApiId: &id, StageName: new("prod"), ExportType: &typ, Accepts: &notation})
	if *out.ContentType != notation {
		t.Errorf("content type %s", *out.ContentType)
	}
	return out.Body
}

func same(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	n := 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			if n++; n <= 10 {
				t.Errorf("%s differ in %s:\n got %.300s\nwant %.300s", what, k, got[k], want[k])
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			if n++; n <= 10 {
				t.Errorf("%s: %s is too much: %.300s", what, k, got[k])
			}
		}
	}
}

func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("want %.200q\ngot  %.200q", a[max(i-80, 0):], b[max(i-80, 0):])
}

// document is an OpenAPI document, read without the code under test.
type document map[string]any

func parseDocument(t *testing.T, body []byte) document {
	t.Helper()
	if body[0] == '{' {
		var d document
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	var n yaml.Node
	if err := yaml.Unmarshal(body, &n); err != nil {
		t.Fatal(err)
	}
	o, ok := fromYAML(n.Content[0]).(map[string]any)
	if !ok {
		t.Fatalf("no document: %.100s", body)
	}
	return o
}

func fromYAML(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		o := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			o[n.Content[i].Value] = fromYAML(n.Content[i+1])
		}
		return o
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, fromYAML(c))
		}
		return l
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}

func (d document) schemas() map[string]bool {
	names := map[string]bool{}
	for name := range d.named() {
		names[name] = true
	}
	return names
}

func (d document) named() map[string]any {
	if c, ok := d["components"].(map[string]any); ok {
		s, _ := c["schemas"].(map[string]any)
		return s
	}
	s, _ := d["definitions"].(map[string]any)
	return s
}

func (d document) resolve(v any) map[string]any {
	o, _ := v.(map[string]any)
	for ref, ok := o["$ref"].(string); ok; ref, ok = o["$ref"].(string) {
		var at any = map[string]any(d)
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := at.(map[string]any)
			at = m[unescape.Replace(part)]
		}
		o, _ = at.(map[string]any)
	}
	return o
}

// facts are all that API Gateway knows of a document, line by line. A schema whose
// name is not among names stands for itself: the source had it without a name.
func (d document) facts(t *testing.T, names map[string]bool) map[string]string {
	f := map[string]string{}
	add := func(key string, v any) {
		if s, ok := v.(string); ok && s == "" || v == nil {
			return
		}
		f[key] = canonical(t, v)
	}
	info, _ := d["info"].(map[string]any)
	for _, k := range []string{"title", "version", "description", "license", "contact", "termsOfService"} {
		add("info "+k, info[k])
	}
	add("tags", d["tags"])
	add("externalDocs", d["externalDocs"])
	for name, s := range d.named() {
		if names == nil || names[name] {
			add("schema "+name, s)
		}
	}
	paths, _ := d["paths"].(map[string]any)
	for path, v := range paths {
		item := d.resolve(v)
		if path = strings.TrimSuffix(path, "/"); path == "" {
			path = "/"
		}
		for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch"} {
			op, ok := item[method].(map[string]any)
			if ok {
				d.operation(op, item, names, func(key string, v any) { add(method+" "+path+" "+key, v) })
			}
		}
	}
	return f
}

func (d document) operation(op, item map[string]any, names map[string]bool, add func(string, any)) {
	add("", "is there")
	for _, k := range []string{"operationId", "summary", "description", "tags", "externalDocs", "deprecated"} {
		add(k, op[k])
	}
	own, _ := op["parameters"].([]any)
	shared, _ := item["parameters"].([]any)
	for _, v := range append(slices.Clone(shared), own...) { // the operation's come last and win
		p := d.resolve(v)
		in, _ := p["in"].(string)
		name, _ := p["name"].(string)
		switch in {
		case "header", "query", "path":
			add(in+" "+name+" required", p["required"] == true)
			for _, k := range []string{"description", "deprecated", "example", "examples"} {
				add(in+" "+name+" "+k, p[k])
			}
		case "body":
			add("body description", p["description"])
			for _, typ := range d.types(op, "consumes") {
				add("body "+typ, d.meant(p["schema"], names))
			}
		}
	}
	if body := d.resolve(op["requestBody"]); body != nil {
		add("body description", body["description"])
		d.content(body, "body ", names, add)
	}
	responses, _ := op["responses"].(map[string]any)
	for status, v := range responses {
		if len(status) != 3 || status[0] < '2' || status[0] > '5' || strings.Trim(status, "0123456789") != "" {
			continue
		}
		r := d.resolve(v)
		add("response "+status, "is there")
		if r["description"] != status+" response" {
			add("response "+status+" description", r["description"])
		}
		headers, _ := r["headers"].(map[string]any)
		for name, h := range headers {
			add("response "+status+" header "+name, "is there")
			add("response "+status+" header "+name+" description", d.resolve(h)["description"])
		}
		if r["schema"] != nil {
			for _, typ := range d.types(op, "produces") {
				add("response body "+status+" "+typ, d.meant(r["schema"], names))
			}
		}
		d.content(r, "response body "+status+" ", names, add)
	}
}

func (d document) content(o map[string]any, key string, names map[string]bool, add func(string, any)) {
	content, _ := o["content"].(map[string]any)
	for typ, v := range content {
		m, _ := v.(map[string]any)
		add(key+typ, d.meant(m["schema"], names))
	}
}

func (d document) types(op map[string]any, member string) (types []string) {
	l, ok := op[member].([]any)
	if !ok {
		l, _ = d[member].([]any)
	}
	for _, v := range l {
		types = append(types, v.(string))
	}
	if types == nil {
		types = []string{"application/json"}
	}
	return types
}

// meant is a schema as its author wrote it: a name or the schema itself.
func (d document) meant(schema any, names map[string]bool) any {
	o, _ := schema.(map[string]any)
	if len(o) == 0 {
		return nil
	}
	ref, _ := o["$ref"].(string)
	name := ref[strings.LastIndexByte(ref, '/')+1:]
	if ref != "" && names != nil && !names[name] {
		return d.named()[name]
	}
	return schema
}

// canonical is a value as text, with references as version 2 has them.
func canonical(t *testing.T, v any) string {
	t.Helper()
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(buf.String()), "#/components/schemas/", "#/definitions/")
}
