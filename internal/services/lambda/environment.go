package lambda

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
)

// environment is one execution environment of a version.
type environment struct {
	pool    *pool
	e       *engine.Environment
	log     *delivery.Stream
	stream  string      // the name of its log stream
	done    func()      // gives up the folders of code and layers
	spared  func() bool // it will not be killed any more when the server ends
	expires time.Time
	used    time.Time // guarded by pool.mu

	// init is how long the initialisation took; the first invocation reports it.
	init time.Duration
	// provisioned says that it was started ahead because the function asks for it.
	provisioned bool
	// charge is the memory that it is taken to hold, in bytes.
	charge int64

	mu   sync.Mutex
	tail *tail // of the invocation under way, if its caller wants it
}

// initPhase is the time that the initialisation has, besides the function's
// timeout: AWS gives it ten seconds and then tries again within the invocation.
const initPhase = 10 * time.Second

// newEnvironment starts an environment. The error is an *initFailure if the
// function is at fault.
func (p *pool) newEnvironment(provisioned bool) (*environment, error) {
	pl, v, k := p.ps.p, p.v, p.ps.key
	s := pl.s
	role, err := p.ps.credentials(pl.ctx, v.Role)
	if err != nil {
		return nil, err
	}
	choice, dir, done, err := s.program(pl.ctx, k, v)
	if err != nil {
		return nil, err
	}
	layers, doneLayers, err := s.opt(pl.ctx, v)
	if err != nil {
		done()
		return nil, fmt.Errorf("layers of %s: %w", k.name, err)
	}
	e := &environment{pool: p, done: func() { done(); doneLayers() }, expires: role.expires.Add(-credentialsMargin), provisioned: provisioned}
	begin := s.clock.Now()
	e.stream = begin.Format("2006/01/02") + "/[" + v.Version + "]" + hex.EncodeToString(s.ids.Bytes(16))
	e.log = pl.courier.Open(v.LogGroup, e.stream, call.AsRole(v.Role, k.session(), principal, k.region))
	e.e, err = engine.Start(pl.ctx, engine.Config{
		Launcher: pl.deps.Launcher, Templates: pl.deps.Templates, Clock: s.clock, Runtime: choice, Name: sandboxName(k.name), Handler: v.handler(), Code: dir, Layers: layers,
		Env: e.variables(role), Memory: int64(v.Memory) << 20, TmpBytes: int64(v.Ephemeral) << 20, CPU: share(v.Memory),
		Network: pl.deps.Network, Door: pl.deps.Door, Egress: pl.deps.Egress, InitTimeout: initPhase + time.Duration(v.Timeout)*time.Second, Log: e.line, IDs: s.ids,
		Function: e.function(&choice),
		JSONLogs: v.json(), Events: e.platform, AllEvents: v.json(),
	})
	e.init = s.clock.Now().Sub(begin)
	if err != nil {
		e.done()
		var init *engine.InitError
		if errors.As(err, &init) {
			if init.TimedOut { // the rest of the time was the function's
				e.init = max(0, e.init-time.Duration(v.Timeout)*time.Second)
			}
			e.initFailed(init)
			return nil, &initFailure{init, e}
		}
		return nil, fmt.Errorf("start an environment of %s: %w", k.name, err)
	}
	e.spared = context.AfterFunc(pl.ctx, func() { _ = e.e.Process().Kill() }) // how it ends does not matter any more
	if provisioned {                                                          // no invocation waited for it
		if !v.json() {
			e.printf("INIT_REPORT Init Duration: %s ms\tPhase: init\tStatus: success", millis(e.init))
		}
		e.init = 0
	}
	return e, nil
}

// function is who the environment's function is.
func (e *environment) function(c *engine.Choice) engine.Function {
	k := e.pool.ps.key
	f := engine.Function{Account: k.account, Name: k.name, Version: e.pool.v.Version, InitializationType: e.initialization(), RuntimeVersion: c.VersionName()}
	if f.RuntimeVersion != "" {
		f.RuntimeVersionARN = k.area().runtimeARN(f.RuntimeVersion)
	}
	return f
}

// initialization names how the environment came to be, as AWS does.
func (e *environment) initialization() string {
	if e.provisioned {
		return "provisioned-concurrency"
	}
	return "on-demand"
}

// sandboxName keeps what may stand in the name of a control group.
func sandboxName(s string) string { return strings.ReplaceAll(s, "_", "-") }

// share is the processor time that goes with a size of memory: one core at
// 1,769 MiB. It acts as a weight when functions compete, and as a limit above
// one core only.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
func share(mib int32) sandbox.CPU {
	const fullCore = 1769
	return sandbox.CPU{Weight: max(1, min(10_000, int(mib)*100/fullCore))}
}

