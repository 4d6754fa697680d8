package policy

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// instant is a point in time in seconds since 1970 and nanoseconds.
type instant struct {
	sec  int64
	nsec int64
}

func (a instant) order(b instant) int {
	return cmp.Or(cmp.Compare(a.sec, b.sec), cmp.Compare(a.nsec, b.nsec))
}

// parseInstant reads seconds since 1970 or one of the W3C forms of ISO 8601,
// from YYYY-MM to YYYY-MM-DDThh:mm:ss.s with Z or an offset; without either the
// time is UTC. A number alone is seconds, never a year.
// https://www.w3.org/TR/NOTE-datetime
func parseInstant(s string) (instant, bool) {
	if digits(s) {
		n, err := strconv.ParseInt(s, 10, 64)
		return instant{sec: n}, err == nil
	}
	date, clock := s, ""
	if i := strings.IndexAny(s, "Tt"); i >= 0 {
		date, clock = s[:i], s[i+1:]
		if clock == "" {
			return instant{}, false
		}
	}
	if len(date) != 4 && len(date) != 7 && len(date) != 10 {
		return instant{}, false
	}
	year, ok := number(date[:4], 0, 9999)
	month, day := 1, 1
	if ok && len(date) >= 7 {
		ok = date[4] == '-'
		if ok {
			month, ok = number(date[5:7], 1, 12)
		}
	}
	if ok && len(date) == 10 {
		ok = date[7] == '-'
		if ok {
			day, ok = number(date[8:], 1, 31)
		}
	}
	if !ok {
		return instant{}, false
	}
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if midnight.Day() != day { // the 31st of a shorter month
		return instant{}, false
	}
	at := instant{sec: midnight.Unix()}
	if clock == "" {
		return at, true
	}
	return at.clock(clock)
}

// clock adds hh, hh:mm, hh:mm:ss or hh:mm:ss.s with its offset.
func (a instant) clock(s string) (instant, bool) {
	offset := 0
	if n := len(s); s[n-1] == 'Z' || s[n-1] == 'z' {
		s = s[:n-1]
	} else if i := strings.IndexAny(s, "+-"); i >= 0 {
		var ok bool
		if offset, ok = parseOffset(s[i:]); !ok {
			return a, false
		}
		s = s[:i]
	}
	s, fraction, split := strings.Cut(s, ".")
	if split {
		if len(s) != 8 || len(fraction) > 9 || !digits(fraction) {
			return a, false
		}
		n, scale := 0, 1_000_000_000
		for i := range len(fraction) {
			n = n*10 + int(fraction[i]-'0')
			scale /= 10
		}
		a.nsec = int64(n * scale)
	}
	if len(s) != 2 && len(s) != 5 && len(s) != 8 {
		return a, false
	}
	seconds, unit := 0, 3600
	for i := 0; i < len(s); i += 3 {
		limit := 59
		if i == 0 {
			limit = 23
		} else if s[i-1] != ':' {
			return a, false
		}
		n, ok := number(s[i:i+2], 0, limit)
		if !ok {
			return a, false
		}
		seconds += n * unit
		unit /= 60
	}
	a.sec += int64(seconds - offset)
	return a, true
}

// parseOffset reads +hh:mm, +hhmm or +hh as seconds east of UTC.
func parseOffset(s string) (int, bool) {
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	s = s[1:]
	minutes := "00"
	switch {
	case len(s) == 5 && s[2] == ':':
		s, minutes = s[:2], s[3:]
	case len(s) == 4:
		s, minutes = s[:2], s[2:]
	}
	h, ok1 := number(s, 0, 23)
	m, ok2 := number(minutes, 0, 59)
	return sign * (h*3600 + m*60), ok1 && ok2
}

// number reads exactly two or four digits in a range.
func number(s string, low, high int) (int, bool) {
	if len(s) != 2 && len(s) != 4 || !digits(s) {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n, n >= low && n <= high
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
