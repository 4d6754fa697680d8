package cloudcontrol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/cloudcontrol"
)

const patched = `{"a": {"b": [1, 2, 3]}, "c/d": "x", "e~f": null}`

func TestPatch(t *testing.T) {
	for patch, want := range map[string]string{
		`[]`: patched,
		`[{"op": "add", "path": "/n", "value": {"x": 1}}]`:                                                           `{"a": {"b": [1, 2, 3]}, "c/d": "x", "e~f": null, "n": {"x": 1}}`,
		`[{"op": "add", "path": "/a/b/1", "value": 9}, {"op": "add", "path": "/a/b/-", "value": 8}]`:                 `{"a": {"b": [1, 9, 2, 3, 8]}, "c/d": "x", "e~f": null}`,
		`[{"op": "remove", "path": "/a/b/0"}, {"op": "remove", "path": "/c~1d"}, {"op": "remove", "path": "/e~0f"}]`: `{"a": {"b": [2, 3]}}`,
		`[{"op": "replace", "path": "/a/b/2", "value": 7}, {"op": "test", "path": "/a/b", "value": [1, 2, 7]}]`:      `{"a": {"b": [1, 2, 7]}, "c/d": "x", "e~f": null}`,
		`[{"op": "move", "from": "/a/b", "path": "/m"}, {"op": "copy", "from": "/m/0", "path": "/a/k"}]`:             `{"a": {"k": 1}, "m": [1, 2, 3], "c/d": "x", "e~f": null}`,
		`[{"op": "replace", "path": "", "value": {"z": 1}}]`:                                                         `{"z": 1}`,
	} {
		var doc, expected map[string]any
		_, _ = json.Unmarshal([]byte(patched), &doc), json.Unmarshal([]byte(want), &expected)
		got, err := cloudcontrol.ApplyPatch(doc, patch)
		if err != nil {
			t.Errorf("%s: %v", patch, err)
			continue
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(expected)
		if string(a) != string(b) {
			t.Errorf("%s: %s", patch, a)
		}
		c, _ := json.Marshal(doc)
		var before map[string]any
		_ = json.Unmarshal([]byte(patched), &before)
		if d, _ := json.Marshal(before); string(c) != string(d) {
			t.Errorf("%s changed the document: %s", patch, c)
		}
	}
	for patch, want := range map[string]string{
		`{}`:                               "not a list",
		`[{"op": "remove", "path": "/x"}]`: "nothing at the path",
		`[{"op": "replace", "path": "/x", "value": 1}]`:   "nothing at the path",
		`[{"op": "add", "path": "/a/b/4", "value": 1}]`:   "no index",
		`[{"op": "add", "path": "/a/b/01", "value": 1}]`:  "no index",
		`[{"op": "add", "path": "x", "value": 1}]`:        "no JSON pointer",
		`[{"op": "add", "path": "/x"}]`:                   "no value",
		`[{"op": "test", "path": "/c~1d", "value": "y"}]`: "another",
		`[{"op": "move", "from": "/a", "path": "/a/c"}]`:  "into itself",
		`[{"op": "grow", "path": "/a"}]`:                  "no such operation",
		`[{"op": "remove", "path": ""}]`:                  "whole",
		`[{"op": "add", "path": "", "value": 1}]`:         "not an object",
	} {
		var doc map[string]any
		_ = json.Unmarshal([]byte(patched), &doc)
		if _, err := cloudcontrol.ApplyPatch(doc, patch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", patch, err)
		}
	}
}

func FuzzPatch(f *testing.F) {
	f.Add(patched, `[{"op": "add", "path": "/a/b/1", "value": 9}]`)
	f.Add(patched, `[{"op": "move", "from": "/a/b/0", "path": "/a/b/2"}]`)
	f.Fuzz(func(t *testing.T, doc, patch string) {
		var m map[string]any
		if json.Unmarshal([]byte(doc), &m) != nil || m == nil {
			return
		}
		before, _ := json.Marshal(m)
		_, _ = cloudcontrol.ApplyPatch(m, patch)
		if after, _ := json.Marshal(m); string(before) != string(after) {
			t.Errorf("%s changed %s into %s", patch, before, after)
		}
	})
}