// variables are the environment variables that the service sets, after those of
// the function itself.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (e *environment) variables(role roleSession) []string {
	p := e.pool
	k, v := p.ps.key, p.v
	var env []string
	if d := p.ps.p.deps; d.Endpoint != nil {
		if at := d.Endpoint(d.Network); at != "" {
			env = append(env, "AWS_ENDPOINT_URL="+at)
			if _, host, ok := strings.Cut(at, "://"); ok {
				if i := strings.LastIndexByte(host, ':'); i > 0 {
					env = append(env, "LOCALSTACK_HOSTNAME="+host[:i], "EDGE_PORT="+host[i+1:])
				}
			}
		}
	}
	env = append(env, "AWS_XRAY_CONTEXT_MISSING=LOG_ERROR")
	for n, x := range v.Env {
		env = append(env, n+"="+x)
	}
	if v.Image == nil && !strings.HasPrefix(v.Runtime, "provided") {
		env = append(env, "AWS_EXECUTION_ENV=AWS_Lambda_"+v.Runtime)
	}
	env = append(env, v.variables()...)
	return append(env,
		"AWS_REGION="+k.region, "AWS_DEFAULT_REGION="+k.region,
		"AWS_ACCESS_KEY_ID="+role.key, "AWS_SECRET_ACCESS_KEY="+role.secret, "AWS_SESSION_TOKEN="+role.token,
		"AWS_LAMBDA_FUNCTION_NAME="+k.name, "AWS_LAMBDA_FUNCTION_VERSION="+v.Version,
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", v.Memory), "AWS_LAMBDA_INITIALIZATION_TYPE="+e.initialization(),
		"AWS_LAMBDA_LOG_GROUP_NAME="+e.pool.v.LogGroup, "AWS_LAMBDA_LOG_STREAM_NAME="+e.stream,
	)
}

// usable reports whether the environment can take another event.
func (e *environment) usable(now time.Time) bool { return e.e.Alive() && now.Before(e.expires) }

// close ends the environment and gives up what it held.
func (e *environment) close() {
	_ = e.e.Close() // its end was asked for; how it ended does not matter any more
	e.spared()
	e.done()
	// The code may have been replaced while this environment used it.
	ps := e.pool.ps
	ps.p.s.dropUnused(context.Background(), e.pool.v.packages(ps.key)...)
}

// line takes a line that the function wrote.
func (e *environment) line(_ string, line []byte) {
	if e.pool.v.keeps(line) {
		e.print(string(line))
	}
}

func (e *environment) printf(format string, args ...any) { e.print(fmt.Sprintf(format, args...)) }

// print writes lines to the log, all at one time.
func (e *environment) print(lines ...string) {
	now := e.pool.ps.p.s.clock.Now()
	e.mu.Lock()
	if e.tail != nil {
		for _, line := range lines {
			e.tail.add(line)
		}
	}
	e.log.Write(now, lines...)
	e.mu.Unlock()
	if tap := e.pool.ps.p.deps.Tap; tap != nil {
		for _, line := range lines {
			tap(e.pool.ps.key.name, line)
		}
	}
}

func (e *environment) setTail(t *tail) {
	e.mu.Lock()
	e.tail = t
	e.mu.Unlock()
}

// serve hands an event to the function. The error is engine.ErrNotDelivered if
// the function has not seen it. If rest is not nil, the environment's extensions
// go on after the outcome, and it is free when rest has returned.
func (e *environment) serve(inv *invocation) (out outcome, rest func(), err error) {
	p := e.pool
	v, s := p.v, p.ps.p.s
	var t *tail
	if inv.tail {
		t = &tail{}
		e.setTail(t)
		defer e.setTail(nil)
	}
	e.began(inv)
	timeout := time.Duration(v.Timeout) * time.Second
	begin := s.clock.Now()
	event := &engine.Invocation{
		RequestID: inv.id, Payload: inv.payload, Deadline: begin.Add(timeout), Timeout: timeout,
		TraceID: inv.trace, FunctionARN: inv.arn, ClientContext: inv.context, Stream: inv.stream,
	}
	// The environment ends with the server, not with the caller.
	res, err := e.e.Invoke(context.Background(), event)
	if p.ps.p.ctx.Err() != nil && (err != nil || res.FunctionError != "" && !e.e.Alive()) {
		err = errStopping()
	}
	if err != nil {
		return outcome{}, nil, err
	}
	p.note(e, res.Duration, res.PeakMemory)
	inv.meter.took(spreadDuration, res.Duration)
	out = outcome{payload: res.Payload, failure: res.FunctionError, version: v.Version}
	if e.e.Extended() && e.e.Alive() {
		before := res.Duration
		rest = func() {
			event.Payload = nil
			if late := e.e.Finish(p.ps.p.ctx, event); late != nil {
				late.PeakMemory = res.PeakMemory
				res = late
			}
			all := s.clock.Now().Sub(begin)
			inv.meter.took(spreadExtensions, all-before)
			res.Duration = all
			e.report(inv, res, timeout)
		}
		if !inv.tail {
			return out, rest, nil
		}
		rest() // the tail ends with the report
	} else {
		e.report(inv, res, timeout)
	}
	out.log = t.bytes()
	return out, nil, nil
}

