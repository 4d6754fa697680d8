package vtl

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec is a format specifier of Java's Formatter: %[index$][flags][width][.precision]conversion.
type spec struct {
	index, width, precision int // -1 is none
	flags                   string
	verb                    byte
	text                    string
}

func (s *spec) has(flag string) bool { return strings.Contains(s.flags, flag) }

func (s *spec) fail(why string) error { return fmt.Errorf("the format %s: %s", s.text, why) }

// maxWidth bounds widths and precisions.
const maxWidth = 10_000

// readSpec reads the specifier that s begins with.
func readSpec(s string) (*spec, error) {
	i := 1
	count := func() int {
		n, from := 0, i
		for ; i < len(s) && digit(s[i]); i++ {
			n = min(n*10+int(s[i]-'0'), maxWidth+1)
		}
		if i == from {
			return -1
		}
		return n
	}
	f := &spec{index: -1, width: -1, precision: -1}
	if n := count(); n > 0 && i < len(s) && s[i] == '$' {
		f.index = n
		i++
	} else {
		i = 1
	}
	from := i
	for i < len(s) && strings.IndexByte("-#+ 0,(<", s[i]) >= 0 {
		i++
	}
	f.flags = s[from:i]
	f.width = count()
	if i < len(s) && s[i] == '.' {
		i++
		if f.precision = count(); f.precision < 0 {
			return nil, fmt.Errorf("the format %q has no precision", s[:i])
		}
	}
	if i == len(s) {
		return nil, fmt.Errorf("the format %q has no conversion", s)
	}
	f.verb, f.text = s[i], s[:i+1]
	if f.width > maxWidth || f.precision > maxWidth {
		return nil, f.fail("it is too wide")
	}
	if f.has("-") && f.has("0") || f.has("+") && f.has(" ") || (f.has("-") || f.has("0")) && f.width < 0 {
		return nil, f.fail("its flags do not go together")
	}
	return f, nil
}

// format is Java's String.format.
func (r *run) format(layout string, args []any) (string, error) {
	var b strings.Builder
	next, last := 0, -1
	for {
		i := strings.IndexByte(layout, '%')
		if i < 0 {
			b.WriteString(layout)
			return b.String(), nil
		}
		b.WriteString(layout[:i])
		f, err := readSpec(layout[i:])
		if err != nil {
			return "", err
		}
		layout = layout[i+len(f.text):]
		var s string
		switch f.verb {
		case 'n':
			s = "\n"
		case '%':
			s = f.pad("%")
		default:
			at := next
			switch {
			case f.has("<"):
				at = last
			case f.index > 0:
				at = f.index - 1
			default:
				next++
			}
			if at < 0 || at >= len(args) {
				return "", f.fail("its argument is missing")
			}
			last = at
			if s, err = f.one(r, args[at]); err != nil {
				return "", err
			}
		}
		if err := r.spend(len(s) + 16); err != nil {
			return "", err
		}
		b.WriteString(s)
	}
}

// one formats one value.
func (f *spec) one(r *run, v any) (string, error) {
	verb := f.verb
	upper := strings.IndexByte("SBHXEGC", verb) >= 0
	if upper {
		verb |= 0x20
	}
	var s string
	var err error
	switch verb {
	case 's':
		s, err = r.str(v)
	case 'b':
		s = strconv.FormatBool(truth(v))
	case 'h':
		var h int32
		h, err = r.hash(v, 0)
		s = strconv.FormatUint(uint64(uint32(h)), 16)
	case 'c':
		n, ok := v.(int64)
		if !ok || n < 0 || n > utf8.MaxRune {
			return "", f.fail("the value is no character")
		}
		s = string(rune(n))
	case 'd':
		s, err = f.whole(v)
	case 'x', 'o':
		s, err = f.bits(v, map[byte]int{'x': 16, 'o': 8}[verb])
	case 'f', 'e', 'g':
		x, ok := v.(float64)
		if !ok {
			return "", f.fail("the value is no fraction")
		}
		s = f.fraction(x, verb)
	default:
		return "", f.fail("the conversion is not known")
	}
	if err != nil {
		return "", err
	}
	if f.precision >= 0 && strings.IndexByte("sbh", verb) >= 0 {
		if n := length(s); f.precision < n {
			s, _ = substring(s, 0, f.precision)
		}
	}
	if upper {
		s = strings.ToUpper(s)
	}
	return f.pad(s), nil
}

func (f *spec) pad(s string) string {
	n := f.width - length(s)
	switch {
	case n <= 0:
		return s
	case f.has("-"):
		return s + strings.Repeat(" ", n)
	}
	return strings.Repeat(" ", n) + s
}

