package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gateway/cache"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/route"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// live is what can be called, in memory: requests read it without a lock and
// never read the store. What a request has found stays as it is until the
// request ends, so that none sees a mixture of two deployments.
type live struct {
	apis sync.Map // API id -> *liveAPI
	// publishing is held from reading the store to the swap, so that of two
	// publications the one that saw less does not come last.
	publishing sync.Mutex
}

// liveAPI is an API that exists, with its stages by name.
type liveAPI struct {
	area
	stages atomic.Pointer[map[string]*liveStage]
}

func (l *live) find(id string) *liveAPI {
	if x, ok := l.apis.Load(id); ok {
		return x.(*liveAPI)
	}
	return nil
}

// liveStage is a stage compiled: a deployment with the stage's variables put in.
type liveStage struct {
	area
	api, name, deployment string
	variables             map[string]string
	routes                route.Table[*endpoint]
	binary                mediaTypes
	compress              *int32 // the least size of answers that are compressed; nil is off
	disabled              bool
	responses             map[string]*gatewayResponse
	policy                *policy.Policy // the API's own; nil if it has none
	keyFromAuthorizer     bool           // API keys come from the authorizer
	journal               *journal
	record                []byte                   // the stage's record that this was made from
	bucket                *rate.Limiter            // the account's
	limiters              map[string]*rate.Limiter // of methods, by their settings' keys
	// canary gets percent of the requests; nil if it gets none. canaried tells
	// whether this is one: "true" or "false", or "" where there is no canary.
	canary   *liveStage
	percent  float64
	canaried string
	cache    *cache.Cache // nil if the stage has none
	identity *identity    // that backends are shown; nil if the stage shows none
}

// endpoint is a method of a stage, ready to be called.
type endpoint struct {
	resourceID, resource string
	run                  integration
	validation           *validation // nil checks nothing
	authorizer           *authorizer // nil asks none
	signed               bool        // IAM decides
	keyRequired          bool
	limiter              *rate.Limiter // nil has no limit
	keep                 *keep         // nil keeps no answers
	watch                watch
}

// integration carries a request out; what fails is a *failure.
type integration interface {
	run(ctx context.Context, s *Service, x *exchange) *failure
}

// gatewayResponse is a gateway response compiled.
type gatewayResponse struct {
	status  int // 0 leaves the failure's
	headers []mapped
	typ     string // content type of the body
	body    mapping.Text
}

// mapped is a header whose value an expression gives.
type mapped struct {
	name  string
	value mapping.Value
}

