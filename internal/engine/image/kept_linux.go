package image

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// machineRun names the time since the machine was started.
func machineRun() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// folderID tells a folder from its copies.
func folderID(dir string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return "", fmt.Errorf("stat %s: %w", dir, err)
	}
	return fmt.Sprint(st.Ino), nil
}

// syncAll syncs the file system of a folder.
func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
