package expr

import (
	"math/big"
	"strconv"
	"strings"
)

// The limits of numbers: digits of precision, and the exponents of the largest
// and the smallest magnitude in scientific notation.
const (
	MaxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

// Number is a decimal number 0.d1d2d3… × 10^exp. Zero has no digits. The digits
// are '0' to '9' and begin and end with another than '0', so equal numbers are
// equal values.
type Number struct {
	neg    bool
	digits string
	exp    int
}

// ParseNumber reads a number as DynamoDB does: an optional sign, digits with an
// optional point, an optional exponent; at most 38 significant digits and a
// magnitude between 1E-130 and 9.9…9E+125, or zero.
func ParseNumber(s string) (Number, error) {
	if s == "" {
		return Number{}, errorf("The parameter cannot be converted to a numeric value")
	}
	n, ok := scanNumber(s)
	if !ok {
		return Number{}, errorf("The parameter cannot be converted to a numeric value: %s", s)
	}
	return n, n.check()
}

func (n Number) check() error {
	switch {
	case n.digits == "":
	case n.exp-1 > maxExponent:
		return errorf("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case n.exp-1 < minExponent:
		return errorf("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(n.digits) > MaxDigits:
		return errorf("Attempting to store more than 38 significant digits in a Number")
	}
	return nil
}

func scanNumber(s string) (n Number, ok bool) {
	i := 0
	if s[0] == '-' || s[0] == '+' {
		n.neg = s[0] == '-'
		i++
	}
	start := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	whole, frac := s[start:i], ""
	if i < len(s) && s[i] == '.' {
		start = i + 1
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
		frac = s[start:i]
	}
	if whole == "" && frac == "" {
		return Number{}, false
	}
	exp := 0
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return Number{}, false
		}
		// Beyond a million either way the result is over the limits whatever the
		// digits are: no request is long enough to make up for it.
		var err error
		exp, err = strconv.Atoi(s[i+1:])
		if err != nil {
			if e, isNum := err.(*strconv.NumError); !isNum || e.Err != strconv.ErrRange {
				return Number{}, false
			}
			if exp = 1 << 30; s[i+1] == '-' {
				exp = -exp
			}
		}
		exp = max(-1<<30, min(exp, 1<<30))
	}
	digits := whole
	if frac != "" {
		digits = whole + frac
	}
	exp += len(whole)
	trimmed := strings.TrimLeft(digits, "0")
	exp -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return Number{}, true
	}
	n.digits, n.exp = trimmed, exp
	return n, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// String writes n without an exponent, as DynamoDB returns numbers.
func (n Number) String() string {
	if n.digits == "" {
		return "0"
	}
	var b []byte
	if n.neg {
		b = append(b, '-')
	}
	switch {
	case n.exp <= 0:
		b = append(b, "0."...)
		for i := n.exp; i < 0; i++ {
			b = append(b, '0')
		}
		b = append(b, n.digits...)
	case n.exp >= len(n.digits):
		b = append(b, n.digits...)
		for i := len(n.digits); i < n.exp; i++ {
			b = append(b, '0')
		}
	default:
		b = append(b, n.digits[:n.exp]...)
		b = append(b, '.')
		b = append(b, n.digits[n.exp:]...)
	}
	return string(b)
}

// Compare returns -1, 0 or 1 as n is less than, equal to or greater than m.
func (n Number) Compare(m Number) int {
	a, b := n.sign(), m.sign()
	if a != b {
		if a < b {
			return -1
		}
		return 1
	}
	c := 0
	switch {
	case a == 0:
		return 0
	case n.exp != m.exp:
		if c = 1; n.exp < m.exp {
			c = -1
		}
	default:
		// Digits have no trailing zeros, so the order of the strings is that of the fractions.
		c = strings.Compare(n.digits, m.digits)
	}
	return c * a
}

func (n Number) sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.neg:
		return -1
	}
	return 1
}

// Add returns n + m; an error if the sum is over the limits.
func (n Number) Add(m Number) (Number, error) {
	if n.digits == "" {
		return m, nil
	}
	if m.digits == "" {
		return n, nil
	}
	if a, ok := n.small(); ok {
		if b, ok := m.small(); ok {
			return ParseNumber(strconv.FormatInt(a+b, 10))
		}
	}
	// Both as integers at the exponent of the lower last digit.
	scale := min(n.exp-len(n.digits), m.exp-len(m.digits))
	sum := n.integer(scale)
	sum.Add(sum, m.integer(scale))
	return ParseNumber(sum.String() + "e" + strconv.Itoa(scale))
}

// Sub returns n - m; an error if the difference is over the limits.
func (n Number) Sub(m Number) (Number, error) {
	if m.digits != "" {
		m.neg = !m.neg
	}
	return n.Add(m)
}

// small returns n if it is an integer of at most 17 digits.
func (n Number) small() (int64, bool) {
	if n.exp < len(n.digits) || n.exp > 17 {
		return 0, false
	}
	var v int64
	for i := 0; i < n.exp; i++ {
		v *= 10
		if i < len(n.digits) {
			v += int64(n.digits[i] - '0')
		}
	}
	if n.neg {
		v = -v
	}
	return v, true
}

func (n Number) integer(scale int) *big.Int {
	v, _ := new(big.Int).SetString(n.digits+strings.Repeat("0", n.exp-len(n.digits)-scale), 10)
	if n.neg {
		v.Neg(v)
	}
	return v
}

// Int64 returns n without its fraction; ok is false if that does not fit.
func (n Number) Int64() (v int64, ok bool) {
	if n.exp <= 0 {
		return 0, true
	}
	whole := n
	if len(whole.digits) > n.exp {
		whole.digits = whole.digits[:n.exp]
	}
	return whole.small()
}

// Size is the number of bytes that n counts for in an item.
func (n Number) Size() int {
	if n.digits == "" {
		return 1
	}
	size := 1 + (len(n.digits)+1)/2
	if n.neg {
		size++
	}
	return size
}

// Marks that begin an encoded number, in order.
const (
	keyNegative = 0x40
	keyZero     = 0x80
	keyPositive = 0xc0
)

// AppendKey appends an encoding of n whose bytewise order is the numbers' order.
// No encoding is a prefix of another. It has at most 22 bytes.
func (n Number) AppendKey(b []byte) []byte {
	if n.digits == "" {
		return append(b, keyZero)
	}
	start := len(b)
	// A byte for the exponent, then two digits a byte, counted from 1 so that the
	// final 0 is less than any of them.
	b = append(b, keyPositive, byte(n.exp-1-minExponent))
	for i := 0; i < len(n.digits); i += 2 {
		pair := (n.digits[i] - '0') * 10
		if i+1 < len(n.digits) {
			pair += n.digits[i+1] - '0'
		}
		b = append(b, pair+1)
	}
	b = append(b, 0)
	if n.neg {
		b[start] = keyNegative
		for i := start + 1; i < len(b); i++ {
			b[i] = ^b[i]
		}
	}
	return b
}
