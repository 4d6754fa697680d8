package dynamodb

import (
	"context"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"

	"github.com/cockroachdb/datadriven"
)

// newWorld returns a board with the room on it, and the room.
func newWorld(t testing.TB) (*calltest.World, *Service) {
	w := calltest.New()
	s := New(Deps{Store: mem.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board})
	w.Plug(s)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Log(err)
		}
	})
	return w, s
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		w, s := newWorld(t)
		calltest.Script(t, path, w, map[string]func(*testing.T, *datadriven.TestData) string{
			// sweep does what the worker does every ten seconds.
			"sweep": func(t *testing.T, d *datadriven.TestData) string {
				s.sweep(t.Context())
				return ""
			},
		})
	})
}
