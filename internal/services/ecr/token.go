package ecr

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// tokenLife is for how long an authorization token is good; downloadLife for how
// long a layer's address is.
const (
	tokenLife    = 12 * time.Hour
	downloadLife = time.Hour
	userName     = "AWS"
)

// pass is what a password says, sealed: who got it, and for which registry.
type pass struct {
	ID       string        `json:"i,omitempty"` // of session policies, which are kept here
	Identity call.Identity `json:"w"`
	Account  string        `json:"a"`
	Region   string        `json:"r"`
	Expires  int64         `json:"e"` // seconds since 1970
}

// passes keeps the session policies of those who got a password: they do not
// outlive the server, and neither does such a password.
type passes struct {
	mu  sync.Mutex
	all map[string]heldPass
}

type heldPass struct {
	policies []*policy.Policy
	expires  time.Time
}

func (p *passes) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, h := range p.all {
		if now.After(h.expires) {
			delete(p.all, id)
		}
	}
}

func (s *Service) tokenBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetAuthorizationToken, call.Any[api.GetAuthorizationTokenRequest]("ecr:GetAuthorizationToken"), s.getAuthorizationToken),
	}
}

// getAuthorizationToken hands out a password for the registry protocol. It is
// bound to the caller: what it may do is decided, at every use, by the caller's
// policies of then.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
func (s *Service) getAuthorizationToken(_ context.Context, rq *call.Authorized, in *api.GetAuthorizationTokenRequest) (*api.GetAuthorizationTokenResponse, error) {
	registries := in.RegistryIds
	if len(registries) == 0 {
		registries = []string{rq.Account()}
	}
	out := &api.GetAuthorizationTokenResponse{}
	expires := rq.Time().Add(tokenLife)
	for _, account := range registries {
		p := pass{Identity: rq.Identity(), Account: account, Region: rq.Region(), Expires: expires.Unix()}
		if len(p.Identity.Session) > 0 {
			p.ID = s.d.IDs.UUID()
			s.passes.mu.Lock()
			if s.passes.all == nil {
				s.passes.all = map[string]heldPass{}
			}
			s.passes.all[p.ID] = heldPass{p.Identity.Session, expires}
			s.passes.mu.Unlock()
			p.Identity.Session = nil
		}
		text, err := s.sealed("password", p)
		if err != nil {
			return nil, err
		}
		out.AuthorizationData = append(out.AuthorizationData, api.AuthorizationData{
			AuthorizationToken: new(base64.StdEncoding.EncodeToString([]byte(userName + ":" + text))), ExpiresAt: &expires, ProxyEndpoint: new(rq.Endpoint()),
		})
	}
	return out, nil
}

// sealed encrypts v for one use.
func (s *Service) sealed(use string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	nonce := s.d.IDs.Bytes(s.seal.NonceSize())
	return base64.RawURLEncoding.EncodeToString(s.seal.Seal(nonce, nonce, text, []byte("ecr "+use))), nil
}

// unsealed is the opposite of sealed.
func (s *Service) unsealed(use, text string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	n := s.seal.NonceSize()
	if err != nil || len(b) < n {
		return false
	}
	if b, err = s.seal.Open(nil, b[:n], b[n:], []byte("ecr "+use)); err != nil {
		return false
	}
	return json.Unmarshal(b, v) == nil
}

func badPassword() error {
	return fault.Of(fault.MissingAuthenticationToken, "Your authorization token is not valid, or has expired. Reauthenticate and try again.")
}

// admit finds out whose password it is.
func (s *Service) admit(ctx context.Context, user, password string) (pass, error) {
	var p pass
	if user != userName || !s.unsealed("password", password, &p) || s.d.Clock.Now().Unix() >= p.Expires {
		return pass{}, badPassword()
	}
	if p.ID != "" {
		s.passes.mu.Lock()
		held, ok := s.passes.all[p.ID]
		s.passes.mu.Unlock()
		if !ok {
			return pass{}, badPassword()
		}
		p.Identity.Session = held.policies
	}
	if kind := p.Identity.Principal.Kind; s.d.Gate.Mode != call.Off && (kind == policy.User || kind == policy.Root) && p.Identity.IssuedAt.IsZero() && p.Identity.AccessKey != "" {
		// The key may have been taken away since.
		if _, _, err := s.d.Gate.Identities.Key(ctx, p.Identity.AccessKey, ""); err != nil {
			return pass{}, badPassword()
		}
	}
	return p, nil
}

// download is what the address of a layer says, sealed: it is good for whoever has it.
type download struct {
	Account string       `json:"a"`
	Region  string       `json:"r"`
	Name    string       `json:"n"`
	Digest  image.Digest `json:"d"`
	Expires int64        `json:"e"`
}

// downloadable tells whether a sealed text is the address of that layer.
func (s *Service) downloadable(text string, a area, name string, d image.Digest) bool {
	var x download
	return s.unsealed("download", text, &x) && s.d.Clock.Now().Unix() < x.Expires &&
		x.Account == a.account && x.Region == a.region && x.Name == name && x.Digest == d
}
