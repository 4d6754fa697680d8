package cloudformation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
)

// version is the version of the records' form.
const version = 1

// scope is where a stack lives: its account and region.
type scope struct{ Account, Region string }

func (sc scope) key(parts ...string) []byte {
	return data.Key(append([]string{"cloudformation", sc.Account, sc.Region}, parts...)...)
}

func (sc scope) stackKey(id string) []byte           { return sc.key("stack", id) }
func (sc scope) nameKey(name string) []byte          { return sc.key("name", name) }
func (sc scope) specKey(stack, spec string) []byte   { return sc.key("spec", stack, spec) }
func (sc scope) resourceKey(stack, id string) []byte { return sc.key("resource", stack, id) }
func (sc scope) eventKey(stack string, seq int64) []byte {
	return sc.key("event", stack, fmt.Sprintf("%012d", seq))
}
func (sc scope) changeSetKey(stack, name string) []byte { return sc.key("changeset", stack, name) }
func (sc scope) nestKey(name string) []byte             { return sc.key("nest", name) }
func (sc scope) exportKey(name string) []byte           { return sc.key("export", name) }
func (sc scope) importKey(export, stack string) []byte  { return sc.key("import", export, stack) }

// cancelKey marks a stack whose update is to be cancelled.
func (sc scope) cancelKey(stack string) []byte { return sc.key("cancel", stack) }

// runningKey marks a stack whose operation is under way. It stands outside the
// accounts, so that a start finds them all.
func (sc scope) runningKey(stack string) []byte {
	return data.Key("cloudformation:running", sc.Account, sc.Region, stack)
}

func runningPrefix() []byte { return data.Key("cloudformation:running") }

// stackRecord is a stack.
type stackRecord struct {
	V int `json:"v"`
	scope
	ID, Name       string
	Status, Reason string
	Created        time.Time
	Updated        time.Time `json:",omitzero"`
	Deleted        time.Time `json:",omitzero"`
	// Spec names the specification that the stack has or is getting, Prior the one
	// that it goes back to if that fails; Prior is "" outside of updates.
	Spec, Prior string
	Description string
	Outputs     []outputRecord `json:",omitempty"`
	ChangeSet   string         `json:",omitempty"`
	Protected   bool           `json:",omitempty"`
	Policy      string         `json:",omitempty"` // the stack policy, "" if it never had one
	// Drift is what the latest detection found of the stack, at DriftAt.
	Drift   string    `json:",omitempty"`
	DriftAt time.Time `json:",omitzero"`
	// Parent and Root are the stack that a nested one belongs to, and the outermost.
	Parent, Root string `json:",omitempty"`
	OnFailure    string // ROLLBACK, DELETE or DO_NOTHING
	Timeout      int32  `json:",omitempty"` // minutes
	Op           operation
}

// root is the outermost stack of those that the stack is nested in.
func (st *stackRecord) root() string {
	if st.Root != "" {
		return st.Root
	}
	return st.ID
}

// nestRecord says to what a stack of a name is nested, from before it is made.
type nestRecord struct {
	V            int `json:"v"`
	Parent, Root string
}

type outputRecord struct {
	Key, Value, Description, Export string
}

// operation is the latest operation on a stack.
type operation struct {
	ID      string
	Kind    string // "create", "update", "delete", "import", "review"
	Token   string // the client's
	Started time.Time
	Caller  callerRecord
	// Retain are the resources that a deletion leaves.
	Retain []string `json:",omitempty"`
	// Failed are the resources for which the operation failed.
	Failed []string `json:",omitempty"`
	// Skip are the resources that a continued rollback leaves as they are.
	Skip []string `json:",omitempty"`
	// Since are the updates before this one that failed and were not taken back: what
	// they did is this one's to take back.
	Since []string `json:",omitempty"`
	// Force says that a deletion leaves what it cannot delete.
	Force bool `json:",omitempty"`
	// Back is the id under which the operation is taken back, BackKind the kind of that.
	Back     string `json:",omitempty"`
	BackKind string `json:",omitempty"`
	// Import are the identifiers of the resources that an import takes in, by
	// logical id.
	Import map[string]string `json:",omitempty"`
	// Policy is the stack policy that an update keeps to.
	Policy string `json:",omitempty"`
	// DeleteRetained: resources made by this operation are deleted by its
	// rollback even if their DeletionPolicy is Retain.
	DeleteRetained bool `json:",omitempty"`
}

