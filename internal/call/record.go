package call

import (
	"time"

	"github.com/tierra-cloud/tierra/internal/policy"
)

// Record is what observe keeps of one call, whether it came over the wire, from
// room to room, or to a public face. Logs, the audit trail and metrics are sinks
// of it.
type Record struct {
	Time      time.Time
	Duration  time.Duration
	RequestID string
	// Door is how the call came in: "wire", "room" or the kind of a public address.
	Door      string
	Service   string // the room's name
	Operation string
	// Resource is the ARN, API id or bucket that the call was about, if known.
	Resource  string
	Action    string // the first permission that it took
	Principal policy.Principal
	AccessKey string
	Account   string
	Region    string
	SourceIP  string
	UserAgent string
	Status    int    // HTTP status, or what it would have been
	Code      string // of the fault, if one was answered
	Message   string // of the fault
	// Internal is the error behind an InternalFailure; it never goes out.
	Internal string
	// WouldDeny is what the gate would have refused, in audit mode.
	WouldDeny string
	// ReadOnly says that the operation changes nothing, by its name.
	ReadOnly bool
	In, Out  int64 // bytes of the bodies, as far as known
}

// Observer takes records. It must not block and may be called concurrently.
type Observer interface {
	Observe(*Record)
}

// Observers passes records on to several.
type Observers []Observer

// Observe implements Observer.
func (o Observers) Observe(r *Record) {
	for _, s := range o {
		s.Observe(r)
	}
}
