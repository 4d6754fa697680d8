package data_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
)

// TestRecords: what is saved is loaded, one by one and below a prefix; what is not
// there is nil, and what is damaged is told with its key.
func TestRecords(t *testing.T) {
	type thing struct{ Name string }
	s, ctx := mem.New(), context.Background()
	err := s.Update(ctx, func(tx data.Txn) error {
		for _, name := range []string{"b", "a"} {
			if err := data.Save(tx, data.Key("things", name), &thing{name}); err != nil {
				return err
			}
		}
		if err := data.Save(tx, data.Key("things", "c"), func() {}); err == nil {
			t.Error("a function was saved")
		}
		return tx.Put(data.Key("damaged", "d"), []byte("{"))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(ctx, func(r data.Reader) error {
		if x, err := data.Load[thing](r, data.Key("things", "a")); err != nil || x == nil || x.Name != "a" {
			t.Errorf("one: %v, %v", x, err)
		}
		if x, err := data.Load[thing](r, data.Key("things", "c")); err != nil || x != nil {
			t.Errorf("none: %v, %v", x, err)
		}
		if all, err := data.LoadAll[thing](r, data.Key("things")); err != nil || len(all) != 2 || all[0].Name != "a" || all[1].Name != "b" {
			t.Errorf("all: %v, %v", all, err)
		}
		if _, err := data.LoadAll[thing](r, data.Key("damaged")); err == nil || !strings.Contains(err.Error(), "record \"") {
			t.Errorf("damaged: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
