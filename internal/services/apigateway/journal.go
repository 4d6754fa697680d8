package apigateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gateway/accesslog"
	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
	"github.com/tierra-cloud/tierra/internal/gateway/execlog"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// A stage's journal: its access log and its execution logs, which the account's
// role writes behind the requests.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html

// accessLog is the record of a stage's access log.
type accessLog struct {
	Destination string `json:"destination,omitempty"` // the ARN of a log group
	Format      string `json:"format,omitempty"`
}

func (l *accessLog) answer() *api.AccessLogSettings {
	if l == nil {
		return nil
	}
	return &api.AccessLogSettings{DestinationArn: opt.NonZero(l.Destination), Format: opt.NonZero(l.Format)}
}

// accessEdits adds what a patch may do with the access log.
func (st *stage) accessEdits(e edits) {
	set := func(f func(*accessLog, string)) func(_, v string) error {
		return func(_, v string) error {
			l := accessLog{}
			if st.AccessLog != nil {
				l = *st.AccessLog
			}
			if f(&l, v); l == (accessLog{}) {
				st.AccessLog = nil
			} else {
				st.AccessLog = &l
			}
			return nil
		}
	}
	destination := set(func(l *accessLog, v string) { l.Destination = strings.TrimSuffix(v, ":*") })
	format := set(func(l *accessLog, v string) { l.Format = v })
	for _, op := range []string{"add ", "replace "} {
		e[op+"/accessLogSettings/destinationArn"], e[op+"/accessLogSettings/format"] = destination, format
	}
	e["remove /accessLogSettings/destinationArn"] = set(func(l *accessLog, _ string) { l.Destination = "" })
	e["remove /accessLogSettings/format"] = set(func(l *accessLog, _ string) { l.Format = "" })
	e["remove /accessLogSettings"] = set(func(l *accessLog, _ string) { *l = accessLog{} })
}

// check checks an access log that a stage in an area is to have.
func (l *accessLog) check(a area) error {
	switch {
	case l.Destination == "":
		return api.BadRequestException("Invalid access log settings: destinationArn is required with a format")
	case l.Format == "":
		return api.BadRequestException("Invalid access log settings: format is required with a destinationArn")
	}
	d, ok := arn.Parse(l.Destination)
	switch {
	case ok && d.Service == "firehose":
		return refuse("the Firehose stream " + l.Destination + " as the destination of an access log")
	case !ok || d.Service != "logs" || group(d) == "":
		return api.BadRequestException("Invalid ARN specified in the request. ARNs must start with 'arn:' and name a log group: %s", l.Destination)
	case d.Account != a.account || d.Region != a.region:
		return api.BadRequestException("Invalid ARN specified in the request. The log group must be in the account and the region of the API: %s", l.Destination)
	}
	if _, err := accesslog.Parse(l.Format); err != nil {
		return api.BadRequestException("%s", err)
	}
	return nil
}

// group is the name of a log group whose ARN is given.
func group(d arn.ARN) string {
	name, ok := strings.CutPrefix(d.Resource, "log-group:")
	if !ok || strings.ContainsAny(name, ":* ") {
		return ""
	}
	return name
}

// logging are a method's settings of execution logs and metrics.
type logging struct {
	Level   string `json:"level,omitempty"` // "" is OFF
	Data    bool   `json:"data,omitempty"`
	Metrics bool   `json:"metrics,omitempty"`
}

func (l *logging) tell(out *api.MethodSetting) {
	out.LoggingLevel, out.DataTraceEnabled, out.MetricsEnabled = new("OFF"), &l.Data, &l.Metrics
	if l.Level != "" {
		out.LoggingLevel = &l.Level
	}
}

// set sets one of them by its name in a patch; known is false if it is none.
func (l *logging) set(name, value string) (known bool, err error) {
	switch name {
	case "logging/loglevel":
		if _, ok := execlog.ParseLevel(value); !ok {
			return true, api.BadRequestException("Invalid logging level specified: %s. Must be one of: [OFF, ERROR, INFO]", value)
		}
		l.Level = value
	case "logging/dataTrace":
		l.Data, err = flag(name, value)
	case "metrics/enabled":
		l.Metrics, err = flag(name, value)
	default:
		return false, nil
	}
	return true, err
}

