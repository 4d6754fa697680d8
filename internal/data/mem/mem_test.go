package mem_test

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/datatest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
)

func open(testing.TB) data.Store { return mem.New() }

func TestContract(t *testing.T) { datatest.Run(t, open) }

func BenchmarkStore(b *testing.B) { datatest.Bench(b, open) }
