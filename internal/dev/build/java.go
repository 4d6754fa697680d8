package build

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// gradleInit is what Gradle is given beside the project's own build.
//
//go:embed init.gradle
var gradleInit []byte

// skipJava is what the tools write beside the sources.
var skipJava = [...]string{"target", "build", ".gradle", "out"}

// java builds a project of Maven (pom.xml) or Gradle (build.gradle, build.gradle.kts,
// which go before it), with its tests, in a copy of its folder. A function has its
// classes and resources at the root of its package and what they need in lib; a
// layer has the project's jar in lib as well.
// https://docs.aws.amazon.com/lambda/latest/dg/java-package.html
func (b *Builder) java(ctx context.Context, f Function) (*tree, error) {
	t := newTree()
	t.watch = []string{f.Source}
	for _, name := range []string{"build.gradle", "build.gradle.kts", "pom.xml"} {
		if _, err := os.Stat(filepath.Join(f.Source, name)); err != nil {
			continue
		}
		dir := filepath.Join(b.Cache, "java", f.LogicalID)
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		if name == "pom.xml" {
			return t, b.maven(ctx, f, filepath.Join(dir, "sources"), t)
		}
		return t, b.gradle(ctx, f, dir, t)
	}
	return nil, fmt.Errorf("%s has neither a pom.xml nor a build.gradle", f.Source)
}

func (b *Builder) maven(ctx context.Context, f Function, dir string, t *tree) error {
	if err := copyOf(f.Source, dir, skipJava[:]); err != nil {
		return err
	}
	tool := "mvn"
	if _, err := os.Stat(filepath.Join(dir, "mvnw")); err == nil {
		tool = "./mvnw"
	}
	b.note(f, tool+" package")
	// In one run of both goals copy-dependencies would be of the package as it is built.
	for _, goals := range [][]string{{"clean", "package"}, {"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=target/dependency"}} {
		if text, err := b.Run(ctx, dir, nil, tool, append([]string{"--batch-mode", "--quiet"}, goals...)...); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", tool, goals[len(goals)-1], err, text)
		}
	}
	var err error
	if f.Layer {
		var jars []string
		if jars, err = filepath.Glob(filepath.Join(dir, "target", "*.jar")); err != nil {
			return err
		}
		for _, jar := range jars {
			if err := t.add("lib/"+filepath.Base(jar), jar, 0o644); err != nil {
				return err
			}
		}
	} else {
		err = t.addFolder("", filepath.Join(dir, "target", "classes"))
	}
	if err != nil {
		return fmt.Errorf("what Maven made: %w", err)
	}
	if err := t.addFolder("lib", filepath.Join(dir, "target", "dependency")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // a project without dependencies has none
	}
	return nil
}

// gradle builds where the project is, as it may be part of a bigger build, and
// leaves what it makes in dir.
func (b *Builder) gradle(ctx context.Context, f Function, dir string, t *tree) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	script := filepath.Join(dir, "init.gradle")
	if err := os.WriteFile(script, gradleInit, 0o600); err != nil {
		return err
	}
	tool := "gradle"
	for at := f.Source; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "gradlew")); err == nil {
			tool = filepath.Join(at, "gradlew")
			break
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	b.note(f, filepath.Base(tool)+" build")
	text, err := b.Run(ctx, f.Source, nil, tool, "--quiet", "--console=plain", "--init-script", script, "--project-cache-dir", filepath.Join(dir, "cache"),
		"-Dtierra.dir="+dir, "-Dtierra.project="+f.Source, fmt.Sprintf("-Dtierra.layer=%t", f.Layer), "tierraPackage")
	if err != nil {
		return fmt.Errorf("%s build: %w\n%s", filepath.Base(tool), err, text)
	}
	if err := t.addFolder("", filepath.Join(dir, "package")); err != nil {
		return fmt.Errorf("what Gradle made: %w", err)
	}
	return nil
}
