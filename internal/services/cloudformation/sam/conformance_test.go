package sam

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// How many of the recorded cases come out as AWS's transform makes them: of those in
// scope, and of all. It only ever goes up. (Three of the others are recorded with
// their lists in an order that no template can have; one needs the Serverless
// Application Repository.)
var ratchets = map[string]int{"": 158, "--all": 262}

// folder finds the conformance data: TIERRA_CONFORMANCE, or beside the repository.
func folder(t *testing.T) string {
	if dir := os.Getenv("TIERRA_CONFORMANCE"); dir != "" {
		return filepath.Join(dir, "sam")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			dir = filepath.Join(filepath.Dir(dir), "shared", "conformance", "sam")
			if _, err := os.Stat(dir); err == nil {
				return dir
			}
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("the conformance data is not here; set TIERRA_CONFORMANCE")
	return ""
}

func TestConformance(t *testing.T) {
	dir := folder(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to compare with")
	}
	var manifest struct {
		Region    string            `json:"region"`
		Partition string            `json:"partition"`
		Params    map[string]any    `json:"parameter_values"`
		Managed   map[string]string `json:"managed_policies"`
		Cases     []struct {
			Name    string `json:"name"`
			InScope bool   `json:"in_scope"`
		} `json:"cases"`
	}
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	out := os.Getenv("SAM_OUT") // to look at the outputs by hand
	if out == "" {
		out = t.TempDir()
	}
	for _, c := range manifest.Cases {
		text, err := os.ReadFile(filepath.Join(dir, "input", c.Name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := template.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		got, err := Transform(n.Value().(map[string]any), Input{Params: manifest.Params, Region: manifest.Region, Partition: manifest.Partition, Managed: manifest.Managed, Keys: n.Keys})
		if err != nil {
			if c.InScope {
				t.Logf("%s: %v", c.Name, err)
			}
			continue
		}
		if err := os.WriteFile(filepath.Join(out, c.Name+".json"), []byte(template.JSON(got)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for which, ratchet := range ratchets {
		args := []string{filepath.Join(dir, "compare.py"), out}
		if which != "" {
			args = append(args, which)
		}
		report, _ := exec.Command(python, args...).Output() // it fails unless all are equal
		found := regexp.MustCompile(`semantic (\d+)`).FindSubmatch(report)
		if found == nil {
			t.Fatalf("the comparison said: %s", report)
		}
		n, _ := strconv.Atoi(string(found[1]))
		t.Logf("%s", report)
		if n < ratchet {
			t.Errorf("%s: %d cases come out as they should, fewer than the %d that did", which, n, ratchet)
		}
	}
}
