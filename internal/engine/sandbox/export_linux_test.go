//go:build linux && (amd64 || arm64)

package sandbox

import "path/filepath"

// GroupName is the name of the control groups of the launcher with a state folder.
func GroupName(state string) (string, error) {
	state, err := filepath.EvalSymlinks(state)
	return groupName(state), err
}
