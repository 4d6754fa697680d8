package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// howToGet tells where a tool that builds functions comes from.
func howToGet(name string) string {
	switch name {
	case "go":
		return "install Go from https://go.dev/dl or with your package manager"
	case "npm":
		return "install Node.js with npm from https://nodejs.org or with your package manager"
	case "cargo":
		return "install Rust from https://rustup.rs"
	case "mvn":
		return "install Maven with your package manager (apt-get install maven), or give the project its wrapper, mvnw"
	case "gradle":
		return "install Gradle with your package manager, or give the project its wrapper, gradlew"
	case "uv":
		return "install uv with pip install uv, or as https://docs.astral.sh/uv says"
	case "make":
		return "install make with your package manager (apt-get install make)"
	}
	return "install it, so that it is in PATH"
}

// Command is a Builder's Run: it runs the command with this process's environment
// and env, and returns its combined output. A tool that is not there is an error
// that tells how to get it.
func Command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	// A file and not a pipe: what the tool leaves running (Gradle's daemon) would hold
	// the pipe open, which would be waited for.
	out, err := os.CreateTemp("", "tierra-build-*")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := os.Remove(out.Name()); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, rerr := io.ReadAll(io.NewSectionReader(out, 0, 1<<30))
	if err == nil {
		err = rerr
	}
	if errors.Is(err, exec.ErrNotFound) {
		return text, fmt.Errorf("%w on this machine; %s", err, howToGet(filepath.Base(name)))
	}
	return text, err
}
