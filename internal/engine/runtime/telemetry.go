package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// The Telemetry API of 2022-07-01 and the Logs API of 2020-08-15 that it replaced:
// an extension subscribes to what the platform, the function and the extensions
// say, and gets it in batches at a port of its own.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html

// Limits of a subscription's buffering: items, bytes, and time in milliseconds.
const (
	minItems, maxItems, usualItems = 1_000, 10_000, 10_000
	minBytes, maxBytes, usualBytes = 256 << 10, 1 << 20, 256 << 10
	minWait, maxWait, usualWait    = 25, 30_000, 1_000
	// mostWaiting is how many bytes wait for a subscriber that does not take them.
	mostWaiting = 4 * maxBytes
	// earlyBytes is how much is kept for those who subscribe during the initialisation.
	earlyBytes = 1 << 20
	// deliveryTime is how long a subscriber may take for a batch.
	deliveryTime = 5 * time.Second
)

// telemetry is what an environment says and who listens.
type telemetry struct {
	clock clock.Clock
	ctx   context.Context
	end   context.CancelFunc
	dial  func(ctx context.Context, port uint16) (net.Conn, error)
	json  bool // functions log JSON
	work  sync.WaitGroup

	mu     sync.Mutex
	subs   []*subscriber
	closed bool // no more subscriptions
	early  []item
	size   int
}

// item is one event with its class: "platform", "function" or "extension".
type item struct {
	class string
	event Event
}

func newTelemetry(c clock.Clock, jsonLogs bool) *telemetry {
	t := &telemetry{clock: c, json: jsonLogs}
	t.ctx, t.end = context.WithCancel(context.Background())
	return t
}

// wanted tells whether anybody listens or may come to.
func (t *telemetry) wanted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.subs) > 0 || !t.closed
}

func (t *telemetry) platform(e Event) { t.publish(item{"platform", e}) }

// line publishes a line that the function or an extension wrote.
func (t *telemetry) line(class string, line []byte) {
	if !t.wanted() {
		return
	}
	var record any = string(line)
	if t.json && len(line) > 0 && line[0] == '{' && json.Valid(line) {
		record = json.RawMessage(bytes.Clone(line))
	}
	t.publish(item{class, Event{t.clock.Now(), class, record}})
}

func (t *telemetry) publish(i item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		n := 200
		if s, ok := i.event.Record.(string); ok {
			n += len(s)
		}
		if t.size+n <= earlyBytes {
			t.early = append(t.early, i)
			t.size += n
		}
	}
	for _, s := range t.subs {
		s.add(i)
	}
}

// subscribe adds a subscriber or changes one; it gets what was said before, too.
func (t *telemetry) subscribe(s *subscriber) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errors.New("subscriptions are closed: they are made during the initialisation")
	}
	if i := slices.IndexFunc(t.subs, func(o *subscriber) bool { return o.owner == s.owner }); i >= 0 {
		if t.subs[i].legacy != s.legacy {
			return errors.New("an extension subscribes to the Telemetry API or to the Logs API, not to both")
		}
		t.subs[i].stop()
		t.subs = slices.Delete(t.subs, i, i+1)
	}
	t.subs = append(t.subs, s)
	for _, i := range t.early {
		s.add(i)
	}
	t.work.Go(s.run)
	return nil
}

// close ends the time of subscriptions.
func (t *telemetry) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.early = true, nil
}

// flush delivers what waits, as far as that can be done before done is closed.
func (t *telemetry) flush(done <-chan struct{}) {
	t.mu.Lock()
	subs := slices.Clone(t.subs)
	t.mu.Unlock()
	for _, s := range subs {
		s.hurry()
	}
	for _, s := range subs {
		select {
		case <-s.emptied():
		case <-done:
			return
		}
	}
}

// stop ends all deliveries.
func (t *telemetry) stop() {
	t.end()
	t.work.Wait()
}

// subscriber is one subscription.
type subscriber struct {
	t       *telemetry
	owner   *extension
	types   []string
	legacy  bool // the Logs API
	noDone  bool // its first schema, which has no platform.runtimeDone
	items   int
	bytes   int
	wait    time.Duration
	deliver func(ctx context.Context, batch []byte, n int) error
	tcp     bool
	quit    chan struct{}

	mu      sync.Mutex
	waiting [][]byte
	size    int
	lost    Dropped
	wake    chan struct{} // has room for one
	now     bool          // do not wait for more
	sending bool
	empty   []chan struct{}
}

func (s *subscriber) stop() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
}

