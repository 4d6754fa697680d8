package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// transport is one way to hand events to a process.
type transport interface {
	// started is told of the process, once it has been launched.
	started(p sandbox.Process) error
	// ready blocks until the runtime asks for its first event. The error is an
	// *InitError if the runtime reported one, else that of the connection.
	ready() error
	// roundTrip hands an event over and waits for the answer. reusable tells
	// that the runtime will take another one.
	roundTrip(inv *Invocation) (res *Result, reusable bool, err error)
	close()
}

// Environment is one execution environment: a sandboxed process that handles
// one event at a time. It is safe for concurrent use.
type Environment struct {
	clock clock.Clock
	proc  sandbox.Process
	t     transport
	logs  *logReader
	// api serves the Runtime API, or the Extensions API beside another transport;
	// ext are the extensions. Without layers both are nil where t is framed.
	api       *httpAPI
	ext       *extensions
	events    func(Event)
	allEvents bool
	function  Function
	failed    atomic.Bool // it did not end because it was told to
	ending    sync.Once
	// extensionLogs are read until the extensions have ended.
	extensionLogs []*logReader
	reading       sync.WaitGroup
	tracer        atomic.Pointer[tracer]

	busy    atomic.Bool
	dead    atomic.Bool
	expired atomic.Bool

	peakMu sync.Mutex
	peak   int64
	peakAt time.Time
}

// Start makes an environment and initialises the function in it. The error is
// an *InitError when the function is at fault; then nothing is left running.
func Start(ctx context.Context, cfg Config) (*Environment, error) {
	spec := sandbox.Spec{
		Name: cfg.Name, Argv: cfg.Runtime.argv(cfg), Dir: taskRoot, Mounts: cfg.mounts(),
		TmpBytes: cfg.TmpBytes, Memory: cfg.Memory, Pids: cfg.pids(), Network: cfg.Network,
	}
	cfg.Runtime.image.apply(&spec)
	if err := cfg.Runtime.check(cfg); err != nil {
		return nil, err
	}
	if w := cfg.wrapper(); w != "" {
		if !filepath.IsAbs(w) {
			return nil, &InitError{Type: typeEntry, Message: fmt.Sprintf("AWS_LAMBDA_EXEC_WRAPPER: %q is not an absolute path", w)}
		}
		spec.Argv = append([]string{w}, spec.Argv...)
	}
	external, err := cfg.external()
	if err != nil {
		return nil, err
	}
	if err := checkExternal(&cfg, external); err != nil {
		return nil, err
	}
	if e, err := cfg.Templates.start(ctx, cfg); e != nil || err != nil {
		return e, err
	}
	e := cfg.environment()
	var where string
	if cfg.wantsAPI() {
		if e.api, err = newHTTPAPI(cfg.Clock, cfg.Network); err != nil {
			return nil, err
		}
		if cfg.Network == sandbox.NetworkPrivate {
			spec.Loopback = []uint16{privatePort}
		}
		where = e.api.address()
		e.extend(&cfg, external)
	}
	if cfg.Runtime.Protocol == Framed {
		f, err := newFramed()
		if err != nil {
			e.closeTransports()
			return nil, err
		}
		spec.Files = []*os.File{f.child}
		e.t = f
	} else {
		e.t = e.api
	}
	if cfg.hasDoor() {
		spec.Loopback = append(spec.Loopback, cfg.Door.Port)
	}
	cfg.letOut(&spec)
	spec.Env = cfg.environ(where)
	if e.ext != nil {
		spec.Companions = e.ext.programs(spec.Env)
	}
	proc, err := cfg.Launcher.Launch(ctx, spec)
	if err != nil {
		e.closeTransports()
		return nil, launchError(err)
	}
	e.proc = proc
	if err := e.started(proc); err != nil {
		e.Close()
		return nil, err
	}
	if err := e.attend(ctx, cfg); err != nil {
		return nil, err
	}
	if d := cfg.Runtime.debugger; d != nil && d.program != "" {
		t, err := d.trace(proc, cfg.Runtime.argv(cfg)[0])
		if err != nil {
			e.Close()
			return nil, err
		}
		e.tracer.Store(t)
	}
	return e, nil
}

