package runtime

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// The life of extensions, as the Extensions API of 2020-01-01 has it.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html

// extensionFolder is where layers put external extensions.
const extensionFolder = layerRoot + "/extensions"

// How long the shutdown phase takes at most, with external extensions and with
// internal ones only, and how much of it the runtime has.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
const (
	externalShutdown = 2 * time.Second
	internalShutdown = 500 * time.Millisecond
	runtimeShutdown  = 300 * time.Millisecond
)

// Error types of extensions, in AWS's words.
const (
	typeExtensionInit   = "Extension.InitError"
	typeExtensionExit   = "Extension.ExitError"
	typeExtensionCrash  = "Extension.Crash"
	typeExtensionLaunch = "Extension.LaunchError"
)

// Reasons of a SHUTDOWN event.
const (
	reasonSpindown = "spindown"
	reasonTimeout  = "timeout"
	reasonFailure  = "failure"
)

type extensionState int

const (
	extStarted    extensionState = iota // not registered
	extRegistered                       // initialises itself
	extReady                            // asked for the next event
	extRunning                          // has an event
	extFailed                           // reported an error
)

func (s extensionState) String() string {
	return [...]string{"Started", "Registered", "Ready", "Running", "Failed"}[s]
}

// extension is one extension of an environment. Its fields are guarded by extensions.mu.
type extension struct {
	name, id string
	external bool
	invoke   bool // wants INVOKE events
	shutdown bool // wants SHUTDOWN events
	state    extensionState
	// parked is its next that waits, and pending the event that waits for its next.
	parked  *parkedNext
	pending []byte
	gone    bool // its process has ended
	failure string
}

func (x *extension) events() []string {
	list := []string{}
	if x.invoke {
		list = append(list, "INVOKE")
	}
	if x.shutdown {
		list = append(list, "SHUTDOWN")
	}
	return list
}

// extensions are those of one environment, and what listens to it.
type extensions struct {
	clock     clock.Clock
	ids       *ids.Source
	function  Function
	handler   string
	telemetry *telemetry
	proc      sandbox.Process
	tell      func(eventType string, record any)
	// broken is told once that an extension failed.
	broken func()

	mu      sync.Mutex
	list    []*extension
	closed  bool // no more registrations
	ending  bool // the environment is being ended
	failed  *InitError
	changed chan struct{} // closed when something of this changes
}

// externalExtensions are the names of the programs in a layer's folder.
func externalExtensions(layers string) ([]string, error) {
	if layers == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(layers, "extensions"))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(layers, "extensions", e.Name())); err == nil && !info.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func newExtensions(cfg *Config, external []string) *extensions {
	x := &extensions{
		clock: cfg.Clock, ids: cfg.IDs, function: cfg.Function, handler: cfg.Handler,
		telemetry: newTelemetry(cfg.Clock, cfg.JSONLogs), changed: make(chan struct{}),
	}
	if x.ids == nil {
		x.ids = ids.New()
	}
	for _, name := range external {
		x.list = append(x.list, &extension{name: name, external: true})
	}
	return x
}

// notFor are the variables that extensions do not get.
var notFor = [...]string{
	"AWS_EXECUTION_ENV=", "AWS_LAMBDA_LOG_GROUP_NAME=", "AWS_LAMBDA_LOG_STREAM_NAME=", "AWS_XRAY_CONTEXT_MISSING=", "AWS_XRAY_DAEMON_ADDRESS=",
	"LAMBDA_RUNTIME_DIR=", "LAMBDA_TASK_ROOT=", "_AWS_XRAY_DAEMON_ADDRESS=", "_AWS_XRAY_DAEMON_PORT=", "_HANDLER=", "_TIERRA_",
	"NODE_PATH=", "PYTHONPATH=", "PYTHONDONTWRITEBYTECODE=",
}

