package apigateway

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// Keys, all below "apigateway", account and region:
//
//	api        <api id>                  restAPI
//	definition <api id>                  definition.API: what the operations edit
//	deployment <api id> <deployment id>  deployment
//	snapshot   <api id> <deployment id>  definition.API: what was deployed
//	stage      <api id> <name>           stage
//	parts      <api id>                  documentation: what the operations edit
//	docversion <api id> <version>        documentation: what was frozen
//	apikey     <key id>                  apiKey
//	plan       <plan id>                 usagePlan
//	plankey    <plan id> <key id>        empty: the key is in the plan
//	usage      <plan id> <key id>        usage
//	account                              accountSettings
//	clientcertificate <id>               clientCertificate

// restAPI is the record of an API. Times are milliseconds since 1970.
type restAPI struct {
	V           int               `json:"v"`
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Version     string            `json:"version,omitempty"`
	Created     int64             `json:"created"`
	Endpoint    string            `json:"endpoint"` // EDGE or REGIONAL
	Addresses   string            `json:"addresses,omitempty"`
	Warnings    []string          `json:"warnings,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// deployment is the record of a deployment; its definition stands apart.
type deployment struct {
	V           int    `json:"v"`
	ID          string `json:"id"`
	Description string `json:"description,omitempty"`
	Created     int64  `json:"created"`
}

// stage is the record of a stage.
type stage struct {
	V           int               `json:"v"`
	Name        string            `json:"name"`
	Deployment  string            `json:"deployment"`
	Description string            `json:"description,omitempty"`
	Variables   map[string]string `json:"variables,omitempty"`
	// Documentation is the version of the documentation that an export shows.
	Documentation string            `json:"documentation,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	Created       int64             `json:"created"`
	Updated       int64             `json:"updated"`
	// Methods are the settings of methods, by settingKey, and of all: "*/*".
	Methods map[string]*methodSetting `json:"methods,omitempty"`
	// Canary is nil if the stage has none.
	Canary *canary `json:"canary,omitempty"`
	// CacheSize is that of the stage's cache in GB: "0.5". Cached says that it is on.
	CacheSize string `json:"cacheSize,omitempty"`
	Cached    bool   `json:"cached,omitempty"`
	// AccessLog is nil if the stage writes none.
	AccessLog *accessLog `json:"accessLog,omitempty"`
	Tracing   bool       `json:"tracing,omitempty"`
	// Certificate is the client certificate that backends are shown; "" is none.
	Certificate string `json:"certificate,omitempty"`

	ledger *ledger // of the API, while the stage is compiled
	// Of methods, while the stage and its canary are compiled: limiters are theirs,
	// before are those that the stage had.
	limiters, before map[string]*rate.Limiter
}

// documentation is the record of the documentation parts of an API, or of one of
// their versions.
type documentation struct {
	V           int               `json:"v"`
	Version     string            `json:"version,omitempty"`
	Description string            `json:"description,omitempty"`
	Created     int64             `json:"created,omitempty"`
	Parts       []definition.Part `json:"parts,omitempty"`
}

