package lambda

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html

func (s *Service) urlBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateFunctionUrlConfig, onURL("lambda:CreateFunctionUrlConfig", func(in *api.CreateFunctionUrlConfigRequest) (n, q, auth *string) {
			return in.FunctionName, in.Qualifier, in.AuthType
		}), s.createFunctionURLConfig),
		call.Bind(api.GetFunctionUrlConfig, on("lambda:GetFunctionUrlConfig", func(in *api.GetFunctionUrlConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getFunctionURLConfig),
		call.Bind(api.UpdateFunctionUrlConfig, onURL("lambda:UpdateFunctionUrlConfig", func(in *api.UpdateFunctionUrlConfigRequest) (n, q, auth *string) {
			return in.FunctionName, in.Qualifier, in.AuthType
		}), s.updateFunctionURLConfig),
		call.Bind(api.DeleteFunctionUrlConfig, on("lambda:DeleteFunctionUrlConfig", func(in *api.DeleteFunctionUrlConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.deleteFunctionURLConfig),
		call.Bind(api.ListFunctionUrlConfigs, on("lambda:ListFunctionUrlConfigs", func(in *api.ListFunctionUrlConfigsRequest) (n, q *string) { return in.FunctionName, nil }), s.listFunctionURLConfigs),
	}
}

// onURL is the rule of operations that set who may call a URL.
func onURL[I any](action string, get func(*I) (name, qualifier, auth *string)) call.Access[I] {
	return call.Rule(func(_ context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		name, qualifier, auth := get(in)
		k, q, err := target(rq, name, qualifier)
		if err != nil {
			return nil, err
		}
		need := call.Need{Action: action, Resource: k.arn(q), Owner: k.account}
		if auth != nil {
			need.Keys = map[string][]string{keyAuthType: {*auth}}
		}
		return []call.Need{need}, nil
	}, action)
}

// Kinds of authentication and of invocation of a URL.
const (
	authNone = "NONE"
	authIAM  = "AWS_IAM"
	buffered = "BUFFERED"
	streamed = "RESPONSE_STREAM"

	// keyAuthType is the condition key lambda:FunctionUrlAuthType.
	keyAuthType = "lambda:functionurlauthtype"
	// urlKind is the kind of the addresses.
	urlKind = "lambda-url"
)

func noURL() error {
	return api.ResourceNotFoundException("The resource you requested does not exist.").With("Type", "User")
}

// given is c, or nil if it says nothing, which ends the answers to browsers.
func given(c *api.Cors) *api.Cors {
	if c == nil || c.AllowCredentials == nil && c.MaxAge == nil && len(c.AllowHeaders)+len(c.AllowMethods)+len(c.AllowOrigins)+len(c.ExposeHeaders) == 0 {
		return nil
	}
	return c
}

func checkCors(c *api.Cors) error {
	if c != nil && opt.Val(c.AllowCredentials) && slices.Contains(c.AllowOrigins, "*") {
		return api.InvalidParameterValueException("AllowOrigins cannot contain * when AllowCredentials is true.")
	}
	return nil
}

func (s *Service) createFunctionURLConfig(ctx context.Context, rq *call.Authorized, in *api.CreateFunctionUrlConfigRequest) (*api.CreateFunctionUrlConfigResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if err := checkCors(in.Cors); err != nil {
		return nil, err
	}
	q = asyncKey(q)
	now := s.clock.Now()
	u := &urlConfig{
		ID: s.ids.Of("abcdefghijklmnopqrstuvwxyz234567", 32), Auth: *in.AuthType, Mode: opt.Or(in.InvokeMode, buffered), Cors: given(in.Cors), Created: now, Modified: now,
	}
	f, err := s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound(q)
		}
		if q != "" && f.rec.Aliases[q] == nil {
			return k.notFound(q)
		}
		if f.rec.URLs[q] != nil {
			return api.ResourceConflictException("Failed to create function url config for [functionArn = %s]. Error message:  FunctionUrlConfig exists for this Lambda function", k.arn(q)).With("Type", "User")
		}
		if f.rec.URLs == nil {
			f.rec.URLs = map[string]*urlConfig{}
		}
		f.rec.URLs[q] = u
		if err := data.Save(t, k.area().url(u.ID), &urlTarget{V: 1, Function: k.name, Qualifier: q}); err != nil {
			return err
		}
		return data.Save(t, k.record(), f.rec)
	})
	if err != nil {
		return nil, err
	}
	x := f.showURL(rq, q)
	return &api.CreateFunctionUrlConfigResponse{FunctionUrl: x.FunctionUrl, FunctionArn: x.FunctionArn, AuthType: x.AuthType, Cors: x.Cors, CreationTime: x.CreationTime, InvokeMode: x.InvokeMode}, nil
}

