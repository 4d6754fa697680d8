package proxy

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// reference reads a response the slow way; ok is false if it is malformed.
func reference(payload []byte) (status int, headers map[string][]string, body string, base64, ok bool) {
	var v map[string]json.RawMessage
	if json.Unmarshal(payload, &v) != nil || v == nil {
		return
	}
	status, headers = 200, map[string][]string{}
	scalar := func(raw json.RawMessage) (string, bool, bool) {
		var x any
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		if d.Decode(&x) != nil {
			return "", false, false
		}
		switch x := x.(type) {
		case nil:
			return "", true, true
		case string:
			return x, true, false
		case bool, json.Number:
			return fmt.Sprint(x), true, false
		}
		return "", false, false
	}
	for k, raw := range v {
		switch k {
		case "statusCode":
			text, good, absent := scalar(raw)
			if absent {
				continue
			}
			if whole, zeros, dot := strings.Cut(text, "."); dot && raw[0] != '"' && strings.Trim(zeros, "0") == "" {
				text = whole
			}
			n := 0
			if len(text) == 3 && strings.Trim(text, "0123456789") == "" {
				fmt.Sscan(text, &n)
			}
			if !good || n < 200 || n > 599 {
				return
			}
			status = n
		case "isBase64Encoded":
			var b *bool
			if json.Unmarshal(raw, &b) != nil {
				return
			}
			base64 = b != nil && *b
		case "body":
			var s *string
			if json.Unmarshal(raw, &s) != nil {
				return
			}
			if s != nil {
				body = *s
			}
		case "headers", "multiValueHeaders":
			var m map[string]json.RawMessage
			if json.Unmarshal(raw, &m) != nil {
				return
			}
			for name, raw := range m {
				many := []json.RawMessage{raw}
				if k == "multiValueHeaders" && raw[0] == '[' && json.Unmarshal(raw, &many) != nil {
					return
				}
				for _, one := range many {
					text, good, absent := scalar(one)
					if !good {
						return
					}
					if !absent {
						headers[k+":"+name] = append(headers[k+":"+name], text)
					}
				}
			}
		default:
			return
		}
	}
	return status, headers, body, base64, true
}

// twice reports whether an object in payload has a key twice, where this scanner
// and the reference differ in what counts.
func twice(payload []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(payload)))
	var stack []map[string]bool
	key := false
	for {
		t, err := d.Token()
		if err != nil {
			return false
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				stack = append(stack, map[string]bool{})
				key = true
				continue
			case '[':
				stack = append(stack, nil)
			default:
				stack = stack[:len(stack)-1]
			}
		case string:
			if key && len(stack) > 0 && stack[len(stack)-1] != nil {
				if stack[len(stack)-1][t] {
					return true
				}
				stack[len(stack)-1][t] = true
				key = false
				continue
			}
		}
		key = len(stack) > 0 && stack[len(stack)-1] != nil
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"statusCode":200,"headers":{"A":"b","C":1.5e3,"D":true,"E":null},"body":"x\n\u00e9\ud83d\ude00\ud83d","isBase64Encoded":false}`,
		` { "statusCode" : "404" , "multiValueHeaders" : { "a" : [ "1" , 2 ] , "b" : [] , "c" : "d" } } `,
		`{}`, `null`, `{"body":null,"statusCode":null}`, `{"statusCode":200.0}`, `{"statusCode":200.}`, `{"x":1}`, `{"body":"\x"}`, `{"headers":{"a":-}}`, `{"headers":{"a":01}}`,
		`{"body":"a"} x`, `{"body":"a",}`, `{"headers":[]}`, `{"statusCode":2000}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if !utf8.Valid(payload) || twice(payload) {
			return
		}
		status, headers, body, base64, ok := reference(payload)
		var r Response
		err := r.Parse(payload)
		if (err == nil) != ok {
			t.Fatalf("%q: %v, want it taken: %v", payload, err, ok)
		}
		if !ok {
			return
		}
		if r.Status != status || string(r.Body) != body || r.Base64 != base64 {
			t.Errorf("%q: %d %q %v, want %d %q %v", payload, r.Status, r.Body, r.Base64, status, body, base64)
		}
		n := 0
		multi := map[string]bool{}
		for k, v := range headers {
			if name, ok := strings.CutPrefix(k, "multiValueHeaders:"); ok {
				multi[lower(name)] = true
				n += len(v)
			}
		}
		for k, v := range headers {
			if name, ok := strings.CutPrefix(k, "headers:"); ok && !multi[lower(name)] {
				n += len(v)
			}
		}
		if len(r.Headers) != n {
			t.Errorf("%q: headers %q, want %d of %v", payload, r.Headers, n, headers)
		}
	})
}

