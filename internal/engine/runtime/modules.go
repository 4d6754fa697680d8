package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// The managed runtimes bring the AWS SDK. Here it is what the machine has: of
// Node.js, the modules that were installed globally (npm install -g), and those of
// the folders that the server was told; of Python, what the interpreter has, and
// the virtual environment in which the server was started. They come after
// everything that a function or its layers bring.

// nodeModules are the folders of modules besides a function's own.
func (c *Catalog) nodeModules(i *Interpreter) []string {
	global := filepath.Join(filepath.Dir(filepath.Dir(i.Path)), "lib", "node_modules")
	var out []string
	for _, dir := range append(filepath.SplitList(c.cfg.NodePath), global) {
		if st, err := os.Stat(dir); err == nil && st.IsDir() && filepath.IsAbs(dir) && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// besideTask is where ES modules in the code's folder look, too: they do not know
// the variable NODE_PATH.
const besideTask = "/var/node_modules"

// addModules lets a choice of Node.js see them.
func (c *Catalog) addModules(choice *Choice, i *Interpreter) {
	folders := c.nodeModules(i)
	if at := slices.IndexFunc(folders, hasSDK); at >= 0 {
		choice.Mounts = append(choice.Mounts, sandbox.Mount{Source: folders[at], Target: besideTask})
	}
	for n, dir := range folders {
		target := "/var/modules/" + strconv.Itoa(n)
		choice.Mounts = append(choice.Mounts, sandbox.Mount{Source: dir, Target: target})
		for k, v := range choice.env {
			if strings.HasPrefix(v, "NODE_PATH=") {
				choice.env[k] = v + ":" + target
			}
		}
	}
}

// addVirtualEnv lets a choice of Python see the packages of the virtual
// environments in PATH that are made of its interpreter.
func (c *Catalog) addVirtualEnv(choice *Choice, i *Interpreter) {
	for n, dir := range filepath.SplitList(c.cfg.Path) {
		root := filepath.Dir(dir)
		if _, err := os.Stat(filepath.Join(root, "pyvenv.cfg")); err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "python3")); err != nil || real != i.Path {
			continue
		}
		site := filepath.Join(root, "lib", fmt.Sprintf("python%d.%d", i.Version.Major, i.Version.Minor), "site-packages")
		if _, err := os.Stat(site); err != nil {
			continue
		}
		target := "/var/modules/" + strconv.Itoa(n)
		choice.Mounts = append(choice.Mounts, sandbox.Mount{Source: site, Target: target})
		for k, v := range choice.env {
			if strings.HasPrefix(v, "PYTHONPATH=") {
				choice.env[k] = v + ":" + target
			}
		}
	}
}

// HasSDK tells whether functions in Node.js find the AWS SDK (one of its clients)
// without bringing it.
func (c *Catalog) HasSDK(i *Interpreter) bool {
	return slices.ContainsFunc(c.nodeModules(i), hasSDK)
}

func hasSDK(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, "@aws-sdk", "client-*"))
	return err == nil && len(found) > 0
}
