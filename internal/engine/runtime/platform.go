package runtime

import (
	"encoding/json"
	"time"
)

// Function is who a function is, as its extensions and its log are told.
type Function struct {
	// Account is the id of its account.
	Account string
	// Name and Version are its own; both may be empty in tests.
	Name, Version string
	// RuntimeVersion and RuntimeVersionARN name the version of its runtime, or are empty.
	RuntimeVersion, RuntimeVersionARN string
	// InitializationType is "on-demand" (when empty), "provisioned-concurrency" or "snap-start".
	InitializationType string
}

// The types of platform events.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
const (
	EventInitStart       = "platform.initStart"
	EventInitRuntimeDone = "platform.initRuntimeDone"
	EventInitReport      = "platform.initReport"
	EventStart           = "platform.start"
	EventRuntimeDone     = "platform.runtimeDone"
	EventReport          = "platform.report"
	EventFault           = "platform.fault" // of the Logs API only; its record is a string
	EventExtension       = "platform.extension"
	EventSubscription    = "platform.telemetrySubscription"
	EventLogsSubscribed  = "platform.logsSubscription"
	EventLogsDropped     = "platform.logsDropped"

	eventFunction  = "function"
	eventExtension = "extension"
	eventEnd       = "platform.end"
)

// Values of a record's status.
const (
	StatusSuccess = "success"
	StatusFailure = "failure"
	StatusError   = "error"
	StatusTimeout = "timeout"
)

// Event is something that the platform says of an environment, in the schema of
// 2022-12-13.
type Event struct {
	Time time.Time
	// Type is one of the Event constants.
	Type string
	// Record is the struct that belongs to the type, or a string.
	Record any
}

// eventTime is how events tell their time.
const eventTime = "2006-01-02T15:04:05.000Z"

// JSON is the event as AWS writes it.
func (e Event) JSON() []byte {
	b, err := json.Marshal(struct {
		Time   string `json:"time"`
		Type   string `json:"type"`
		Record any    `json:"record"`
	}{e.Time.UTC().Format(eventTime), e.Type, e.Record})
	if err != nil {
		panic(err) // records are of strings and numbers
	}
	return b
}

// InitStart is the record of EventInitStart.
type InitStart struct {
	InitializationType string `json:"initializationType"`
	Phase              string `json:"phase"`
	RuntimeVersion     string `json:"runtimeVersion,omitempty"`
	RuntimeVersionARN  string `json:"runtimeVersionArn,omitempty"`
	FunctionName       string `json:"functionName,omitempty"`
	FunctionVersion    string `json:"functionVersion,omitempty"`
}

// InitDone is the record of EventInitRuntimeDone and, with metrics, of EventInitReport.
type InitDone struct {
	InitializationType string   `json:"initializationType"`
	Phase              string   `json:"phase"`
	Status             string   `json:"status"`
	ErrorType          string   `json:"errorType,omitempty"`
	Metrics            *Metrics `json:"metrics,omitempty"`
}

// Metrics are the numbers of a record; what is zero is not told.
type Metrics struct {
	DurationMs       Millis `json:"durationMs"`
	BilledDurationMs int64  `json:"billedDurationMs,omitempty"`
	MemorySizeMB     int64  `json:"memorySizeMB,omitempty"`
	MaxMemoryUsedMB  int64  `json:"maxMemoryUsedMB,omitempty"`
	InitDurationMs   Millis `json:"initDurationMs,omitempty"`
	ProducedBytes    *int   `json:"producedBytes,omitempty"`
}

// Millis is a duration, written in milliseconds with three places at most.
type Millis time.Duration

// MarshalJSON implements json.Marshaler.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(m).Microseconds()) / 1000)
}

// Tracing is the trace that an invocation belongs to.
type Tracing struct {
	SpanID string `json:"spanId,omitempty"`
	Type   string `json:"type"`
	Value  string `json:"value"`
}

func tracing(id string) *Tracing {
	if id == "" {
		return nil
	}
	return &Tracing{Type: "X-Amzn-Trace-Id", Value: id}
}

// Invoked is the record of EventStart.
type Invoked struct {
	RequestID string   `json:"requestId"`
	Version   string   `json:"version,omitempty"`
	Tracing   *Tracing `json:"tracing,omitempty"`
}

// Done is the record of EventRuntimeDone and EventReport.
type Done struct {
	RequestID string   `json:"requestId"`
	Metrics   *Metrics `json:"metrics,omitempty"`
	Status    string   `json:"status,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Tracing   *Tracing `json:"tracing,omitempty"`
	Spans     []Span   `json:"spans,omitempty"`
}

// Span is a part of an invocation.
type Span struct {
	Name       string `json:"name"`
	Start      string `json:"start"`
	DurationMs Millis `json:"durationMs"`
}

// ExtensionState is the record of EventExtension.
type ExtensionState struct {
	Name      string   `json:"name"`
	State     string   `json:"state"`
	Events    []string `json:"events"`
	ErrorType string   `json:"errorType,omitempty"`
}

// Subscription is the record of EventSubscription and EventLogsSubscribed.
type Subscription struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	Types []string `json:"types"`
}

// Dropped is the record of EventLogsDropped.
type Dropped struct {
	Reason  string `json:"reason"`
	Records int    `json:"droppedRecords"`
	Bytes   int    `json:"droppedBytes"`
}

// Emit tells the environment's subscribers an event. What the environment knows
// itself it tells itself (initialisation, runtimeDone, extensions); its owner
// tells of start, report and fault.
func (e *Environment) Emit(eventType string, record any) {
	if e.ext != nil {
		e.ext.telemetry.platform(Event{e.clock.Now(), eventType, record})
	}
}

// Subscribed tells whether somebody may listen to Emit.
func (e *Environment) Subscribed() bool { return e.ext != nil && e.ext.telemetry.wanted() }

// tell emits an event of the environment's own.
func (e *Environment) tell(eventType string, record any) {
	ev := Event{e.clock.Now(), eventType, record}
	if e.events != nil {
		e.events(ev)
	}
	if e.ext != nil {
		e.ext.telemetry.platform(ev)
	}
}

// tells whether events of every invocation are to be made at all.
func (e *Environment) detailed() bool { return e.allEvents || e.Subscribed() }
