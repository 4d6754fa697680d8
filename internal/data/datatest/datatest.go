// Package datatest is what every data.Store must pass.
package datatest

import (
	"context"
	"iter"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Run tests the contract of package data against stores that open returns, each
// new and empty. Run closes them.
func Run(t *testing.T, open func(t testing.TB) data.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, data.Store)
	}{
		{"Get", testGet},
		{"ScanRanges", testScanRanges},
		{"ScanBreak", testScanBreak},
		{"OwnWrites", testOwnWrites},
		{"ScanWhileWriting", testScanWhileWriting},
		{"Copies", testCopies},
		{"Limits", testLimits},
		{"BigValues", testBigValues},
		{"ErrorLeavesNothing", testErrorLeavesNothing},
		{"PanicLeavesNothing", testPanicLeavesNothing},
		{"AfterTheEnd", testAfterTheEnd},
		{"Contexts", testContexts},
		{"Close", testClose},
		{"ViewIsolation", testViewIsolation},
		{"ReadsYourAnswer", testReadsYourAnswer},
		{"Conflict", testConflict},
		{"NoConflict", testNoConflict},
		{"Phantom", testPhantom},
		{"LongWriterGetsThrough", testLongWriter},
		{"Counters", testCounters},
		{"WriteSkew", testWriteSkew},
		{"Transfers", testTransfers},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			c.test(t, s)
		})
	}
	t.Run("Model", func(t *testing.T) { testModel(t, open) })
}

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put commits pairs, given as key, value, key, value...
func put(t testing.TB, s data.Store, kv ...string) {
	t.Helper()
	must(t, s.Update(bg, func(tx data.Txn) error {
		for i := 0; i < len(kv); i += 2 {
			if err := tx.Put([]byte(kv[i]), []byte(kv[i+1])); err != nil {
				return err
			}
		}
		return nil
	}))
}

// get returns the value of key in a view, "-" if there is none.
func get(t testing.TB, s data.Store, key string) (value string) {
	t.Helper()
	must(t, s.View(bg, func(r data.Reader) (err error) {
		value, err = read(r, key)
		return err
	}))
	return value
}

func read(r data.Reader, key string) (string, error) {
	v, ok, err := r.Get([]byte(key))
	if err != nil || !ok {
		return "-", err
	}
	return string(v), nil
}

// list writes pairs as "k=v k=v".
func list(seq iter.Seq2[data.Pair, error]) (string, error) {
	var out []byte
	for p, err := range seq {
		if err != nil {
			return "", err
		}
		if len(out) > 0 {
			out = append(out, ' ')
		}
		out = append(append(append(out, p.Key...), '='), p.Value...)
	}
	return string(out), nil
}

// all returns everything that is in the store, as list writes it.
func all(t testing.TB, s data.Store) (out string) {
	t.Helper()
	must(t, s.View(bg, func(r data.Reader) (err error) {
		out, err = list(r.Scan(nil, nil, false))
		return err
	}))
	return out
}

// bound makes a bound of a string: "~" is nil.
func bound(s string) []byte {
	if s == "~" {
		return nil
	}
	return []byte(s)
}