// publishAll makes the whole store callable.
func (s *Service) publishAll(ctx context.Context) error {
	type one struct {
		area
		id string
	}
	var all []one
	err := s.store.View(ctx, func(r data.Reader) error {
		all = all[:0]
		for p, err := range r.Scan(everything(), data.PrefixEnd(everything()), false) {
			if err != nil {
				return err
			}
			if a, id, ok := apiOf(p.Key); ok {
				all = append(all, one{a, id})
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the REST APIs: %w", err)
	}
	for _, x := range all {
		if err := s.publish(ctx, x.area, x.id); err != nil {
			return err
		}
	}
	return nil
}

// publish makes what the store says of an API callable. A stage whose record is
// as before stays as it is.
func (s *Service) publish(ctx context.Context, a area, id string) error {
	s.live.publishing.Lock()
	defer s.live.publishing.Unlock()
	was := map[string]*liveStage{}
	x := s.live.find(id)
	if x != nil {
		was = *x.stages.Load()
	}
	is := map[string]*liveStage{}
	exists := false
	// The change is in the store already: it goes live whether or not who made it
	// still waits.
	err := s.store.View(context.WithoutCancel(ctx), func(r data.Reader) error {
		api, err := data.Load[restAPI](r, a.api(id))
		if exists = api != nil; err != nil || !exists {
			return err
		}
		for p, err := range r.Scan(a.stages(id), data.PrefixEnd(a.stages(id)), false) {
			if err != nil {
				return err
			}
			st := new(stage)
			if err := json.Unmarshal(p.Value, st); err != nil {
				return fmt.Errorf("stage %q: %w", p.Key, err)
			}
			if old := was[st.Name]; old != nil && bytes.Equal(old.record, p.Value) {
				is[st.Name] = old
				continue
			}
			st.ledger = s.ledgers.of(a, id, api.Name)
			ls, err := s.compileStage(r, a, id, st, was[st.Name])
			if err != nil {
				return fmt.Errorf("stage %s of %s: %w", st.Name, id, err)
			}
			ls.record = p.Value
			is[st.Name] = ls
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish the API %s: %w", id, err)
	}
	if !exists {
		s.live.apis.Delete(id)
		retire(was, nil)
		s.ledgers.retain(id, nil)
		return nil
	}
	s.ledgers.retain(id, is)
	if x == nil {
		x = &liveAPI{area: a}
		x.stages.Store(&is)
		s.live.apis.Store(id, x)
		return nil
	}
	x.stages.Store(&is)
	retire(was, is)
	return nil
}

// compileStage makes a stage callable, with its canary and the cache that it was
// with before.
func (s *Service) compileStage(r data.Reader, a area, id string, st *stage, was *liveStage) (*liveStage, error) {
	if was == nil {
		was = new(liveStage)
	}
	one := func(st *stage, canary bool) (*liveStage, error) {
		d, err := data.Load[definition.API](r, a.snapshot(id, st.Deployment))
		switch {
		case err != nil:
			return nil, err
		case d == nil:
			return nil, fmt.Errorf("deployment %s is missing", st.Deployment)
		}
		ls, err := compile(a, id, st, d)
		if err == nil {
			ls.bucket, ls.journal = s.accounts.of(a), s.newJournal(a, id, st, canary)
		}
		return ls, err
	}
	st.before = was.limiters
	ls, err := one(st, false)
	if err != nil {
		return nil, err
	}
	defer func() { ls.limiters = st.limiters }()
	ls.cache = s.cacheOf(st, was)
	if ls.identity, err = s.identify(r, a, st.Certificate, was.identity); err != nil {
		return nil, err
	}
	if st.Canary == nil {
		return ls, nil
	}
	ls.canaried = "false"
	if st.Canary.Percent == 0 {
		return ls, nil
	}
	if ls.canary, err = one(st.canaryStage(), true); err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	ls.percent, ls.canary.canaried, ls.canary.identity = st.Canary.Percent, "true", ls.identity
	if ls.canary.cache = ls.cache; !st.Canary.UseStageCache {
		if was = was.canary; was == nil || was.cache == ls.cache {
			was = new(liveStage)
		}
		ls.canary.cache = s.cacheOf(st, was)
	}
	return ls, nil
}

// compile makes a stage of a deployment callable.
func compile(a area, id string, st *stage, d *definition.API) (*liveStage, error) {
	ls := &liveStage{
		area: a, api: id, name: st.Name, deployment: st.Deployment, variables: st.Variables,
		binary: parseMediaTypes(d.Binary), compress: d.MinCompression, disabled: d.Disabled, keyFromAuthorizer: d.KeySource == api.ApiKeySourceTypeAuthorizer, responses: map[string]*gatewayResponse{},
	}
	if d.Policy != "" {
		var err error
		if ls.policy, err = policy.Parse([]byte(d.Policy)); err != nil {
			return nil, fmt.Errorf("resource policy: %w", err)
		}
	}
	for typ, g := range d.Responses {
		c, err := compileGateway(g)
		if err != nil {
			return nil, fmt.Errorf("gateway response %s: %w", typ, err)
		}
		ls.responses[typ] = c
	}
	known := &compiled{templates: map[string]*vtl.Template{}}
	for _, r := range d.Resources {
		path := d.Path(r)
		for method, m := range r.Methods {
			if m.Integration == nil {
				continue
			}
			run, err := ls.integration(r, path, method, m, known)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			e := &endpoint{resourceID: r.ID, resource: path, run: run, signed: m.Authorization == definition.IAMAuthorization, keyRequired: m.KeyRequired, limiter: st.methodThrottle(path, method), watch: st.watched(path, method)}
			if e.keep, err = st.keep(r, path, method, m.Integration); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			if e.validation, err = compileValidation(d, m); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			if a := d.Authorizers[m.Authorizer]; a != nil {
				if e.authorizer, err = ls.compileAuthorizer(a, ls.facts(r, path, m)); err != nil {
					return nil, fmt.Errorf("%s %s: %w", method, path, err)
				}
				e.authorizer.scopes = m.Scopes
			}
			ls.routes.Add(method, path, e)
		}
	}
	return ls, nil
}

// facts are what the events of a method tell about it.
func (ls *liveStage) facts(r *definition.Resource, path string, m *definition.Method) proxy.Facts {
	return proxy.Facts{
		Account: ls.account, API: ls.api, Stage: ls.name, Deployment: ls.deployment,
		ResourceID: r.ID, Resource: path, Operation: m.Operation, Variables: ls.variables,
	}
}

// methodARN is the ARN of a method, which policies name.
func (ls *liveStage) methodARN(method, path string) string {
	return ls.executeARN(ls.name + "/" + method + path)
}

// executeARN is the ARN of something of the API as its callers know it.
func (ls *liveStage) executeARN(path string) string {
	return arn.Make("execute-api", ls.region, ls.account, ls.api+"/"+path)
}

func compileGateway(g *definition.GatewayResponse) (*gatewayResponse, error) {
	c := &gatewayResponse{}
	if g.Status != "" {
		n, err := strconv.Atoi(g.Status)
		if err != nil {
			return nil, err
		}
		c.status = n
	}
	for dest, expr := range g.Parameters {
		v, err := mapping.Parse(expr)
		if err != nil {
			return nil, err
		}
		c.headers = append(c.headers, mapped{textproto.CanonicalMIMEHeaderKey(strings.TrimPrefix(dest, "gatewayresponse.header.")), v})
	}
	text, ok := g.Templates["application/json"]
	c.typ = "application/json"
	if !ok {
		text = defaultTemplate
		for typ := range g.Templates {
			if text == defaultTemplate || typ < c.typ {
				c.typ, text = typ, g.Templates[typ]
			}
		}
	}
	var err error
	c.body, err = mapping.ParseText(text)
	return c, err
}

// mediaTypes are patterns of media types: "image/png", "image/*", "*/*".
type mediaTypes []string

func parseMediaTypes(all []string) mediaTypes {
	m := make(mediaTypes, len(all))
	for i, t := range all {
		m[i] = strings.ToLower(t)
	}
	return m
}

// match reports whether a media type, with or without parameters, is among them.
func (m mediaTypes) match(typ string) bool {
	if len(m) == 0 || typ == "" {
		return len(m) > 0 && m.any()
	}
	if i := strings.IndexAny(typ, ";,"); i >= 0 {
		typ = typ[:i]
	}
	typ = strings.ToLower(strings.TrimSpace(typ))
	for _, p := range m {
		if p == typ || p == "*/*" {
			return true
		}
		if kind, ok := strings.CutSuffix(p, "/*"); ok && strings.HasPrefix(typ, kind+"/") {
			return true
		}
	}
	return false
}

func (m mediaTypes) any() bool {
	for _, p := range m {
		if p == "*/*" {
			return true
		}
	}
	return false
}
