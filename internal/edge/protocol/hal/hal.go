// Package hal puts the links of the Hypertext Application Language into answers of
// API Gateway's control service, for clients that accept application/hal+json.
// SDKs ask for plain JSON.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-develop.html
package hal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
)

// ContentType is HAL's.
const ContentType = "application/hal+json"

// Asked reports whether a request wants links.
func Asked(rq *protocol.Request) bool {
	return rq.Service != nil && rq.Service.ID == "API Gateway" && rq.HTTP != nil && strings.Contains(rq.HTTP.Header.Get("Accept"), ContentType)
}

// Writer holds an answer back until Send puts the links into it.
type Writer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (w *Writer) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter.
func (w *Writer) Write(p []byte) (int, error) { return w.body.Write(p) }

// Send sends the answer to rq. What is no JSON object goes out as it is.
func (w *Writer) Send(rq *protocol.Request) error {
	out, err := Link(rq.HTTP.Method, rq.HTTP.URL, w.body.Bytes())
	if err != nil {
		out = w.body.Bytes()
	} else {
		w.Header().Set("Content-Type", ContentType)
	}
	if w.Header().Get("Content-Length") != "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	}
	w.ResponseWriter.WriteHeader(max(w.status, http.StatusOK))
	if len(out) == 0 {
		return nil
	}
	if _, err := w.ResponseWriter.Write(out); err != nil {
		return &protocol.Cut{Err: err}
	}
	return nil
}

type link struct {
	Href      string `json:"href"`
	Name      string `json:"name,omitempty"`
	Templated bool   `json:"templated,omitempty"`
}

// names are the members by which the items of collections are addressed, the
// first that an item has.
var names = [...]string{"id", "stageName", "domainName", "basePath", "httpMethod", "statusCode", "responseType", "version", "name"}

// Link puts links into an answer: to itself, to what can be done with it, to the
// items of a collection, which move to _embedded, and to the next page.
func Link(method string, at *url.URL, body []byte) ([]byte, error) {
	var doc map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&doc); err != nil || doc == nil {
		return nil, fmt.Errorf("hal: not an object: %w", err)
	}
	path := strings.TrimSuffix(at.EscapedPath(), "/")
	kind := kindOf(path)
	links := map[string]any{
		"curies": []link{{Href: "https://docs.aws.amazon.com/apigateway/latest/developerguide/restapi-" + kind + "-{rel}.html", Name: kind, Templated: true}},
	}
	var items []map[string]json.RawMessage
	raw, collection := doc["item"]
	if collection && json.Unmarshal(raw, &items) != nil {
		collection = false
	}
	if !collection {
		own := path
		if name, ok := nameOf(doc); ok && method == http.MethodPost && !strings.HasSuffix(path, "/"+name) {
			own += "/" + name
			kind = kindOf(own)
		}
		links["self"], links[kind+":update"], links[kind+":delete"] = link{Href: own}, link{Href: own}, link{Href: own}
		return join(doc, links, nil)
	}
	self := path
	if at.RawQuery != "" {
		self += "?" + at.RawQuery
	}
	links["self"], links[kind+":create"] = link{Href: self}, link{Href: path}
	all := make([]link, 0, len(items))
	for _, x := range items {
		if name, ok := nameOf(x); ok {
			l := link{Href: path + "/" + name}
			all = append(all, l)
			x["_links"], _ = json.Marshal(map[string]link{"self": l})
		}
	}
	links["item"] = all
	var position string
	if json.Unmarshal(doc["position"], &position) == nil && position != "" {
		q := at.Query()
		q.Set("position", position)
		links["next"] = link{Href: path + "?" + q.Encode()}
	}
	delete(doc, "item")
	return join(doc, links, map[string]any{"item": items})
}

func join(doc map[string]json.RawMessage, links, embedded map[string]any) (out []byte, err error) {
	if doc["_links"], err = json.Marshal(links); err != nil {
		return nil, err
	}
	if embedded != nil {
		if doc["_embedded"], err = json.Marshal(embedded); err != nil {
			return nil, err
		}
	}
	return json.Marshal(doc)
}

// nameOf returns the last part of an item's address.
func nameOf(doc map[string]json.RawMessage) (string, bool) {
	for _, n := range names {
		var s string
		if raw, ok := doc[n]; ok && json.Unmarshal(raw, &s) == nil && s != "" {
			return url.PathEscape(s), true
		}
	}
	return "", false
}

// kindOf names the kind of resource at a path: the last of its collections, in
// the singular.
func kindOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	at := len(parts) - 1
	if at%2 == 1 {
		at--
	}
	kind := strings.ToLower(parts[max(at, 0)])
	if s, ok := strings.CutSuffix(kind, "ies"); ok {
		return s + "y"
	}
	return strings.TrimSuffix(kind, "s")
}
