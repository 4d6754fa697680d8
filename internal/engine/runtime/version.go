package runtime

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// A runtime version is what executes a runtime's functions at a time: the version
// of the interpreter, or of the system whose folders an OS-only runtime sees.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html

// VersionName names the runtime version in AWS's form, "nodejs:22.v22.11.0"; it is
// empty for container images, which bring what executes them.
func (c *Choice) VersionName() string {
	if c.image != nil {
		return ""
	}
	if c.system != "" {
		return versionName(c.Runtime, c.system)
	}
	return versionName(c.Runtime, c.Version.String())
}

// versionName names a version of a runtime.
func versionName(runtime, version string) string {
	family, line, ok := strings.Cut(runtime, ".")
	if family == "provided" && !ok {
		return family + ".v" + version
	}
	name := strings.TrimRight(family, "0123456789")
	if line == "x" {
		line = ""
	}
	of := strings.TrimPrefix(family, name)
	if of != "" && line != "" {
		of += "."
	}
	return name + ":" + of + line + ".v" + version
}

// Versions names the versions of a runtime that this machine has; the first is the
// one that Resolve takes. The error is that of Resolve.
func (c *Catalog) Versions(ctx context.Context, name string) ([]string, error) {
	best, err := c.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	all := []string{best.VersionName()}
	if best.system != "" {
		return all, nil
	}
	for i := range families {
		if families[i].name != best.Family {
			continue
		}
		for _, x := range c.family(ctx, &families[i]) {
			if v := versionName(name, x.Version.String()); v != all[0] && sameLine(best.Family, x.Version, best.Version) {
				all = append(all, v)
			}
		}
	}
	return all, nil
}

// ResolveVersion is Resolve for one of a runtime's Versions. The error is an
// *UnavailableError if this machine has it no more.
func (c *Catalog) ResolveVersion(ctx context.Context, name, version string) (Choice, error) {
	choice, err := c.resolve(ctx, name, version)
	if err == nil && choice.VersionName() != version {
		return Choice{}, goneVersion(name, version, choice.VersionName())
	}
	return choice, err
}

func goneVersion(name, version, have string) error {
	return &UnavailableError{name, fmt.Sprintf("its version %s is not on this machine, which has %s", version, have)}
}

// sameLine tells whether two versions of an interpreter execute the same runtime.
func sameLine(family string, v, w Version) bool {
	return v.Major == w.Major && (!byMinor(family) || v.Minor == w.Minor)
}

// stamp tells whether a program is still the one that was asked for its version.
type stamp struct {
	changed time.Time
	size    int64
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// system is the name and version of the operating system, "debian-12".
func (c *Catalog) system() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.osName == "" {
		c.osName = osRelease("/etc/os-release")
	}
	return c.osName
}

func osRelease(path string) string {
	id, version := "unknown", ""
	f, err := os.Open(path)
	if err != nil {
		return id
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		k, v, _ := strings.Cut(lines.Text(), "=")
		v = strings.Trim(v, `"'`)
		switch {
		case k == "ID" && v != "":
			id = v
		case k == "VERSION_ID" && v != "":
			version = "-" + v
		}
	}
	return id + version
}
