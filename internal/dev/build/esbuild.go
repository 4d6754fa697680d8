package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// esbuild bundles JavaScript or TypeScript with the properties that SAM's
// BuildMethod esbuild takes: EntryPoints, Minify, Target, Sourcemap, Format,
// External, OutExtension, MainFields, Loader.
func (b *Builder) esbuild(ctx context.Context, f Function) (*tree, error) {
	opt := api.BuildOptions{
		AbsWorkingDir: f.Source, Bundle: true, Platform: api.PlatformNode, Format: api.FormatCommonJS, Target: api.ES2022,
		Write: false, Outdir: "/out", Outbase: f.Source, LogLevel: api.LogLevelSilent,
	}
	for k, v := range f.Properties {
		if err := esbuildOption(&opt, k, v); err != nil {
			return nil, err
		}
	}
	if len(opt.EntryPoints) == 0 {
		return nil, fmt.Errorf("BuildProperties.EntryPoints is missing: the files to bundle")
	}
	modules, err := b.nodeModules(ctx, f, false)
	if err != nil {
		return nil, err
	}
	if modules != "" {
		opt.NodePaths = []string{modules}
	}
	b.note(f, "esbuild")
	res := api.Build(opt)
	if len(res.Errors) > 0 {
		return nil, fmt.Errorf("%s", strings.TrimSpace(strings.Join(api.FormatMessages(res.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage}), "\n")))
	}
	t := newTree()
	t.watch = []string{f.Source}
	for _, o := range res.OutputFiles {
		rel, err := filepath.Rel("/out", o.Path)
		if err != nil {
			return nil, err
		}
		t.files[filepath.ToSlash(rel)] = entry{body: o.Contents}
	}
	if opt.Format == api.FormatESModule && opt.OutExtension[".js"] == "" {
		if doc, err := os.ReadFile(filepath.Join(f.Source, "package.json")); err == nil {
			t.files["package.json"] = entry{body: doc}
		}
	}
	return t, nil
}

func esbuildOption(opt *api.BuildOptions, name string, v any) error {
	bad := func() error { return fmt.Errorf("BuildProperties.%s: %v is not a value that it takes", name, v) }
	switch name {
	case "EntryPoints":
		opt.EntryPoints = append(opt.EntryPoints, stringsOf(v)...)
	case "External":
		opt.External = stringsOf(v)
	case "MainFields":
		opt.MainFields = strings.Split(fmt.Sprint(v), ",")
	case "Minify":
		on := fmt.Sprint(v) == "true"
		opt.MinifyIdentifiers, opt.MinifySyntax, opt.MinifyWhitespace = on, on, on
	case "Sourcemap":
		if fmt.Sprint(v) == "true" {
			opt.Sourcemap = api.SourceMapLinked
		}
	case "Format":
		switch fmt.Sprint(v) {
		case "cjs":
			opt.Format = api.FormatCommonJS
		case "esm":
			opt.Format = api.FormatESModule
		default:
			return bad()
		}
	case "Target":
		t, ok := map[string]api.Target{"es2020": api.ES2020, "es2021": api.ES2021, "es2022": api.ES2022, "es2023": api.ES2023, "es2024": api.ES2024, "esnext": api.ESNext}[strings.ToLower(fmt.Sprint(v))]
		if !ok {
			return bad()
		}
		opt.Target = t
	case "OutExtension":
		opt.OutExtension = pairs(v)
	case "Loader":
		opt.Loader = map[string]api.Loader{}
		for ext, l := range pairs(v) {
			loader, ok := map[string]api.Loader{"text": api.LoaderText, "json": api.LoaderJSON, "file": api.LoaderFile, "binary": api.LoaderBinary, "base64": api.LoaderBase64, "dataurl": api.LoaderDataURL, "copy": api.LoaderCopy, "js": api.LoaderJS, "ts": api.LoaderTS}[l]
			if !ok {
				return bad()
			}
			opt.Loader[ext] = loader
		}
	case "UseNpmCi":
	default:
		return fmt.Errorf("BuildProperties.%s is not one that Tierra knows", name)
	}
	return nil
}

func stringsOf(v any) []string {
	l, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprint(v)}
	}
	out := make([]string, len(l))
	for i := range l {
		out[i] = fmt.Sprint(l[i])
	}
	return out
}

// pairs reads a list of ".ext=value".
func pairs(v any) map[string]string {
	out := map[string]string{}
	for _, p := range stringsOf(v) {
		if k, val, ok := strings.Cut(p, "="); ok {
			out[k] = val
		}
	}
	return out
}
