package runtime

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// The HTTP side of the Extensions, Telemetry and Logs APIs, at the address of the
// Runtime API.

const (
	extensionPath = "/2020-01-01/extension/"
	telemetryPath = "/2022-07-01/telemetry"
	logsPath      = "/2020-08-15/logs"
)

// extensionRequest acts on one request, if its path is one of these APIs. It
// returns the request if it is a next that waits for an event.
func (a *httpAPI) extensionRequest(c net.Conn, r *httpRequest, path string) (p *parkedNext, ok bool) {
	if a.ext == nil {
		return nil, false
	}
	want, what := "POST", ""
	switch path {
	case telemetryPath, logsPath:
		want = "PUT"
	case extensionPath + "event/next":
		want = "GET"
	case extensionPath + "register", extensionPath + "init/error", extensionPath + "exit/error":
		what = path[len(extensionPath):]
	default:
		return nil, false
	}
	if r.method != want {
		writeError(c, 405, "MethodNotAllowed", path+" is asked for with "+want, r.close)
		return nil, true
	}
	x := a.ext
	if what == "register" {
		x.register(c, r)
		return nil, true
	}
	e, errorType := x.find(r.extensionID)
	switch {
	case errorType != "":
		writeError(c, 403, errorType, "the header Lambda-Extension-Identifier names no extension of this environment", r.close)
	case want == "PUT":
		x.subscribe(c, r, e, path == logsPath)
	case want == "GET":
		return x.next(c, r, e), true
	default:
		x.report(c, r, e, what == "init/error")
	}
	return nil, true
}

func (x *extensions) find(id string) (*extension, string) {
	if id == "" {
		return nil, "Extension.MissingExtensionIdentifier"
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.list {
		if e.id == id {
			return e, ""
		}
	}
	return nil, "Extension.UnknownExtensionIdentifier"
}

// register makes an extension known: one that was launched, by its file's name,
// or one inside the runtime's process.
func (x *extensions) register(c net.Conn, r *httpRequest) {
	var in struct {
		Events []string `json:"events"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil {
		writeError(c, 403, "InvalidRequestFormat", "the body is not {\"events\": […]}", r.close)
		return
	}
	x.mu.Lock()
	e, errorType, message := x.admit(r.extensionName, in.Events)
	if errorType == "" {
		e.id, e.state = x.ids.UUID(), extRegistered
		x.notify()
	}
	x.mu.Unlock()
	if errorType != "" {
		writeError(c, 403, errorType, message, r.close)
		return
	}
	out := struct {
		Name    string `json:"functionName"`
		Version string `json:"functionVersion"`
		Handler string `json:"handler"`
		Account string `json:"accountId,omitempty"`
	}{Name: x.function.Name, Version: x.function.Version, Handler: x.handler}
	for feature := range strings.SplitSeq(r.acceptFeature, ",") {
		if strings.TrimSpace(feature) == "accountId" {
			out.Account = x.function.Account
		}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings
	}
	writeReply(c, "200 OK\r\nLambda-Extension-Identifier: "+e.id, body, r.close)
}

// admit finds or makes the extension that registers; x is locked.
func (x *extensions) admit(name string, events []string) (e *extension, errorType, message string) {
	if name == "" {
		return nil, "Extension.InvalidExtensionName", "the header Lambda-Extension-Name is missing"
	}
	for _, ev := range events {
		if ev != "INVOKE" && ev != "SHUTDOWN" {
			return nil, "Extension.InvalidEventType", ev + ": invalid event type"
		}
	}
	if i := slices.IndexFunc(x.list, func(e *extension) bool { return e.name == name }); i >= 0 {
		e = x.list[i]
	}
	switch {
	case e != nil && e.state != extStarted:
		return nil, "Extension.InvalidExtensionState", fmt.Sprintf("Transition from %s to Registered failed for extension %s", e.state, name)
	case e == nil && x.closed:
		return nil, "Extension.RegistrationClosed", "extensions register during the initialisation"
	case e == nil && slices.Contains(events, "SHUTDOWN"):
		return nil, "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN: internal extensions cannot register for it"
	case e == nil && len(x.list) >= sandbox.MaxCompanions:
		return nil, "Extension.TooManyExtensions", fmt.Sprintf("at most %d extensions can register", sandbox.MaxCompanions)
	case e == nil:
		e = &extension{name: name}
		x.list = append(x.list, e)
	}
	e.invoke, e.shutdown = slices.Contains(events, "INVOKE"), slices.Contains(events, "SHUTDOWN")
	return e, "", ""
}

// next is an extension's word that it is done, and its wait for what comes.
func (x *extensions) next(c net.Conn, r *httpRequest, e *extension) *parkedNext {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.state != extRegistered && e.state != extRunning && (e.state != extReady || e.parked != nil) {
		writeError(c, 403, "Extension.InvalidExtensionState", fmt.Sprintf("Transition from %s to Ready failed for extension %s", e.state, e.name), r.close)
		return nil
	}
	p := &parkedNext{conn: c, answered: make(chan struct{}), ext: x}
	if event := e.pending; event != nil {
		e.pending, e.state = nil, extRunning
		x.answer(p, event)
		return p
	}
	e.state, e.parked = extReady, p
	x.notify()
	return p
}

// report takes an extension's error; the environment ends with it.
func (x *extensions) report(c net.Conn, r *httpRequest, e *extension, init bool) {
	if r.extensionError == "" {
		writeError(c, 403, "Extension.MissingHeader", "the header Lambda-Extension-Function-Error-Type is missing", r.close)
		return
	}
	x.mu.Lock()
	if e.state == extFailed || init && e.state != extRegistered {
		x.mu.Unlock()
		writeError(c, 403, "Extension.InvalidExtensionState", fmt.Sprintf("Transition from %s to Failed failed for extension %s", e.state, e.name), r.close)
		return
	}
	x.mu.Unlock()
	writeAccepted(c, r.close)
	otherwise := typeExtensionExit
	if init {
		otherwise = typeExtensionInit
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ending {
		x.fail(e, extensionError(r.extensionError, otherwise), reasonOf(r.body), false)
	}
}

// subscribe serves the Telemetry API and the Logs API.
func (x *extensions) subscribe(c net.Conn, r *httpRequest, e *extension, legacy bool) {
	s, err := x.telemetry.newSubscriber(e, r.body, legacy)
	if err != nil {
		writeError(c, 400, "ValidationError", err.Error(), r.close)
		return
	}
	if err := x.telemetry.subscribe(s); err != nil {
		kind := "Telemetry.SubscriptionClosed"
		if legacy {
			kind = "Logs.SubscriptionClosed"
		}
		writeError(c, 403, kind, err.Error(), r.close)
		return
	}
	writeReply(c, "200 OK", []byte(`"OK"`), r.close)
	event := EventSubscription
	if legacy {
		event = EventLogsSubscribed
	}
	x.tell(event, Subscription{Name: e.name, State: "Subscribed", Types: s.types})
}
