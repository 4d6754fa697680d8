package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// application is a template with what it names on this disk.
type application struct {
	path string // of the template
	dir  string
	text string
	node *template.Node

	functions []build.Function
	inherited []string // the functions whose CodeUri is that of Globals
	sites     []site
}

// site is a bucket that holds a folder of this disk. The bucket's Metadata says
// so:
//
//	Metadata:
//	  Content:
//	    Folder: web/
//	    Outputs: outputs.json   # optional: the stack's outputs, as JSON
type site struct {
	LogicalID string
	Folder    string
	Outputs   string
}

// names under which a folder's template is looked for.
var names = []string{"template.yaml", "template.yml", "template.json"}

// Find returns the template of a folder, or the file itself.
func Find(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("there is no folder or template %s", path)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, n := range names {
		p := filepath.Join(path, n)
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s has no template: looked for %s", path, strings.Join(names, ", "))
}

// parse reads the text of the template at path and finds what has to be built
// and uploaded.
func parse(path string, text []byte) (*application, error) {
	node, err := template.Parse(text)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	a := &application{path: path, dir: filepath.Dir(abs), text: string(text), node: node}
	doc, _ := node.Value().(map[string]any)
	resources := object(doc["Resources"])
	globals := object(object(doc["Globals"])["Function"])
	ids := make([]string, 0, len(resources))
	for id := range resources {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		r := object(resources[id])
		props, meta := object(r["Properties"]), object(r["Metadata"])
		switch r["Type"] {
		case "AWS::Serverless::Function":
			a.function(id, props, meta, globals, "CodeUri")
		case "AWS::Lambda::Function":
			a.function(id, props, meta, nil, "Code")
		case "AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion":
			a.layer(id, props, meta, codeKey(text1(r["Type"])))
		case "AWS::S3::Bucket":
			if c := object(meta["Content"]); len(c) > 0 {
				folder := text1(c["Folder"])
				if folder == "" {
					return nil, fmt.Errorf("%s: Resources.%s.Metadata.Content has no Folder", path, id)
				}
				a.sites = append(a.sites, site{LogicalID: id, Folder: filepath.Join(a.dir, folder), Outputs: text1(c["Outputs"])})
			}
		}
	}
	return a, nil
}

func (a *application) function(id string, props, meta, globals map[string]any, codeKey string) {
	code, ok := props[codeKey].(string)
	inherited := props[codeKey] == nil && props["InlineCode"] == nil && props["ImageUri"] == nil
	if inherited {
		code, ok = globals[codeKey].(string)
	}
	if !ok || remote(code) || pick(props, globals, "PackageType") == "Image" {
		return
	}
	f := build.Function{
		LogicalID: id, Source: filepath.Join(a.dir, code), Runtime: pick(props, globals, "Runtime"),
		Handler: pick(props, globals, "Handler"), Name: text1(props["FunctionName"]),
	}
	a.metadata(&f, meta)
	if l, ok := props["Architectures"].([]any); ok && len(l) == 1 {
		f.Architecture = text1(l[0])
	} else if l, ok := globals["Architectures"].([]any); ok && len(l) == 1 {
		f.Architecture = text1(l[0])
	}
	a.functions = append(a.functions, f)
	if inherited {
		a.inherited = append(a.inherited, id)
	}
}

func (a *application) layer(id string, props, meta map[string]any, key string) {
	content, ok := props[key].(string)
	if !ok || remote(content) {
		return
	}
	l := build.Function{LogicalID: id, Layer: true, Source: filepath.Join(a.dir, content), Architecture: text1(meta["BuildArchitecture"])}
	a.metadata(&l, meta)
	if archs, ok := props["CompatibleArchitectures"].([]any); ok && len(archs) == 1 && l.Architecture == "" {
		l.Architecture = text1(archs[0])
	}
	a.functions = append(a.functions, l)
}

// metadata reads how a function or layer is built.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
func (a *application) metadata(f *build.Function, meta map[string]any) {
	f.Method, f.Properties = text1(meta["BuildMethod"]), object(meta["BuildProperties"])
	f.SkipBuild = fmt.Sprint(meta["SkipBuild"]) == "true"
	for name, to := range map[string]*string{"ContextPath": &f.ContextPath, "ProjectRootDirectory": &f.ProjectRoot, "WorkingDirectory": &f.WorkingDirectory} {
		if path := text1(meta[name]); path != "" {
			*to = filepath.Join(a.dir, path)
		}
	}
}

// remote reports whether a CodeUri names something that is uploaded already.
func remote(uri string) bool {
	return strings.HasPrefix(uri, "s3://") || strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func text1(v any) string {
	s, _ := v.(string)
	return s
}

func pick(props, globals map[string]any, key string) string {
	if s, ok := props[key].(string); ok {
		return s
	}
	return text1(globals[key])
}

// codeKey is the property of a type that holds its code.
func codeKey(kind string) string {
	switch kind {
	case "AWS::Lambda::Function":
		return "Code"
	case "AWS::Serverless::LayerVersion":
		return "ContentUri"
	case "AWS::Lambda::LayerVersion":
		return "Content"
	}
	return "CodeUri"
}

// location is where a package was uploaded to.
type location struct{ bucket, key string }

// rewrite returns the template's text with the packages' places in it. The text
// is edited and not written anew, so that lines stay where their author has them
// and an error names the line that the author sees.
func (a *application) rewrite(places map[string]location) (string, error) {
	lines := strings.Split(a.text, "\n")
	doc, _ := a.node.Value().(map[string]any)
	for id, at := range places {
		res := object(object(doc["Resources"])[id])
		key, value := codeKey(text1(res["Type"])), "s3://"+at.bucket+"/"+at.key
		if key == "Code" || key == "Content" {
			value = fmt.Sprintf(`{"S3Bucket": %q, "S3Key": %q}`, at.bucket, at.key)
		}
		path := []string{"Resources", id, "Properties", key}
		if slices.Contains(a.inherited, id) {
			if path = []string{"Globals", "Function", key}; at != places[a.inherited[0]] {
				return "", fmt.Errorf("%s: the functions %s and %s share the CodeUri of Globals and are built differently from it; give each its own", a.path, a.inherited[0], id)
			}
			if id != a.inherited[0] {
				continue
			}
		}
		pos := a.node.At(path...)
		if err := replace(lines, pos, key, value); err != nil {
			return "", fmt.Errorf("%s: %s (%s): %w", a.path, strings.Join(path, "."), pos, err)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// replace puts value in the place of the scalar behind key.
func replace(lines []string, pos template.Pos, key, value string) error {
	if pos.Line < 1 || pos.Line > len(lines) {
		return fmt.Errorf("its place in the text is not known")
	}
	line := lines[pos.Line-1]
	k := strings.Index(line, key)
	if k < 0 {
		return fmt.Errorf("write it as \"%s: …\" in one line", key)
	}
	colon := strings.IndexByte(line[k:], ':')
	if colon < 0 {
		return fmt.Errorf("write it as \"%s: …\" in one line", key)
	}
	start := k + colon + 1
	for start < len(line) && (line[start] == ' ' || line[start] == '\t') {
		start++
	}
	if start == len(line) {
		return fmt.Errorf("write it as \"%s: …\" in one line", key)
	}
	end := start
	quoted := line[start] == '"' || line[start] == '\''
	if quoted {
		if i := strings.IndexByte(line[start+1:], line[start]); i >= 0 {
			end = start + i + 2
		}
		if strings.HasPrefix(value, "s3://") {
			value = `"` + value + `"`
		}
	} else {
		end = len(line)
		for _, stop := range []string{" #", "\t#"} {
			if i := strings.Index(line[start:], stop); i >= 0 && start+i < end {
				end = start + i
			}
		}
		if strings.Contains(line[:k], "{") {
			if i := strings.IndexAny(line[start:], ",}"); i >= 0 && start+i < end {
				end = start + i
			}
		}
		end = start + len(strings.TrimRight(line[start:end], " \t\r"))
	}
	if end <= start {
		return fmt.Errorf("its value cannot be found")
	}
	lines[pos.Line-1] = line[:start] + value + line[end:]
	return nil
}
