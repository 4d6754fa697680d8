package runtime

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Version is a version of an interpreter.
type Version struct{ Major, Minor, Patch int }

// String is the version with dots.
func (v Version) String() string {
	return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor) + "." + strconv.Itoa(v.Patch)
}

func (v Version) compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// Interpreter is a program of this machine that executes functions.
type Interpreter struct {
	// Family is the language: "python", "nodejs", "ruby" or "java".
	Family string
	// Path is the program itself, links followed.
	Path string
	// Version is what it says of itself.
	Version Version

	stamp stamp // of the program when it was asked
}

// family is how the interpreters of a language are found.
type family struct {
	name string
	// program matches the names of the program.
	program *regexp.Regexp
	// homes are where version managers keep versions, below the home folder.
	homes []string
	// oldest is the oldest version that the bootstrap runs on.
	oldest Version
	get    string
	// places are further folders, as patterns; loose tells that a version may have
	// fewer than three numbers.
	places []string
	loose  bool
}

var families = [...]family{
	{
		name: "python", program: regexp.MustCompile(`^python3(\.\d+)?$`),
		homes:  []string{".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", ".asdf/installs/python/*/bin", ".local/share/mise/installs/python/*/bin"},
		oldest: Version{3, 9, 0},
		get:    "install it with your system's packages (apt install python3, dnf install python3, brew install python) or with pyenv (pyenv install %s)",
	},
	{
		name: "nodejs", program: regexp.MustCompile(`^node(js)?$`),
		homes:  []string{".nvm/versions/node/*/bin", ".local/share/fnm/node-versions/*/installation/bin", ".asdf/installs/nodejs/*/bin", ".local/share/mise/installs/node/*/bin"},
		oldest: Version{18, 0, 0},
		get:    "install it with your system's packages (apt install nodejs, dnf install nodejs, brew install node) or with nvm (nvm install %s)",
	},
	{
		name: "ruby", program: regexp.MustCompile(`^ruby(\d(\.\d+)?)?$`),
		homes:  []string{".rbenv/versions/*/bin", ".rubies/*/bin", ".asdf/installs/ruby/*/bin", ".local/share/mise/installs/ruby/*/bin"},
		oldest: Version{3, 1, 0},
		get:    "install it with your system's packages (apt install ruby, dnf install ruby, brew install ruby) or with rbenv (rbenv install %s)",
	},
	{
		name: "java", program: regexp.MustCompile(`^java$`),
		homes:  []string{".sdkman/candidates/java/*/bin", ".asdf/installs/java/*/bin", ".local/share/mise/installs/java/*/bin"},
		places: []string{"/usr/lib/jvm/*/bin", "/opt/homebrew/opt/openjdk*/bin", "/usr/local/lib/jvm/*/bin"},
		oldest: Version{17, 0, 0}, loose: true,
		get: "install it with your system's packages (apt install openjdk-%[1]s-jre-headless, dnf install java-%[1]s-openjdk-headless, brew install openjdk@%[1]s)",
	},
}

// search finds all interpreters of a family in the folders of path and of
// version managers below home; it asks each program for its version.
func (f *family) search(ctx context.Context, path, home string) []Interpreter {
	var dirs []string
	if home != "" {
		for _, pattern := range f.homes {
			found, _ := filepath.Glob(filepath.Join(home, pattern))
			dirs = append(dirs, found...)
		}
	}
	for _, pattern := range f.places {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	dirs = append(dirs, filepath.SplitList(path)...)
	dirs = append(dirs, "/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
	var out []Interpreter
	seen := map[string]bool{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil || !filepath.IsAbs(dir) {
			continue
		}
		for _, e := range entries {
			if !f.program.MatchString(e.Name()) {
				continue
			}
			real, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			// The scripts that version managers put in the way run other programs.
			if isScript(real) {
				continue
			}
			v, ok := f.askVersion(ctx, real)
			if ok && v.compare(f.oldest) >= 0 {
				out = append(out, Interpreter{f.name, real, v, stampOf(real)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Interpreter) int { return b.Version.compare(a.Version) })
	return out
}

func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	var b [2]byte
	_, err = io.ReadFull(f, b[:])
	return err != nil || string(b[:]) == "#!"
}

var versionText = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`)

// askVersion runs a program with --version.
func (f *family) askVersion(ctx context.Context, path string) (Version, bool) {
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.Output()
	if err != nil {
		return Version{}, false
	}
	if f.loose {
		return parseLooseVersion(string(out))
	}
	return parseVersion(string(bytes.TrimSpace(out)))
}

func parseVersion(s string) (Version, bool) {
	m := versionText.FindStringSubmatch(s)
	if m == nil {
		return Version{}, false
	}
	var v Version
	for i, p := range []*int{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.Atoi(m[1+i])
		if err != nil {
			return Version{}, false
		}
		*p = n
	}
	return v, true
}

// systemFolders are visible in every sandbox.
var systemFolders = [...]string{"/usr/", "/bin/", "/lib/", "/lib64/"}

// mounts are what a sandbox has to see for an interpreter to run: nothing if it
// is the system's, else the folder that it was installed to.
func (i *Interpreter) mounts() []sandbox.Mount {
	for _, p := range systemFolders {
		if strings.HasPrefix(i.Path, p) {
			return nil
		}
	}
	prefix := filepath.Dir(filepath.Dir(i.Path))
	lib := filepath.Join(prefix, "lib", "python"+strconv.Itoa(i.Version.Major)+"."+strconv.Itoa(i.Version.Minor))
	switch i.Family {
	case "nodejs":
		lib = filepath.Join(prefix, "lib", "node_modules")
	case "ruby":
		lib = filepath.Join(prefix, "lib", "ruby")
	}
	if _, err := os.Stat(lib); err != nil || prefix == "/" {
		// Not a folder of its own: only the program can be shown safely.
		return []sandbox.Mount{{Source: i.Path, Target: i.Path}}
	}
	return []sandbox.Mount{{Source: prefix, Target: prefix}}
}
