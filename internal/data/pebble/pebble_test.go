package pebble_test

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/datatest"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
)

func open(t testing.TB) data.Store {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) { datatest.Run(t, open) }

func BenchmarkStore(b *testing.B) { datatest.Bench(b, open) }
