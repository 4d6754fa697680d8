package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Advanced logging controls: the format of a function's log and from which level
// on it is kept.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html

const (
	formatText   = "Text"
	formatJSON   = "JSON"
	defaultLevel = "INFO"
)

// logLevels are in their order; the first and the last are of applications only.
var logLevels = [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// rank is a level's place among all; levels that nobody knows are between.
func rank(level string) int {
	level = strings.ToUpper(level)
	switch level {
	case "WARNING":
		level = "WARN"
	case "CRITICAL":
		level = "FATAL"
	}
	for i, l := range logLevels {
		if l == level {
			return i
		}
	}
	return rank(defaultLevel)
}

// logging is how a version logs.
type logging struct {
	LogGroup string `json:"logGroup"`
	// Format is JSON, or Text as "". The levels are empty in Text.
	Format string `json:"logFormat,omitempty"`
	App    string `json:"applicationLogLevel,omitempty"`
	System string `json:"systemLogLevel,omitempty"`
}

func (l *logging) json() bool { return l.Format == formatJSON }

// checkLogging returns how a function logs, by what it is given and how it did.
func checkLogging(c *api.LoggingConfig, name string, present logging) (logging, error) {
	l := present
	if l.LogGroup == "" {
		l.LogGroup = "/aws/lambda/" + name
	}
	if c == nil {
		return l, nil
	}
	l.LogGroup = opt.Or(c.LogGroup, l.LogGroup)
	switch opt.Or(c.LogFormat, opt.Or(opt.NonZero(l.Format), formatText)) {
	case formatJSON:
		l.Format = formatJSON
		l.App, l.System = opt.Or(c.ApplicationLogLevel, opt.Or(opt.NonZero(l.App), defaultLevel)), opt.Or(c.SystemLogLevel, opt.Or(opt.NonZero(l.System), defaultLevel))
	default:
		if c.ApplicationLogLevel != nil || c.SystemLogLevel != nil {
			return present, api.InvalidParameterValueException("ApplicationLogLevel and SystemLogLevel are only supported when LogFormat is set to JSON.")
		}
		l.Format, l.App, l.System = "", "", ""
	}
	return l, nil
}

// config shows it.
func (l *logging) config() *api.LoggingConfig {
	c := &api.LoggingConfig{LogFormat: new(formatText), LogGroup: new(l.LogGroup)}
	if l.json() {
		c.LogFormat, c.ApplicationLogLevel, c.SystemLogLevel = new(formatJSON), new(l.App), new(l.System)
	}
	return c
}

// variables tell the runtime.
func (l *logging) variables() []string {
	if !l.json() {
		return []string{"AWS_LAMBDA_LOG_FORMAT=" + formatText}
	}
	return []string{"AWS_LAMBDA_LOG_FORMAT=" + formatJSON, "AWS_LAMBDA_LOG_LEVEL=" + l.App}
}

// keeps tells whether a line of the application is of a level that is kept. What
// has no level is.
func (l *logging) keeps(line []byte) bool {
	if !l.json() || rank(l.App) == 0 || !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte{'{'}) {
		return true
	}
	var v struct {
		Level any `json:"level"`
	}
	if json.Unmarshal(line, &v) != nil {
		return true
	}
	level, ok := v.Level.(string)
	return !ok || rank(level) >= rank(l.App)
}

// systemLevel is the level of a platform event.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
func systemLevel(e engine.Event) string {
	of := func(ok bool, level string) string {
		if !ok {
			return "WARN"
		}
		return level
	}
	switch r := e.Record.(type) {
	case engine.InitStart:
		if r.RuntimeVersion == "" {
			return "DEBUG"
		}
	case engine.InitDone:
		level := "DEBUG"
		if e.Type == engine.EventInitReport && r.InitializationType != "on-demand" {
			level = "INFO"
		}
		return of(r.Status == engine.StatusSuccess, level)
	case engine.Done:
		level := "INFO"
		if e.Type == engine.EventRuntimeDone {
			level = "DEBUG"
		}
		return of(r.Status == engine.StatusSuccess, level)
	case engine.ExtensionState:
		return of(r.ErrorType == "", "INFO")
	case engine.Dropped:
		return "WARN"
	}
	return "INFO"
}

// platform takes what the environment tells of itself.
func (e *environment) platform(ev engine.Event) {
	l := &e.pool.v.logging
	if l.json() {
		if rank(systemLevel(ev)) >= rank(l.System) {
			e.print(string(ev.JSON()))
		}
		return
	}
	switch r := ev.Record.(type) {
	case engine.InitStart:
		if r.RuntimeVersion != "" {
			e.printf("INIT_START Runtime Version: %s\tRuntime Version ARN: %s", r.RuntimeVersion, r.RuntimeVersionARN)
		}
	case engine.ExtensionState:
		line := fmt.Sprintf("EXTENSION\tName: %s\tState: %s\tEvents: [%s]", r.Name, r.State, strings.Join(r.Events, ", "))
		if r.ErrorType != "" {
			line += "\tError Type: " + r.ErrorType
		}
		e.print(line)
	case engine.Subscription:
		kind := "TELEMETRY"
		if ev.Type == engine.EventLogsSubscribed {
			kind = "LOGS"
		}
		types := make([]string, len(r.Types))
		for i, t := range r.Types {
			types[i] = strings.ToUpper(t[:1]) + t[1:]
		}
		e.printf("%s\tName: %s\tState: %s\tTypes: [%s]", kind, r.Name, r.State, strings.Join(types, ", "))
	}
}

// recorded tells whether events that this room knows of are to be recorded, beside
// their lines in a log of text.
func (e *environment) recorded() bool { return e.pool.v.json() || e.e != nil && e.e.Subscribed() }

// record tells of an event: a log of JSON, and those who listen.
func (e *environment) record(kind string, record any) {
	if e.pool.v.json() {
		e.platform(engine.Event{Time: e.pool.ps.p.s.clock.Now(), Type: kind, Record: record})
	}
	if e.e != nil {
		e.e.Emit(kind, record)
	}
}

// began tells that an event is handed to the function.
func (e *environment) began(inv *invocation) {
	if e.recorded() {
		e.record(engine.EventStart, engine.Invoked{RequestID: inv.id, Version: e.pool.v.Version})
	}
	if !e.pool.v.json() {
		e.print("START RequestId: " + inv.id + " Version: " + e.pool.v.Version)
	}
}

// initFailed tells that an initialisation failed, which in JSON the environment
// has told itself.
func (e *environment) initFailed(init *engine.InitError) {
	if e.pool.v.json() {
		return
	}
	tail := "error\tError Type: " + init.Type
	if init.TimedOut {
		tail = "timeout"
	}
	e.printf("INIT_REPORT Init Duration: %s ms\tPhase: init\tStatus: %s", millis(e.init), tail)
}

func millis(d time.Duration) string { return string(appendMillis(nil, d)) }

// appendMillis appends a duration in milliseconds with two places.
func appendMillis(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d)/float64(time.Millisecond), 'f', 2, 64)
}
