package apigateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// An API with a minimum compression size takes compressed requests and compresses
// answers for callers who say that they take them.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html

// inflate makes a compressed body plain, for templates, validators and
// integrations. A body of another coding goes on as it is.
func (x *exchange) inflate() *failure {
	if x.stage.compress == nil || len(x.rq.Body) == 0 {
		return nil
	}
	var plain io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(x.header("Content-Encoding"))) {
	case "gzip":
		plain, err = gzip.NewReader(bytes.NewReader(x.rq.Body))
	case "deflate":
		plain, err = zlib.NewReader(bytes.NewReader(x.rq.Body))
	default:
		return nil
	}
	if err != nil {
		x.note = err.Error()
		return badParameters
	}
	var b bytes.Buffer
	switch n, err := b.ReadFrom(io.LimitReader(plain, MaxBody+1)); {
	case n > MaxBody:
		return tooLarge
	case err != nil:
		x.note = err.Error()
		return badParameters
	}
	x.rq.Body = b.Bytes()
	delete(x.rq.Header, "Content-Encoding")
	delete(x.rq.Header, "Content-Length")
	return nil
}

// resetter is a writer that compresses, ready for another body.
type resetter interface {
	io.WriteCloser
	Reset(io.Writer)
}

// deflate compresses the answer if the API does, the answer is large enough and
// plain, and the caller takes it.
func (s *Service) deflate(x *exchange) {
	if x.flow != nil || x.stage == nil || x.stage.compress == nil || len(x.body) == 0 || len(x.body) < int(*x.stage.compress) ||
		slices.ContainsFunc(x.headers, func(h proxy.Header) bool { return h.Name == "Content-Encoding" }) {
		return
	}
	coding := accepted(x.rq.Header["Accept-Encoding"])
	var pool *sync.Pool
	var fresh func() resetter
	switch coding {
	case "gzip":
		pool, fresh = &s.gzips, func() resetter { return gzip.NewWriter(nil) }
	case "deflate":
		pool, fresh = &s.deflates, func() resetter { return zlib.NewWriter(nil) }
	default:
		return
	}
	w, ok := pool.Get().(resetter)
	if !ok {
		w = fresh()
	}
	var b bytes.Buffer
	w.Reset(&b)
	_, err := w.Write(x.body)
	if err == nil {
		err = w.Close()
	}
	pool.Put(w)
	if err != nil { // memory does not fail
		return
	}
	x.body = b.Bytes()
	x.headers = append(x.headers, proxy.Header{Name: "Content-Encoding", Value: coding})
}

// accepted chooses the coding of an answer: the one that the caller likes best,
// of equals the first; "" if it takes none that there is here.
func accepted(lines []string) string {
	best, liked := "", 0.0
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(one, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			q := 1.0
			if v, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
				var err error
				if q, err = strconv.ParseFloat(v, 64); err != nil {
					q = 0
				}
			}
			switch coding {
			case "*":
				coding = "gzip"
			case "gzip", "deflate", "identity":
			default:
				continue
			}
			if q > liked {
				best, liked = coding, q
			}
		}
	}
	if best == "identity" {
		return ""
	}
	return best
}
