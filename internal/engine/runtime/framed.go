package runtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"syscall"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// The framed protocol runs over a stream socket between the engine and one of
// our own bootstraps. A message is a length of four bytes, a kind of one byte,
// and a body of that length; numbers are little endian.
//
// To the bootstrap goes one kind, kindInvoke:
//
//	deadline   8 bytes  milliseconds since 1970 as a floating point number, 0: none
//	lengths    5 × 4    of the request id, trace id, function ARN, client context and identity
//	strings             these five
//	payload             the rest
//
// From the bootstrap come: kindReady once it is initialised (or kindInitError
// with the error object, and nothing after it), and for each invocation one of
// kindResponse and kindError, whose body is the response or the error object,
// or kindFatal: an error after which the bootstrap ends. A streamed response is
// kindStream, whose body is the content type, kindChunk for each piece, and
// kindEnd, whose body is empty or the error object with which it broke off.
const (
	kindInvoke    = 1
	kindReady     = 2
	kindInitError = 3
	kindResponse  = 4
	kindError     = 5
	kindFatal     = 6
	kindStream    = 7
	kindChunk     = 8
	kindEnd       = 9

	frameHeader  = 5
	invokeHeader = frameHeader + 8 + 5*4

	// framedDescriptor is where the bootstrap finds the socket.
	framedDescriptor = 3
	// copyBelow is the size up to which a payload is copied beside its header
	// rather than written by its own.
	copyBelow = 16 << 10
)

var errFrame = errors.New("the bootstrap sent a malformed message")

// framed is the engine's end of the framed protocol.
type framed struct {
	conn  *net.UnixConn
	child *os.File
	out   []byte
	in    frameReader
}

func newFramed() (*framed, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	mine, child := os.NewFile(uintptr(fds[0]), "framed"), os.NewFile(uintptr(fds[1]), "framed")
	c, err := net.FileConn(mine)
	mine.Close()
	if err != nil {
		child.Close()
		return nil, err
	}
	conn := c.(*net.UnixConn)
	return &framed{conn: conn, child: child, in: frameReader{r: conn}}, nil
}

// started closes what only the child needs.
func (f *framed) started(sandbox.Process) error {
	f.child.Close()
	f.child = nil
	return nil
}

func (f *framed) close() {
	if f.child != nil {
		f.child.Close()
	}
	f.conn.Close()
}

// ready waits for the end of the initialisation.
func (f *framed) ready() error {
	kind, body, err := f.in.next()
	switch {
	case err != nil:
		return err
	case kind == kindReady:
		return nil
	case kind == kindInitError:
		return parseInitError(body, "")
	}
	return errFrame
}

// roundTrip hands an event over and waits for the answer. errors.Is
// ErrNotDelivered tells that the bootstrap has not taken the event.
func (f *framed) roundTrip(inv *Invocation) (*Result, bool, error) {
	if err := f.send(inv); err != nil {
		// The bootstrap acts only on whole messages.
		return nil, false, fmt.Errorf("%w: %w", ErrNotDelivered, err)
	}
	kind, body, err := f.in.next()
	if errors.Is(err, syscall.ECONNRESET) {
		// It was closed with our message unread.
		return nil, false, fmt.Errorf("%w: %w", ErrNotDelivered, err)
	}
	if err != nil {
		return nil, false, err
	}
	switch kind {
	case kindResponse:
		return &Result{Payload: body}, true, nil
	case kindError:
		return &Result{Payload: body, FunctionError: Unhandled}, true, nil
	case kindFatal:
		return &Result{Payload: body, FunctionError: Unhandled}, false, nil
	case kindStream:
		return f.stream(&collector{to: inv.Stream, contentType: string(body)})
	}
	return nil, false, errFrame
}

// stream passes a streamed response on until its end.
func (f *framed) stream(c *collector) (*Result, bool, error) {
	c.add(nil)
	for {
		kind, body, err := f.in.next()
		switch {
		case err == io.EOF && c.begun:
			return nil, false, io.ErrUnexpectedEOF
		case err != nil:
			return nil, false, err
		case kind == kindChunk:
			c.add(body)
		case kind == kindEnd:
			return c.result(body), true, nil
		case kind == kindFatal:
			return c.result(body), false, nil
		default:
			return nil, false, errFrame
		}
	}
}

func (f *framed) send(inv *Invocation) error {
	f.out = appendInvoke(f.out[:0], inv)
	if len(inv.Payload) <= copyBelow {
		f.out = append(f.out, inv.Payload...)
		_, err := f.conn.Write(f.out)
		return err
	}
	bufs := net.Buffers{f.out, inv.Payload}
	_, err := bufs.WriteTo(f.conn)
	return err
}

// appendInvoke appends a kindInvoke message but for the payload itself.
func appendInvoke(b []byte, inv *Invocation) []byte {
	parts := [...]string{inv.RequestID, inv.TraceID, inv.FunctionARN, inv.ClientContext, inv.CognitoIdentity}
	n := invokeHeader - frameHeader + len(inv.Payload)
	for _, p := range parts {
		n += len(p)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, kindInvoke)
	var ms float64
	if !inv.Deadline.IsZero() {
		ms = float64(inv.Deadline.UnixMilli())
	}
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(ms))
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// frameReader reads messages; it asks the socket for a message's beginning and
// small body at once, and reads a large body into its final place.
type frameReader struct {
	r    io.Reader
	buf  [2048]byte
	have int // bytes of buf that were read
}

// next reads one message. A body that is larger than MaxPayload is an error.
// At the end of the stream between two messages it returns io.EOF.
func (f *frameReader) next() (kind byte, body []byte, err error) {
	for f.have < frameHeader {
		n, err := f.r.Read(f.buf[f.have:])
		f.have += n
		if err != nil && f.have < frameHeader {
			if err == io.EOF && f.have > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
	size := binary.LittleEndian.Uint32(f.buf[:4])
	kind = f.buf[4]
	if kind < kindReady || kind > kindEnd || size > MaxPayload {
		return 0, nil, errFrame
	}
	body = make([]byte, size)
	n := copy(body, f.buf[frameHeader:f.have])
	f.have = copy(f.buf[:], f.buf[frameHeader+n:f.have])
	if _, err := io.ReadFull(f.r, body[n:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, body, nil
}
