package lambda

import (
	"encoding/json"
	"strings"
	"testing"
)

var validSeeds = []string{
	`{}`, ` [ ] `, `{"a":[1,2.5e-3,-0,true,false,null,"x\n\u00e9\\"],"b":{"c":{}}}`, `"\ud83d"`, `-`, `01`, `1.`, `1e`, `1E+5`, `.5`, `+1`, `"`, `"\x"`, `"\u12g4"`, `"\u123`,
	"\"\x01\"", "\"\xff\"", `{"a"}`, `{"a":}`, `{,}`, `[1,]`, `[1 2]`, `{"a":1,}`, `{a:1}`, `nul`, `nulll`, `true false`, ``, ` `, `[`, `{"a":1`, "\ufeff{}", "[1]\x00", "\v1",
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001), strings.Repeat(`{"a":`, 10_001),
}

func TestValidJSON(t *testing.T) {
	for _, s := range validSeeds {
		if got, want := validJSON([]byte(s)), json.Valid([]byte(s)); got != want {
			t.Errorf("%.40q: %t, want %t", s, got, want)
		}
	}
}

func FuzzValidJSON(f *testing.F) {
	for _, s := range validSeeds {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := validJSON(b), json.Valid(b); got != want {
			t.Errorf("%q: %t, want %t", b, got, want)
		}
	})
}
