package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// Keys, all below "lambda", account and region:
//
//	function <name>            record: what is common to all versions
//	version  <name> <version>  version: "$LATEST", or ten digits
//	code     <hash> <name> <version>  says that the version of a function uses the package of that hash
//	code     <hash> layer:<name> <version>  says that the package is that version of a layer
//	layer    <name>            layerRecord: what is common to all versions
//	layer-version <name> <version>  layerVersion
//	url      <id>              urlTarget: where a function URL leads
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
	// Recursion is Terminate, also as "", or Allow.
	Recursion string `json:"recursion,omitempty"`
	// Provisioned goes by version or alias.
	Provisioned map[string]*provisioned `json:"provisioned,omitempty"`
	URLs        map[string]*urlConfig   `json:"urls,omitempty"`
}

// urlConfig is a function's URL.
type urlConfig struct {
	ID       string    `json:"id"`
	Auth     string    `json:"auth"` // NONE or AWS_IAM
	Mode     string    `json:"mode"` // BUFFERED or RESPONSE_STREAM
	Cors     *api.Cors `json:"cors,omitempty"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// urlTarget says where a URL leads.
type urlTarget struct {
	V         int    `json:"v"`
	Function  string `json:"function"`
	Qualifier string `json:"qualifier,omitempty"`
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
	Attempts *int32 `json:"attempts,omitempty"` // retries: 0 to 2
	MaxAge   *int32 `json:"maxAge,omitempty"`   // seconds
	// OnSuccess and OnFailure are the ARNs of functions that get a record of what became of an event.
	OnSuccess string    `json:"onSuccess,omitempty"`
	OnFailure string    `json:"onFailure,omitempty"`
	Modified  time.Time `json:"modified"`
}

// provisioned is the concurrency that is provisioned for a version or an alias.
type provisioned struct {
	Requested int32     `json:"requested"`
	Modified  time.Time `json:"modified"`
}

// version is the code and the configuration of one version.
type version struct {
	V           int    `json:"v"`
	Version     string `json:"version"`
	Runtime     string `json:"runtime"`
	Handler     string `json:"handler,omitempty"`
	Role        string `json:"role"`
	Description string `json:"description,omitempty"`
	Timeout     int32  `json:"timeout"`   // seconds
	Memory      int32  `json:"memory"`    // MiB
	Ephemeral   int32  `json:"ephemeral"` // MiB
	Arch        string `json:"arch"`
	logging
	SealedEnv []byte     `json:"env,omitempty"`
	Hash      string     `json:"hash"` // SHA-256 of the package, hexadecimal
	CodeSize  int64      `json:"codeSize"`
	Unzipped  int64      `json:"unzipped,omitempty"` // bytes of the unpacked package
	Layers    []layerUse `json:"layers,omitempty"`
	Modified  time.Time  `json:"modified"`
	Revision  string     `json:"revision"`
	// Image is what the version runs instead of a package, Hash its digest then.
	Image       *imageUse    `json:"image,omitempty"`
	ImageConfig *imageConfig `json:"imageConfig,omitempty"`
	// RuntimeUpdate is FunctionUpdate or Manual, or Auto as "". Then RuntimeVersion
	// is the version of the runtime that is used, in the engine's words.
	RuntimeUpdate  string `json:"runtimeUpdate,omitempty"`
	RuntimeVersion string `json:"runtimeVersion,omitempty"`
	// Env is what SealedEnv holds.
	Env map[string]string `json:"-"`
}

// report is a record on its way to a destination.
type report struct {
	To     string          `json:"to"`
	Role   string          `json:"role"` // as which it is delivered
	Record json.RawMessage `json:"record"`
	Object string          `json:"object,omitempty"` // its key, if it goes to a bucket
}

// layerUse is a layer's version as a function has it, which outlives the layer.
type layerUse struct {
	ARN      string `json:"arn"`
	Hash     string `json:"hash"`
	Size     int64  `json:"size"`
	Unzipped int64  `json:"unzipped"`
}

// layerRecord is what is common to all versions of a layer. It stays when they
// are gone, as numbers are never given twice.
type layerRecord struct {
	V    int    `json:"v"`
	Name string `json:"name"`
	Next int64  `json:"next"`
}

// layerVersion is one version of a layer.
type layerVersion struct {
	V             int             `json:"v"`
	Version       int64           `json:"version"`
	Description   string          `json:"description,omitempty"`
	License       string          `json:"license,omitempty"`
	Runtimes      []string        `json:"runtimes,omitempty"`
	Architectures []string        `json:"architectures,omitempty"`
	Hash          string          `json:"hash"` // SHA-256 of the package, hexadecimal
	Size          int64           `json:"size"`
	Unzipped      int64           `json:"unzipped"`
	Created       time.Time       `json:"created"`
	Policy        *resourcePolicy `json:"policy,omitempty"`
}

// pkg names a package: packages are kept by account and region.
type pkg struct {
	area area
	hash string
	// image is set instead of hash for a layer of an image.
	image *imageUse
	layer image.Layer
}

// area is the layer's owner's.
func (l *layerUse) area() area {
	k, _, _ := parseLayer(l.ARN)
	return k.area()
}

// merged is the name of the folder in which several layers are one.
func (v *version) merged() string {
	h := sha256.New()
	for _, l := range v.Layers {
		h.Write([]byte(l.Hash))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// packages are what a version of the function k uses: its code, its layers and
// the folder in which these are one.
func (v *version) packages(k key) []pkg {
	if v.Image != nil {
		return v.Image.packages(k)
	}
	all := []pkg{{area: k.area(), hash: v.Hash}}
	for _, l := range v.Layers {
		all = append(all, pkg{area: l.area(), hash: l.Hash})
	}
	if len(v.Layers) > 1 {
		all = append(all, pkg{area: k.area(), hash: v.merged()})
	}
	return all
}

// use is the key that says that a function's version uses the package.
func (p pkg) use(k key, v string) []byte {
	if p.image != nil {
		return image.HolderKey(p.layer.Digest, imageHolder(k, v))
	}
	name := k.name
	if k.area() != p.area {
		name = k.account + ":" + name
	}
	return p.area.key("code", p.hash, name, padded(v))
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
	// Report says that the event is done, and a record of it on its way.
	Report *report `json:"report,omitempty"`
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
func (a area) functions() []byte         { return a.key("function") }
func (a area) codeOf(hash string) []byte { return a.key("code", hash) }
func (a area) layers() []byte            { return a.key("layer") }
func (a area) layerVersions() []byte     { return a.key("layer-version") }
func (l layerKey) record() []byte        { return l.area().key("layer", l.name) }
func (l layerKey) versions() []byte      { return l.area().key("layer-version", l.name) }
func (l layerKey) versionKey(n int64) []byte {
	return l.area().key("layer-version", l.name, padded(strconv.FormatInt(n, 10)))
}
func (l layerKey) use(hash string, n int64) []byte {
	return l.area().key("code", hash, "layer:"+l.name, padded(strconv.FormatInt(n, 10)))
}
func (a area) url(id string) []byte    { return a.key("url", id) }
func (a area) queue() []byte           { return a.key("queue") }
func (a area) event(id string) []byte  { return a.key("queue", id) }
func (a area) blob(hash string) string { return "lambda/" + a.account + "/" + a.region + "/" + hash }

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
