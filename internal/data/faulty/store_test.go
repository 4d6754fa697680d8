package faulty_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/datatest"
	"github.com/tierra-cloud/tierra/internal/data/faulty"
	"github.com/tierra-cloud/tierra/internal/data/mem"
)

func TestWithoutFaultsTheContractHolds(t *testing.T) {
	datatest.Run(t, func(testing.TB) data.Store { return faulty.Wrap(mem.New(), faulty.Plan{}) })
}

func TestFaults(t *testing.T) {
	run := func(seed uint64) (committed, answered, runs int, log string) {
		inner := mem.New()
		s := faulty.Wrap(inner, faulty.Plan{Seed: seed, Rerun: 0.2, Fail: 0.2, Lose: 0.2})
		ctx := context.Background()
		for i := range 200 {
			err := s.Update(ctx, func(tx data.Txn) error {
				runs++
				return tx.Put([]byte(strconv.Itoa(i)), nil)
			})
			switch {
			case err == nil:
				answered++
				log += "+"
			case errors.Is(err, faulty.ErrInjected):
				log += "-"
			default:
				t.Fatal(err)
			}
		}
		if err := inner.View(ctx, func(r data.Reader) error {
			for _, err := range r.Scan(nil, nil, false) {
				if err != nil {
					return err
				}
				committed++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return
	}
	committed, answered, runs, log := run(7)
	if !(answered < committed && committed < 200 && runs > committed) {
		t.Errorf("%d answered, %d committed, %d runs of 200: some fault never came", answered, committed, runs)
	}
	if _, _, _, again := run(7); again != log {
		t.Error("the same seed gave other faults")
	}
	if _, _, _, other := run(8); other == log {
		t.Error("another seed gave the same faults")
	}
}
