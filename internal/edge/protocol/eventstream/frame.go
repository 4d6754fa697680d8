// Package eventstream writes streams of events: frames of the type
// application/vnd.amazon.eventstream.
// https://smithy.io/2.0/aws/amazon-eventstream.html
package eventstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Limits of a frame.
const (
	maxHeaders = 128 << 10
	maxPayload = 16 << 20 // of one frame, as AWS's clients take it
)

// Header is one header of a frame. Value is a string, bool, int32, int64,
// []byte or time.Time.
type Header struct {
	Name  string
	Value any
}

// The types of header values.
const (
	boolTrue  = 0
	boolFalse = 1
	int32Type = 4
	int64Type = 5
	bytesType = 6
	textType  = 7
	timeType  = 8
)

// Append writes a frame: lengths, their checksum, headers, payload, checksum.
func Append(b []byte, headers []Header, payload []byte) ([]byte, error) {
	if len(payload) > maxPayload {
		return b, errors.New("eventstream: the payload of a frame is larger than 16 MiB")
	}
	start := len(b)
	b = append(b, make([]byte, 12)...)
	for _, h := range headers {
		var err error
		if b, err = appendHeader(b, h); err != nil {
			return b[:start], err
		}
	}
	length := len(b) - start - 12
	if length > maxHeaders {
		return b[:start], errors.New("eventstream: the headers of a frame are larger than 128 KiB")
	}
	b = append(b, payload...)
	prelude := b[start : start+12]
	binary.BigEndian.PutUint32(prelude, uint32(len(b)-start+4))
	binary.BigEndian.PutUint32(prelude[4:], uint32(length))
	binary.BigEndian.PutUint32(prelude[8:], crc32.ChecksumIEEE(prelude[:8]))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:])), nil
}

func appendHeader(b []byte, h Header) ([]byte, error) {
	if len(h.Name) == 0 || len(h.Name) > 255 {
		return b, fmt.Errorf("eventstream: the name of header %q is not 1 to 255 bytes long", h.Name)
	}
	b = append(b, byte(len(h.Name)))
	b = append(b, h.Name...)
	sized := func(kind byte, v string) ([]byte, error) {
		if len(v) > 1<<15-1 {
			return b, fmt.Errorf("eventstream: header %s is longer than 32767 bytes", h.Name)
		}
		b = append(b, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		return append(b, v...), nil
	}
	switch v := h.Value.(type) {
	case string:
		return sized(textType, v)
	case []byte:
		return sized(bytesType, string(v))
	case bool:
		if v {
			return append(b, boolTrue), nil
		}
		return append(b, boolFalse), nil
	case int32:
		return binary.BigEndian.AppendUint32(append(b, int32Type), uint32(v)), nil
	case int64:
		return binary.BigEndian.AppendUint64(append(b, int64Type), uint64(v)), nil
	case time.Time:
		return binary.BigEndian.AppendUint64(append(b, timeType), uint64(v.UnixMilli())), nil
	}
	return b, fmt.Errorf("eventstream: header %s has a value of type %T", h.Name, h.Value)
}