// A parsed response does not depend on what was parsed before into its memory.
func TestParseAgain(t *testing.T) {
	var r Response
	if err := r.Parse([]byte(`{"statusCode":404,"headers":{"a":"b"},"multiValueHeaders":{"c":["d"]},"body":"long body","isBase64Encoded":true}`)); err != nil {
		t.Fatal(err)
	}
	if err := r.Parse([]byte(`{}`)); err != nil || r.Status != 200 || len(r.Headers) != 0 || len(r.Body) != 0 || r.Base64 {
		t.Errorf("%v %+v", err, r)
	}
}

// An event is JSON, and says what the request says.
func TestEventProperty(t *testing.T) {
	tmpl := NewTemplate(Facts{Account: "1", API: "a", Stage: "s", Resource: "/{proxy+}", ResourceID: "r", Deployment: "d", Variables: map[string]string{"k": "v"}})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		r := &Request{
			Method: "GET", Path: "/" + text.Draw(t, "path"), Body: []byte(text.Draw(t, "body")), UserAgent: text.Draw(t, "agent"),
			Header: rapid.MapOf(text, rapid.SliceOfN(text, 1, 3)).Draw(t, "header"), Time: time.Unix(0, 0),
		}
		query := rapid.MapOfN(text, rapid.SliceOfN(text, 1, 3), 0, 40).Draw(t, "query")
		r.RawQuery = url.Values(query).Encode()
		var e struct {
			Path, Body string
			MVH        map[string][]string   `json:"multiValueHeaders"`
			MVQ        map[string][]string   `json:"multiValueQueryStringParameters"`
			Q          map[string]string     `json:"queryStringParameters"`
			RC         struct{ Path string } `json:"requestContext"`
		}
		event := tmpl.Append(nil, r)
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatalf("%v: %s", err, event)
		}
		for k := range r.Header {
			if dropped(r, k) {
				delete(r.Header, k)
			}
		}
		if e.Path != r.Path || e.Body != string(r.Body) || e.RC.Path != "/s"+r.Path || len(r.Header) != len(e.MVH) ||
			len(r.Header) > 0 && !reflect.DeepEqual(e.MVH, r.Header) || len(query) > 0 && !reflect.DeepEqual(e.MVQ, query) || len(query) != len(e.Q) {
			t.Fatalf("%+v became %s", r, event)
		}
		for k, v := range query {
			if e.Q[k] != v[len(v)-1] {
				t.Fatalf("%q is %q, want the last of %q", k, e.Q[k], v)
			}
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add("a=b&a=c&%zz=+", []byte("\xff\x00\"\\"))
	tmpl := NewTemplate(Facts{Stage: "s", Resource: "/"})
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		r := &Request{Method: "GET", Path: "/", RawQuery: query, Body: body}
		if event := tmpl.Append(nil, r); !json.Valid(event) || !utf8.Valid(event) {
			t.Errorf("not JSON: %q", event)
		}
		r.Binary = true
		if event := tmpl.Append(nil, r); !json.Valid(event) {
			t.Errorf("not JSON: %q", event)
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	tmpl := NewTemplate(Facts{Account: "000000000000", API: "abcdefghij", Stage: "prod", Resource: "/pets/{id}", ResourceID: "abc123", Deployment: "dep123"})
	r := &Request{Method: "GET", Path: "/pets/1", RawQuery: "a=b", Header: map[string][]string{"Accept": {"*/*"}, "User-Agent": {"bench"}, "Accept-Encoding": {"gzip"}}}
	b.ReportAllocs()
	for b.Loop() {
		tmpl.Append(make([]byte, 0, tmpl.Size(r)), r)
	}
}

func BenchmarkParse(b *testing.B) {
	payload := []byte(`{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{\"id\":\"1\",\"name\":\"Fido\"}","isBase64Encoded":false}`)
	var r Response
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Parse(payload); err != nil {
			b.Fatal(err)
		}
	}
}
