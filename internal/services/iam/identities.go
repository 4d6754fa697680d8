package iam

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

var _ call.Identities = (*Service)(nil)

// generation caches what authentication and authorisation ask for, so that a
// request costs neither a read nor a parse. Every write begins a new generation;
// who reads the store for an old one puts what it found into the old one, where
// nobody will look.
type generation struct {
	keys     sync.Map // access key to *credential
	subjects sync.Map // ARN of a user or role to *subject
	sessions sync.Map // token to *session
	opened   atomic.Int64
}

// maxSessions bounds the sessions of one generation.
const maxSessions = 10_000

// forget begins a new generation.
func (s *Service) forget() { s.cache.Store(new(generation)) }

// credential is a long-lived access key.
type credential struct {
	id     call.Identity
	secret string
}

// subject is a user or role as decisions need it.
type subject struct {
	id   string
	tags map[string]string
	sets policy.Sets

	// Of a role.
	arn, name string
	trust     *policy.Policy
	max       time.Duration
}

func invalidToken() error {
	return fault.Of(fault.InvalidClientTokenID, "The security token included in the request is invalid.")
}

// Key implements call.Identities.
func (s *Service) Key(ctx context.Context, accessKey, token string) (call.Identity, string, error) {
	g := s.cache.Load()
	if token != "" || strings.HasPrefix(accessKey, "ASIA") {
		return s.sessionKey(ctx, g, accessKey, token)
	}
	if c, ok := g.keys.Load(accessKey); ok {
		c := c.(*credential)
		return c.id, c.secret, nil
	}
	c, err := s.credential(ctx, accessKey)
	if err != nil {
		return call.Identity{}, "", err
	}
	g.keys.Store(accessKey, c)
	return c.id, c.secret, nil
}

func (s *Service) credential(ctx context.Context, id string) (*credential, error) {
	if root := s.d.Root; id == root.AccessKey && id != "" {
		return &credential{call.Identity{Principal: rootOf(root.Account), AccessKey: id}, root.Secret}, nil
	}
	var c *credential
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		o, err := read[owner](r, ownerKey(id))
		if err != nil || o == nil {
			return err
		}
		u, err := named[identity](r, o.Account, userKind, o.User)
		if err != nil || u == nil {
			return err
		}
		i := slices.IndexFunc(u.Keys, func(k accessKey) bool { return k.ID == id })
		if i < 0 || !u.Keys[i].Active {
			return nil
		}
		secret, err := s.openSecret(id, u.Keys[i].Secret)
		if err != nil {
			return err
		}
		c = &credential{call.Identity{Principal: userOf(o.Account, u), AccessKey: id, Tags: tagMap(u.Tags)}, secret}
		return nil
	})
	if err == nil && c == nil {
		err = invalidToken()
	}
	return c, err
}

func rootOf(account string) policy.Principal {
	return policy.Principal{Kind: policy.Root, Account: account, ARN: rootARN(account), UserID: account}
}

func rootARN(account string) string { return arn.Make("iam", "", account, "root") }

func userOf(account string, u *identity) policy.Principal {
	return policy.Principal{Kind: policy.User, Account: account, ARN: u.arn(account, userKind), UserID: u.ID, UserName: u.Name}
}

// Policies implements call.Identities.
func (s *Service) Policies(ctx context.Context, id call.Identity) (policy.Sets, error) {
	p := &id.Principal
	holder := holderOf(p)
	if holder == "" {
		if p.Kind == policy.FederatedUser { // root's
			return policy.Sets{Identity: []*policy.Policy{everything}}, nil
		}
		return policy.Sets{}, nil
	}
	sub, err := s.subject(ctx, s.cache.Load(), holder)
	if err != nil {
		return policy.Sets{}, err
	}
	if sub == nil || p.Kind != policy.FederatedUser && !sub.is(p.UserID) {
		return policy.Sets{}, invalidToken()
	}
	return sub.sets, nil
}

// everything is what root, who makes a federated user, may do.
var everything = mustParse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)

func mustParse(doc string) *policy.Policy {
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		panic(err)
	}
	return p
}

