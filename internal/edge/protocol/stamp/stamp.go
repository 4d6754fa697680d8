// Package stamp reads and writes timestamps in the formats of the AWS protocols.
// https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait
package stamp

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Format returns the format of member m of shape sh, which is def where the
// model leaves it to the protocol. m may be nil.
func Format(m *model.Member, sh *model.Shape, def model.TimeFormat) model.TimeFormat {
	switch {
	case m != nil && m.TimeFormat != model.Default:
		return m.TimeFormat
	case sh.TimeFormat != model.Default:
		return sh.TimeFormat
	}
	return def
}

// HTTPDate is the layout of model.RFC822.
const HTTPDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// Append writes t. Fractions of a second are cut to milliseconds; HTTP dates
// have none.
func Append(b []byte, t time.Time, f model.TimeFormat) []byte {
	t = t.UTC()
	switch f {
	case model.ISO8601:
		if t.Nanosecond() < int(time.Millisecond) {
			return t.AppendFormat(b, "2006-01-02T15:04:05Z")
		}
		return t.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	case model.RFC822:
		return t.AppendFormat(b, HTTPDate)
	}
	ms := t.UnixMilli()
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if frac := ms % 1000; frac != 0 {
		b = append(b, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	return b
}

var errSyntax = errors.New("not a timestamp")

// The layouts that clients write, beside those of the specification. Go's
// parser takes fractions of a second after any of them.
var (
	isoLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02", "20060102T150405Z"}
	rfcLayouts = []string{HTTPDate, "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 -0700", time.RFC850, time.ANSIC}
)

// Parse reads a timestamp.
func Parse(s string, f model.TimeFormat) (time.Time, error) {
	switch f {
	case model.ISO8601:
		return parseLayouts(s, isoLayouts)
	case model.RFC822:
		return parseLayouts(s, rfcLayouts)
	}
	return parseUnix(s)
}

func parseLayouts(s string, layouts []string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errSyntax
}

func parseUnix(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return fromSeconds(float64(n), n, 0)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return time.Time{}, errSyntax
	}
	return FromSeconds(f)
}

// FromSeconds makes a timestamp of seconds since 1970, rounded to milliseconds:
// more than a double can hold of today's dates is noise.
func FromSeconds(f float64) (time.Time, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return time.Time{}, errSyntax
	}
	whole, frac := math.Modf(f)
	return fromSeconds(f, int64(whole), int64(math.Round(frac*1000))*int64(time.Millisecond))
}

// maxSeconds keeps timestamps within the years that the formats can write.
const maxSeconds = 253402300799 // the end of 9999

func fromSeconds(f float64, sec, nsec int64) (time.Time, error) {
	if math.Abs(f) > maxSeconds {
		return time.Time{}, errSyntax
	}
	return time.Unix(sec, nsec).UTC(), nil
}
