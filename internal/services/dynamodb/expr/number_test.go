package expr

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseNumber(t *testing.T) {
	nines := strings.Repeat("9", 38)
	for _, c := range []struct{ in, want, err string }{
		{"0", "0", ""}, {"-0", "0", ""}, {"+007", "7", ""}, {"1.50", "1.5", ""}, {".5", "0.5", ""}, {"5.", "5", ""},
		{"-1e3", "-1000", ""}, {"12E-3", "0.012", ""}, {"0e999999999999", "0", ""}, {"100", "100", ""},
		{nines, nines, ""}, {nines + "0", nines + "0", ""}, {"0." + nines, "0." + nines, ""},
		{"9.9e125", "99" + strings.Repeat("0", 124), ""}, {"1e-130", "0." + strings.Repeat("0", 129) + "1", ""},
		{"1e126", "", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"1e99999999999999999999", "", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"-1e-131", "", "Number underflow. Attempting to store a number with magnitude smaller than supported range"},
		{nines + "1", "", "Attempting to store more than 38 significant digits in a Number"},
		{"", "", "The parameter cannot be converted to a numeric value"},
		{"abc", "", "The parameter cannot be converted to a numeric value: abc"},
		{"1e", "", "The parameter cannot be converted to a numeric value: 1e"},
		{"-", "", "The parameter cannot be converted to a numeric value: -"},
		{"1 ", "", "The parameter cannot be converted to a numeric value: 1 "},
		{"0x1", "", "The parameter cannot be converted to a numeric value: 0x1"},
		{"NaN", "", "The parameter cannot be converted to a numeric value: NaN"},
	} {
		n, err := ParseNumber(c.in)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: %v, want %s", c.in, err, c.err)
			}
			continue
		}
		if err != nil || n.String() != c.want {
			t.Errorf("%q: %s, %v, want %s", c.in, n, err, c.want)
		}
	}
}

// number draws numbers that DynamoDB can hold, often close to each other.
var number = rapid.Custom(func(t *rapid.T) Number {
	text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,3}|[0-9]{1,37})(\.[0-9]{1,6})?(e-?[0-9]{1,2})?`).Draw(t, "number")
	n, err := ParseNumber(text)
	if err != nil {
		t.Skip(err)
	}
	return n
})

func rat(t *rapid.T, n Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		t.Fatalf("%q is no number", n)
	}
	return r
}

func TestNumbersAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, y := rat(t, a), rat(t, b)
		if got, want := a.Compare(b), x.Cmp(y); got != want {
			t.Fatalf("%s compared with %s: %d, want %d", a, b, got, want)
		}
		if got, want := bytes.Compare(a.AppendKey(nil), b.AppendKey(nil)), x.Cmp(y); got != want {
			t.Fatalf("keys of %s and %s compare as %d, want %d", a, b, got, want)
		}
		if x.Cmp(y) == 0 && a != b {
			t.Fatalf("%#v and %#v are equal but differ", a, b)
		}
		for op, do := range map[string]func(Number, Number) (Number, error){"+": Number.Add, "-": Number.Sub} {
			want := new(big.Rat).Add(x, y)
			if op == "-" {
				want.Sub(x, y)
			}
			got, err := do(a, b)
			if err != nil {
				// The exact result must have needed too many digits.
				digits := strings.Trim(strings.Replace(want.FloatString(300), ".", "", 1), "-0")
				if len(digits) <= MaxDigits {
					t.Fatalf("%s %s %s: %v, but it is %s", a, op, b, err, digits)
				}
				continue
			}
			if rat(t, got).Cmp(want) != 0 {
				t.Fatalf("%s %s %s is %s, want %s", a, op, b, got, want.FloatString(50))
			}
		}
	})
}

func TestKeysOfNumbersAreNoPrefixes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		if ka, kb := a.AppendKey(nil), b.AppendKey(nil); a != b && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) {
			t.Fatalf("the key of one of %s and %s is a prefix of the other's", a, b)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-1.5e10", "1e-130", "9.99e125", "12345678901234567890123456789012345678"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		if err != nil {
			return
		}
		again, err := ParseNumber(n.String())
		if err != nil || again != n {
			t.Fatalf("%q is %s, which is %s: %v", s, n, again, err)
		}
		if n == (Number{}) {
			return // of any exponent, which math/big need not know
		}
		if want, ok := new(big.Rat).SetString(s); !ok {
			t.Fatalf("%q is no number", s)
		} else if got, _ := new(big.Rat).SetString(n.String()); got.Cmp(want) != 0 {
			t.Fatalf("%q is %s", s, n)
		}
		if len(n.AppendKey(nil)) > 22 {
			t.Fatalf("the key of %s is too long", n)
		}
	})
}
