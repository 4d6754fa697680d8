package cdk

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Watches reports whether a change of the file or folder at path, which is
// absolute, may change what the application comes to. As with cdk watch, "watch"
// of cdk.json includes and excludes; what starts with a dot, node_modules and the
// assembly never count.
// https://docs.aws.amazon.com/cdk/v2/guide/ref-cli-cmd-watch.html
func (a *App) Watches(p string) bool {
	if p == a.Output || strings.HasPrefix(p, a.Output+string(filepath.Separator)) {
		return false
	}
	rel, err := filepath.Rel(a.Dir, p)
	if err != nil || strings.HasPrefix(rel, "..") {
		return false
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	if slices.ContainsFunc(parts, func(s string) bool {
		return s == "node_modules" || s == "__pycache__" || s != "." && strings.HasPrefix(s, ".")
	}) {
		return false
	}
	if rel == File || rel == "cdk.context.json" {
		return true
	}
	if slices.ContainsFunc(a.exclude, func(s string) bool { return matches(s, parts) }) {
		return false
	}
	return len(a.include) == 0 || slices.ContainsFunc(a.include, func(s string) bool { return matches(s, parts) })
}

// Enters reports whether there may be something to watch in a folder.
func (a *App) Enters(dir string) bool {
	if dir == a.Dir {
		return true
	}
	b := *a
	b.include = nil
	return b.Watches(dir)
}

// matches reports whether a pattern matches a path or a folder that it is in.
// ** stands for any number of folders.
func matches(pattern string, parts []string) bool {
	return match(strings.Split(strings.Trim(strings.TrimPrefix(pattern, "./"), "/"), "/"), parts)
}

func match(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return true // what is in a folder that matches is meant as well
	}
	if pattern[0] == "**" {
		for i := range len(parts) + 1 {
			if len(pattern) == 1 || i < len(parts) && match(pattern[1:], parts[i:]) {
				return true
			}
		}
		return false
	}
	if len(parts) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], parts[0])
	return err == nil && ok && match(pattern[1:], parts[1:])
}
