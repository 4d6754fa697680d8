package lambda

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Keys, all below "lambda", account and region:
//
//	function <name>            record: what is common to all versions
//	version  <name> <version>  version: "$LATEST", or ten digits
//	code     <hash> <name> <version>  says that the version's code is the package of that hash
//	queue    <id>              event: an asynchronous invocation that is not done
//
// Packages are blobs named lambda/<account>/<region>/<hash>.

// latest is the name of the version that can be changed.
const latest = "$LATEST"

// record is what is common to all versions of a function.
type record struct {
	V        int               `json:"v"`
	Name     string            `json:"name"`
	Next     int               `json:"next"` // number of the next version
	Reserved *int32            `json:"reserved,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Aliases  map[string]*alias `json:"aliases,omitempty"`
	// Policies and Async go by qualifier: "" is the function itself.
	Policies map[string]*resourcePolicy `json:"policies,omitempty"`
	Async    map[string]*asyncConfig    `json:"async,omitempty"`
}

// alias is a name for a version, or for two by weight.
type alias struct {
	Name        string             `json:"name"`
	Version     string             `json:"version"`
	Description string             `json:"description,omitempty"`
	Weights     map[string]float64 `json:"weights,omitempty"`
	Revision    string             `json:"revision"`
}

// resourcePolicy is a list of statements as AddPermission made them.
type resourcePolicy struct {
	Revision   string      `json:"revision"`
	Statements []statement `json:"statements"`
}

// statement is one statement: its id and its JSON.
type statement struct {
	ID   string          `json:"id"`
	Text json.RawMessage `json:"text"`
}

// asyncConfig says how asynchronous invocations are repeated.
type asyncConfig struct {
	Attempts *int32    `json:"attempts,omitempty"` // retries: 0 to 2
	MaxAge   *int32    `json:"maxAge,omitempty"`   // seconds
	Modified time.Time `json:"modified"`
}

// version is the code and the configuration of one version.
type version struct {
	V           int       `json:"v"`
	Version     string    `json:"version"`
	Runtime     string    `json:"runtime"`
	Handler     string    `json:"handler,omitempty"`
	Role        string    `json:"role"`
	Description string    `json:"description,omitempty"`
	Timeout     int32     `json:"timeout"`   // seconds
	Memory      int32     `json:"memory"`    // MiB
	Ephemeral   int32     `json:"ephemeral"` // MiB
	Arch        string    `json:"arch"`
	LogGroup    string    `json:"logGroup"`
	SealedEnv   []byte    `json:"env,omitempty"`
	Hash        string    `json:"hash"` // SHA-256 of the package, hexadecimal
	CodeSize    int64     `json:"codeSize"`
	Modified    time.Time `json:"modified"`
	Revision    string    `json:"revision"`
	// Env is what SealedEnv holds.
	Env map[string]string `json:"-"`
}

// event is an asynchronous invocation that waits.
type event struct {
	V         int       `json:"v"`
	ID        string    `json:"id"` // of the request
	Function  string    `json:"function"`
	Qualifier string    `json:"qualifier,omitempty"`
	Payload   []byte    `json:"payload"`
	Context   string    `json:"context,omitempty"` // client context
	Trace     string    `json:"trace,omitempty"`
	Enqueued  time.Time `json:"enqueued"`
	Due       time.Time `json:"due"`
	Failures  int       `json:"failures,omitempty"`  // of the function
	Throttles int       `json:"throttles,omitempty"` // in a row
}

// area forms the keys of one account and region.
type area struct{ account, region string }

func (k key) area() area { return area{k.account, k.region} }

func (a area) key(parts ...string) []byte {
	return data.Key(append([]string{"lambda", a.account, a.region}, parts...)...)
}

func (k key) record() []byte             { return k.area().key("function", k.name) }
func (k key) versions() []byte           { return k.area().key("version", k.name) }
func (k key) version(v string) []byte    { return k.area().key("version", k.name, padded(v)) }
func (k key) code(hash, v string) []byte { return k.area().key("code", hash, k.name, padded(v)) }
func (a area) functions() []byte         { return a.key("function") }
func (a area) codeOf(hash string) []byte { return a.key("code", hash) }
func (a area) queue() []byte             { return a.key("queue") }
func (a area) event(id string) []byte    { return a.key("queue", id) }
func (a area) blob(hash string) string   { return "lambda/" + a.account + "/" + a.region + "/" + hash }

// everything is the prefix of all keys of the room.
func everything() []byte { return data.Key("lambda") }

// areas yields the accounts and regions in which there is anything.
func areas(r data.Reader) (out []area, err error) {
	for from := everything(); ; {
		var found bool
		for p, err := range r.Scan(from, data.PrefixEnd(everything()), false) {
			if err != nil {
				return nil, err
			}
			parts, ok := data.Parts(p.Key)
			if !ok || len(parts) < 4 {
				return nil, fmt.Errorf("key %q is not of a form that is known", p.Key)
			}
			out, found = append(out, area{parts[1], parts[2]}), true
			break
		}
		if !found {
			return out, nil
		}
		from = data.PrefixEnd(out[len(out)-1].key())
	}
}

// padded makes version numbers sort by value, after $LATEST.
func padded(v string) string {
	if n, err := strconv.Atoi(v); err == nil {
		return fmt.Sprintf("%010d", n)
	}
	return v
}

func get[T any](r data.Reader, key []byte) (*T, error) {
	b, ok, err := r.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	return decode[T](data.Pair{Key: key, Value: b})
}

func decode[T any](p data.Pair) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(p.Value, v); err != nil {
		return nil, fmt.Errorf("record %q: %w", p.Key, err)
	}
	return v, nil
}

func put(t data.Txn, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record %q: %w", key, err)
	}
	return t.Put(key, b)
}
