package lambda

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestCrew: what begins before the wait has ended is waited for, and nothing
// begins after it.
func TestCrew(t *testing.T) {
	for range 200 {
		var c crew
		var begun, ended atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					if c.Go(func() { ended.Add(1) }) {
						begun.Add(1)
					}
				}
			})
		}
		first := c.Go(func() {
			c.Go(func() { ended.Add(1) }) // one of the crew may always bring another
		})
		<-c.wait()
		at := ended.Load()
		<-c.wait()
		wg.Wait()
		want := begun.Load()
		if first {
			want++
		}
		if ended.Load() != at || at != want {
			t.Fatalf("%d had ended, then %d, of %d", at, ended.Load(), want)
		}
		if c.Go(func() {}) || c.enter() {
			t.Fatal("it goes on after its end")
		}
	}
}
