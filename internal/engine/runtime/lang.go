package runtime

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// langBin is where the managed runtimes have their interpreter: the programs of
// packages and layers name it in their first line.
const langBin = "/var/lang/bin"

// addLang lets a choice see its interpreter there, under its usual names.
func (c *Catalog) addLang(choice *Choice, i *Interpreter) error {
	names := map[string][]string{
		"python": {"python", "python3", fmt.Sprintf("python%d.%d", i.Version.Major, i.Version.Minor)}, "nodejs": {"node"}, "ruby": {"ruby"},
	}[i.Family]
	h := fnv.New64a()
	_, _ = h.Write([]byte(i.Path))
	dir := filepath.Join(c.roots, "lang", i.Family+"-"+strconv.FormatUint(h.Sum64(), 16))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of an interpreter: %w", err)
	}
	for _, name := range names {
		if err := os.Symlink(i.Path, filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("name an interpreter: %w", err)
		}
	}
	choice.Mounts = append(choice.Mounts, sandbox.Mount{Source: dir, Target: langBin})
	return nil
}