// back makes the operation one that is taken back, under an id of its own.
func (op *operation) back(id, kind string) { op.Back, op.BackKind = id, kind }

// going is the id and the kind under which the operation's events stand.
func (op *operation) going() (id, kind string) {
	if op.Back != "" {
		return op.Back, op.BackKind
	}
	return op.ID, op.kind()
}

// kind is AWS's name for what the operation does.
func (op *operation) kind() string {
	switch op.Kind {
	case "create":
		return api.OperationTypeCreateStack
	case "delete":
		return api.OperationTypeDeleteStack
	case "review":
		return api.OperationTypeCreateChangeset
	}
	return api.OperationTypeUpdateStack
}

// did reports whether the operation, or one that it takes over from, last touched a
// resource.
func (op *operation) did(rec *resourceRecord) bool {
	return rec.Op == op.ID || contains(op.Since, rec.Op)
}

// touch notes what a resource was before the operation that now touches it.
func (rec *resourceRecord) touch(op *operation) {
	if rec.Op == op.ID {
		return
	}
	if !op.did(rec) {
		rec.Also = rec.leftovers() // none, but for an import in between
		before := rec.existing
		rec.Before = &before
	}
	rec.Op, rec.Discard = op.ID, nil
}

// callerRecord is who an operation acts as, in the form that survives a restart.
type callerRecord struct {
	Role         string `json:",omitempty"`
	Identity     call.Identity
	Scheme, Host string
}

// specRecord is what a stack is made of.
type specRecord struct {
	V            int               `json:"v"`
	Body         string            // as it was sent
	Processed    string            // JSON, after the transforms
	Transformed  bool              `json:",omitempty"` // by a transform or a macro
	Extensions   bool              `json:",omitempty"` // the transforms were with AWS::LanguageExtensions
	Params       map[string]string `json:",omitempty"`
	Resolved     map[string]string `json:",omitempty"` // values of parameters that name SSM's
	Hidden       []string          `json:",omitempty"` // parameters with NoEcho
	Tags         map[string]string `json:",omitempty"`
	Capabilities []string          `json:",omitempty"`
	Role         string            `json:",omitempty"`
	// Scheme and Host are how the caller reached the server; addresses follow them.
	Scheme, Host string
}

// existing is a resource that exists, or existed before the operation.
type existing struct {
	Type       string
	Physical   string
	Ref        string         `json:",omitempty"` // if it differs from Physical
	Attributes map[string]any `json:",omitempty"`
	NoEcho     bool           `json:",omitempty"` // the attributes are secrets
	Properties map[string]any `json:",omitempty"`
	// Echo are the properties as they may be shown, nil if as they are.
	Echo map[string]any `json:",omitempty"`
	// Deletion and Replacement are the policies in force.
	Deletion    string   `json:",omitempty"`
	Replacement string   `json:",omitempty"`
	DependsOn   []string `json:",omitempty"`
	Metadata    string   `json:",omitempty"`
}

// resourceRecord is one resource of a stack.
type resourceRecord struct {
	V  int `json:"v"`
	ID string
	existing
	Status, Reason string
	Updated        time.Time
	// Op is the operation that last touched the resource; Before is what it was
	// before that, nil if the operation made it.
	Op     string
	Before *existing `json:",omitempty"`
	// Discard is what the operation leaves to be deleted at its end: what was
	// replaced, or the replacement that was rolled back.
	Discard *existing `json:",omitempty"`
	// Also are what updates made that failed and were not taken back, and what a later
	// one replaced.
	Also []existing `json:",omitempty"`
	// Attempt are the properties of a change in place that is under way or failed.
	Attempt map[string]any `json:",omitempty"`
	// Making is what a creation that is under way is to make; Others are the ids of
	// what there was before that could be taken for it. Nil if the type, or the
	// deployer's permissions, do not let it be found again.
	Making *existing `json:",omitempty"`
	Others []string  `json:",omitempty"`
}

