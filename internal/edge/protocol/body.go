package protocol

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// maxInflated bounds a compressed body after decompression: the largest that
// an AWS operation with compressible requests takes, and then some.
const maxInflated = 16 << 20

// Stream returns the body for an operation that reads it as a stream.
func (rq *Request) Stream() io.ReadCloser {
	if rq.Body != nil {
		return rq.Body
	}
	if rq.HTTP.Body != nil {
		return rq.HTTP.Body
	}
	return http.NoBody
}

// Whole is a body that was read already; ReadBody then takes its bytes as they
// are.
type Whole interface{ Whole() []byte }

// ReadBody reads the whole body. With inflate, a body with the content encoding
// gzip, in which clients send large requests, is decompressed.
// https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait
func (rq *Request) ReadBody(inflate bool) ([]byte, error) {
	body := rq.Stream()
	src := io.Reader(body)
	compressed := false
	if inflate {
		if enc := rq.HTTP.Header.Get("Content-Encoding"); enc != "" && gzipped(enc) {
			z, err := gzip.NewReader(src)
			if err == io.EOF {
				return nil, nil // no body is no gzip either
			}
			if err != nil {
				return nil, bodyError(err, "The request body is not in the gzip format that Content-Encoding says it has.")
			}
			src, compressed = &inflated{r: z, left: maxInflated}, true
		}
	}
	if w, ok := body.(Whole); ok && !compressed {
		return w.Whole(), nil
	}
	size := rq.HTTP.ContentLength
	if size < 0 || size > 1<<20 {
		size = 4096 - 1
	}
	buf := make([]byte, 0, size+1) // one more, so that the end is seen without growing
	for {
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, bodyError(err, "The request body could not be read.")
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// gzipped reports whether the last encoding that was applied is gzip.
func gzipped(encodings string) bool {
	if i := strings.LastIndexByte(encodings, ','); i >= 0 {
		encodings = encodings[i+1:]
	}
	return strings.EqualFold(strings.TrimSpace(encodings), "gzip")
}

// bodyError makes a fault of an error in reading a body.
func bodyError(err error, message string) error {
	if f := fault.As(err); f != nil {
		return f
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fault.Of(fault.RequestTooLarge, "The request body is larger than the limit of %d bytes.", large.Limit)
	}
	return fault.Of(fault.Serialization, "%s", message)
}

// inflated bounds what a decompressor gives.
type inflated struct {
	r    io.Reader
	left int
}

func (r *inflated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, fault.Of(fault.RequestTooLarge, "The request body is larger than the limit of %d bytes after decompression.", maxInflated)
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
