package protocol_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/codecs"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/jsonwire"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/route"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/rpccbor"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/test/conformance"
)

// suite is a group of published cases with the model that they are about.
type suite struct {
	Metadata    json.RawMessage `json:"metadata"`
	Shapes      json.RawMessage `json:"shapes"`
	Description string          `json:"description"`
	Cases       []testCase      `json:"cases"`
}

type testCase struct {
	ID    string `json:"id"`
	Given struct {
		Name   string                   `json:"name"`
		Errors []struct{ Shape string } `json:"errors"`
	} `json:"-"`
	RawGiven json.RawMessage `json:"given"`

	// Of a request.
	Params     any `json:"params"`
	Serialized struct {
		Method, URI, Body, Host string
		Headers                 map[string]string
	} `json:"serialized"`

	// Of an answer.
	Result       any            `json:"result"`
	ErrorCode    string         `json:"errorCode"`
	ErrorMessage string         `json:"errorMessage"`
	Error        map[string]any `json:"error"`
	Response     *struct {
		StatusCode int `json:"status_code"`
		Headers    map[string]string
		Body       string
	} `json:"response"`
}

// cases runs f over the published cases of a kind ("input", "output").
func cases(t *testing.T, kind string, f func(t *testing.T, s *model.Service, c *testCase)) {
	files, _ := filepath.Glob(filepath.Join(conformance.Dir(t, "protocols"), kind, "*.json"))
	if len(files) == 0 {
		t.Fatal("no cases in the conformance data")
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suites []suite
		if err := json.Unmarshal(doc, &suites); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for i := range suites {
			for j := range suites[i].Cases {
				c := &suites[i].Cases[j]
				t.Run(name+"/"+c.ID, func(t *testing.T) { f(t, load(t, &suites[i], c), c) })
			}
		}
	}
}

func load(t *testing.T, s *suite, c *testCase) *model.Service {
	if err := json.Unmarshal(c.RawGiven, &c.Given); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]any{
		"metadata": s.Metadata, "shapes": s.Shapes, "operations": map[string]any{c.Given.Name: c.RawGiven},
	})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := model.Load("conformance", doc)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestRequests(t *testing.T) {
	all := codecs.All()
	cases(t, "input", func(t *testing.T, s *model.Service, c *testCase) {
		if why, ok := clientOnly[c.ID]; ok {
			t.Skip(why)
		}
		op := &s.Operations[0]
		body := []byte(c.Serialized.Body)
		if s.Protocols[0] == model.RPCv2CBOR {
			body = decode64(t, c.Serialized.Body)
		}
		r := httptest.NewRequest(c.Serialized.Method, "http://example.com"+c.Serialized.URI, bytes.NewReader(body))
		for k, v := range c.Serialized.Headers {
			r.Header.Set(k, v)
		}
		rq := &protocol.Request{HTTP: r, Service: s, Op: op, ID: "requestid"}
		if p := s.Protocols[0]; p == model.RestJSON || p == model.RestXML {
			m, ok := route.New(s).Match(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header)
			if !ok {
				t.Fatalf("%s %s matches no route; the pattern is %s", r.Method, c.Serialized.URI, op.Path)
			}
			rq.Labels = m.Labels
		}
		if s.Protocols[0] == model.RPCv2CBOR {
			if service, name, ok := rpccbor.Target(r.URL.Path); !ok || service != s.SmithyName || name != op.Name {
				t.Errorf("the path %s names %s of %s", r.URL.Path, name, service)
			}
		}
		got := map[string]any{}
		if err := all[s.Protocols[0]].Decode(rq, &got); err != nil {
			t.Fatal(err)
		}
		if op.Input < 0 {
			return
		}
		want := natural(t, s, op.Input, nil, c.Params)
		if m, ok := queryMaps[c.ID]; ok {
			delete(got, m)
			delete(want.(map[string]any), m)
		}
		if g, w := show(got), show(want); g != w {
			t.Errorf("got\n%s\nwant\n%s", g, w)
		}
	})
}

