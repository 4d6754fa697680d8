package runtime

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// What an environment does because of its extensions, and of those who listen to it.

// environment is an environment to begin with.
func (cfg *Config) environment() *Environment {
	e := &Environment{clock: cfg.Clock, events: cfg.Events, allEvents: cfg.AllEvents, function: cfg.Function}
	if e.function.InitializationType == "" {
		e.function.InitializationType = "on-demand"
	}
	return e
}

// wantsAPI tells whether the environment listens for requests: custom runtimes
// and extensions make such. Extensions come from layers, or with a wrapper.
func (cfg *Config) wantsAPI() bool {
	if cfg.Runtime.Protocol != Framed || cfg.Layers != "" {
		return true
	}
	return cfg.wrapper() != ""
}

// wrapper is the program that starts the interpreter of a managed runtime, if the
// function names one: it is given the interpreter and its arguments.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
func (cfg *Config) wrapper() string {
	if cfg.Runtime.Path == "" {
		return ""
	}
	for _, kv := range cfg.Env {
		if path, ok := strings.CutPrefix(kv, "AWS_LAMBDA_EXEC_WRAPPER="); ok {
			return path
		}
	}
	return ""
}

// checkExternal refuses external extensions that cannot be started.
func checkExternal(cfg *Config, names []string) error {
	switch {
	case len(names) > sandbox.MaxCompanions:
		return &InitError{Type: typeExtensionLaunch, Message: fmt.Sprintf("%d external extensions, at most %d can be", len(names), sandbox.MaxCompanions)}
	case len(names) > 0 && !cfg.Launcher.Tier().OwnRoot:
		return &InitError{Type: typeExtensionLaunch, Message: "external extensions need namespaces, which this host does not allow"}
	}
	return nil
}

// extend gives the environment its extensions.
func (e *Environment) extend(cfg *Config, external []string) {
	e.ext = newExtensions(cfg, external)
	e.ext.tell = e.tell
	e.ext.broken = e.stopProgram
	e.api.ext, e.api.aside = e.ext, cfg.Runtime.Protocol == Framed
}

// started tells all who wait for requests of the process.
func (e *Environment) started(p sandbox.Process) error {
	if e.ext != nil {
		e.ext.attend(p)
	}
	if e.api != nil && e.t != transport(e.api) {
		if err := e.api.started(p); err != nil {
			return err
		}
	}
	return e.t.started(p)
}

func (e *Environment) closeTransports() {
	if e.t != nil {
		e.t.close()
	}
	if e.api != nil && e.t != transport(e.api) {
		e.api.close()
	}
}

// readLogs has read what the function and its extensions write.
func (e *Environment) readLogs(cfg *Config) (err error) {
	sink := cfg.Log
	if sink == nil {
		sink = func(string, []byte) {}
	}
	if e.ext == nil {
		if e.logs, err = newLogReader(e.proc.Output(), sink); err == nil {
			go e.logs.run()
		}
		return err
	}
	var mu sync.Mutex
	of := func(class string) LogSink {
		return func(id string, line []byte) {
			mu.Lock()
			defer mu.Unlock()
			sink(id, line)
			e.ext.telemetry.line(class, line)
		}
	}
	if e.logs, err = newLogReader(e.proc.Output(), of(eventFunction)); err != nil {
		return err
	}
	go e.logs.run()
	for _, m := range e.proc.Members() {
		if m.Output() == nil {
			continue
		}
		l, err := newLogReader(m.Output(), of(eventExtension))
		if err != nil {
			return err
		}
		e.extensionLogs = append(e.extensionLogs, l)
		e.reading.Go(l.run)
	}
	return nil
}

// extensionsFirst waits until all external extensions have registered, and lets
// the runtime start then.
func (e *Environment) extensionsFirst() error {
	if e.ext == nil || len(e.proc.Members()) == 0 {
		return nil
	}
	if !e.ext.until(e.ext.registered, e.proc.Ended()) {
		return io.EOF
	}
	e.proc.Begin()
	return nil
}