// programs are the external extensions, to be launched beside the runtime.
func (x *extensions) programs(env []string) []sandbox.Program {
	var own []string
	for _, kv := range env {
		if !slices.ContainsFunc(notFor[:], func(p string) bool { return strings.HasPrefix(kv, p) }) {
			own = append(own, kv)
		}
	}
	var list []sandbox.Program
	for _, e := range x.list {
		if e.external {
			list = append(list, sandbox.Program{Argv: []string{extensionFolder + "/" + e.name}, Env: own})
		}
	}
	return list
}

// attend watches the external extensions from their launch on.
func (x *extensions) attend(p sandbox.Process) {
	x.mu.Lock()
	x.proc = p
	x.mu.Unlock()
	x.telemetry.dial = p.Dial
	members := p.Members()
	for i := range members[:max(0, len(members)-1)] {
		go x.watch(x.list[i], members[i])
	}
}

// watch waits for the end of an external extension: before the shutdown phase it is a failure.
func (x *extensions) watch(e *extension, m *sandbox.Member) {
	<-m.Done()
	st, err := m.Status()
	x.mu.Lock()
	e.gone = true
	kind, message := typeExtensionCrash, exitReason(st)
	switch {
	case e.state == extFailed:
		kind = e.failure
	case err != nil:
		kind, message = typeExtensionLaunch, fmt.Sprintf("fork/exec %s/%s: %v", extensionFolder, e.name, err)
	}
	if !x.ending {
		x.fail(e, kind, message, st.OOMKilled)
	}
	x.notify()
	x.mu.Unlock()
}

// exitReason is how a program ended, in AWS's words.
func exitReason(st sandbox.ExitStatus) string {
	if st.Signal != 0 {
		return "signal: " + syscall.Signal(st.Signal).String()
	}
	return fmt.Sprintf("exit status %d", st.Code)
}

// notify wakes who waits; x is locked.
func (x *extensions) notify() {
	close(x.changed)
	x.changed = make(chan struct{})
}

// fail notes the first failure; x is locked.
func (x *extensions) fail(e *extension, kind, message string, oom bool) {
	e.state, e.failure = extFailed, kind
	if x.failed == nil {
		x.failed = &InitError{Type: kind, Message: message, OOMKilled: oom}
		go x.broken()
	}
	x.notify()
}

// failure is the first failure of an extension, or nil.
func (x *extensions) failure() *InitError {
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed
}

// until waits until done is true of the extensions, one of them has failed, or
// the sandbox has ended; it reports whether it was the first.
func (x *extensions) until(done func() bool, stop ...<-chan struct{}) bool {
	stop = append(stop, nil, nil)
	for {
		x.mu.Lock()
		ok, failed, changed := done(), x.failed != nil, x.changed
		x.mu.Unlock()
		if failed || ok {
			return !failed
		}
		select {
		case <-changed:
		case <-x.proc.Done():
			return false
		case <-stop[0]:
			return false
		}
	}
}

// registered tells whether all that were launched have registered; x is locked.
func (x *extensions) registered() bool {
	return !slices.ContainsFunc(x.list, func(e *extension) bool { return e.state == extStarted })
}

// settled tells whether all have asked for their next event; x is locked.
func (x *extensions) settled() bool {
	return !slices.ContainsFunc(x.list, func(e *extension) bool {
		return e.state == extStarted || e.state == extRegistered || e.state == extRunning
	})
}

// close ends the time of registrations.
func (x *extensions) close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.telemetry.close()
}

// announce tells what became of the extensions in the initialisation.
func (x *extensions) announce() {
	x.mu.Lock()
	var list []ExtensionState
	for _, e := range x.list {
		state := e.state.String()
		switch e.failure {
		case "":
		case typeExtensionLaunch:
			state = "LaunchError"
		case typeExtensionCrash:
			state = "Crashed"
		default:
			state = "InitError"
		}
		list = append(list, ExtensionState{Name: e.name, State: state, Events: e.events(), ErrorType: e.failure})
	}
	x.mu.Unlock()
	for _, s := range list {
		x.tell(EventExtension, s)
	}
}

// has tells whether any extension wants INVOKE events.
func (x *extensions) has() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.list, func(e *extension) bool { return e.invoke })
}

