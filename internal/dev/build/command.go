package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Command is a Builder's Run: it runs the command with this process's environment
// and env, and returns its combined output.
func Command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return text, fmt.Errorf("%s is not installed on this machine: %w", name, err)
	}
	return text, err
}