// showURL shows the URL of a function or alias, which has one.
func (f *function) showURL(rq *call.Authorized, q string) *api.FunctionUrlConfig {
	u := f.rec.URLs[q]
	return &api.FunctionUrlConfig{
		FunctionUrl: new(call.AddressOf(rq.Incoming(), urlKind, u.ID) + "/"), FunctionArn: new(f.key.arn(q)), AuthType: &u.Auth, Cors: u.Cors, InvokeMode: &u.Mode,
		CreationTime: new(u.Created.UTC().Format(urlTime)), LastModifiedTime: new(u.Modified.UTC().Format(urlTime)),
	}
}

// urlTime is how times of URLs are written.
const urlTime = "2006-01-02T15:04:05.000000000Z"

func (s *Service) getFunctionURLConfig(ctx context.Context, rq *call.Authorized, in *api.GetFunctionUrlConfigRequest) (*api.GetFunctionUrlConfigResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := s.find(ctx, k)
	if err != nil {
		return nil, err
	}
	if q = asyncKey(q); f == nil || f.rec.URLs[q] == nil {
		return nil, noURL()
	}
	return (*api.GetFunctionUrlConfigResponse)(urlAnswer(f.showURL(rq, q))), nil
}

// urlAnswer is a configuration in the shape in which it is answered.
func urlAnswer(x *api.FunctionUrlConfig) *api.UpdateFunctionUrlConfigResponse {
	return &api.UpdateFunctionUrlConfigResponse{
		FunctionUrl: x.FunctionUrl, FunctionArn: x.FunctionArn, AuthType: x.AuthType, Cors: x.Cors, CreationTime: x.CreationTime, LastModifiedTime: x.LastModifiedTime, InvokeMode: x.InvokeMode,
	}
}

func (s *Service) updateFunctionURLConfig(ctx context.Context, rq *call.Authorized, in *api.UpdateFunctionUrlConfigRequest) (*api.UpdateFunctionUrlConfigResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	q = asyncKey(q)
	now := s.clock.Now()
	f, err := s.changeRecord(ctx, k, func(f *function) error {
		old := f.rec.URLs[q]
		if old == nil {
			return noURL()
		}
		u := *old
		u.Auth, u.Mode, u.Modified = opt.Or(in.AuthType, u.Auth), opt.Or(in.InvokeMode, u.Mode), now
		if in.Cors != nil {
			u.Cors = given(in.Cors)
		}
		if err := checkCors(u.Cors); err != nil {
			return err
		}
		f.rec.URLs[q] = &u
		return nil
	})
	if err != nil {
		return nil, err
	}
	return urlAnswer(f.showURL(rq, q)), nil
}

// dropURL takes a function's or alias's URL away, if it has one.
func (f *function) dropURL(t data.Txn, q string) error {
	u := f.rec.URLs[q]
	if u == nil {
		return nil
	}
	delete(f.rec.URLs, q)
	return t.Delete(f.key.area().url(u.ID))
}

func (s *Service) deleteFunctionURLConfig(ctx context.Context, rq *call.Authorized, in *api.DeleteFunctionUrlConfigRequest) (*call.None, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	q = asyncKey(q)
	_, err = s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil || f.rec.URLs[q] == nil {
			return noURL()
		}
		if err := f.dropURL(t, q); err != nil {
			return err
		}
		return data.Save(t, k.record(), f.rec)
	})
	return &call.None{}, err
}