func (f *spec) whole(v any) (string, error) {
	if f.precision >= 0 {
		return "", f.fail("a whole number has no precision")
	}
	switch v := v.(type) {
	case int64:
		return f.signed(v < 0, strings.TrimPrefix(strconv.FormatInt(v, 10), "-")), nil
	case *big.Int:
		return f.signed(v.Sign() < 0, new(big.Int).Abs(v).String()), nil
	}
	return "", f.fail("the value is no whole number")
}

// signed puts sign, groups and leading zeros to the digits of a number.
func (f *spec) signed(negative bool, digits string) string {
	if f.has(",") {
		whole, rest, _ := strings.Cut(digits, ".")
		var b strings.Builder
		for i, c := range []byte(whole) {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteByte(c)
		}
		if rest != "" {
			b.WriteString("." + rest)
		}
		digits = b.String()
	}
	before, after := "", ""
	switch {
	case negative && f.has("("):
		before, after = "(", ")"
	case negative:
		before = "-"
	case f.has("+"):
		before = "+"
	case f.has(" "):
		before = " "
	}
	if n := f.width - len(before) - len(digits) - len(after); f.has("0") && n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	return before + digits + after
}

func (f *spec) bits(v any, base int) (string, error) {
	var s string
	switch v := v.(type) {
	case int64:
		u := uint64(v)
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			u = uint64(uint32(int32(v)))
		}
		s = strconv.FormatUint(u, base)
	case *big.Int:
		s = v.Text(base)
	default:
		return "", f.fail("the value is no whole number")
	}
	if f.has("#") {
		s = map[int]string{16: "0x", 8: "0"}[base] + s
	}
	if n := f.width - len(s); f.has("0") && n > 0 {
		s = strings.Repeat("0", n) + s
	}
	return s, nil
}

// fraction writes a number as %f, %e and %g do, which round half up what the
// number prints as.
func (f *spec) fraction(x float64, verb byte) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		s := strings.TrimPrefix(formatDouble(x), "-")
		zero := f.flags
		f.flags = strings.ReplaceAll(zero, "0", "")
		defer func() { f.flags = zero }()
		return f.signed(x < 0, s)
	}
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	negative := math.Signbit(x)
	d := decimalOf(math.Abs(x))
	if verb == 'g' {
		precision = max(precision, 1)
		d.round(precision)
		if x != 0 && (d.point-1 < -4 || d.point-1 >= precision) {
			verb = 'e'
			precision--
		} else {
			verb = 'f'
			precision = max(0, precision-max(d.point, 1))
			if x != 0 && d.point < 1 {
				precision = max(0, f.digitsOfG()-d.point)
			}
		}
	}
	if verb == 'e' {
		d.round(precision + 1)
		e := d.point - 1
		if x == 0 {
			e = 0
		}
		s := d.digit(0)
		if precision > 0 {
			s += "."
		}
		for i := 1; i <= precision; i++ {
			s += d.digit(i)
		}
		return f.signed(negative, s+fmt.Sprintf("e%+03d", e))
	}
	d.round(d.point + precision)
	var b strings.Builder
	for i := min(0, d.point-1); i < d.point; i++ {
		b.WriteString(d.digit(i))
	}
	if precision > 0 {
		b.WriteByte('.')
	}
	for i := d.point; i < d.point+precision; i++ {
		b.WriteString(d.digit(i))
	}
	s := strings.TrimLeft(b.String(), "0")
	if s == "" || s[0] == '.' {
		s = "0" + s
	}
	return f.signed(negative, s)
}

func (f *spec) digitsOfG() int {
	if f.precision < 0 {
		return 6
	}
	return max(f.precision, 1)
}

// decimal is 0.DIGITS times ten to the power of point.
type decimal struct {
	digits string
	point  int
}

func decimalOf(x float64) *decimal {
	m, e, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(e)
	return &decimal{strings.Replace(m, ".", "", 1), n + 1}
}

func (d *decimal) digit(i int) string {
	if i < 0 || i >= len(d.digits) {
		return "0"
	}
	return d.digits[i : i+1]
}

// round keeps n digits; half is rounded up.
func (d *decimal) round(n int) {
	switch {
	case n >= len(d.digits):
		return
	case n < 0:
		d.digits = "0"
		return
	}
	up := d.digits[n] >= '5'
	b := []byte(d.digits[:n])
	for i := n - 1; up && i >= 0; i-- {
		if b[i]++; b[i] > '9' {
			b[i] = '0'
		} else {
			up = false
		}
	}
	if up {
		b = append([]byte{'1'}, b...)
		d.point++
	}
	d.digits = string(b)
}

var errNumber = errors.New("the text is no number")
