// Package execlog collects what happened to one request, in the layout of API
// Gateway's execution logs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
package execlog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// Level says what is logged.
type Level uint8

// The levels.
const (
	Off   Level = iota
	Error       // what requests failed of
	Info        // every step
)

// ParseLevel reads a level's name.
func ParseLevel(name string) (Level, bool) {
	i := slices.Index([]string{"OFF", "ERROR", "INFO"}, name)
	return Level(max(i, 0)), i >= 0
}

// MaxEvent is how long an event becomes, in bytes; the rest is cut off, and the
// event says so.
const MaxEvent = 1024

const truncated = " [TRUNCATED]"

// Log is the log of one request. A nil Log takes nothing; callers ask for that
// where making a line costs.
type Log struct {
	clock  clock.Clock
	level  Level
	data   bool
	id     string
	events []delivery.Event
	wrong  bool
}

// New makes the log of a request; nil if the level is Off. data adds headers and
// bodies at the level Info.
func New(k clock.Clock, level Level, data bool, id string) *Log {
	if level == Off {
		return nil
	}
	return &Log{clock: k, level: level, data: data && level == Info, id: id}
}

// Info notes a step.
func (l *Log) Info(format string, args ...any) {
	if l != nil && l.level >= Info {
		l.add(format, args)
	}
}

// Data reports whether headers and bodies are logged.
func (l *Log) Data() bool { return l != nil && l.data }

// Trace notes headers, bodies and the like.
func (l *Log) Trace(format string, args ...any) {
	if l.Data() {
		l.add(format, args)
	}
}

// Error notes what the request failed of.
func (l *Log) Error(format string, args ...any) {
	if l != nil {
		l.wrong = true
		l.add(format, args)
	}
}

// Last notes the end: at the level Error only if something was wrong.
func (l *Log) Last(format string, args ...any) {
	if l != nil && (l.level >= Info || l.wrong) {
		l.add(format, args)
	}
}

func (l *Log) add(format string, args []any) {
	l.events = append(l.events, delivery.Event{Time: l.clock.Now(), Text: fmt.Sprintf(format, args...)})
}

// cut shortens a text to n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len(truncated)], "") + truncated
}

// Events returns the events for a log group: "(request id) text".
func (l *Log) Events() []delivery.Event {
	if l == nil {
		return nil
	}
	out := make([]delivery.Event, len(l.events))
	for i, e := range l.events {
		out[i] = delivery.Event{Time: e.Time, Text: cut("("+l.id+") "+e.Text, MaxEvent)}
	}
	return out
}

// String returns the whole log as tests of methods answer it.
func (l *Log) String() string {
	if l == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("Execution log for request " + l.id + "\n")
	for _, e := range l.events {
		b.WriteString(e.Time.UTC().Format(dated) + " : " + cut(e.Text, MaxEvent) + "\n")
	}
	return b.String()
}

const dated = "Mon Jan 02 15:04:05 MST 2006"

// Pair is a name and a value, such as a header.
type Pair struct{ Name, Value string }

// Pairs writes pairs as "{a=1, b=2}", with what is secret masked.
func Pairs(all []Pair) string {
	slices.SortStableFunc(all, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	b := strings.Builder{}
	b.WriteByte('{')
	for i, p := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Name)
		b.WriteByte('=')
		if secret(p.Name) {
			b.WriteString(Mask(p.Value))
		} else {
			b.WriteString(p.Value)
		}
	}
	b.WriteByte('}')
	return b.String()
}

func secret(name string) bool {
	return strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "X-Api-Key") || strings.EqualFold(name, "X-Amz-Security-Token")
}

// shown is how many letters of a secret are told.
const shown = 6

// Mask hides all but the end of a secret.
func Mask(v string) string {
	n := len(v)
	if n > 2*shown {
		n -= shown
	}
	return strings.Repeat("*", n) + v[n:]
}

// Time returns a duration as the logs tell it, in milliseconds.
func Time(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
