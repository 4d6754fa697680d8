package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestJavaClientIsFound tells where the client comes from: the newest of the
// Maven repository, else the package, else nowhere.
func TestJavaClientIsFound(t *testing.T) {
	home := t.TempDir()
	c, err := NewCatalog(CatalogConfig{Dir: t.TempDir(), Home: home})
	if err != nil {
		t.Fatal(err)
	}
	choose := func() Choice {
		t.Helper()
		choice, err := c.java(Choice{Runtime: "java17", Family: "java", Path: "/usr/lib/jvm/x/bin/java"})
		if err != nil {
			t.Fatal(err)
		}
		return choice
	}
	none, own := t.TempDir(), t.TempDir()
	write(t, filepath.Join(own, "lib", javaClient+"-2.4.1.jar"), "jar")

	choice := choose()
	var missing *UnavailableError
	if err := choice.CheckCode(none); !errors.As(err, &missing) || !strings.Contains(missing.Reason, "mvn dependency:get -Dartifact=com.amazonaws:"+javaClient) {
		t.Errorf("without the client: %v", err)
	}
	if err := choice.CheckCode(own); err != nil {
		t.Errorf("the package has it: %v", err)
	}
	if argv := choice.argv(Config{Handler: "a.B::c", Memory: 512 << 20}); !slices.Contains(argv, "/var/task:/var/task/lib/*") || !slices.Contains(argv, "-XX:MaxHeapSize=445644k") || argv[len(argv)-1] != "a.B::c" {
		t.Errorf("%q", argv)
	}

	for _, name := range []string{javaClient + "/2.6.0", javaClient + "/2.10.0", "aws-lambda-java-core/1.2.3"} {
		part, version, _ := strings.Cut(name, "/")
		write(t, filepath.Join(home, mavenLambda, part, version, part+"-"+version+".jar"), version)
		write(t, filepath.Join(home, mavenLambda, part, version, part+"-"+version+"-sources.jar"), "sources")
	}
	if err := new(choose()).CheckCode(none); err == nil {
		t.Error("it is taken without all of its parts")
	}
	write(t, filepath.Join(home, mavenLambda, "aws-lambda-java-serialization/1.1.5/aws-lambda-java-serialization-1.1.5.jar"), "1.1.5")
	choice = choose()
	if err := choice.CheckCode(none); err != nil {
		t.Errorf("the repository has it: %v", err)
	}
	if argv := choice.argv(Config{Handler: "h"}); !slices.Contains(argv, "/var/runtime/lib/*") {
		t.Errorf("%q", argv)
	}
	dir := choice.Mounts[len(choice.Mounts)-1].Source
	entries, err := os.ReadDir(filepath.Join(dir, "lib"))
	if err != nil || len(entries) != 3 || entries[1].Name() != javaClient+"-2.10.0.jar" {
		t.Errorf("%v %v", entries, err)
	}
}

func TestParseLooseVersion(t *testing.T) {
	for in, want := range map[string]Version{
		"openjdk 17.0.15 2025-04-15": {17, 0, 15}, "openjdk 25 2025-09-16": {25, 0, 0}, "java 21.0.1+12": {21, 0, 1}, "none": {}, "": {},
	} {
		if got, ok := parseLooseVersion(in); got != want || ok != (want != Version{}) {
			t.Errorf("%q: got %v, %v", in, got, ok)
		}
	}
}
