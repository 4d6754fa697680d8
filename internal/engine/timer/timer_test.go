package timer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

func TestSweeper(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	calls := make(chan time.Time, 10)
	s := &Sweeper{Clock: c, Every: time.Hour, Do: func(context.Context) error {
		calls <- c.Now()
		return errors.New("tried again next time")
	}}
	s.Start()
	s.Start() // once is enough
	for i := range 3 {
		if at := <-calls; !at.Equal(time.Date(2026, 11, 1, i, 0, 0, 0, time.UTC)) {
			t.Errorf("call %d came at %s", i, at)
		}
		c.Sleepers(1)
		c.Advance(time.Hour)
	}
	<-calls
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(10 * time.Hour)
	if len(calls) > 0 {
		t.Error("it went on after it was stopped")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestStopGivesUp(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := &Sweeper{Clock: clock.NewFake(time.Time{}), Every: time.Hour, Do: func(context.Context) error {
		close(begun)
		<-release
		return nil
	}}
	s.Start()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
}
