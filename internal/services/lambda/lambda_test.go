package lambda

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
)

func TestScripts(t *testing.T) {
	if architecture() != "x86_64" {
		t.Skip("the scripts name the architecture x86_64")
	}
	for _, name := range []string{"functions", "permissions", "layers", "urls", "mistakes"} {
		t.Run(name, func(t *testing.T) {
			calltest.Script(t, "testdata/"+name+".txt", newStand(t).World, nil)
		})
	}
}

func TestParseName(t *testing.T) {
	from := key{"000000000000", "us-east-1", ""}
	for name, want := range map[string]struct {
		account, name, qualifier, region string
	}{
		"f":                         {"000000000000", "f", "", ""},
		"f:live":                    {"000000000000", "f", "live", ""},
		"function:f":                {"000000000000", "f", "", ""},
		"111111111111:function:f":   {"111111111111", "f", "", ""},
		"111111111111:function:f:1": {"111111111111", "f", "1", ""},
		"arn:aws:lambda:eu-west-1:111111111111:function:f:$LATEST": {"111111111111", "f", "$LATEST", "eu-west-1"},
	} {
		k, q, region, ok := parseName(name, from)
		if !ok || k.account != want.account || k.name != want.name || q != want.qualifier || region != want.region {
			t.Errorf("%s: %v %q %q %v", name, k, q, region, ok)
		}
	}
	for _, name := range []string{"", "f:", ":f", "f:1:2", "arn:aws:lambda:us-east-1:000000000000:layer:f", "arn:aws:lambda", "function:f:1:2"} {
		if k, q, _, ok := parseName(name, from); ok {
			t.Errorf("%q was read as %v %q", name, k, q)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("arn:aws:lambda:us-east-1:000000000000:function:f:1")
	f.Add("000000000000:function:f")
	f.Add("f:live")
	f.Fuzz(func(t *testing.T, s string) {
		from := key{"000000000000", "us-east-1", ""}
		k, q, _, ok := parseName(s, from)
		if !ok {
			return
		}
		again, q2, _, ok := parseName(k.arn(q), from)
		if !ok || again != k || q2 != q {
			t.Errorf("%q is %v %q, which is read as %v %q", s, k, q, again, q2)
		}
	})
}

// TestArchitectures tells that interpreted code may be meant for any machine.
func TestArchitectures(t *testing.T) {
	other := "arm64"
	if architecture() == other {
		other = "x86_64"
	}
	for _, c := range []struct {
		list    []string
		runtime string
		want    string
	}{
		{nil, "provided.al2023", architecture()}, {[]string{architecture()}, "provided.al2023", architecture()}, {[]string{other}, "provided.al2023", ""},
		{[]string{other}, "nodejs20.x", other}, {[]string{other}, "python3.13", other}, {[]string{other, other}, "python3.13", ""},
	} {
		if got, err := checkArchitectures(c.list, c.runtime); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%v of %s: %q, %v", c.list, c.runtime, got, err)
		}
	}
}
