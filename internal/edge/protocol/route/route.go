// Package route finds the operation of a request to a service whose operations
// are bound to methods and paths.
// https://smithy.io/2.0/spec/http-bindings.html#http-trait
package route

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Table holds the routes of one service.
type Table struct {
	methods map[string][]route // those that match more exactly come first
	// sub names S3's sub-resources ("acl"): query parameters without a value
	// that choose the operation. A request with one that no operation of its
	// method has must not be taken for the operation on the bucket or object
	// itself: DELETE /bucket?acl deletes no bucket.
	sub map[string]bool
}

// Match is what Table.Match found.
type Match struct {
	Op     *model.Operation
	Labels protocol.Labels
}

type route struct {
	op   *model.Operation
	segs []segment
	// query holds the constant parameters of the pattern.
	query []param
	// headers are required, and of oneOf at least one parameter, because another
	// operation has the same pattern.
	headers []string
	oneOf   []string
	rank    int
}

type segment struct {
	text   string // a literal, or the name of a label
	label  bool
	greedy bool
}

type param struct {
	name, value string
	bare        bool // any value will do
}

// superseded are operations of S3 whose requests are those of another one.
var superseded = map[string]bool{
	"GetBucketLifecycle": true, "PutBucketLifecycle": true, // ...Configuration
	"GetBucketNotification": true, "PutBucketNotification": true,
	"ListDirectoryBuckets": true, // ListBuckets, at the endpoint of directory buckets
}

// New compiles the routes of a service.
func New(s *model.Service) *Table {
	t := &Table{methods: map[string][]route{}, sub: map[string]bool{}}
	s3 := protocol.IsS3(s)
	patterns := map[string]int{}
	for i := range s.Operations {
		op := &s.Operations[i]
		patterns[op.Method+" "+op.Path]++
	}
	for i := range s.Operations {
		op := &s.Operations[i]
		if s3 && superseded[op.Name] {
			continue
		}
		r := compile(op)
		if patterns[op.Method+" "+op.Path] > 1 {
			r.discriminate(s)
		}
		if s3 {
			for _, p := range r.query {
				if p.bare {
					t.sub[p.name] = true
				}
			}
		}
		t.methods[op.Method] = append(t.methods[op.Method], r)
	}
	for _, routes := range t.methods {
		slices.SortStableFunc(routes, func(a, b route) int {
			return cmp.Or(-cmp.Compare(a.rank, b.rank), cmp.Compare(a.op.Name, b.op.Name))
		})
	}
	return t
}

func compile(op *model.Operation) route {
	r := route{op: op}
	path, query, _ := strings.Cut(op.Path, "?")
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		seg := segment{text: part}
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			seg.label = true
			seg.text, seg.greedy = strings.CutSuffix(name, "+")
		}
		r.segs = append(r.segs, seg)
		// A literal is more exact than a label, and a label than a greedy one.
		switch {
		case !seg.label:
			r.rank += 1 << 16
		case !seg.greedy:
			r.rank += 1 << 8
		}
	}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, valued := strings.Cut(part, "=")
		r.query = append(r.query, param{name: name, value: value, bare: !valued})
		r.rank += 1 << 4
	}
	return r
}

// discriminate lets the members that an operation requires tell it from others
// with the same pattern: UploadPart from PutObject, CopyObject from both.
func (r *route) discriminate(s *model.Service) {
	in := s.Shape(r.op.Input)
	if in == nil {
		return
	}
	for i := range in.Members {
		m := &in.Members[i]
		switch {
		case !m.Required:
		case m.Location == model.Header:
			r.headers = append(r.headers, http.CanonicalHeaderKey(m.WireName()))
			r.rank += 2
		case m.Location == model.QueryString:
			r.oneOf = append(r.oneOf, m.WireName())
			r.rank++
		}
	}
}

// Match finds the operation of a request. path is the escaped path; h is looked
// at where only a header tells operations apart. Further query parameters than
// an operation's own are nothing to the match. A final slash does not count,
// unless a greedy label takes it in.
func (t *Table) Match(method, path, query string, h http.Header) (Match, bool) {
	if !strings.HasPrefix(path, "/") {
		return Match{}, false
	}
	routes := t.methods[method]
	for i := range routes {
		r := &routes[i]
		if !r.matchQuery(query) || !r.matchHeaders(h) || !r.matchPath(path[1:], nil) {
			continue
		}
		if len(t.sub) > 0 && t.strays(r, query) {
			return Match{}, false
		}
		m := Match{Op: r.op}
		r.matchPath(path[1:], &m.Labels)
		return m, true
	}
	return Match{}, false
}

// strays reports whether the query names a sub-resource that r is not about.
func (t *Table) strays(r *route, query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		name = unescape(name)
		if t.sub[name] && !slices.ContainsFunc(r.query, func(p param) bool { return p.name == name }) {
			return true
		}
	}
	return false
}

func (r *route) matchQuery(query string) bool {
	for i := range r.query {
		if !has(query, &r.query[i]) {
			return false
		}
	}
	if len(r.oneOf) == 0 {
		return true
	}
	return slices.ContainsFunc(r.oneOf, func(name string) bool { return has(query, &param{name: name, bare: true}) })
}

func has(query string, p *param) bool {
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(part, "=")
		if unescape(name) == p.name && (p.bare || unescape(value) == p.value) {
			return true
		}
	}
	return false
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func (r *route) matchHeaders(h http.Header) bool {
	for _, name := range r.headers {
		if len(h[name]) == 0 {
			return false
		}
	}
	return true
}

// matchPath matches a path without its first slash, and notes the labels.
func (r *route) matchPath(rest string, labels *protocol.Labels) bool {
	for i := range r.segs {
		seg := &r.segs[i]
		var part string
		if seg.greedy {
			part, rest = greedy(rest, len(r.segs)-i-1)
		} else {
			part, rest, _ = strings.Cut(rest, "/")
		}
		if part == "" {
			return false // also a label: an empty one is no resource
		}
		if !seg.label {
			if part != seg.text && pathUnescape(part) != seg.text {
				return false
			}
			continue
		}
		if labels != nil {
			*labels = append(*labels, protocol.Label{Name: seg.text, Value: pathUnescape(part)})
		}
	}
	return rest == ""
}

// greedy takes all but the last n segments.
func greedy(path string, n int) (part, rest string) {
	if n > 0 {
		path = strings.TrimSuffix(path, "/")
	}
	end := len(path)
	for range n {
		if end = strings.LastIndexByte(path[:end], '/'); end < 0 {
			return "", ""
		}
	}
	if end == len(path) {
		return path, ""
	}
	return path[:end], path[end+1:]
}

func pathUnescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
