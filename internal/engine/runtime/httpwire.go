package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A small HTTP/1.1 server's half: net/http costs a custom runtime more time than
// all the rest of an invocation. It is strict: what two parsers could read
// differently is refused.

const (
	maxHead = 32 << 10
	// maxDrain is how much of a refused body is read so that the answer arrives.
	maxDrain = 64 << 20
)

// httpRequest is what the Runtime API reads of a request.
type httpRequest struct {
	method, path string
	// length of the body; -1 when it is chunked.
	length      int64
	close       bool // the connection ends with this request
	expect      bool // 100-continue
	errorType   string
	contentType string
	// These are of extensions.
	extensionName, extensionID, acceptFeature, extensionError string
	// errorBody is of a trailer, in base64.
	errorBody string

	// streaming tells that the runtime streams the response; stream takes the
	// body then, if somebody waits for it.
	streaming bool
	stream    *collector

	body []byte
	// tooLarge tells that the body was above the limit and was thrown away.
	tooLarge bool
}

// httpError is a request that cannot be understood, with its status.
type httpError struct {
	status int
	reason string
}

func (e *httpError) Error() string { return e.reason }

func bad(format string, args ...any) error { return &httpError{400, fmt.Sprintf(format, args...)} }

// parseHead reads a request's head from b, without the empty line at its end.
func parseHead(b []byte) (*httpRequest, error) {
	line, rest := cutLine(b)
	method, after, ok := bytes.Cut(line, []byte{' '})
	target, version, ok2 := bytes.Cut(after, []byte{' '})
	if !ok || !ok2 || !isToken(method) || len(target) == 0 || target[0] != '/' {
		return nil, bad("malformed request line")
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return nil, bad("malformed request target")
		}
	}
	r := &httpRequest{method: string(method), path: string(target)}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		r.close = true
	default:
		return nil, &httpError{505, "HTTP version not supported"}
	}
	hasLength, chunked := false, false
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		name, value, err := parseField(line)
		if err != nil {
			return nil, err
		}
		switch {
		case equalFold(name, "content-length"):
			n, err := parseLength(value)
			if err != nil {
				return nil, err
			}
			if hasLength && n != r.length {
				return nil, bad("two content lengths")
			}
			hasLength, r.length = true, n
		case equalFold(name, "transfer-encoding"):
			if chunked || !equalFold(value, "chunked") {
				return nil, &httpError{501, "transfer encoding not supported"}
			}
			chunked = true
		case equalFold(name, "connection"):
			for _, opt := range strings.Split(string(value), ",") {
				switch opt = strings.TrimSpace(opt); {
				case strings.EqualFold(opt, "close"):
					r.close = true
				case strings.EqualFold(opt, "keep-alive") && string(version) == "HTTP/1.0":
					r.close = false
				}
			}
		case equalFold(name, "expect"):
			if !equalFold(value, "100-continue") {
				return nil, &httpError{417, "expectation not supported"}
			}
			r.expect = true
		default:
			r.keep(name, value)
		}
	}
	if chunked {
		if hasLength || string(version) == "HTTP/1.0" {
			return nil, bad("a chunked body has no content length")
		}
		r.length = -1
	}
	return r, nil
}

// keep stores a header or trailer that the Runtime API knows.
func (r *httpRequest) keep(name, value []byte) {
	switch {
	case equalFold(name, "lambda-runtime-function-error-type"):
		r.errorType = string(value)
	case equalFold(name, "lambda-runtime-function-error-body"):
		r.errorBody = string(value)
	case equalFold(name, "lambda-runtime-function-response-mode"):
		r.streaming = equalFold(value, "streaming")
	case equalFold(name, "lambda-extension-name"):
		r.extensionName = string(value)
	case equalFold(name, "lambda-extension-identifier"):
		r.extensionID = string(value)
	case equalFold(name, "lambda-extension-accept-feature"):
		r.acceptFeature = string(value)
	case equalFold(name, "lambda-extension-function-error-type"):
		r.extensionError = string(value)
	case equalFold(name, "content-type"):
		r.contentType = string(value)
	}
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\r\n"))
	return line, rest
}

func parseField(line []byte) (name, value []byte, err error) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || !isToken(name) {
		return nil, nil, bad("malformed header")
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, bad("control character in a header")
		}
	}
	return name, value, nil
}

func parseLength(b []byte) (int64, error) {
	if len(b) == 0 || len(b) > 18 {
		return 0, bad("malformed content length")
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, bad("malformed content length")
		}
	}
	return strconv.ParseInt(string(b), 10, 64)
}

// parseChunkSize reads the line before a chunk; extensions are passed over.
func parseChunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte{';'})
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 15 {
		return 0, bad("malformed chunk size")
	}
	var n int64
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, bad("malformed chunk size")
		}
		n = n<<4 | int64(c)
	}
	return n, nil
}

