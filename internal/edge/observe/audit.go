package observe

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
)

// Audit keeps a trail of calls as lines of JSON in the shape of CloudTrail's
// records, one file a day, mode 0600. Reads of data are left out, as CloudTrail
// leaves them out unless asked; refusals never are.
//
// Lines are written behind the calls, so a crash can lose the last moments of
// the trail, never an acknowledged change of data.
type Audit struct {
	dir   string
	lines chan *call.Record
	done  chan struct{}
	once  sync.Once

	dropped sync.Mutex
	lost    int
}

// OpenAudit begins a trail in dir.
func OpenAudit(dir string) (*Audit, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit trail: %w", err)
	}
	a := &Audit{dir: dir, lines: make(chan *call.Record, 4096), done: make(chan struct{})}
	go a.write()
	return a, nil
}

// Observe implements call.Observer. If the disk cannot keep up, records are
// counted as lost, and the trail says how many.
func (a *Audit) Observe(r *call.Record) {
	if r.Door != "wire" && r.Code == "" && r.WouldDeny == "" {
		return
	}
	if r.ReadOnly && r.Code == "" && r.WouldDeny == "" {
		return
	}
	c := *r
	select {
	case a.lines <- &c:
	default:
		a.dropped.Lock()
		a.lost++
		a.dropped.Unlock()
	}
}

// Close writes out what is pending.
func (a *Audit) Close() error {
	a.once.Do(func() { close(a.lines) })
	<-a.done
	return nil
}

type trail struct {
	EventVersion       string         `json:"eventVersion"`
	EventTime          time.Time      `json:"eventTime"`
	EventSource        string         `json:"eventSource"`
	EventName          string         `json:"eventName"`
	AWSRegion          string         `json:"awsRegion"`
	SourceIPAddress    string         `json:"sourceIPAddress,omitempty"`
	UserAgent          string         `json:"userAgent,omitempty"`
	UserIdentity       map[string]any `json:"userIdentity"`
	ErrorCode          string         `json:"errorCode,omitempty"`
	ErrorMessage       string         `json:"errorMessage,omitempty"`
	WouldDeny          string         `json:"wouldDeny,omitempty"`
	RequestID          string         `json:"requestID"`
	ReadOnly           bool           `json:"readOnly"`
	Resource           string         `json:"resource,omitempty"`
	RecipientAccountID string         `json:"recipientAccountId"`
	Lost               int            `json:"recordsLostBefore,omitempty"`
}

func (a *Audit) write() {
	defer close(a.done)
	var f *os.File
	var w *bufio.Writer
	day := ""
	finish := func() {
		if f != nil {
			_ = w.Flush() // a full disk cannot be answered to anyone from here
			_ = f.Close()
			f = nil
		}
	}
	defer finish()
	for r := range a.lines {
		if d := r.Time.UTC().Format("2006-01-02"); d != day || f == nil {
			finish()
			var err error
			if f, err = os.OpenFile(filepath.Join(a.dir, d+".jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
				f = nil
				continue
			}
			w, day = bufio.NewWriterSize(f, 64<<10), d
		}
		a.dropped.Lock()
		lost := a.lost
		a.lost = 0
		a.dropped.Unlock()
		line, err := json.Marshal(entry(r, lost))
		if err != nil {
			continue
		}
		_, _ = w.Write(append(line, '\n'))
		if len(a.lines) == 0 {
			_ = w.Flush()
		}
	}
}

func entry(r *call.Record, lost int) trail {
	who := map[string]any{"type": principalType(r), "accountId": r.Account}
	for k, v := range map[string]string{
		"arn": r.Principal.ARN, "userName": r.Principal.UserName, "principalId": r.Principal.UserID,
		"accessKeyId": r.AccessKey, "invokedBy": r.Principal.Service,
	} {
		if v != "" {
			who[k] = v
		}
	}
	return trail{
		EventVersion: "1.11", EventTime: r.Time.UTC(), EventSource: r.Service + ".amazonaws.com", EventName: r.Operation,
		AWSRegion: r.Region, SourceIPAddress: r.SourceIP, UserAgent: r.UserAgent, UserIdentity: who,
		ErrorCode: r.Code, ErrorMessage: r.Message, WouldDeny: r.WouldDeny, RequestID: r.RequestID,
		ReadOnly: r.ReadOnly, Resource: r.Resource, RecipientAccountID: r.Account, Lost: lost,
	}
}