// invoke tells the extensions of an invocation.
func (x *extensions) invoke(inv *Invocation) {
	var deadline int64
	if !inv.Deadline.IsZero() {
		deadline = inv.Deadline.UnixMilli()
	}
	b, err := json.Marshal(struct {
		Type       string   `json:"eventType"`
		DeadlineMs int64    `json:"deadlineMs"`
		RequestID  string   `json:"requestId"`
		ARN        string   `json:"invokedFunctionArn"`
		Tracing    *Tracing `json:"tracing,omitempty"`
	}{"INVOKE", deadline, inv.RequestID, inv.FunctionARN, tracing(inv.TraceID)})
	if err != nil {
		panic(err) // strings and a number
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.list {
		if e.invoke && !e.gone {
			x.give(e, b)
		}
	}
}

// give hands an event to an extension, or keeps it for its next; x is locked.
func (x *extensions) give(e *extension, event []byte) {
	if e.parked == nil {
		e.pending = event
		if e.state == extReady {
			e.state = extRunning // it will ask again
		}
		return
	}
	p := e.parked
	e.parked, e.state = nil, extRunning
	x.answer(p, event)
}

// answer answers a next. What is not delivered shows when the extension does not
// ask for more.
func (x *extensions) answer(p *parkedNext, event []byte) {
	b := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Extension-Event-Identifier: "), x.ids.UUID()...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(event)), 10)
	b = append(append(b, "\r\n\r\n"...), event...)
	_, _ = p.conn.Write(b)
	close(p.answered)
}

// unpark forgets a next whose connection has ended.
func (x *extensions) unpark(p *parkedNext) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.list {
		if e.parked == p {
			e.parked = nil
		}
	}
}

// finish is the shutdown phase: the runtime is asked to end, then the extensions.
// Nothing is left to wait for when it returns; what lives on is to be killed.
func (x *extensions) finish(reason string) {
	x.mu.Lock()
	registered, external := false, false
	for _, e := range x.list {
		registered = registered || e.id != ""
		external = external || e.external && e.id != "" && !e.gone
	}
	x.ending = true
	x.mu.Unlock()
	defer x.telemetry.stop()
	if !registered {
		return
	}
	all, runtime := internalShutdown, internalShutdown
	if external {
		all, runtime = externalShutdown, runtimeShutdown
	}
	over := make(chan struct{})
	defer x.clock.AfterFunc(all, func() { close(over) })()
	late := x.clock.After(runtime)
	_ = x.proc.Signal(syscall.SIGTERM)
	select {
	case <-x.proc.Ended():
	case <-late:
		_ = x.proc.Signal(syscall.SIGKILL)
	}
	x.telemetry.flush(over)
	if !external {
		return
	}
	b, err := json.Marshal(struct {
		Type       string `json:"eventType"`
		Reason     string `json:"shutdownReason"`
		DeadlineMs int64  `json:"deadlineMs"`
	}{"SHUTDOWN", reason, x.clock.Now().Add(all).UnixMilli()})
	if err != nil {
		panic(err) // strings and a number
	}
	x.mu.Lock()
	for _, e := range x.list {
		if e.external && e.shutdown && !e.gone {
			x.give(e, b)
		}
	}
	x.failed = nil // what fails now does no harm
	x.mu.Unlock()
	x.until(func() bool {
		return !slices.ContainsFunc(x.list, func(e *extension) bool { return e.external && e.shutdown && !e.gone })
	}, over)
}

// extensionError is what an extension calls its error, if it may.
func extensionError(given, otherwise string) string {
	name, ok := strings.CutPrefix(given, "Extension.")
	letters := !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	if ok && letters && name != "" && name[0] >= 'A' && name[0] <= 'Z' {
		return given
	}
	return otherwise
}

// reason is what an extension said of its error.
func reasonOf(body []byte) string {
	var v struct {
		Message string `json:"errorMessage"`
	}
	_ = json.Unmarshal(body, &v)
	return cmp.Or(v.Message, "the extension reported an error")
}