// checkJournal checks what a patch made of the stage's journal: it takes the
// account's role to write one.
func (st *stage) checkJournal(r data.Reader, a area, ops []api.PatchOperation) error {
	if !slices.ContainsFunc(ops, func(p api.PatchOperation) bool {
		path := opt.Val(p.Path)
		return strings.HasPrefix(path, "/accessLogSettings") || strings.HasSuffix(path, "/logging/loglevel")
	}) {
		return nil
	}
	wanted := st.AccessLog != nil
	for _, m := range st.Methods {
		wanted = wanted || m.Logging.Level != "" && m.Logging.Level != "OFF"
	}
	if st.AccessLog != nil {
		if err := st.AccessLog.check(a); err != nil {
			return err
		}
	}
	if !wanted {
		return nil
	}
	acc, err := data.Load[accountSettings](r, a.settings())
	if err == nil && (acc == nil || acc.Role == "") {
		err = api.BadRequestException("CloudWatch Logs role ARN must be set in account settings to enable logging")
	}
	return err
}

// journal is where the requests of a compiled stage are written down.
type journal struct {
	format    *accesslog.Format // nil writes no access log
	access    []*delivery.Stream
	execution []*delivery.Stream // nil if no method has a level
	tracer    *tracer            // nil traces nothing
	numbers   []*numbers         // of the API, of the stage; nil counts nothing
}

// newJournal makes the journal of a stage. A canary's lines go to the stage's own
// logs as well.
func (s *Service) newJournal(a area, id string, st *stage, canary bool) *journal {
	j := &journal{numbers: st.ledger.stage(st.Name, canary)}
	if st.Tracing {
		j.tracer = new(tracer)
	}
	as := s.writer(a)
	sum := sha256.Sum256([]byte(a.account + "/" + a.region + "/" + id + "/" + st.Name))
	streams := func(group string) (all []*delivery.Stream) {
		groups := []string{group}
		if canary {
			groups = append(groups, group+"/Canary")
		}
		for _, g := range groups {
			all = append(all, s.courier.Stream(a.account+"/"+a.region, g, hex.EncodeToString(sum[:16]), as))
		}
		return all
	}
	if l := st.AccessLog; l != nil {
		d, ok := arn.Parse(l.Destination)
		f, err := accesslog.Parse(l.Format)
		if ok && err == nil { // they were checked
			j.format, j.access = f, streams(group(d))
		}
	}
	for _, m := range st.Methods {
		if level, _ := execlog.ParseLevel(m.Logging.Level); level != execlog.Off {
			j.execution = streams("API-Gateway-Execution-Logs_" + id + "/" + st.Name)
			break
		}
	}
	return j
}

// writer says as whom an area's logs are written: as the role of the account's
// settings, as they are then.
func (s *Service) writer(a area) func(context.Context) (call.As, bool) {
	return func(ctx context.Context) (call.As, bool) {
		var acc *accountSettings
		err := s.store.View(ctx, func(r data.Reader) (err error) {
			acc, err = data.Load[accountSettings](r, a.settings())
			return err
		})
		if err != nil || acc == nil || acc.Role == "" {
			return call.As{}, false
		}
		return call.AsRole(acc.Role, roleSession, servicePrincipal, a.region), true
	}
}

// roleSession is the name of sessions in which the service writes logs.
const roleSession = "BackplaneAssumeRoleSession"

// watch is what is written down about the requests of a method.
type watch struct {
	level   execlog.Level
	data    bool
	numbers *numbers // of the method; nil if they are not detailed
}

// watched compiles the settings of a method.
func (st *stage) watched(path, method string) (w watch) {
	if m, _ := st.of(path, method); m != nil {
		w.level, _ = execlog.ParseLevel(m.Logging.Level)
		w.data = m.Logging.Data
		if m.Logging.Metrics {
			w.numbers = st.ledger.method(st.Name, method, path)
		}
	}
	return w
}