func (s *Service) listFunctionURLConfigs(ctx context.Context, rq *call.Authorized, in *api.ListFunctionUrlConfigsRequest) (*api.ListFunctionUrlConfigsResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListFunctionUrlConfigsResponse{FunctionUrlConfigs: []api.FunctionUrlConfig{}}
	last := ""
	for _, q := range slices.Sorted(maps.Keys(f.rec.URLs)) {
		if in.Marker != nil && "q"+q <= marker {
			continue
		}
		if len(out.FunctionUrlConfigs) == pageSize(in.MaxItems) {
			out.NextMarker = new(page.Token(last))
			break
		}
		out.FunctionUrlConfigs = append(out.FunctionUrlConfigs, *f.showURL(rq, q))
		last = "q" + q
	}
	return out, nil
}

// byURL finds the function that has a URL, the qualifier and the configuration;
// nil if nobody has it.
func (s *Service) byURL(ctx context.Context, id string) (*function, string, *urlConfig, error) {
	if x, ok := s.urls.Load(id); ok {
		at := x.(urlPlace)
		f, err := s.find(ctx, at.key)
		if err != nil {
			return nil, "", nil, err
		}
		if f != nil {
			if u := f.rec.URLs[at.qualifier]; u != nil && u.ID == id {
				return f, at.qualifier, u, nil
			}
		}
		s.urls.Delete(id)
	}
	at, ok, err := s.findURL(ctx, id)
	if err != nil || !ok {
		return nil, "", nil, err
	}
	f, err := s.find(ctx, at.key)
	if err != nil || f == nil || f.rec.URLs[at.qualifier] == nil || f.rec.URLs[at.qualifier].ID != id {
		return nil, "", nil, err
	}
	s.urls.Store(id, at)
	return f, at.qualifier, f.rec.URLs[at.qualifier], nil
}

// urlPlace is where a URL leads.
type urlPlace struct {
	key       key
	qualifier string
}

func (s *Service) findURL(ctx context.Context, id string) (at urlPlace, ok bool, err error) {
	if len(id) > 64 {
		return at, false, nil
	}
	err = s.store.View(ctx, func(r data.Reader) error {
		in, err := areas(r)
		for _, a := range in {
			u, err := data.Load[urlTarget](r, a.url(strings.ToLower(id)))
			if err != nil {
				return err
			}
			if u != nil {
				at, ok = urlPlace{key{a.account, a.region, u.Function}, u.Qualifier}, true
				return nil
			}
		}
		return err
	})
	return at, ok, err
}

// preflight reports whether a request is a browser's question before a request
// from another origin, which is answered without the function.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
func preflight(c *api.Cors, method, origin, wanted string) bool {
	return c != nil && method == "OPTIONS" && origin != "" && wanted != ""
}

// corsHeaders are what a browser is told about a request of an origin.
func corsHeaders(c *api.Cors, origin string, preflight bool) (h [][2]string) {
	if c == nil || origin == "" || !slices.ContainsFunc(c.AllowOrigins, func(o string) bool { return o == "*" || strings.EqualFold(o, origin) }) {
		return nil
	}
	add := func(name, value string) {
		if value != "" {
			h = append(h, [2]string{name, value})
		}
	}
	if slices.Contains(c.AllowOrigins, "*") {
		origin = "*"
	}
	add("Access-Control-Allow-Origin", origin)
	if origin != "*" {
		add("Vary", "Origin")
	}
	if opt.Val(c.AllowCredentials) {
		add("Access-Control-Allow-Credentials", "true")
	}
	if !preflight {
		add("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
		return h
	}
	add("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
	add("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
	if c.MaxAge != nil {
		add("Access-Control-Max-Age", strconv.Itoa(int(*c.MaxAge)))
	}
	return h
}