// eventRecord is one event of a stack.
type eventRecord struct {
	ID, Logical, Physical, Type string
	Status, Reason              string
	Properties                  string `json:",omitempty"`
	Token, Op                   string
	Kind                        string `json:",omitempty"` // of the operation
	At                          time.Time
}

// changeSetRecord is a change set.
type changeSetRecord struct {
	V                       int `json:"v"`
	ID, Name, Stack         string
	StackName, Description  string
	Type                    string // CREATE, UPDATE or IMPORT
	Status, Reason, Execute string
	OnFailure               string
	Created                 time.Time
	Spec                    specRecord
	Template                string // the description of the template
	Changes                 []change
	Import                  map[string]string `json:",omitempty"` // identifiers by logical id
	Token                   string
	Adopts                  bool `json:",omitempty"` // it takes in what exists
	// Nests says that nested stacks have change sets too. Parent and Root are those
	// that such a one belongs to, "" for the root itself.
	Nests        bool   `json:",omitempty"`
	Parent, Root string `json:",omitempty"`
}

// exportRecord is an exported value.
type exportRecord struct{ Stack, Name, Value string }

// askedRecord is a request to a custom resource's provider.
type askedRecord struct {
	V        int       `json:"v"`
	Deadline time.Time // the provider is late then
	Response []byte    `json:",omitempty"` // as it came
}

func (sc scope) askedKey(stack, token string) []byte { return sc.key("asked", stack, token) }

func put(tx data.Txn, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cloudformation: encode a record: %w", err)
	}
	return tx.Put(key, b)
}

func decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // properties keep their integers
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("cloudformation: decode a record: %w", err)
	}
	return nil
}

// get reads a record; nil if there is none.
func get[T any](rd data.Reader, key []byte) (*T, error) {
	b, ok, err := rd.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	v := new(T)
	return v, decode(b, v)
}

// list reads all records below a prefix.
func list[T any](rd data.Reader, prefix []byte) ([]*T, error) {
	var out []*T
	for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		v := new(T)
		if err := decode(p.Value, v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// find reads a stack by its name or its id; nil if there is none. By name only
// stacks that are not deleted are found.
func (sc scope) find(rd data.Reader, nameOrID string) (*stackRecord, error) {
	id := nameOrID
	if !isStackID(nameOrID) {
		b, ok, err := rd.Get(sc.nameKey(nameOrID))
		if err != nil || !ok {
			return nil, err
		}
		id = string(b)
	}
	return get[stackRecord](rd, sc.stackKey(id))
}

// view runs f over a snapshot.
func (s *Service) view(ctx context.Context, f func(data.Reader) error) error {
	return s.d.Store.View(ctx, f)
}

// resources reads the records of a stack's resources by logical id.
func (sc scope) resources(rd data.Reader, stack string) (map[string]*resourceRecord, error) {
	l, err := list[resourceRecord](rd, sc.key("resource", stack))
	if err != nil {
		return nil, err
	}
	out := make(map[string]*resourceRecord, len(l))
	for _, r := range l {
		out[r.ID] = r
	}
	return out, nil
}

// lastEvent returns the number and the time of a stack's latest event.
func (sc scope) lastEvent(rd data.Reader, stack string) (n int64, at time.Time, err error) {
	prefix := sc.key("event", stack)
	for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), true) {
		if err != nil {
			return 0, at, err
		}
		parts, ok := data.Parts(p.Key)
		if !ok {
			return 0, at, fmt.Errorf("cloudformation: an event's key is damaged")
		}
		if _, err := fmt.Sscanf(parts[len(parts)-1], "%d", &n); err != nil {
			return 0, at, err
		}
		var e eventRecord
		err := decode(p.Value, &e)
		return n, e.At, err
	}
	return 0, at, nil
}

// after is when an event is said to be that comes now, after another one: clients
// put events in the order of their times, which have milliseconds, so no two of a
// stack have the same.
func after(last, now time.Time) time.Time {
	now = now.Truncate(time.Millisecond)
	if next := last.Add(time.Millisecond); now.Before(next) {
		return next
	}
	return now
}
