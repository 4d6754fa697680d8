package data

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestKeyOrder(t *testing.T) {
	ordered := [][]string{
		{}, {""}, {"", ""}, {"", "a"}, {"\x00"}, {"\x00", "z"}, {"\x00\x00"}, {"\x00\x01"}, {"\x00\xff"},
		{"\x01"}, {"a"}, {"a", ""}, {"a", "b"}, {"a\x00"}, {"a\x00", "b"}, {"a\x01"}, {"ab"}, {"ab", "a"}, {"\xff"}, {"\xff\xff"},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			want := min(max(i-j, -1), 1)
			if got := bytes.Compare(Key(a...), Key(b...)); got != want {
				t.Errorf("Key(%q) to Key(%q): %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestPartsRefuses(t *testing.T) {
	for _, k := range []string{"a", "a\x00", "\x00", "a\x00\x02", "a\x00\x01b", "a\x00\xff", "\x00\xff", "a\x00\x00"} {
		if parts, ok := Parts([]byte(k)); ok {
			t.Errorf("Parts(%q) = %q", k, parts)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff": "b", "a\xff\xff": "b", "ab": "ac", "\x00": "\x01", "\xff\x00": "\xff\x01"} {
		if got := PrefixEnd([]byte(prefix)); string(got) != want {
			t.Errorf("PrefixEnd(%q) = %q, want %q", prefix, got, want)
		}
	}
	for _, prefix := range []string{"", "\xff", "\xff\xff"} {
		if got := PrefixEnd([]byte(prefix)); got != nil {
			t.Errorf("PrefixEnd(%q) = %q, want nil", prefix, got)
		}
	}
}

// Keys keep the order of their parts, can be taken apart, and are prefixes of one
// another exactly if their parts are.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "a", "c")
	f.Add("", "\x00", "\x00", "")
	f.Add("a\x00", "\x01", "a", "\x00\x01")
	f.Add("\xff", "\x00\xff", "\xff\x00", "\xff")
	f.Fuzz(func(t *testing.T, a1, a2, b1, b2 string) {
		a, b := []string{a1, a2}, []string{b1, b2}
		ka, kb := Key(a...), Key(b...)
		if parts, ok := Parts(ka); !ok || !slices.Equal(parts, a) {
			t.Errorf("Parts(Key(%q)) = %q, %v", a, parts, ok)
		}
		if got, want := bytes.Compare(ka, kb), slices.Compare(a, b); got != want {
			t.Errorf("Key(%q) to Key(%q): %d, want %d", a, b, got, want)
		}
		if got, want := bytes.HasPrefix(ka, Key(b1)), a1 == b1; got != want {
			t.Errorf("Key(%q) begins with Key(%q): %v", a, b1, got)
		}
		if got, want := bytes.HasPrefix(ka, AppendPartial(nil, b1)), strings.HasPrefix(a1, b1); got != want {
			t.Errorf("Key(%q) begins with the partial %q: %v, want %v", a, b1, got, want)
		}
		in := bytes.Compare(ka, Key(b1)) >= 0 && bytes.Compare(ka, PrefixEnd(Key(b1))) < 0
		if in != (a1 == b1) {
			t.Errorf("Key(%q) is in the range of Key(%q): %v", a, b1, in)
		}
	})
}

// Whatever Parts accepts is a key that Key makes.
func FuzzParts(f *testing.F) {
	f.Add([]byte("a\x00\x01b\x00\xff\x00\x01"))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, k []byte) {
		if parts, ok := Parts(k); ok && !bytes.Equal(Key(parts...), k) {
			t.Errorf("Parts(%q) = %q, whose key is %q", k, parts, Key(parts...))
		}
	})
}
