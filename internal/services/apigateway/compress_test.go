package apigateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

func compressing(t *testing.T, w *world, id, size string) {
	t.Helper()
	calltest.Must(t, w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/minimumCompressionSize"), Value: &size},
	}})
	w.deploy(t, id, "s")
}

func zipped(coding, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if coding == "deflate" {
		w = zlib.NewWriter(&b)
	}
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func unzipped(t *testing.T, coding, text string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(text)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCompressedAnswers tells which answers are compressed, and how.
func TestCompressedAnswers(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /a")
	long := strings.Repeat("x", 100)
	compressing(t, w, id, "100")
	for _, c := range []struct{ body, encoding, accept, want string }{
		{long, "", "gzip", "gzip"}, {long, "", "deflate", "deflate"}, {long, "", "br, deflate, gzip", "deflate"}, {long, "", "deflate;q=0.5, gzip", "gzip"},
		{long, "", "*", "gzip"}, {long, "", "", ""}, {long, "", "br", ""}, {long, "", "gzip;q=0", ""}, {long, "", "identity, gzip;q=0.5", ""}, {long, "", "gzip;q=x", ""},
		{long[1:], "", "gzip", ""}, {long, "br", "gzip", "br"},
	} {
		w.returns(`{"headers":{"Content-Encoding":"` + c.encoding + `"},"body":"` + c.body + `"}`)
		if c.encoding == "" {
			w.returns(`{"body":"` + c.body + `"}`)
		}
		got := w.send("GET", id, "/s/a", "", "Accept-Encoding", c.accept)
		if got.Header.Get("Content-Encoding") != c.want || got.ContentLength != int64(len(got.body)) || unzipped(t, c.want, got.body) != c.body {
			t.Errorf("%q of %d bytes: %v", c.accept, len(c.body), got.Header)
		}
	}
	w.returns(`nothing`) // the gateway's own answers, too
	compressing(t, w, id, "0")
	if got := w.send("GET", id, "/s/a", "", "Accept-Encoding", "gzip"); got.StatusCode != 502 || unzipped(t, "gzip", got.body) != `{"message":"Internal server error"}` {
		t.Errorf("failure: %d %v", got.StatusCode, got.Header)
	}
	compressing(t, w, id, "null")
	if got := w.send("GET", id, "/s/a", "", "Accept-Encoding", "gzip"); got.Header.Get("Content-Encoding") != "" {
		t.Errorf("compressed although it is off: %v", got.Header)
	}
}

// TestCompressedRequests holds that compressed bodies reach the integration plain,
// and that bad ones and bombs do not.
func TestCompressedRequests(t *testing.T) {
	w := newWorld(t)
	event, _ := w.records(`{}`)
	id := w.newAPI(t, "POST /a")
	compressing(t, w, id, "0")
	for _, coding := range []string{"gzip", "deflate"} {
		w.send("POST", id, "/s/a", zipped(coding, "plain"), "Content-Encoding", coding)
		if e := decode(t, *event); e["body"] != "plain" || e["headers"].(map[string]any)["Content-Encoding"] != nil {
			t.Errorf("%s: %s", coding, *event)
		}
	}
	for body, want := range map[string]int{"nonsense": 400, zipped("gzip", "cut off")[:15]: 400, zipped("gzip", strings.Repeat("0", MaxBody+1)): 413} {
		if got := w.send("POST", id, "/s/a", body, "Content-Encoding", "gzip"); got.StatusCode != want {
			t.Errorf("%d bytes: %d %s, want %d", len(body), got.StatusCode, got.body, want)
		}
	}
	w.send("POST", id, "/s/a", "other", "Content-Encoding", "br")
	if e := decode(t, *event); e["body"] != "other" {
		t.Errorf("another coding: %s", *event)
	}
	compressing(t, w, id, "")
	w.send("POST", id, "/s/a", "as it is", "Content-Encoding", "gzip")
	if e := decode(t, *event); e["body"] != "as it is" {
		t.Errorf("without compression: %s", *event)
	}
}
