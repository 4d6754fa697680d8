package ecr

import (
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"ab", "a/b", "team/shop", "a.b-c_d", "a__b", "a---b", "0/1"} {
		if !checkRepositoryName(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "a", "A/b", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a-", "a._b", "a/../b", "a b"} {
		if checkRepositoryName(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
	for tag, good := range map[string]bool{"v1": true, "_x": true, "V1.2-3": true, ".v": false, "-v": false, "": false, "a:b": false, "a/b": false} {
		if checkTag(tag) != good {
			t.Errorf("tag %q: %v", tag, !good)
		}
	}
}

func TestWildcard(t *testing.T) {
	for _, x := range []struct {
		pattern, s string
		want       bool
	}{
		{"v1", "v1", true}, {"v1", "v12", false}, {"v*", "v12", true}, {"*", "", true}, {"*dev*", "a-dev-b", true},
		{"a*b*c", "abc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"", "", true},
	} {
		if got := wildcard(x.pattern, x.s); got != x.want {
			t.Errorf("%q fits %q: %v", x.pattern, x.s, got)
		}
	}
}

func FuzzLifecycle(f *testing.F) {
	f.Add(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`)
	f.Add(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["v*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":3},"action":{"type":"expire"}}]}`)
	f.Add(`{`)
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	all := []*picture{{Digest: "a", Pushed: at, Tags: []string{"v1"}}, {Digest: "b", Pushed: at.Add(time.Hour)}, {Digest: "c", Pushed: at, Children: nil}}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := parseLifecycle(text)
		if err != nil {
			return
		}
		if got := applyRules(rules, all, at.Add(100*24*time.Hour)); len(got) > len(all) {
			t.Errorf("%d of %d images go", len(got), len(all))
		}
	})
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a/b/tags/list", "a/blobs/uploads/", "a/blobs/uploads/id", "a/b/blobs/sha256:00", "a/manifests/v1", "a/referrers/sha256:00", "blobs", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if name, kind, rest, ok := split(path); ok && (kind == "" || len(name)+len(rest) > len(path)) {
			t.Errorf("%q: %q %q %q", path, name, kind, rest)
		}
	})
}