// apiKey is the record of an API key.
type apiKey struct {
	V           int               `json:"v"`
	ID          string            `json:"id"`
	Value       string            `json:"value"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	Customer    string            `json:"customer,omitempty"`
	Enabled     bool              `json:"enabled"`
	Stages      []string          `json:"stages,omitempty"` // "api/stage" that it opens without a plan
	Tags        map[string]string `json:"tags,omitempty"`
	Created     int64             `json:"created"`
	Updated     int64             `json:"updated"`
}

// usagePlan is the record of a usage plan.
type usagePlan struct {
	V           int               `json:"v"`
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Stages      []planStage       `json:"stages,omitempty"`
	Throttle    *throttle         `json:"throttle,omitempty"`
	Quota       *quota            `json:"quota,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// accountSettings is the record of an account in a region.
type accountSettings struct {
	V    int    `json:"v"`
	Role string `json:"role,omitempty"` // that writes logs
}

// planStage is a stage whose methods a plan opens.
type planStage struct {
	API   string `json:"api"`
	Stage string `json:"stage"`
	// Throttle are the buckets of methods: "/pets/GET".
	Throttle map[string]*throttle `json:"throttle,omitempty"`
}

// area forms the keys of one account and region.
type area struct{ account, region string }

func areaOf(rq *call.Authorized) area { return area{rq.Account(), rq.Region()} }

func (a area) key(parts ...string) []byte {
	return data.Key(append([]string{"apigateway", a.account, a.region}, parts...)...)
}

func (a area) api(id string) []byte             { return a.key("api", id) }
func (a area) definition(id string) []byte      { return a.key("definition", id) }
func (a area) deployment(id, dep string) []byte { return a.key("deployment", id, dep) }
func (a area) deployments(id string) []byte     { return a.key("deployment", id) }
func (a area) snapshot(id, dep string) []byte   { return a.key("snapshot", id, dep) }
func (a area) stage(id, name string) []byte     { return a.key("stage", id, name) }
func (a area) stages(id string) []byte          { return a.key("stage", id) }
func (a area) everythingOf(id string) [][]byte {
	return [][]byte{a.api(id), a.definition(id), a.deployments(id), a.key("snapshot", id), a.stages(id), a.parts(id), a.docVersions(id)}
}
func (a area) parts(id string) []byte               { return a.key("parts", id) }
func (a area) docVersions(id string) []byte         { return a.key("docversion", id) }
func (a area) docVersion(id, version string) []byte { return a.key("docversion", id, version) }
func (a area) settings() []byte                     { return a.key("account") }
func (a area) apis() []byte                         { return a.key("api") }
func (a area) apiKey(id string) []byte              { return a.key("apikey", id) }
func (a area) apiKeys() []byte                      { return a.key("apikey") }
func (a area) plan(id string) []byte                { return a.key("plan", id) }
func (a area) plans() []byte                        { return a.key("plan") }
func (a area) planKey(plan, key string) []byte      { return a.key("plankey", plan, key) }
func (a area) planKeys(plan string) []byte          { return a.key("plankey", plan) }
func (a area) usage(plan, key string) []byte        { return a.key("usage", plan, key) }
func (a area) usages(plan string) []byte            { return a.key("usage", plan) }

// apiOf takes account, region and id out of a key, if it is that of an API.
func apiOf(key []byte) (a area, id string, ok bool) {
	p, ok := data.Parts(key)
	if !ok || len(p) != 5 || p[3] != "api" {
		return area{}, "", false
	}
	return area{p[1], p[2]}, p[4], true
}

// everything is the prefix of all keys of the room.
func everything() []byte { return data.Key("apigateway") }

func noAPI(a area, id string) error {
	return api.NotFoundException("Invalid API identifier specified %s:%s", a.account, id)
}

func loadAPI(r data.Reader, a area, id string) (*restAPI, error) {
	x, err := data.Load[restAPI](r, a.api(id))
	if err == nil && x == nil {
		err = noAPI(a, id)
	}
	return x, err
}

func loadDefinition(r data.Reader, a area, id string) (*definition.API, error) {
	d, err := data.Load[definition.API](r, a.definition(id))
	if err == nil && d == nil {
		err = noAPI(a, id)
	}
	return d, err
}

func loadStage(r data.Reader, a area, id, name string) (*stage, error) {
	if _, err := loadAPI(r, a, id); err != nil {
		return nil, err
	}
	x, err := data.Load[stage](r, a.stage(id, name))
	if err == nil && x == nil {
		err = api.NotFoundException("Invalid stage identifier specified")
	}
	return x, err
}

func loadDeployment(r data.Reader, a area, id, dep string) (*deployment, error) {
	if _, err := loadAPI(r, a, id); err != nil {
		return nil, err
	}
	x, err := data.Load[deployment](r, a.deployment(id, dep))
	if err == nil && x == nil {
		err = api.NotFoundException("Invalid Deployment identifier specified")
	}
	return x, err
}

// view reads the definition of an API.
func (s *Service) view(ctx context.Context, rq *call.Authorized, id string, f func(*definition.API) error) error {
	return s.store.View(ctx, func(r data.Reader) error {
		d, err := loadDefinition(r, areaOf(rq), id)
		if err != nil {
			return err
		}
		return f(d)
	})
}

// edit changes the definition of an API, unless f fails. An error of f that is
// not a fault is what is wrong with the request.
func (s *Service) edit(ctx context.Context, rq *call.Authorized, id string, f func(*definition.API) error) error {
	a := areaOf(rq)
	return s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadDefinition(t, a, id)
		if err != nil {
			return err
		}
		if err := f(d); err != nil {
			return faultOf(err)
		}
		return data.Save(t, a.definition(id), d)
	})
}

func millis(t time.Time) int64 { return t.UnixMilli() }

// seconds is a time as the API answers it: without fractions.
func seconds(ms int64) *time.Time { return new(time.UnixMilli(ms).UTC().Truncate(time.Second)) }