// extensionsReady waits until all extensions have initialised themselves.
func (e *Environment) extensionsReady() error {
	if e.ext == nil {
		return nil
	}
	e.ext.mu.Lock()
	e.ext.closed = true
	e.ext.mu.Unlock()
	if !e.ext.until(e.ext.settled, e.proc.Ended()) {
		return io.EOF
	}
	e.ext.close()
	return nil
}

// Extended tells whether the environment's invocations go on after the response,
// until Finish has returned.
func (e *Environment) Extended() bool { return e.ext != nil && e.ext.has() }

// Finish waits, after Invoke, until the extensions are done with the event; the
// environment must not be invoked before. The result is nil, or how the
// invocation failed after all.
func (e *Environment) Finish(ctx context.Context, inv *Invocation) *Result {
	if !e.Extended() {
		return nil
	}
	if !inv.Deadline.IsZero() {
		defer e.clock.AfterFunc(inv.Deadline.Sub(e.clock.Now()), e.expire)()
	}
	defer context.AfterFunc(ctx, e.kill)()
	done := e.ext.until(e.ext.settled, e.proc.Ended())
	for _, l := range e.extensionLogs {
		l.flush()
	}
	switch init := e.ext.failure(); {
	case init != nil:
		e.failed.Store(true)
		e.dead.Store(true)
		return init.Result(inv.RequestID)
	case e.expired.Load():
		res := failure(typeTimedOut, inv.RequestID, fmt.Sprintf("Task timed out after %.2f seconds", inv.Timeout.Seconds()))
		res.TimedOut = true
		return res
	case !done:
		e.failed.Store(true)
		e.dead.Store(true)
	}
	return nil
}

// endReason is why the environment ends, as extensions are told.
func (e *Environment) endReason() string {
	switch {
	case e.expired.Load():
		return reasonTimeout
	case e.failed.Load() || e.ext.failure() != nil:
		return reasonFailure
	}
	return reasonSpindown
}

func (e *Environment) silent() bool { return e.events == nil && e.ext == nil }

func (e *Environment) tellInitStart() {
	if e.silent() {
		return
	}
	f := e.function
	e.tell(EventInitStart, InitStart{
		InitializationType: f.InitializationType, Phase: "init", RuntimeVersion: f.RuntimeVersion, RuntimeVersionARN: f.RuntimeVersionARN,
		FunctionName: f.Name, FunctionVersion: f.Version,
	})
}

// initDone is how far the initialisation came.
func (e *Environment) initDone(err error) InitDone {
	d := InitDone{InitializationType: e.function.InitializationType, Phase: "init", Status: StatusSuccess}
	if err != nil {
		d.Status = StatusError
	}
	if init, ok := err.(*InitError); ok {
		d.ErrorType = init.Type
		if init.TimedOut {
			d.Status, d.ErrorType = StatusTimeout, ""
		}
	} else if e.expired.Load() {
		d.Status = StatusTimeout
	}
	return d
}

func (e *Environment) tellRuntimeReady(err error) {
	if !e.silent() {
		e.tell(EventInitRuntimeDone, e.initDone(err))
	}
}

func (e *Environment) tellInitReport(begin time.Time, err error) {
	if e.silent() {
		return
	}
	if e.ext != nil {
		e.ext.announce()
	}
	d := e.initDone(err)
	d.Metrics = &Metrics{DurationMs: Millis(e.clock.Now().Sub(begin))}
	e.tell(EventInitReport, d)
}

func (e *Environment) tellRuntimeDone(inv *Invocation, res *Result, begin time.Time) {
	n := len(res.Payload)
	d := Done{
		RequestID: inv.RequestID, Status: res.Status(), ErrorType: res.ErrorType, Tracing: tracing(inv.TraceID),
		Metrics: &Metrics{DurationMs: Millis(res.Duration), ProducedBytes: &n},
		Spans:   []Span{{Name: "responseLatency", Start: begin.UTC().Format(eventTime), DurationMs: Millis(res.Duration)}},
	}
	e.tell(EventRuntimeDone, d)
}

// Status is how the invocation ended, in the words of platform events.
func (r *Result) Status() string {
	switch {
	case r.TimedOut:
		return StatusTimeout
	case r.ErrorType != "":
		return StatusFailure
	case r.FunctionError != "":
		return StatusError
	}
	return StatusSuccess
}