// add takes an event, if it is wanted. It never waits.
func (s *subscriber) add(i item) {
	if !slices.Contains(s.types, i.class) {
		return
	}
	list := []Event{i.event}
	switch {
	case s.legacy && s.noDone && i.event.Type == EventRuntimeDone:
		list = legacyEvents(i.event)[1:]
	case s.legacy:
		list = legacyEvents(i.event)
	case i.event.Type == EventFault:
		return // only the Logs API has it; the others have the status of the report
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range list {
		b := e.JSON()
		if s.size+len(b) > mostWaiting {
			s.lost.Records++
			s.lost.Bytes += len(b)
			continue
		}
		s.waiting = append(s.waiting, b)
		s.size += len(b)
	}
	s.poke()
}

func (s *subscriber) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// hurry has what waits delivered at once.
func (s *subscriber) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = true
	s.poke()
}

// emptied is closed when nothing waits.
func (s *subscriber) emptied() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	if len(s.waiting) == 0 && !s.sending {
		close(c)
	} else {
		s.empty = append(s.empty, c)
	}
	return c
}

// run delivers batches: when there are enough, or the first has waited for long enough.
func (s *subscriber) run() {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting, s.sending = nil, false
		s.tellEmpty()
	}()
	var due <-chan time.Time
	for {
		s.mu.Lock()
		n := len(s.waiting)
		full := n >= s.items || s.size >= s.bytes || s.now && n > 0
		if n == 0 {
			s.now = false
		}
		s.mu.Unlock()
		if n > 0 && due == nil {
			due = s.t.clock.After(s.wait)
		}
		if !full {
			select {
			case <-s.quit:
				return
			case <-s.t.ctx.Done():
				return
			case <-s.wake:
				continue
			case <-due:
			}
		}
		due = nil
		s.send()
	}
}

// send delivers one batch.
func (s *subscriber) send() {
	s.mu.Lock()
	if s.lost.Records > 0 {
		s.lost.Reason = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
		b := Event{s.t.clock.Now(), EventLogsDropped, s.lost}.JSON()
		s.waiting, s.size, s.lost = append(s.waiting, b), s.size+len(b), Dropped{}
	}
	n, size := 0, 0
	for n < len(s.waiting) && n < s.items && (n == 0 || size+len(s.waiting[n]) <= s.bytes) {
		size += len(s.waiting[n])
		n++
	}
	batch := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	s.size -= size
	s.sending = true
	s.mu.Unlock()

	ctx, cancel := context.WithCancel(s.t.ctx)
	stop := s.t.clock.AfterFunc(deliveryTime, cancel)
	if n > 0 && s.deliver(ctx, joined(batch, s.tcp), n) != nil {
		s.mu.Lock()
		s.lost.Records += n
		s.lost.Bytes += size
		s.mu.Unlock()
	}
	stop()
	cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = false
	if len(s.waiting) == 0 {
		s.tellEmpty()
	}
}

func (s *subscriber) tellEmpty() {
	for _, c := range s.empty {
		close(c)
	}
	s.empty = nil
}

// joined is a batch as it goes over the wire: an array, or lines over TCP.
func joined(batch [][]byte, lines bool) []byte {
	if lines {
		return append(bytes.Join(batch, []byte{'\n'}), '\n')
	}
	return append(append([]byte{'['}, bytes.Join(batch, []byte{','})...), ']')
}

// legacyEvents are an event in the schema of 2020-08-15, in which many are missing.
func legacyEvents(e Event) []Event {
	switch e.Type {
	case EventInitStart, EventInitRuntimeDone, EventInitReport, EventSubscription:
		return nil
	case EventRuntimeDone:
		d := e.Record.(Done)
		end := Event{e.Time, eventEnd, Invoked{RequestID: d.RequestID}}
		return []Event{{e.Time, e.Type, Done{RequestID: d.RequestID, Status: d.Status}}, end}
	case EventReport:
		d := e.Record.(Done)
		return []Event{{e.Time, e.Type, Done{RequestID: d.RequestID, Metrics: d.Metrics}}}
	case EventExtension:
		x := e.Record.(ExtensionState)
		x.ErrorType = ""
		return []Event{{e.Time, e.Type, x}}
	}
	return []Event{e}
}

// subscription is the body of a request to subscribe.
type subscription struct {
	Schema    string   `json:"schemaVersion"`
	Types     []string `json:"types"`
	Buffering struct {
		MaxItems  *int `json:"maxItems"`
		MaxBytes  *int `json:"maxBytes"`
		TimeoutMs *int `json:"timeoutMs"`
	} `json:"buffering"`
	Destination *struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
		Port     int    `json:"port"`
		Method   string `json:"method"`
		Encoding string `json:"encoding"`
	} `json:"destination"`
}

