package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Wait conditions: a stack goes on once so many signals were put to an address.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html

// handleProperties are none: a handle is an address.
type handleProperties struct{}

type waitProperties struct {
	Handle  string `cfn:"Handle"`  // unless the resource has a CreationPolicy
	Timeout int    `cfn:"Timeout"` // seconds; as Handle
	Count   *int   `cfn:"Count"`
}

// maxWait is the longest that a condition waits.
const maxWait = 12 * time.Hour

// handleValid is for how long signals are taken.
const handleValid = 24 * time.Hour

func (s *Service) checkHandle(*handleProperties) []resource.Problem {
	if s.d.Presign == nil {
		return []resource.Problem{{Text: "wait conditions need an address for their signals, which this server does not have"}}
	}
	return nil
}

func (s *Service) createHandle(ctx context.Context, rq *resource.Request, _ *handleProperties) (resource.State, error) {
	box := mailbox{s, rq.Region, "wait/" + rq.StackID + "/" + rq.LogicalID + "/" + rq.Token}
	if err := box.open(ctx); err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: box.address(handleValid)}, nil
}

func checkWait(p *waitProperties) (bad []resource.Problem) {
	if d := time.Duration(p.Timeout) * time.Second; p.Timeout != 0 && (d < 0 || d > maxWait) {
		bad = append(bad, resource.Problem{Path: []string{"Timeout"}, Text: fmt.Sprintf("must be at most %d seconds", int(maxWait.Seconds()))})
	}
	if opt.Or(p.Count, 1) < 1 {
		bad = append(bad, resource.Problem{Path: []string{"Count"}, Text: "must be at least 1"})
	}
	return bad
}

// signal is what is put to a handle.
type signal struct {
	Status, Reason string
	UniqueID       string `json:"UniqueId"`
	Data           any
}

// signals reads what came, a signal for each unique id; what is none does not count.
func signals(got [][]byte) (data map[string]string, failed *signal) {
	data = map[string]string{}
	for _, b := range got {
		var s signal
		if json.Unmarshal(b, &s) != nil || s.UniqueID == "" || len(b) > maxResponse {
			continue
		}
		switch s.Status {
		case "SUCCESS":
			text, ok := template.Text(s.Data)
			if !ok && s.Data != nil {
				text = template.JSON(s.Data)
			}
			data[s.UniqueID] = text
		case "FAILURE":
			if failed == nil {
				failed = &s
			}
		}
	}
	return data, failed
}

// handleBox returns the mailbox of a handle of a stack of the same account.
func (s *Service) handleBox(rq *resource.Request, handle string) (mailbox, bool) {
	u, err := url.Parse(handle)
	if err != nil {
		return mailbox{}, false
	}
	own := "/wait/" + stackARN(scope{rq.Account, rq.Region}, "", "")
	own = strings.TrimSuffix(own, "/")
	i := strings.Index(u.Path, own)
	if i < 0 {
		return mailbox{}, false
	}
	return mailbox{s, rq.Region, u.Path[i+1:]}, true
}

func (s *Service) createWait(ctx context.Context, rq *resource.Request, p *waitProperties) (resource.State, error) {
	if p.Handle == "" { // the engine waits for signals
		return resource.State{ID: rq.StackID + "/" + rq.LogicalID, Attributes: map[string]any{"Data": "{}"}}, nil
	}
	box, ok := s.handleBox(rq, p.Handle)
	if !ok {
		return resource.State{}, &saidError{"Handle " + p.Handle + " is not a handle of a wait condition of this account"}
	}
	deadline, err := s.deadline(ctx, rq, time.Duration(p.Timeout)*time.Second)
	if err != nil {
		return resource.State{}, err
	}
	count := opt.Or(p.Count, 1)
	got, err := box.wait(ctx, deadline, func(got [][]byte) bool {
		data, failed := signals(got)
		return failed != nil || len(data) >= count
	})
	if err != nil {
		return resource.State{}, err
	}
	data, failed := signals(got)
	switch {
	case failed != nil:
		return resource.State{}, &saidError{fmt.Sprintf("WaitCondition received failed message: '%s' for uniqueId: %s", failed.Reason, failed.UniqueID)}
	case len(data) < count:
		return resource.State{}, &saidError{fmt.Sprintf("WaitCondition timed out. Received %d conditions when expecting %d", len(data), count)}
	}
	text, err := json.Marshal(data)
	return resource.State{ID: rq.StackID + "/" + rq.LogicalID, Attributes: map[string]any{"Data": string(text)}}, err
}

func updateWait(_ context.Context, _ *resource.Request, id string, _, _ *waitProperties) (resource.State, error) {
	return resource.State{ID: id}, &saidError{"Update to resource type AWS::CloudFormation::WaitCondition is not supported."}
}

// deadline is when a step's time ends; a restart does not prolong it.
func (s *Service) deadline(ctx context.Context, rq *resource.Request, timeout time.Duration) (time.Time, error) {
	key := scope{rq.Account, rq.Region}.askedKey(rq.StackID, rq.Token)
	var rec *askedRecord
	err := s.d.Store.Update(ctx, func(tx data.Txn) (err error) {
		if rec, err = get[askedRecord](tx, key); err != nil || rec != nil {
			return err
		}
		rec = &askedRecord{V: version, Deadline: s.d.Clock.Now().Add(timeout)}
		return put(tx, key, rec)
	})
	if err != nil {
		return time.Time{}, err
	}
	return rec.Deadline, nil
}
