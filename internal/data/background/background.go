// Package background carries on with what a room's requests began, after they were
// answered and after a restart.
package background

import (
	"context"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Runner runs a room's jobs. A job that Stop breaks off is one that the next start
// takes up: what it has to do stands in the store.
type Runner struct {
	ctx  context.Context
	stop context.CancelFunc

	mu   sync.Mutex // of wg against Stop
	wg   sync.WaitGroup
	halt bool
}

// New returns a runner without jobs.
func New() *Runner {
	ctx, stop := context.WithCancel(context.Background())
	return &Runner{ctx: ctx, stop: stop}
}

// Context ends when the runner is stopped.
func (r *Runner) Context() context.Context { return r.ctx }

// Go runs a job and returns what is closed at its end: at once, without running it,
// if the runner was stopped.
func (r *Runner) Go(job func(ctx context.Context)) (done <-chan struct{}) {
	end := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halt {
		close(end)
		return end
	}
	r.wg.Go(func() {
		defer close(end)
		job(r.ctx)
	})
	return end
}

// Wait returns once no job runs, or with ctx's error.
func (r *Runner) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop breaks the jobs off, lets no further one begin, and waits as Wait does.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.halt = true
	r.mu.Unlock()
	r.stop()
	return r.Wait(ctx)
}

// Job is a job that the last run left.
type Job struct{ Account, Region, ID string }

// Left lists the jobs whose marks stand below prefix, a key of one part: those made
// with data.Key of that part, the account, the region and the job's id.
func Left(ctx context.Context, store data.Store, prefix []byte) (all []Job, err error) {
	err = store.View(ctx, func(rd data.Reader) error {
		for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			if parts, ok := data.Parts(p.Key); ok && len(parts) == 4 {
				all = append(all, Job{parts[1], parts[2], parts[3]})
			}
		}
		return nil
	})
	return all, err
}
