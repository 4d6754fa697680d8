package accesslog

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var values = map[string]string{
	"requestId": "r-1", "extendedRequestId": "x=", "identity.sourceIp": "192.0.2.7", "identity.userAgent": `agent "x" \1`, "status": "200",
	"authorizer.my-key": "v", "error.messageString": `"No \"way\""`, "requestTime": "01/Nov/2026:12:00:00 +0000", "httpMethod": "GET",
	"path": "/prod\n/x",
}

func value(name string) string { return values[name] }

func TestFormat(t *testing.T) {
	for format, want := range map[string]string{
		`$context.requestId`:                                                                           "r-1",
		"$context.requestId $context.status\n":                                                         "r-1 200",
		`${context.requestId}x$context.extendedRequestId`:                                              "r-1xx=",
		`$context.requestId.`:                                                                          "r-1.",
		`$context.requestId-$context.status`:                                                           "r-1-200",
		`$context.requestId,$context.nope,$context.authorizer.my-key`:                                  "r-1,-,v",
		`$5 $contexts $context ${context.requestId $context.requestId`:                                 "$5 $contexts $context ${context.requestId r-1",
		`{"a":"$context.requestId","ua":"$context.identity.userAgent"}`:                                `{"a":"r-1","ua":"agent \"x\" \\1"}`,
		`{"id":"$context.requestId","e":$context.error.messageString}`:                                 `{"id":"r-1","e":"No \"way\""}`,
		`{"\"":"$context.requestId"}`:                                                                  `{"\"":"r-1"}`,
		`<r id="$context.requestId"><p>$context.path</p></r>`:                                          `<r id="r-1"><p>/prod /x</p></r>`,
		`$context.identity.sourceIp - [$context.requestTime] "$context.httpMethod" $context.requestId`: `192.0.2.7 - [01/Nov/2026:12:00:00 +0000] "GET" r-1`,
	} {
		f, err := Parse(format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if got := string(f.Append(nil, value)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", format, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for format, want := range map[string]error{
		"":                                   ErrRequest,
		"$context.status":                    ErrRequest,
		"requestId":                          ErrRequest,
		"$context.requestId\n$context.stage": ErrLines,
		"$context.requestId" + strings.Repeat(" ", MaxFormat): ErrLong,
	} {
		if _, err := Parse(format); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", format, err, want)
		}
	}
}

// FuzzFormat: whatever the format and the caller's text, a line stays one line,
// and a value between quotes stays between them.
func FuzzFormat(f *testing.F) {
	f.Add(`{"id":"$context.requestId","v":"$context.v"}`, `a"b\`)
	f.Add("$context.requestId ${context.v} $", "\n")
	f.Fuzz(func(t *testing.T, format, v string) {
		p, err := Parse(format)
		if err != nil {
			return
		}
		if got := string(p.Append(nil, func(string) string { return v })); strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q has several lines", got)
		}
		p, err = Parse(`{"id":"$context.requestId"}`)
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]string
		if err := json.Unmarshal(p.Append(nil, func(string) string { return v }), &out); err != nil || len(out) != 1 {
			t.Errorf("%q: %v, %v", v, out, err)
		}
	})
}