// newSubscriber checks what an extension asks for.
func (t *telemetry) newSubscriber(owner *extension, body []byte, legacy bool) (*subscriber, error) {
	var in subscription
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("the body is not a subscription: %w", err)
	}
	schemas := []string{"2022-07-01", "2022-12-13", "2025-01-29"}
	if legacy {
		schemas = []string{"2020-08-15", "2021-03-18"}
	}
	switch {
	case in.Schema == "" && !legacy:
		return nil, errors.New("schemaVersion is required")
	case in.Schema != "" && !slices.Contains(schemas, in.Schema):
		return nil, fmt.Errorf("schemaVersion %q is not one of %s", in.Schema, strings.Join(schemas, ", "))
	case len(in.Types) == 0:
		return nil, errors.New("types is required")
	case in.Destination == nil:
		return nil, errors.New("destination is required")
	}
	for _, class := range in.Types {
		if class != "platform" && class != "function" && class != "extension" {
			return nil, fmt.Errorf("types: %q is not one of platform, function, extension", class)
		}
	}
	s := &subscriber{t: t, owner: owner, types: in.Types, legacy: legacy, noDone: legacy && in.Schema != schemas[1], quit: make(chan struct{}), wake: make(chan struct{}, 1)}
	var wait int
	for _, l := range []struct {
		name            string
		given           *int
		to              *int
		low, high, like int
	}{
		{"maxItems", in.Buffering.MaxItems, &s.items, minItems, maxItems, usualItems},
		{"maxBytes", in.Buffering.MaxBytes, &s.bytes, minBytes, maxBytes, usualBytes},
		{"timeoutMs", in.Buffering.TimeoutMs, &wait, minWait, maxWait, usualWait},
	} {
		*l.to = l.like
		if l.given != nil {
			*l.to = *l.given
		}
		if *l.to < l.low || *l.to > l.high {
			return nil, fmt.Errorf("buffering: %s is %d, it can be %d to %d", l.name, *l.to, l.low, l.high)
		}
	}
	s.wait = time.Duration(wait) * time.Millisecond
	return s, s.direct(&in)
}

// direct sets where batches go.
func (s *subscriber) direct(in *subscription) error {
	d := in.Destination
	switch strings.ToUpper(d.Protocol) {
	case "HTTP":
		u, err := url.Parse(d.URI)
		if err != nil || u.Scheme != "http" || u.Hostname() != "sandbox.localdomain" && u.Hostname() != "sandbox" {
			return fmt.Errorf("destination: the URI must be http://sandbox.localdomain:PORT/PATH, not %q", d.URI)
		}
		port := 80
		if u.Port() != "" {
			port, _ = strconv.Atoi(u.Port())
		}
		if err := checkPort(port); err != nil {
			return err
		}
		method := strings.ToUpper(d.Method)
		if method == "" {
			method = http.MethodPost
		}
		if method != http.MethodPost && method != http.MethodPut {
			return fmt.Errorf("destination: the method is POST or PUT, not %q", d.Method)
		}
		if d.Encoding != "" && strings.ToUpper(d.Encoding) != "JSON" {
			return fmt.Errorf("destination: the encoding is JSON, not %q", d.Encoding)
		}
		client := &http.Client{Transport: &http.Transport{
			DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return s.t.dial(ctx, uint16(port)) },
			MaxIdleConns:    1,
			IdleConnTimeout: time.Minute,
		}}
		context.AfterFunc(s.t.ctx, client.CloseIdleConnections)
		s.deliver = func(ctx context.Context, batch []byte, n int) error {
			rq, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(batch))
			if err != nil {
				return err
			}
			rq.Header.Set("Content-Type", "application/json")
			res, err := client.Do(rq)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
			return nil
		}
		return nil
	case "TCP":
		if err := checkPort(d.Port); err != nil {
			return err
		}
		s.tcp = true
		var conn net.Conn
		context.AfterFunc(s.t.ctx, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if conn != nil {
				conn.Close()
			}
		})
		s.deliver = func(ctx context.Context, batch []byte, n int) error {
			s.mu.Lock()
			c := conn
			s.mu.Unlock()
			if c == nil {
				var err error
				if c, err = s.t.dial(ctx, uint16(d.Port)); err != nil {
					return err
				}
			}
			stop := context.AfterFunc(ctx, func() { c.Close() })
			_, err := c.Write(batch)
			if !stop() || err != nil {
				c.Close()
				c = nil
			}
			s.mu.Lock()
			conn = c
			s.mu.Unlock()
			return err
		}
		return nil
	}
	return fmt.Errorf("destination: the protocol is HTTP or TCP, not %q", d.Protocol)
}

func checkPort(port int) error {
	if port < 1 || port > 65535 || port == privatePort {
		return fmt.Errorf("destination: port %d cannot be listened at", port)
	}
	return nil
}
