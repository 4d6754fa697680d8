package sandbox

import (
	"os"
	"runtime"
	"sync"
)

// forker starts processes on one thread that lives as long as it does. Linux
// ties "die with your parent" to the thread that forked, and Go's threads come
// and go.
type forker struct {
	jobs chan forkJob
	end  chan struct{}
	once sync.Once
}

type forkJob struct {
	name string
	argv []string
	attr *os.ProcAttr
	done chan<- forked
}

type forked struct {
	proc *os.Process
	err  error
}

func newForker() *forker {
	f := &forker{jobs: make(chan forkJob), end: make(chan struct{})}
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		for {
			select {
			case j := <-f.jobs:
				proc, err := os.StartProcess(j.name, j.argv, j.attr)
				j.done <- forked{proc, err}
			case <-f.end:
				return
			}
		}
	}()
	return f
}

func (f *forker) start(name string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	done := make(chan forked, 1)
	select {
	case f.jobs <- forkJob{name, argv, attr, done}:
		r := <-done
		return r.proc, r.err
	case <-f.end:
		return nil, os.ErrClosed
	}
}

// close ends the thread, and with it what it started and still runs.
func (f *forker) close() { f.once.Do(func() { close(f.end) }) }