// report writes the lines with which an invocation ends.
func (e *environment) report(inv *invocation, res *engine.Result, timeout time.Duration) {
	duration := res.Duration
	if res.TimedOut {
		duration = timeout
	}
	billed, init := duration, e.init
	billed += init
	e.init = 0
	metrics := engine.Metrics{
		DurationMs: engine.Millis(duration), BilledDurationMs: int64(math.Ceil(float64(billed) / float64(time.Millisecond))),
		MemorySizeMB: int64(e.pool.v.Memory), MaxMemoryUsedMB: (res.PeakMemory + 1<<20 - 1) >> 20, InitDurationMs: engine.Millis(init),
	}
	errorType, fault, tail := res.ErrorType, "", ""
	switch {
	case res.TimedOut:
		errorType, tail = "", "\tStatus: timeout"
		at := e.pool.ps.p.s.clock.Now().Format("2006-01-02T15:04:05.000Z")
		fault = fmt.Sprintf("%s %s Task timed out after %.2f seconds", at, inv.id, timeout.Seconds())
	case res.ErrorType != "":
		tail = "\tStatus: error\tError Type: " + res.ErrorType
		fault = fmt.Sprintf("RequestId: %s Error: %s", inv.id, cause(res))
	}
	if fault != "" && e.e != nil {
		e.e.Emit(engine.EventFault, fault)
	}
	if e.recorded() {
		m := metrics
		e.record(engine.EventReport, engine.Done{RequestID: inv.id, Status: res.Status(), ErrorType: errorType, Metrics: &m})
	}
	if e.pool.v.json() {
		return
	}
	end, line := "END RequestId: "+inv.id, reportLine(inv.id, duration, init, &metrics, tail)
	if fault != "" {
		e.print(fault, end, line)
	} else {
		e.print(end, line)
	}
}

// reportLine is the line REPORT, with tail at its end.
func reportLine(id string, duration, init time.Duration, m *engine.Metrics, tail string) string {
	var space [256]byte
	b := append(append(space[:0], "REPORT RequestId: "...), id...)
	b = appendMillis(append(b, "\tDuration: "...), duration)
	b = strconv.AppendInt(append(b, " ms\tBilled Duration: "...), m.BilledDurationMs, 10)
	b = strconv.AppendInt(append(b, " ms\tMemory Size: "...), m.MemorySizeMB, 10)
	b = strconv.AppendInt(append(b, " MB\tMax Memory Used: "...), m.MaxMemoryUsedMB, 10)
	b = append(b, " MB"...)
	if init > 0 {
		b = append(appendMillis(append(b, "\tInit Duration: "...), init), " ms"...)
	}
	return string(append(b, tail...))
}

// cause is what a failure of the environment says of itself.
func cause(res *engine.Result) string {
	if res.OOMKilled {
		return "Runtime exited with error: signal: killed"
	}
	_, text, ok := strings.Cut(string(res.Payload), " Error: ")
	if text, _, ok2 := strings.Cut(text, `"`); ok && ok2 {
		return text
	}
	return res.ErrorType
}

// initFailure is an initialisation that failed. The event that was waiting gets
// it as its result.
type initFailure struct {
	*engine.InitError
	e *environment
}

func (i *initFailure) outcome(v *version, inv *invocation) outcome {
	var t *tail
	if inv.tail {
		t = &tail{}
		i.e.setTail(t)
	}
	timeout := time.Duration(v.Timeout) * time.Second
	failure := *i.InitError
	if failure.TimedOut {
		failure.Message = fmt.Sprintf("Task timed out after %.2f seconds", timeout.Seconds())
	}
	res := failure.Result(inv.id)
	i.e.began(inv)
	i.e.report(inv, res, timeout)
	return outcome{payload: res.Payload, failure: res.FunctionError, version: v.Version, log: t.bytes()}
}
