// Package graph orders the resources of a stack by what they depend on, and
// carries work out along that order, in parallel where it can.
package graph

import (
	"sort"
	"strings"
	"sync"
)

// Graph is what each node depends on. Every node that is named is a key.
type Graph map[string][]string

// Cycle is a graph's circle of dependencies, in CloudFormation's words.
type Cycle struct{ Nodes []string }

// Error implements error.
func (c *Cycle) Error() string {
	return "Circular dependency between resources: [" + strings.Join(c.Nodes, ", ") + "]"
}

// Order returns the nodes such that each comes after what it depends on, and
// otherwise in bytewise order; the error is a *Cycle.
func (g Graph) Order() ([]string, error) {
	waits := make(map[string]int, len(g))
	var ready, out []string
	for n, deps := range g {
		waits[n] = len(deps)
		if len(deps) == 0 {
			ready = append(ready, n)
		}
	}
	sort.Strings(ready)
	dependents := g.reverse()
	for len(ready) > 0 {
		n := ready[0]
		ready = ready[1:]
		out = append(out, n)
		var next []string
		for _, d := range dependents[n] {
			if waits[d]--; waits[d] == 0 {
				next = append(next, d)
			}
		}
		sort.Strings(next)
		ready = append(ready, next...)
	}
	if len(out) < len(g) {
		return nil, &Cycle{g.circle(waits)}
	}
	return out, nil
}

// circle returns the nodes that are in circles: those that still wait, without
// those that only wait for others.
func (g Graph) circle(waits map[string]int) []string {
	in := map[string]bool{}
	for n, w := range waits {
		in[n] = w > 0
	}
	dependents := g.reverse()
	for changed := true; changed; {
		changed = false
		for n := range g {
			if !in[n] {
				continue
			}
			needed := false
			for _, d := range dependents[n] {
				needed = needed || in[d]
			}
			if !needed {
				in[n], changed = false, true
			}
		}
	}
	var out []string
	for n := range g {
		if in[n] {
			out = append(out, n)
		}
	}
	sort.Strings(out)
	return out
}

func (g Graph) reverse() Graph {
	r := make(Graph, len(g))
	for n := range g {
		r[n] = nil
	}
	for n, deps := range g {
		for _, d := range deps {
			r[d] = append(r[d], n)
		}
	}
	return r
}

// Reverse returns the graph in which every node depends on what depended on it:
// the order of removal.
func (g Graph) Reverse() Graph { return g.reverse() }

// Verdict is what came of a node.
type Verdict uint8

// The verdicts.
const (
	Done Verdict = iota // what depends on the node may begin
	Held                // what depends on the node is left alone
	Halt                // nothing further is begun at all
)

// Walk calls f for every node once all that it depends on are Done, at most
// parallel at a time, and returns when all calls have. The graph must have no
// circle.
func (g Graph) Walk(parallel int, f func(node string) Verdict) {
	w := &walk{dependents: g.reverse(), waits: make(map[string]int, len(g)), parallel: parallel, f: f}
	for n, deps := range g {
		w.waits[n] = len(deps)
		if len(deps) == 0 {
			w.ready = append(w.ready, n)
		}
	}
	sort.Strings(w.ready)
	w.mu.Lock()
	w.start()
	w.mu.Unlock()
	w.wg.Wait()
}

type walk struct {
	f          func(string) Verdict
	dependents Graph
	parallel   int

	wg      sync.WaitGroup
	mu      sync.Mutex // guards the rest
	waits   map[string]int
	ready   []string
	running int
	halted  bool
}

// start begins what can begin, with mu held.
func (w *walk) start() {
	for len(w.ready) > 0 && w.running < w.parallel && !w.halted {
		n := w.ready[0]
		w.ready = w.ready[1:]
		w.running++
		w.wg.Add(1)
		go w.node(n)
	}
}

func (w *walk) node(n string) {
	defer w.wg.Done()
	v := w.f(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	switch v {
	case Halt:
		w.halted = true
	case Done:
		for _, d := range w.dependents[n] {
			if w.waits[d]--; w.waits[d] == 0 {
				w.ready = append(w.ready, d)
			}
		}
	}
	w.start()
}