func TestAnswers(t *testing.T) {
	all := codecs.All()
	cases(t, "output", func(t *testing.T, s *model.Service, c *testCase) {
		if why, ok := laxReading[c.ID]; ok {
			t.Skip(why)
		}
		op := &s.Operations[0]
		rq := &protocol.Request{HTTP: httptest.NewRequest(op.Method, "http://example.com/", nil), Service: s, Op: op, ID: "requestid"}
		for k, v := range c.Response.Headers {
			if strings.EqualFold(k, "X-Amzn-Requestid") {
				rq.ID = v
			}
		}
		w := httptest.NewRecorder()
		codec := all[s.Protocols[0]]
		if c.ErrorCode != "" {
			codec.EncodeFault(w, rq, faultOf(t, s, c))
		} else {
			var out any
			if op.Output >= 0 {
				out = natural(t, s, op.Output, nil, c.Result)
			}
			if err := codec.Encode(w, rq, out); err != nil {
				t.Fatal(err)
			}
		}
		want := c.Response
		if why, ok := otherStatus[c.ID]; ok {
			t.Log(why)
		} else if w.Code != want.StatusCode {
			t.Errorf("status %d, want %d", w.Code, want.StatusCode)
		}
		for k, v := range want.Headers {
			if otherHeaders[c.ID] == k {
				continue
			}
			got := w.Header().Get(k)
			if !sameHeader(k, got, v) {
				t.Errorf("header %s: %q, want %q", k, got, v)
			}
		}
		compareBodies(t, s, c, w.Body.Bytes(), w.Header().Get("Content-Type"))
	})
}

// faultOf makes the fault that a room would.
func faultOf(t *testing.T, s *model.Service, c *testCase) *fault.Fault {
	name := c.Given.Errors[0].Shape
	for i := range s.Shapes {
		sh := &s.Shapes[i]
		if sh.Name != name {
			continue
		}
		f := &fault.Fault{Code: sh.Error.Code, Status: sh.Error.Status, Sender: sh.Error.Sender, QueryCode: sh.Error.QueryCode, Shape: name, Message: c.ErrorMessage}
		for k, v := range natural(t, s, i, nil, c.Error).(map[string]any) {
			f = f.With(k, v)
		}
		return f
	}
	t.Fatalf("no shape %s", name)
	return nil
}

// natural turns the JSON of a case into the Go values of package model.
func natural(t *testing.T, s *model.Service, shape int, m *model.Member, v any) any {
	sh := &s.Shapes[shape]
	if v == nil {
		return nil
	}
	switch sh.Kind {
	case model.Structure:
		out := map[string]any{}
		in, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%T for structure %s", v, sh.Name)
		}
		for i := range sh.Members {
			m := &sh.Members[i]
			if x, ok := in[m.Name]; ok && x != nil {
				out[m.Name] = natural(t, s, m.Shape, m, x)
			}
		}
		return out
	case model.List:
		out := []any{}
		for _, x := range v.([]any) {
			out = append(out, natural(t, s, sh.Elem, nil, x))
		}
		return out
	case model.Map:
		out := map[string]any{}
		for k, x := range v.(map[string]any) {
			out[k] = natural(t, s, sh.Elem, nil, x)
		}
		return out
	case model.String:
		if text, ok := v.(string); ok {
			return text
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	case model.Integer:
		return int32(v.(float64))
	case model.Long:
		return int64(v.(float64))
	case model.Float:
		return float32(float(v))
	case model.Double:
		return float(v)
	case model.Blob:
		if m != nil && m.Streaming || sh.Streaming {
			return io.NopCloser(strings.NewReader(v.(string)))
		}
		return []byte(v.(string))
	case model.Timestamp:
		if text, ok := v.(string); ok {
			at, err := stamp.Parse(text, model.ISO8601)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		at, err := stamp.FromSeconds(v.(float64))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	return v
}

func float(v any) float64 {
	switch v {
	case "NaN":
		return math.NaN()
	case "Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	return v.(float64)
}

// show prints a value with its types and in a fixed order.
func show(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var b strings.Builder
		b.WriteString("{")
		for _, k := range sortedKeys(v) {
			fmt.Fprintf(&b, "%q: %s, ", k, show(v[k]))
		}
		return b.String() + "}"
	case []any:
		var b strings.Builder
		b.WriteString("[")
		for _, x := range v {
			b.WriteString(show(x) + ", ")
		}
		return b.String() + "]"
	case []byte:
		return fmt.Sprintf("bytes %q", v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case io.Reader:
		b, _ := io.ReadAll(v)
		return fmt.Sprintf("bytes %q", b)
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at.UTC().Format(time.RFC3339Nano) // whatever its offset
		}
		// JSON within strings is compared by meaning.
		if doc, err := jsonwire.Document([]byte(v)); err == nil {
			switch doc.(type) {
			case map[string]any, []any:
				return "json " + show(doc)
			}
		}
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%s %v", reflect.TypeOf(v), v)
}

func decode64(t *testing.T, s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameHeader(name, got, want string) bool {
	if got == want {
		return true
	}
	if name == "x-amzn-errortype" || strings.EqualFold(name, "X-Amzn-Errortype") {
		return got == bareCode(want)
	}
	strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	if http.CanonicalHeaderKey(name) == "Content-Type" {
		got, _, _ = strings.Cut(got, ";")
		want, _, _ = strings.Cut(want, ";")
	}
	return strip(got) == strip(want)
}
