package cbor_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/cbor"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/gen/cloudwatch"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

var input = cloudwatch.Model.Operation("PutMetricData").Input

func TestRoundTrip(t *testing.T) {
	in := cloudwatch.PutMetricDataInput{Namespace: new("n"), MetricData: []cloudwatch.MetricDatum{
		{MetricName: new("m"), Value: new(1.5), Timestamp: new(time.UnixMilli(1700000000123).UTC()), StorageResolution: new(int32(60)), Values: []float64{}, Dimensions: []cloudwatch.Dimension{{Name: new("a"), Value: new("😹")}}},
		{Timestamp: new(time.Unix(-5, 0).UTC()), Values: []float64{1e300, -0.25}},
	}}
	b, err := cbor.Append(nil, &cloudwatch.Model, input, value.Of(&in))
	if err != nil {
		t.Fatal(err)
	}
	var again cloudwatch.PutMetricDataInput
	if err := cbor.Decode(b, &cloudwatch.Model, input, value.Into(&again)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, again) {
		t.Errorf("%+v", again)
	}
}

func TestDecode(t *testing.T) {
	types := &model.Service{Shapes: []model.Shape{
		{Name: "S", Kind: model.Structure, Members: []model.Member{{Name: "i", Shape: 1}, {Name: "f", Shape: 2}, {Name: "s", Shape: 3}, {Name: "b", Shape: 4}, {Name: "t", Shape: 5}, {Name: "l", Shape: 6}}},
		{Name: "I", Kind: model.Integer}, {Name: "F", Kind: model.Double}, {Name: "T", Kind: model.String}, {Name: "B", Kind: model.Blob}, {Name: "Z", Kind: model.Timestamp},
		{Name: "L", Kind: model.List, Elem: 1},
	}}
	read := func(b string) (any, error) {
		var v any
		err := cbor.Decode([]byte(b), types, 0, value.Into(&v))
		return v, err
	}
	for b, want := range map[string]map[string]any{
		"\xa1\x61i\x01":                          {"i": int32(1)},
		"\xa1\x61i\x3a\x7f\xff\xff\xff":          {"i": int32(-1 << 31)},
		"\xa1\x61i\xf9\x3c\x00":                  {"i": int32(1)}, // 1.0 in half precision
		"\xbf\x61f\xf9\xc0\x00\xff":              {"f": -2.0},
		"\xa1\x61f\xf9\x00\x01":                  {"f": 5.960464477539063e-08},
		"\xa1\x61f\xfa\x3f\xc0\x00\x00":          {"f": 1.5},
		"\xa1\x61f\x03":                          {"f": 3.0},
		"\xa1\x61s\x7f\x61a\x62bc\xff":           {"s": "abc"},
		"\xa1\x61b\x5f\x41\x01\x41\x02\xff":      {"b": []byte{1, 2}},
		"\xa1\x61t\xc1\x01":                      {"t": time.Unix(1, 0).UTC()},
		"\xa1\x61t\xc1\xf9\x3e\x00":              {"t": time.UnixMilli(1500).UTC()},
		"\xa1\x61l\x9f\x01\x02\xff":              {"l": []any{int32(1), int32(2)}},
		"\xa2\x61i\x01\x61i\x02":                 {"i": int32(2)},
		"\xa2\x61i\x01\x61i\xf6":                 {},
		"\xa2\x61x\xa1\x01\x82\xf5\xf7\x61i\x01": {"i": int32(1)}, // an unknown member
		"\xf6":                                   nil,
	} {
		got, err := read(b)
		if err != nil {
			t.Errorf("%x: %v", b, err)
		} else if want == nil {
			if got != nil {
				t.Errorf("%x: %v", b, got)
			}
		} else if !reflect.DeepEqual(got, any(want)) {
			t.Errorf("%x: %v, want %v", b, got, want)
		}
	}
	for _, b := range []string{
		"", "\xff", "\xa1", "\xa1\x61i", "\xa1\x61i\x01\x00", "\xa1\x01\x01", "\xbf\x61i\x01", "\xa1\x61s\x61\xff", "\xa1\x61s\x7f\x41a\xff",
		"\xa1\x61i\x61a", "\xa1\x61i\x1a\xff\xff\xff\xff", "\xa1\x61i\xf9\x3e\x00", "\xa1\x61l\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
		"\xa1\x61s\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", "\xa1\x61t\xc1\xf9\x7c\x00", "\xa1\x61i\x1c", "\xa1\x61i\xdf\x01", "\x80",
		"\xa1\x61x" + strings.Repeat("\x81", 300) + "\x01", "\xa1\x61x" + strings.Repeat("\xc1", 300) + "\x01",
	} {
		_, err := read(b)
		var bad *cbor.Error
		if !errors.As(err, &bad) {
			t.Errorf("%.40x: %v", b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	in := cloudwatch.PutMetricDataInput{Namespace: new("n"), MetricData: []cloudwatch.MetricDatum{{MetricName: new("m"), Value: new(1.5), Timestamp: new(time.Unix(1, 0))}}}
	seed, _ := cbor.Append(nil, &cloudwatch.Model, input, value.Of(&in))
	f.Add(seed)
	f.Add([]byte("\xbf\x6aMetricData\x9f\xbf\x66Values\x81\xf9\x7e\x00\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if err := cbor.Decode(b, &cloudwatch.Model, input, value.Into(&v)); err != nil {
			var bad *cbor.Error
			if !errors.As(err, &bad) {
				t.Fatalf("%v", err)
			}
			return
		}
		// What was read can be written, and reads the same.
		first, err := cbor.Append(nil, &cloudwatch.Model, input, value.Of(v))
		if err != nil {
			t.Fatal(err)
		}
		var again any
		if err := cbor.Decode(first, &cloudwatch.Model, input, value.Into(&again)); err != nil {
			t.Fatal(err)
		}
		second, err := cbor.Append(nil, &cloudwatch.Model, input, value.Of(again))
		if err != nil || string(first) != string(second) {
			t.Errorf("%x became %x (%v)", first, second, err)
		}
	})
}
