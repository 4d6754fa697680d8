package dynamodb

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// value draws an attribute's value of any type.
func value(depth int) *rapid.Generator[api.AttributeValue] {
	text := rapid.StringN(0, 5, 20)
	number := rapid.Map(rapid.IntRange(-1000, 1000), func(i int) string { return fmt.Sprint(i) })
	blob := rapid.SliceOfN(rapid.Byte(), 0, 5)
	return rapid.Custom(func(t *rapid.T) (v api.AttributeValue) {
		last := 9
		if depth == 0 {
			last = 7
		}
		switch rapid.IntRange(0, last).Draw(t, "type") {
		case 0:
			v.S = new(text.Draw(t, "S"))
		case 1:
			v.N = new(number.Draw(t, "N"))
		case 2:
			v.B = append([]byte{}, blob.Draw(t, "B")...)
		case 3:
			v.BOOL = new(rapid.Bool().Draw(t, "BOOL"))
		case 4:
			v.NULL = new(true)
		case 5:
			v.SS = rapid.SliceOfNDistinct(text, 1, 3, rapid.ID).Draw(t, "SS")
		case 6:
			v.NS = rapid.SliceOfNDistinct(number, 1, 3, rapid.ID).Draw(t, "NS")
		case 7:
			v.BS = rapid.SliceOfNDistinct(blob, 1, 3, func(b []byte) string { return string(b) }).Draw(t, "BS")
		case 8:
			v.L = append([]api.AttributeValue{}, rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "L")...)
		case 9:
			v.M = rapid.MapOfN(text, value(depth-1), 0, 3).Draw(t, "M")
		}
		return v
	})
}

func TestItemsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		item, err := expr.NormalItem(rapid.MapOfN(rapid.StringN(1, 5, 20), value(3), 0, 5).Draw(t, "item"))
		if err != nil {
			t.Fatal(err)
		}
		size := expr.ItemSize(item)
		b := encodeItem(item, size)
		got, gotSize, err := decodeItem(b)
		if err != nil || gotSize != size || !expr.EqualItems(item, got) || storedSize(b) != size {
			t.Fatalf("read %v (size %d, %v), wrote %v (size %d)", got, gotSize, err, item, size)
		}
	})
}

func FuzzDecodeItem(f *testing.F) {
	f.Add(encodeItem(benchItem(1), 100))
	f.Add([]byte{1, 0, 0, 1, 1, 'a', tagL, 1, tagM, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		item, size, err := decodeItem(b)
		if err != nil {
			return
		}
		again, _, err := decodeItem(encodeItem(item, size))
		if err != nil || !expr.EqualItems(item, again) && expr.ItemSize(item) != expr.ItemSize(again) {
			t.Fatalf("%v became %v: %v", item, again, err)
		}
	})
}

func TestSortKeysKeepTheOrderOfValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"S", "B"}).Draw(t, "kind")
		draw := func(name string) *api.AttributeValue {
			// Bytes at the ends of the range, so that escapes meet.
			b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 1, 4).Draw(t, name)
			if kind == "S" {
				return &api.AttributeValue{S: new(string(b))}
			}
			return &api.AttributeValue{B: b}
		}
		a, b := draw("a"), draw("b")
		want, _ := expr.Compare(a, b)
		for _, last := range []bool{true, false} {
			ka, kb := appendSort(nil, a, last), appendSort(nil, b, last)
			if got := bytes.Compare(ka, kb); got != want {
				t.Fatalf("keys %x and %x compare as %d, want %d", ka, kb, got, want)
			}
			if !last && want != 0 && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) {
				t.Fatalf("one of %x and %x is a prefix of the other", ka, kb)
			}
		}
	})
}