func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return len(b) > 0
}

// equalFold compares with a name in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// httpConn reads requests from a connection, one after the other.
type httpConn struct {
	conn       net.Conn
	buf        []byte
	start, end int
	out        []byte // the last event that was written
	// idle tells that nothing of a request has been read yet.
	idle bool
}

func newHTTPConn(c net.Conn) *httpConn { return &httpConn{conn: c, buf: make([]byte, 2<<10)} }

// Read reads from the connection. That the time for reading is over wakes only who
// waits for the beginning of a request.
func (c *httpConn) Read(b []byte) (int, error) {
	for {
		n, err := c.conn.Read(b)
		if n > 0 || c.idle || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
}

// fill reads more, making room first; limit is how much may be held.
func (c *httpConn) fill(limit int) error {
	if c.start > 0 {
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	}
	if c.end == len(c.buf) {
		if len(c.buf) >= limit {
			return &httpError{431, "the head of the request is too large"}
		}
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := c.Read(c.buf[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

// until reads up to mark and returns what is before it; it is valid until the next read.
func (c *httpConn) until(mark string, limit int) ([]byte, error) {
	from := 0
	for {
		held := c.buf[c.start:c.end]
		if i := bytes.Index(held[from:], []byte(mark)); i >= 0 {
			c.start += from + i + len(mark)
			return held[:from+i], nil
		}
		from = max(0, len(held)-len(mark)+1)
		if err := c.fill(limit); err != nil {
			if err == io.EOF && len(held) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// head reads the next request's head. Empty lines before it are passed over.
func (c *httpConn) head() (*httpRequest, error) {
	for {
		for c.end-c.start < 2 {
			c.idle = c.start == c.end
			err := c.fill(maxHead)
			c.idle = false
			if err != nil {
				return nil, err
			}
		}
		if c.buf[c.start] != '\r' || c.buf[c.start+1] != '\n' {
			break
		}
		c.start += 2
	}
	b, err := c.until("\r\n\r\n", maxHead)
	if err != nil {
		return nil, err
	}
	return parseHead(b)
}

// body reads the request's body into r. Above limit it is read and thrown away.
func (c *httpConn) body(r *httpRequest, limit int64) error {
	if r.length == 0 {
		return nil
	}
	if r.expect {
		if _, err := io.WriteString(c.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return err
		}
	}
	if r.length < 0 {
		return c.chunks(r, limit)
	}
	if r.length > limit {
		r.tooLarge = true
		return c.discard(r.length)
	}
	r.body = make([]byte, r.length)
	return c.read(r.body)
}

func (c *httpConn) read(b []byte) error {
	n := copy(b, c.buf[c.start:c.end])
	c.start += n
	_, err := io.ReadFull(c, b[n:])
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (c *httpConn) discard(n int64) error {
	if n > maxDrain {
		return &httpError{413, "the body is too large"}
	}
	held := min(n, int64(c.end-c.start))
	c.start += int(held)
	_, err := io.CopyN(io.Discard, c, n-held)
	return err
}

// pass reads n bytes and passes them on as they come.
func (c *httpConn) pass(n int64, to *collector) error {
	for n > 0 {
		if c.start == c.end {
			if err := c.fill(maxHead); err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
		}
		some := c.buf[c.start:min(c.end, c.start+int(min(n, maxHead)))]
		c.start += len(some)
		n -= int64(len(some))
		to.add(some)
	}
	return nil
}

// chunks reads a chunked body and its trailers.
func (c *httpConn) chunks(r *httpRequest, limit int64) error {
	var total int64
	if r.stream != nil {
		r.stream.add(nil)
	}
	for {
		line, err := c.until("\r\n", maxHead)
		if err != nil {
			return err
		}
		n, err := parseChunkSize(line)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		total += n
		switch {
		case r.stream != nil:
			err = c.pass(n, r.stream)
		case total > maxDrain:
			return &httpError{413, "the body is too large"}
		case total > limit:
			r.tooLarge, r.body = true, nil
			err = c.discard(n)
		default:
			at := len(r.body)
			r.body = append(r.body, make([]byte, n)...)
			err = c.read(r.body[at:])
		}
		if err != nil {
			return err
		}
		if line, err = c.until("\r\n", maxHead); err != nil {
			return err
		}
		if len(line) != 0 {
			return bad("a chunk is longer than it says")
		}
	}
	for range 64 {
		line, err := c.until("\r\n", maxHead)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		name, value, err := parseField(line)
		if err != nil {
			return err
		}
		r.keep(name, value)
	}
	return &httpError{431, "too many trailers"}
}