// is reports whether a principal's user id is that of the user or of a session
// of the role: not of another that had the same name before.
func (sub *subject) is(userID string) bool {
	id, _, _ := strings.Cut(userID, ":")
	return id == sub.id
}

// subject returns the user or role with an ARN; nil if there is none.
func (s *Service) subject(ctx context.Context, g *generation, holder string) (*subject, error) {
	if sub, ok := g.subjects.Load(holder); ok {
		return sub.(*subject), nil
	}
	account, k, name, ok := identityOf(holder)
	if !ok {
		return nil, nil
	}
	var sub *subject
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := byARN(r, account, k, name, holder)
		if err != nil || id == nil {
			return err
		}
		sub, err = s.compile(r, account, k, id)
		return err
	})
	if err != nil || sub == nil {
		return nil, err
	}
	g.subjects.Store(holder, sub)
	return sub, nil
}

// compile reads and parses everything that decides about a user or role.
func (s *Service) compile(r data.Reader, account string, k kind, id *identity) (*subject, error) {
	sub := &subject{id: id.ID, tags: tagMap(id.Tags), arn: id.arn(account, k), name: id.Name}
	groups, err := groupsOf(r, account, id)
	if err != nil {
		return nil, err
	}
	for _, holder := range append([]*identity{id}, groups...) {
		list, err := s.policiesOf(r, account, holder)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			sub.sets.Identity = append(sub.sets.Identity, p.policy)
		}
	}
	if id.Boundary != "" {
		p, err := s.thePolicy(r, account, id.Boundary)
		if err != nil {
			return nil, err
		}
		sub.sets.HasBoundary = true
		if sub.sets.Boundary, err = parseStored(p.active().Document); err != nil {
			return nil, err
		}
	}
	if k == roleKind {
		sub.max = time.Duration(id.MaxSession) * time.Second
		doc, err := trustNow(r, id)
		if err != nil {
			return nil, err
		}
		if sub.trust, err = parseStored(doc); err != nil {
			return nil, err
		}
	}
	return sub, nil
}

// source is a policy with what it is called where it is reported.
type source struct {
	name, kind string // "PolicyName", "user"
	policy     *policy.Policy
}

// policiesOf reads and parses the policies of one identity: inline, then attached.
func (s *Service) policiesOf(r data.Reader, account string, id *identity) ([]source, error) {
	var all []source
	for _, name := range slices.Sorted(maps.Keys(id.Inline)) {
		p, err := parseStored(id.Inline[name])
		if err != nil {
			return nil, err
		}
		all = append(all, source{name, "", p})
	}
	attached, err := s.attachedOut(r, account, id)
	if err != nil {
		return nil, err
	}
	for _, m := range attached {
		p, err := parseStored(m.active().Document)
		if err != nil {
			return nil, err
		}
		all = append(all, source{m.Name, fromManaged, p})
	}
	return all, nil
}

// parseStored parses a document that was checked before it was stored.
func parseStored(doc string) (*policy.Policy, error) {
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		return nil, fmt.Errorf("iam: a stored policy does not parse: %w", err)
	}
	return p, nil
}

// Assume implements call.Identities. The keys of the request are those of a call
// that a service makes on behalf of the role's own account: roles cannot be
// passed to services across accounts.
func (s *Service) Assume(ctx context.Context, role, session, service string) (call.Identity, error) {
	id, trust, _, err := s.Session(ctx, role, session)
	if err != nil {
		return call.Identity{}, err
	}
	account := id.Principal.Account
	rq := policy.Request{
		Principal: policy.Principal{Kind: policy.Service, Account: account, Service: service},
		Action:    "sts:AssumeRole", Resource: role, ResourceAccount: account,
		Context: policy.Keys{"aws:sourceaccount": {account}, "sts:rolesessionname": {session}},
	}
	if d := policy.Evaluate(&rq, &policy.Sets{Resource: trust, ResourceRequired: true}); !d.Allowed {
		return call.Identity{}, fault.Of(fault.AccessDenied, "%s", policy.Message(&rq, d))
	}
	return id, nil
}
