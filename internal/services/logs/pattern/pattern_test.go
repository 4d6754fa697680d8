package pattern

import (
	"reflect"
	"testing"
)

func TestMatch(t *testing.T) {
	const record = `{"eventType":"UpdateTrail","sourceIP":"111.111.111.111","n":50,"list":["a","b"],"objects":[{"id":1},{"id":2}],"nothing":null,"yes":true,"user":{"name":"a b"}}`
	const access = `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"ERROR", "[ERROR 400] BAD", true},
		{"ERROR", "error", false},
		{"ERROR ARGUMENTS", "ERROR in ARGUMENTS", true},
		{"ERROR ARGUMENTS", "ERROR", false},
		{`"INTERNAL SERVER ERROR"`, "x INTERNAL SERVER ERROR y", true},
		{`"INTERNAL SERVER ERROR"`, "INTERNAL ERROR", false},
		{`"say \"hi\""`, `they say "hi"`, true},
		{"?ERROR ?WARN", "a WARN", true},
		{"?ERROR ?WARN", "an INFO", false},
		{"?ERROR REQUEST", "a REQUEST", true},
		{"ERROR -EXITING", "ERROR", true},
		{"ERROR -EXITING", "ERROR EXITING", false},
		{"-debug", "info", true},
		{"%AUTHORI[SZ]ED%", "UNAUTHORISED", true},
		{`%^\d{3} % -x`, "404 y", true},
		{`{ $.eventType = "UpdateTrail" }`, record, true},
		{`{ $.eventType = Update* }`, record, true},
		{`{ $.eventType != "UpdateTrail" }`, record, false},
		{`{ $.absent != "x" }`, record, false},
		{`{ $.sourceIP = 111.111.* }`, record, true},
		{`{ $.sourceIP != 123.123.* }`, record, true},
		{`{ $.n >= 50 }`, record, true},
		{`{ $.n < 5e1 }`, record, false},
		{`{ $.n = 50.0 }`, record, true},
		{`{ $.list[1] = "b" }`, record, true},
		{`{ $.list[7] = "b" }`, record, false},
		{`{ $.list[*] = b }`, record, true},
		{`{ $.objects[*].id = 2 }`, record, true},
		{`{ $.nothing IS NULL }`, record, true},
		{`{ $.absent IS NULL }`, record, false},
		{`{ $.absent NOT EXISTS }`, record, true},
		{`{ $.n NOT EXISTS }`, record, false},
		{`{ $.yes IS TRUE }`, record, true},
		{`{ $.yes is false }`, record, false},
		{`{ $.user.['name'] = "a b" }`, record, true},
		{`{ $['user']['name'] = %^a% }`, record, true},
		{`{ ($.n = 1 || $.n = 50) && $.yes IS TRUE }`, record, true},
		{`{ $.n = 1 || $.n = 2 && $.yes IS TRUE }`, record, false},
		{`{ $.n = 50 }`, "n = 50", false},
		{`{ $.n = 50 }`, `{"n":50} trailing`, false},
		{`[ip, id, user, time, request, status, bytes]`, access, true},
		{`[ip, id, user, time, request, status = 404, bytes]`, access, true},
		{`[ip, id, user, time, request, status = 4*, bytes > 1000]`, access, true},
		{`[ip, id, user, time, request = *.html*, status, bytes < 1000]`, access, false},
		{`[..., status = 404, bytes]`, access, true},
		{`[ip, ..., status = 500, bytes]`, access, false},
		{`[ip, id]`, access, false},
		{`[w1 = ERROR || w1 = WARN, w2]`, "WARN x", true},
		{`[w1 != ERROR && w1 != WARN, w2]`, "WARN x", false},
		{`[(w1 = a || w1 = b) && w1 != b, w2]`, "a x", true},
		{`[w1 = %[0-9]+%]`, "a12", true},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("Compile(%q): %v", c.pattern, err)
			continue
		}
		if got := p.Match(c.message); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.message, got)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, s := range []string{
		`{`, `{ }`, `{ $.a }`, `{ $.a = }`, `{ $.a = 1`, `{ a = 1 }`, `{ $.a = 1 } x`, `{ $.a > "x" }`, `{ $.a NOT }`, `{ $.a IS 3 }`, `{ ($.a = 1 }`,
		`{ $ = 1 }`, `{ $.a[x] = 1 }`, `[`, `[a`, `[a,]`, `[]`, `[..., ...]`, `[a = 1 || b = 2]`, `[a] x`, `"open`, `%open`, `%a!%`, `%(a)%`, `%[%`,
		`%a% %b% %c%`, `-`, `?`, `""`,
	} {
		if _, err := Compile(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             map[string]string
	}{
		{`[ip, ..., status]`, `1.2.3.4 a b 200`, map[string]string{"$ip": "1.2.3.4", "$status": "200"}},
		{`{ $.a.b > 1 }`, `{"a":{"b":2.50}}`, map[string]string{"$.a.b": "2.50"}},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Extract(c.message); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q extracts %v", c.pattern, got)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`{ $.a = "b" && ($.c[0] NOT EXISTS || $.d IS NULL) }`, `[a, b = 4*, ..., c > 1]`, `?a "b c" -d %e%`, `{$.a=1}`, `[`, `{`, `"`} {
		f.Add(s, `{"a":"b","c":[1]}`)
		f.Add(s, `a 404 "x y" [z`)
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		if p.Match(message) {
			p.Extract(message)
		}
	})
}
