package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tierra-cloud/tierra/internal/server"
)

// defaultData returns $XDG_DATA_HOME/tierra, or its usual place.
func defaultData() (string, error) {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "tierra"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no data folder: %w; name one with --data", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "tierra"), nil
	}
	return filepath.Join(home, ".local", "share", "tierra"), nil
}

func openFolder(dir string) (server.Folder, error) {
	if dir == "" {
		var err error
		if dir, err = defaultData(); err != nil {
			return server.Folder{}, err
		}
	}
	return server.OpenFolder(dir)
}
