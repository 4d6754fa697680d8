package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

// rust builds the folder's Cargo package in release mode and takes its program
// as "bootstrap". Of several programs, BuildProperties.Binary names one. A target
// other than this machine's has to be installed (`rustup target add`).
func (b *Builder) rust(ctx context.Context, f Function) (*tree, error) {
	args := []string{"build", "--release", "--message-format=json-render-diagnostics"}
	arch := f.goarch()
	if arch != runtime.GOARCH || runtime.GOOS != "linux" {
		args = append(args, "--target", map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]+"-unknown-linux-musl")
	}
	binary := ""
	if v, ok := f.Properties["Binary"]; ok {
		binary = fmt.Sprint(v)
		args = append(args, "--bin", binary)
	}
	b.note(f, "cargo build")
	text, err := b.Run(ctx, f.Source, []string{"CARGO_TARGET_DIR=" + filepath.Join(b.Cache, "cargo", f.LogicalID)}, "cargo", args...)
	if err != nil {
		return nil, fmt.Errorf("cargo build: %w\n%s", err, text)
	}
	programs := map[string]string{}
	for line := range bytes.Lines(text) {
		var m struct {
			Reason     string `json:"reason"`
			Executable string `json:"executable"`
			Target     struct {
				Name string   `json:"name"`
				Kind []string `json:"kind"`
			} `json:"target"`
		}
		// What is not JSON is cargo speaking to people.
		if json.Unmarshal(line, &m) == nil && m.Reason == "compiler-artifact" && m.Executable != "" && len(m.Target.Kind) == 1 && m.Target.Kind[0] == "bin" {
			programs[m.Target.Name] = m.Executable
		}
	}
	if binary == "" && len(programs) == 1 {
		for binary = range programs {
		}
	}
	if programs[binary] == "" {
		names := make([]string, 0, len(programs))
		for n := range programs {
			names = append(names, n)
		}
		sort.Strings(names)
		return nil, fmt.Errorf("the package makes the programs [%s]; name one in Metadata.BuildProperties.Binary", strings.Join(names, ", "))
	}
	t := newTree()
	t.watch = []string{filepath.Join(f.Source, "src"), filepath.Join(f.Source, "Cargo.toml")}
	return t, t.add("bootstrap", programs[binary], 0o755)
}
