package cloudformation

import (
	"fmt"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// setRecord is a stack set, in the account and the region in which it is administered.
type setRecord struct {
	V int `json:"v"`
	scope
	ID, Name    string // the id is the name, a colon and a UUID
	Status      string // ACTIVE or DELETED
	Description string
	Created     time.Time
	// Spec is the version of what its stacks are made of, Seq the number of its latest
	// operation.
	Spec, Seq int64
	// AdminRole is the ARN of the role that carries operations out, ExecRole the name of
	// the one that it assumes in the target accounts.
	AdminRole, ExecRole string
	Managed             bool   `json:",omitempty"`
	Token               string `json:",omitempty"` // of CreateStackSet
	// Drift is what the latest detection found.
	Drift *setDrift `json:",omitempty"`
}

func (set *setRecord) arn() string { return setARN(set.scope, set.ID) }

func setARN(sc scope, id string) string {
	return arn.Make("cloudformation", sc.Region, sc.Account, "stackset/"+id)
}

// setSpec is what the stacks of a set are made of.
type setSpec struct {
	V            int `json:"v"`
	Body         string
	Params       map[string]string `json:",omitempty"`
	Hidden       []string          `json:",omitempty"` // parameters with NoEcho
	Tags         map[string]string `json:",omitempty"`
	Capabilities []string          `json:",omitempty"`
}

// setDrift counts what a drift detection found.
type setDrift struct {
	Status, Detection                         string
	Total, Drifted, InSync, Running, Failures int32
	At                                        time.Time `json:",omitzero"`
}

// target is where one stack of a set is.
type target struct{ Account, Region string }

// instanceRecord is one stack of a set, from when it is asked for.
type instanceRecord struct {
	V int `json:"v"`
	target
	Set string
	// Stack is the stack's id, Name its name, which it has before it is made.
	Stack, Name string            `json:",omitempty"`
	Overrides   map[string]string `json:",omitempty"`
	Status      string            // CURRENT, OUTDATED or INOPERABLE
	Detail      string            // PENDING, RUNNING, SUCCEEDED, ...
	Reason      string            `json:",omitempty"`
	Op          string            // the latest operation on it
	Drift       string            `json:",omitempty"`
	DriftAt     time.Time         `json:",omitzero"`
}

// setOperation is an operation on a stack set.
type setOperation struct {
	V       int `json:"v"`
	ID, Set string
	Seq     int64
	Action  string // CREATE, UPDATE, DELETE, DETECT_DRIFT
	Status  string
	Reason  string    `json:",omitempty"`
	Digest  string    // of the request, which may come again
	Created time.Time `json:",omitzero"`
	Ended   time.Time `json:",omitzero"`
	// Spec is the version that the stacks get; Regions are in the order to go through.
	Spec                int64
	Regions             []string    `json:",omitempty"`
	Accounts            []string    `json:",omitempty"` // as they were asked for
	Prefs               preferences `json:",omitzero"`
	Retain              bool        `json:",omitempty"`
	AdminRole, ExecRole string
	// Overrides are the parameters' values that the instances get; nil leaves them.
	Overrides *overrides `json:",omitempty"`
	// Import are the stacks that become instances, by where they are.
	Import map[string]string `json:",omitempty"`
	// Scheme and Host are how the caller reached the server.
	Scheme, Host string
	Failed       int32     `json:",omitempty"`
	Drift        *setDrift `json:",omitempty"`
}

// overrides are values of parameters for some instances; those in Keep stay what they are.
type overrides struct {
	Values map[string]string `json:",omitempty"`
	Keep   []string          `json:",omitempty"`
}

// apply returns the overrides of an instance that had others.
func (o *overrides) apply(had map[string]string) map[string]string {
	if o == nil {
		return had
	}
	out := map[string]string{}
	for k, v := range o.Values {
		out[k] = v
	}
	for _, k := range o.Keep {
		if v, ok := had[k]; ok {
			out[k] = v
		}
	}
	return out
}

// ended reports whether a status is final.
func (op *setOperation) ended() bool {
	switch op.Status {
	case api.StackSetOperationStatusRunning, api.StackSetOperationStatusStopping, api.StackSetOperationStatusQueued:
		return false
	}
	return true
}

// resultRecord is what became of one target of an operation.
type resultRecord struct {
	V int `json:"v"`
	target
	Status     string // PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED
	Reason     string `json:",omitempty"`
	Gate       string `json:",omitempty"` // SUCCEEDED, FAILED, SKIPPED
	GateReason string `json:",omitempty"`
}

// setDriftRecord is what an operation found of one resource of an instance.
type setDriftRecord struct {
	V  int `json:"v"`
	Op string
	api.StackInstanceResourceDriftsSummary
}

func padded(n int64) string { return fmt.Sprintf("%012d", n) }

func (sc scope) setKey(id string) []byte              { return sc.key("set", id) }
func (sc scope) setNameKey(name string) []byte        { return sc.key("setname", name) }
func (sc scope) setSpecKey(id string, n int64) []byte { return sc.key("setspec", id, padded(n)) }
func (sc scope) instanceKey(id string, t target) []byte {
	return sc.key("instance", id, t.Account, t.Region)
}
func (sc scope) setOpKey(id string, seq int64) []byte { return sc.key("setop", id, padded(seq)) }

// setOpIDKey holds the number of the operation with an id.
func (sc scope) setOpIDKey(id, op string) []byte { return sc.key("setopid", id, op) }
func (sc scope) resultKey(id string, seq int64, t target) []byte {
	return sc.key("setresult", id, padded(seq), t.Account, t.Region)
}
func (sc scope) results(id string, seq int64) []byte { return sc.key("setresult", id, padded(seq)) }
func (sc scope) setDrifts(id string, t target) []byte {
	return sc.key("setdrift", id, t.Account, t.Region)
}

func (sc scope) setDriftKey(id string, t target, logical string) []byte {
	return sc.key("setdrift", id, t.Account, t.Region, logical)
}

// memberKey holds the id of the stack set that a stack belongs to.
func memberKey(stack string) []byte { return data.Key("cloudformation:member", stack) }

// setRunningKey marks an operation on a stack set that has not ended. It stands outside
// the accounts, so that a start finds them all.
func (sc scope) setRunningKey(id string, seq int64) []byte {
	return data.Key("cloudformation:sets", sc.Account, sc.Region, id, padded(seq))
}

func setRunningPrefix() []byte { return data.Key("cloudformation:sets") }

// findSet reads a stack set by its name or id; nil if there is none. Those that are
// deleted are found by their id only.
func (sc scope) findSet(rd data.Reader, nameOrID string) (*setRecord, error) {
	id := nameOrID
	if !strings.Contains(id, ":") {
		b, ok, err := rd.Get(sc.setNameKey(nameOrID))
		if err != nil || !ok {
			return nil, err
		}
		id = string(b)
	}
	return get[setRecord](rd, sc.setKey(id))
}

// activeSet reads a stack set that is not deleted, or answers that there is none.
func (sc scope) activeSet(rd data.Reader, nameOrID string) (*setRecord, error) {
	set, err := sc.findSet(rd, nameOrID)
	if err == nil && (set == nil || set.Status == api.StackSetStatusDeleted) {
		err = api.StackSetNotFoundException("StackSet %s not found", nameOrID)
	}
	return set, err
}

// findSetOp reads an operation by its id; nil if there is none.
func (sc scope) findSetOp(rd data.Reader, set, id string) (*setOperation, error) {
	b, ok, err := rd.Get(sc.setOpIDKey(set, id))
	if err != nil || !ok {
		return nil, err
	}
	return get[setOperation](rd, sc.key("setop", set, string(b)))
}

// openSetOps lists the operations of a stack set that have not ended, in order.
func (sc scope) openSetOps(rd data.Reader, id string) (out []*setOperation, err error) {
	prefix := data.Key("cloudformation:sets", sc.Account, sc.Region, id)
	for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		parts, _ := data.Parts(p.Key)
		op, err := get[setOperation](rd, sc.key("setop", id, parts[len(parts)-1]))
		if err != nil {
			return nil, err
		}
		if op != nil {
			out = append(out, op)
		}
	}
	return out, nil
}

// clearAll deletes all below a prefix.
func clearAll(tx data.Txn, prefix []byte) error {
	for p, err := range tx.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return err
		}
		if err := tx.Delete(p.Key); err != nil {
			return err
		}
	}
	return nil
}