// attend looks after the process from here on and waits until the function is
// initialised. After an error nothing is left running.
func (e *Environment) attend(ctx context.Context, cfg Config) (err error) {
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	if err := e.readLogs(&cfg); err != nil {
		return err
	}
	if cfg.hasDoor() {
		all := e.proc.Listeners()
		cfg.Door.Serve(all[len(all)-1])
	}
	if g := e.proc.Gateway(); g != nil {
		cfg.Egress.Serve(g)
	}
	return e.initialise(ctx, cfg)
}

// initialise waits for the runtime to become ready.
func (e *Environment) initialise(ctx context.Context, cfg Config) error {
	if cfg.InitTimeout > 0 {
		defer e.clock.AfterFunc(cfg.InitTimeout, e.expire)()
	}
	defer context.AfterFunc(ctx, e.kill)()
	begin := e.clock.Now()
	e.tellInitStart()
	err := e.extensionsFirst()
	if err == nil {
		if err = e.t.ready(); e.expired.Load() {
			err = io.EOF
		}
	}
	e.logs.flush()
	e.tellRuntimeReady(err)
	if err == nil {
		err = e.extensionsReady()
	}
	if err == nil {
		e.tellInitReport(begin, nil)
		return e.proc.SetCPU(cfg.CPU)
	}
	err = e.notReady(ctx, cfg, err)
	e.tellInitReport(begin, err)
	return err
}

// notReady is what an initialisation came to whose connection broke.
func (e *Environment) notReady(ctx context.Context, cfg Config, err error) error {
	var init *InitError
	if errors.As(err, &init) {
		e.failed.Store(true)
		return err
	}
	if errors.Is(err, errFrame) {
		e.kill()
	}
	st, werr := e.end()
	switch {
	case errors.As(werr, new(*sandbox.DirError)):
		return launchError(werr)
	case werr != nil && len(e.proc.Members()) > 0:
		return &InitError{Type: typeEntry, Message: fmt.Sprintf("fork/exec %s: %v", cfg.Runtime.argv(cfg)[0], werr)}
	case werr != nil:
		return werr
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case e.ext.failure() != nil:
		return e.ext.failure()
	case e.expired.Load():
		return &InitError{Type: typeTimedOut, Message: fmt.Sprintf("Initialization timed out after %.2f seconds", cfg.InitTimeout.Seconds()), TimedOut: true}
	case errors.Is(err, errFrame):
		return &InitError{Type: typeProtocol, Message: err.Error()}
	}
	return &InitError{Type: typeExit, Message: exitMessage(st), OOMKilled: st.OOMKilled}
}

// Invoke hands an event to the function and waits for its answer. Failures of
// the function, and of its environment while it has the event, are a Result;
// the error is ErrBusy, ErrNotDelivered, or that of the context, whose end
// kills the environment.
func (e *Environment) Invoke(ctx context.Context, inv *Invocation) (*Result, error) {
	if !e.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	defer e.busy.Store(false)
	if !e.Alive() {
		return nil, ErrNotDelivered
	}
	if err := inv.check(); err != nil {
		return nil, err
	}
	begin := e.clock.Now()
	if !inv.Deadline.IsZero() {
		defer e.clock.AfterFunc(inv.Deadline.Sub(begin), e.expire)()
	}
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, e.kill)()
	}
	e.logs.begin(inv.RequestID)
	if e.ext != nil {
		e.ext.invoke(inv)
	}
	res, reusable, err := e.t.roundTrip(inv)
	if err != nil {
		if res, err = e.broken(ctx, inv, err); err != nil {
			return nil, err
		}
	} else if !reusable {
		e.failed.Store(true)
		e.dead.Store(true)
	}
	now := e.clock.Now()
	e.logs.flush()
	res.Duration = now.Sub(begin)
	res.PeakMemory = e.peakMemory(now)
	if e.detailed() {
		e.tellRuntimeDone(inv, res, begin)
	}
	return res, nil
}

