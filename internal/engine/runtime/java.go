package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Java functions run on AWS's own client of the Runtime API for Java, which reads
// handlers and converts events as the managed runtimes do. It is not part of this
// program: it is the function's package that has it, or the user's Maven repository.
// https://docs.aws.amazon.com/lambda/latest/dg/java-handler.html

const (
	javaMain     = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
	javaClient   = "aws-lambda-java-runtime-interface-client"
	javaVersion  = "2.6.0" // the version that is recommended
	mavenLambda  = ".m2/repository/com/amazonaws"
	javaArtifact = "com.amazonaws:" + javaClient + ":" + javaVersion
)

// javaParts are what the client consists of.
var javaParts = [...]string{javaClient, "aws-lambda-java-core", "aws-lambda-java-serialization"}

// javaGet tells how to get the client.
const javaGet = "AWS's client of the Runtime API for Java is needed, in the function's package (lib/" + javaClient + "-*.jar, with its dependencies) or in the Maven repository: mvn dependency:get -Dartifact=" + javaArtifact

// findJavaClient copies the client out of the Maven repository into the folder
// that functions see; it reports whether it is there.
func (c *Catalog) findJavaClient(dir string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
		return false, fmt.Errorf("making the folder of Java's client: %w", err)
	}
	if c.cfg.Home == "" {
		return false, nil
	}
	var jars []string
	for _, part := range javaParts {
		found, err := filepath.Glob(filepath.Join(c.cfg.Home, mavenLambda, part, "*", part+"-*.jar"))
		if err != nil {
			return false, err
		}
		found = slices.DeleteFunc(found, func(jar string) bool {
			version := filepath.Base(filepath.Dir(jar))
			return filepath.Base(jar) != part+"-"+version+".jar" // sources, or another machine's
		})
		if len(found) == 0 {
			return false, nil
		}
		jars = append(jars, slices.MaxFunc(found, func(a, b string) int {
			return jarVersion(a).compare(jarVersion(b))
		}))
	}
	for _, jar := range jars {
		to := filepath.Join(dir, "lib", filepath.Base(jar))
		if _, err := os.Stat(to); err == nil {
			continue
		}
		b, err := os.ReadFile(jar)
		if err != nil {
			return false, fmt.Errorf("reading Java's client: %w", err)
		}
		if err := os.WriteFile(to+".new", b, 0o644); err != nil {
			return false, fmt.Errorf("copying Java's client: %w", err)
		}
		if err := os.Rename(to+".new", to); err != nil {
			return false, fmt.Errorf("copying Java's client: %w", err)
		}
	}
	return true, nil
}

func jarVersion(jar string) Version {
	v, _ := parseVersion(filepath.Base(filepath.Dir(jar)))
	return v
}

// bringsJavaClient tells whether a package has the client itself.
func bringsJavaClient(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "lib", javaClient+"-*.jar"))
	return len(found) > 0
}

// java completes the choice of a Java runtime.
func (c *Catalog) java(choice Choice) (Choice, error) {
	dir := filepath.Join(c.roots, bootstrapFolder("java"))
	there, err := c.findJavaClient(dir)
	if err != nil {
		return Choice{}, err
	}
	choice.Protocol, choice.needsClient = RuntimeAPI, !there
	choice.Mounts = append(javaMounts(choice.Path), sandbox.Mount{Source: dir, Target: runtimeRoot})
	choice.env = []string{"PATH=" + filepath.Dir(choice.Path) + ":/usr/local/bin:/usr/bin:/bin:/opt/bin"}
	return c.trust(choice)
}

// javaMounts are what a sandbox has to see of a Java that is not the system's.
func javaMounts(path string) []sandbox.Mount {
	for _, p := range systemFolders {
		if strings.HasPrefix(path, p) {
			return nil
		}
	}
	home := filepath.Dir(filepath.Dir(path))
	return []sandbox.Mount{{Source: home, Target: home}}
}

// CheckCode tells whether a runtime can execute a package, unpacked in dir. The
// error is an *UnavailableError that tells what is missing.
func (c *Choice) CheckCode(dir string) error {
	if !c.needsClient || bringsJavaClient(dir) {
		return nil
	}
	return &UnavailableError{c.Runtime, javaGet}
}

// javaArgv is the command line of a Java function. The heap is 85 % of the
// memory and the compiler is the fast one, as on AWS.
func (c *Choice) javaArgv(cfg Config) []string {
	argv := []string{c.Path}
	if kb := cfg.Memory >> 10; kb > 0 {
		argv = append(argv, "-XX:MaxHeapSize="+strconv.FormatInt(max(kb*85/100, 16<<10), 10)+"k")
	}
	argv = append(argv, "-XX:+UseSerialGC", "-XX:+TieredCompilation", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"--add-opens=java.base/java.io=ALL-UNNAMED")
	if c.store && !cfg.ownStore() {
		argv = append(argv, "-D"+javaStoreProperty+"="+runtimeRoot+"/"+javaStore)
	}
	path := runtimeRoot + "/lib/*"
	if c.needsClient {
		path = taskRoot + ":" + taskRoot + "/lib/*"
	}
	return append(argv, "-cp", path, javaMain, cfg.Handler)
}

// checkJava looks for the client where it must be.
func (c *Choice) checkJava(cfg Config) error {
	if err := c.CheckCode(cfg.Code); err != nil {
		return &InitError{Type: typeEntry, Message: err.Error()}
	}
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return &InitError{Type: typeEntry, Message: c.Path + " is not there any more"}
	}
	return nil
}

// parseLooseVersion reads a version that may have fewer than three numbers, as
// Java's: the first word that begins with a digit.
func parseLooseVersion(s string) (Version, bool) {
	for word := range strings.FieldsSeq(s) {
		if word[0] < '0' || word[0] > '9' {
			continue
		}
		var v Version
		for _, n := range [...]*int{&v.Major, &v.Minor, &v.Patch} {
			digits := len(word) - len(strings.TrimLeft(word, "0123456789"))
			if *n = number(word[:digits]); *n < 0 {
				return Version{}, false
			}
			rest, more := strings.CutPrefix(word[digits:], ".")
			if !more || rest == "" || rest[0] < '0' || rest[0] > '9' {
				break
			}
			word = rest
		}
		return v, v.Major > 0
	}
	return Version{}, false
}
