package background_test

import (
	"context"
	"slices"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/background"
	"github.com/tierra-cloud/tierra/internal/data/mem"
)

// TestStop breaks off the jobs that run, and lets none begin.
func TestStop(t *testing.T) {
	r := background.New()
	ended := false
	done := r.Go(func(ctx context.Context) { <-ctx.Done(); ended = true })
	if err := r.Stop(context.Background()); err != nil || !ended {
		t.Fatalf("stopped with %v, the job ended: %v", err, ended)
	}
	<-done
	<-r.Go(func(context.Context) { t.Error("a job began after the stop") })
	if r.Context().Err() == nil {
		t.Error("the context goes on")
	}
}

// TestWait gives up with its context, and returns when the last job has ended.
func TestWait(t *testing.T) {
	r := background.New()
	go1 := make(chan struct{})
	r.Go(func(context.Context) { <-go1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Wait(ctx); err == nil {
		t.Error("it did not wait")
	}
	close(go1)
	if err := r.Wait(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestLeft(t *testing.T) {
	s, ctx := mem.New(), context.Background()
	err := s.Update(ctx, func(tx data.Txn) error {
		for _, k := range [][]byte{data.Key("jobs", "1", "here", "a"), data.Key("jobs", "2", "there", "b"), data.Key("jobs", "short"), data.Key("jobsother", "1", "here", "c")} {
			if err := tx.Put(k, []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := background.Left(ctx, s, data.Key("jobs"))
	if want := []background.Job{{Account: "1", Region: "here", ID: "a"}, {Account: "2", Region: "there", ID: "b"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
}
