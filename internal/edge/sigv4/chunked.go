package sigv4

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Limits of the aws-chunked encoding.
const (
	maxChunkLine = 4 << 10
	maxChunk     = 1 << 30
	maxTrailers  = 16
)

// Chunked decodes a body in the aws-chunked encoding, verifying each chunk's
// signature (and the trailer's) where they are signed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
type Chunked struct {
	r        *bufio.Reader
	signed   bool
	trailing bool
	key      []byte
	previous string
	preamble []byte // "AWS4-HMAC-SHA256-PAYLOAD" lines up to the previous signature

	left     int64 // of the present chunk
	sum      hash.Hash
	declared string // the present chunk's signature
	started  bool
	err      error
	expect   int64 // of the decoded body, -1 if unknown
	got      int64

	// OnTrailer is told each trailing header, name in lower case, once all is
	// verified and before the reader answers io.EOF.
	OnTrailer func(name, value string)
}

// NewChunked decodes body, which was announced with the given payload hash by a
// request whose signature s was verified with secret. length is what
// x-amz-decoded-content-length says, -1 if it says nothing.
func (k *Keys) NewChunked(body io.Reader, s *Signature, secret string, length int64) (*Chunked, error) {
	c := &Chunked{r: bufio.NewReaderSize(body, 64<<10), expect: length}
	switch s.PayloadHash {
	case Streaming:
		c.signed = true
	case StreamingTrailer:
		c.signed, c.trailing = true, true
	case StreamingUnsignedTrail:
		c.trailing = true
	default:
		return nil, incomplete("x-amz-content-sha256 '%s' does not announce chunks", s.PayloadHash)
	}
	if c.signed {
		c.key = k.get(secret, s.Scope)
		c.previous = s.Value
		c.preamble = []byte(s.Time.Format(timeLayout) + "\n" + s.Scope.String() + "\n")
		c.sum = sha256.New()
	}
	return c, nil
}

// NewUnverified decodes body without looking at signatures, for a server that
// asks nobody for one.
func (k *Keys) NewUnverified(body io.Reader, length int64) *Chunked {
	return &Chunked{r: bufio.NewReaderSize(body, 64<<10), expect: length, trailing: true}
}

var errChunk = fault.New("InvalidRequest", 400, "The body is not properly encoded as aws-chunked")

// Read implements io.Reader.
func (c *Chunked) Read(p []byte) (int, error) {
	for {
		if c.err != nil {
			return 0, c.err
		}
		if c.left > 0 {
			if int64(len(p)) > c.left {
				p = p[:c.left]
			}
			n, err := c.r.Read(p)
			c.left -= int64(n)
			c.got += int64(n)
			if c.signed {
				c.sum.Write(p[:n])
			}
			if err != nil && c.left > 0 {
				c.err = short(err)
			}
			if n > 0 {
				return n, nil
			}
			continue
		}
		c.err = c.next()
	}
}

func short(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.New("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return err
}

// next ends the present chunk and begins the next one; io.EOF after the last.
func (c *Chunked) next() error {
	if c.started {
		if err := c.endChunk(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	n, perr := strconv.ParseInt(size, 16, 64)
	if perr != nil || n < 0 || n > maxChunk {
		return errChunk
	}
	if c.signed {
		sig, ok := strings.CutPrefix(ext, "chunk-signature=")
		if !ok || len(sig) != 64 {
			return errChunk
		}
		c.declared = sig
		c.sum.Reset()
	}
	c.started, c.left = true, n
	if n > 0 {
		return nil
	}
	if err := c.verify(); err != nil {
		return err
	}
	if err := c.trailer(); err != nil {
		return err
	}
	if c.expect >= 0 && c.got != c.expect {
		return fault.New("IncompleteBody", 400, "The request body has %d bytes and x-amz-decoded-content-length says %d", c.got, c.expect)
	}
	return io.EOF
}

func (c *Chunked) endChunk() error {
	if err := c.verify(); err != nil {
		return err
	}
	crlf, err := c.line()
	if err != nil {
		return err
	}
	if crlf != "" {
		return errChunk
	}
	return nil
}

func (c *Chunked) verify() error {
	if !c.signed {
		return nil
	}
	b := append([]byte("AWS4-HMAC-SHA256-PAYLOAD\n"), c.preamble...)
	b = append(b, c.previous...)
	b = append(b, "\n"+EmptyHash+"\n"...)
	b = hex.AppendEncode(b, c.sum.Sum(nil))
	return c.accept(b, c.declared)
}

func (c *Chunked) accept(toSign []byte, declared string) error {
	want := hex.EncodeToString(mac(c.key, toSign))
	if !hmac.Equal([]byte(want), []byte(declared)) {
		return mismatch()
	}
	c.previous = want
	return nil
}

// trailer reads what follows the last chunk.
func (c *Chunked) trailer() error {
	var block bytes.Buffer
	var names, values []string
	signature := ""
	for {
		line, err := c.line()
		if err != nil {
			// The final line end is left out by some clients.
			if f := fault.As(err); f != nil && f.Code == "IncompleteBody" && (!c.trailing || len(names) > 0) {
				break
			}
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !c.trailing || len(names) >= maxTrailers {
			return errChunk
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		names, values = append(names, name), append(values, value)
		block.WriteString(name + ":" + value + "\n")
	}
	if c.signed && c.trailing {
		sum := sha256.Sum256(block.Bytes())
		b := append([]byte("AWS4-HMAC-SHA256-TRAILER\n"), c.preamble...)
		b = append(b, c.previous...)
		b = append(b, '\n')
		b = hex.AppendEncode(b, sum[:])
		if err := c.accept(b, signature); err != nil {
			return err
		}
	}
	if c.OnTrailer != nil {
		for i := range names {
			c.OnTrailer(names[i], values[i])
		}
	}
	return nil
}

// line reads up to a line end, which it leaves out.
func (c *Chunked) line() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxChunkLine {
			return "", errChunk
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", short(err)
		}
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// HashReader passes body through and, at its end, compares its SHA-256 with
// what the signature covers.
func HashReader(body io.Reader, want string) io.Reader {
	return &hashed{r: body, want: want, sum: sha256.New()}
}

type hashed struct {
	r    io.Reader
	want string
	sum  hash.Hash
}

// Read implements io.Reader.
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(h.sum.Sum(nil)) != strings.ToLower(h.want) {
		return n, fault.New("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return n, err
}