// check refuses what cannot be a header of the Runtime API.
func (inv *Invocation) check() error {
	for _, s := range [...]string{inv.RequestID, inv.TraceID, inv.FunctionARN} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("invoking: %q contains control characters", s)
		}
	}
	return nil
}

// broken tells what an invocation came to whose connection broke.
func (e *Environment) broken(ctx context.Context, inv *Invocation, cause error) (*Result, error) {
	if errors.Is(cause, errFrame) {
		e.kill()
	}
	st, err := e.end()
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case e.expired.Load():
		res := failure(typeTimedOut, inv.RequestID, fmt.Sprintf("Task timed out after %.2f seconds", inv.Timeout.Seconds()))
		res.TimedOut = true
		return res, nil
	case e.ext.failure() != nil:
		return e.ext.failure().Result(inv.RequestID), nil
	case errors.Is(cause, ErrNotDelivered):
		return nil, cause
	case errors.Is(cause, errFrame):
		return failure(typeProtocol, inv.RequestID, cause.Error()), nil
	}
	res := failure(typeExit, inv.RequestID, exitMessage(st))
	res.OOMKilled = st.OOMKilled
	return res, nil
}

// end makes sure that the process has ended and returns how it did.
func (e *Environment) end() (sandbox.ExitStatus, error) {
	e.failed.Store(true)
	e.dead.Store(true)
	// A process whose connection ended is usually about to end itself, and how
	// it does so is what the caller wants to know.
	select {
	case <-e.proc.Ended():
	case <-e.clock.After(time.Second):
		e.stopProgram()
	}
	if m := e.proc.Members(); len(m) > 0 {
		<-e.proc.Ended()
		return m[len(m)-1].Status()
	}
	return e.proc.Wait(context.Background())
}

func (e *Environment) expire() {
	e.expired.Store(true)
	e.stopProgram()
}

// stopProgram ends the runtime at once; extensions live on for the shutdown phase.
func (e *Environment) stopProgram() {
	if len(e.proc.Members()) == 0 {
		e.kill()
		return
	}
	e.dead.Store(true)
	if e.proc.Signal(syscall.SIGKILL) != nil {
		e.kill()
	}
}

func (e *Environment) kill() {
	e.dead.Store(true)
	e.tracer.Load().end()
	_ = e.proc.Kill()
}

// Alive tells whether the environment can take another event, as far as is known.
func (e *Environment) Alive() bool {
	if e.dead.Load() {
		return false
	}
	select {
	case <-e.proc.Ended():
		return false
	default:
		return true
	}
}

// Done is closed when the environment has ended.
func (e *Environment) Done() <-chan struct{} { return e.proc.Done() }

// Process is the sandbox, to freeze and thaw it and to see its use.
func (e *Environment) Process() sandbox.Process { return e.proc }

// Close ends the environment and waits until nothing of it is left. Extensions
// have two seconds for that (the shutdown phase); without them it ends at once.
func (e *Environment) Close() error {
	e.dead.Store(true)
	if e.ext != nil {
		e.ending.Do(func() { e.ext.finish(e.endReason()) })
	}
	e.kill()
	e.closeTransports()
	_, err := e.proc.Wait(context.Background())
	e.reading.Wait()
	return err
}

// peakAge is for how long a reading of the peak of memory is good enough: it
// costs as much as a tenth of a small invocation.
const peakAge = 200 * time.Millisecond

func (e *Environment) peakMemory(now time.Time) int64 {
	e.peakMu.Lock()
	defer e.peakMu.Unlock()
	if now.Sub(e.peakAt) >= peakAge || !e.Alive() {
		e.peak = max(e.peak, e.proc.Usage().PeakMemory)
		e.peakAt = now
	}
	return e.peak
}
