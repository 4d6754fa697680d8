package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestOrder(t *testing.T) {
	got, err := Graph{"c": {"a", "b"}, "a": nil, "b": {"a"}, "d": nil}.Order()
	if err != nil || strings.Join(got, "") != "adbc" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCircles(t *testing.T) {
	// d waits for a circle and is not in it; e is waited for and is not in it either.
	_, err := Graph{"A": {"B", "e"}, "B": {"A"}, "d": {"A"}, "e": nil, "Self": {"Self"}}.Order()
	var c *Cycle
	if !errors.As(err, &c) || err.Error() != "Circular dependency between resources: [A, B, Self]" {
		t.Errorf("%v", err)
	}
}

// TestWalk holds that a node is begun only after all that it depends on, that no
// more run at once than asked for, and that independent ones do run at once.
func TestWalk(t *testing.T) {
	g := Graph{}
	for i := range 40 {
		n := fmt.Sprint("n", i)
		g[n] = nil
		for j := range i {
			if i%(j+2) == 0 {
				g[n] = append(g[n], fmt.Sprint("n", j))
			}
		}
	}
	var mu sync.Mutex
	done, running, most := map[string]bool{}, 0, 0
	g.Walk(4, func(n string) Verdict {
		mu.Lock()
		running++
		most = max(most, running)
		for _, d := range g[n] {
			if !done[d] {
				t.Errorf("%s began before %s", n, d)
			}
		}
		mu.Unlock()
		mu.Lock()
		running--
		done[n] = true
		mu.Unlock()
		return Done
	})
	if len(done) != len(g) || most > 4 {
		t.Errorf("%d of %d done, %d at once", len(done), len(g), most)
	}
	meet := make(chan bool)
	Graph{"a": nil, "b": nil}.Walk(2, func(n string) Verdict { // either waits for the other
		if n == "a" {
			meet <- true
		} else {
			<-meet
		}
		return Done
	})
}

func TestVerdicts(t *testing.T) {
	g := Graph{"a": nil, "b": {"a"}, "c": {"b"}, "x": nil, "y": {"x"}}
	run := func(v Verdict) []string {
		var got []string
		g.Walk(1, func(n string) Verdict {
			got = append(got, n)
			if n == "a" {
				return v
			}
			return Done
		})
		slices.Sort(got)
		return got
	}
	if got := strings.Join(run(Held), ""); got != "axy" {
		t.Errorf("held: %s", got)
	}
	if got := strings.Join(run(Halt), ""); got != "a" {
		t.Errorf("halt: %s", got)
	}
}
