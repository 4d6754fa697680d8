package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

func frame(kind byte, body string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + string(kind) + body
}

func TestFrames(t *testing.T) {
	large := strings.Repeat("x", 100_000)
	in := frame(kindReady, "") + frame(kindResponse, "abc") + frame(kindError, large) + frame(kindResponse, strings.Repeat("y", 2043)) + frame(kindFatal, "z")
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(in), "bytes": iotest.OneByteReader(strings.NewReader(in)), "halves": iotest.HalfReader(strings.NewReader(in)),
	} {
		f := &frameReader{r: r}
		for _, want := range []struct {
			kind byte
			body string
		}{{kindReady, ""}, {kindResponse, "abc"}, {kindError, large}, {kindResponse, strings.Repeat("y", 2043)}, {kindFatal, "z"}} {
			kind, body, err := f.next()
			if err != nil || kind != want.kind || string(body) != want.body {
				t.Fatalf("%s: got %d, %d bytes, %v", name, kind, len(body), err)
			}
		}
		if _, _, err := f.next(); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestBadFrames(t *testing.T) {
	for in, want := range map[string]error{
		"":                         io.EOF,
		"\x01\x00":                 io.ErrUnexpectedEOF,
		frame(kindReady, "ab")[:6]: io.ErrUnexpectedEOF,
		frame(0, ""):               errFrame,
		frame(kindInvoke, ""):      errFrame,
		frame(10, ""):              errFrame,
		"\xff\xff\xff\xff\x04":     errFrame,
		"HTTP/1.1 200 OK":          errFrame,
	} {
		if _, _, err := (&frameReader{r: strings.NewReader(in)}).next(); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", in, err, want)
		}
	}
}

// TestFramedDelivery: an event that the bootstrap has not read is not delivered;
// one that it has read is.
func TestFramedDelivery(t *testing.T) {
	for _, read := range []bool{false, true} {
		f, err := newFramed()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if read {
				head := make([]byte, frameHeader)
				if _, err := io.ReadFull(f.child, head); err != nil {
					t.Error(err)
				}
				if _, err := io.CopyN(io.Discard, f.child, int64(binary.LittleEndian.Uint32(head))); err != nil {
					t.Error(err)
				}
			} else {
				// One byte shows that it has arrived.
				if _, err := f.child.Read(make([]byte, 1)); err != nil {
					t.Error(err)
				}
			}
			f.child.Close()
		}()
		_, _, err = f.roundTrip(&Invocation{RequestID: "id", Payload: []byte("payload")})
		if errors.Is(err, ErrNotDelivered) == read || err == nil {
			t.Errorf("read %v: got %v", read, err)
		}
		if _, _, err = f.roundTrip(&Invocation{}); !errors.Is(err, ErrNotDelivered) || !errors.Is(err, syscall.EPIPE) {
			t.Errorf("afterwards: got %v", err)
		}
		f.conn.Close()
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte(frame(kindReady, "") + frame(kindResponse, "abc")))
	f.Add([]byte(frame(kindError, "")))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := &frameReader{r: bytes.NewReader(in)}
		var again []byte
		for {
			kind, body, err := r.next()
			if err != nil {
				break
			}
			again = append(again, frame(kind, string(body))...)
		}
		if !bytes.HasPrefix(in, again) {
			t.Errorf("%q was read as %q", in, again)
		}
	})
}

func TestLogLines(t *testing.T) {
	var got []string
	l := &logReader{sink: func(id string, line []byte) { got = append(got, id+string(line)) }}
	long := strings.Repeat("x", maxLine)
	for _, s := range []string{"a", "b\nc\n", "\n", "d", "", "e\nf", long + "y\n", long + long + "\n", long + "\n"} {
		l.add([]byte(s))
	}
	want := []string{"ab", "c", "", "de", "f" + long[1:], "xy", long, long, long}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %d lines: %.80q", len(got), got)
	}
}
