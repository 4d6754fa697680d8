package iam

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// A session is not stored. Its token carries it, sealed, so that handing out
// credentials writes nothing, and they outlive a restart. What can be taken away
// is looked up at every use: the role or user must still be there, and its
// policies are those of now.

// tokenVersion begins every token; claims follow it, sealed.
const tokenVersion = 1

// claims are what a token says.
type claims struct {
	AccessKey  string            `json:"k"`
	Kind       policy.Kind       `json:"p"`
	Account    string            `json:"a"`
	ARN        string            `json:"n"`
	RoleARN    string            `json:"r,omitempty"`
	UserID     string            `json:"u"`
	UserName   string            `json:"m,omitempty"`
	Policy     string            `json:"d,omitempty"`
	PolicyARNs []string          `json:"l,omitempty"`
	Tags       map[string]string `json:"t,omitempty"`
	Transitive []string          `json:"v,omitempty"`
	Source     string            `json:"s,omitempty"`
	Provider   string            `json:"f,omitempty"`
	Holder     string            `json:"h,omitempty"` // id of the role or user
	MFA        bool              `json:"2,omitempty"`
	Issued     int64             `json:"i"` // seconds since 1970
	Expires    int64             `json:"e"`
}

// session is an opened token whose holder is there.
type session struct {
	id      call.Identity
	secret  string
	expires time.Time
}

func newSeal(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("it has %d bytes, not 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealBytes seals b for one use: what is opened for another fails.
func (s *Service) sealBytes(b []byte, use string) []byte {
	nonce := s.d.IDs.Bytes(s.seal.NonceSize())
	return s.seal.Seal(nonce, nonce, b, []byte(use))
}

func (s *Service) openBytes(b []byte, use string) ([]byte, error) {
	n := s.seal.NonceSize()
	if len(b) < n {
		return nil, errors.New("too short")
	}
	return s.seal.Open(nil, b[:n], b[n:], []byte(use))
}

func (s *Service) sealSecret(accessKey, secret string) []byte {
	return s.sealBytes([]byte(secret), "secret "+accessKey)
}

func (s *Service) openSecret(accessKey string, sealed []byte) (string, error) {
	b, err := s.openBytes(sealed, "secret "+accessKey)
	if err != nil {
		return "", fmt.Errorf("iam: the secret of %s cannot be opened; was the session key replaced? %w", accessKey, err)
	}
	return string(b), nil
}

// secretOf derives a session's secret from its token, which nobody else can make.
func (s *Service) secretOf(token []byte) string {
	mac := hmac.New(sha256.New, s.d.SessionKey)
	mac.Write([]byte("session secret"))
	mac.Write(token)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)[:30])
}

// Session returns the identity that a session of a role has, with the role's
// tags, the role's trust policy and the longest session that the role allows.
// Without such a role the trust policy is nil and trusts nobody.
func (s *Service) Session(ctx context.Context, roleARN, name string) (call.Identity, *policy.Policy, time.Duration, error) {
	a, _ := arn.Parse(roleARN)
	id := call.Identity{Principal: policy.Principal{Kind: policy.Role, Account: a.Account, RoleARN: roleARN}}
	if _, k, _, ok := identityOf(roleARN); !ok || k != roleKind {
		return id, nil, 0, nil
	}
	role, err := s.subject(ctx, s.cache.Load(), roleARN)
	if err != nil || role == nil {
		return id, nil, 0, err
	}
	id.Principal.ARN = arn.Make("sts", "", a.Account, "assumed-role/"+role.name+"/"+name)
	id.Principal.UserID = role.id + ":" + name
	id.Tags = role.tags
	id.IssuedAt = s.now()
	return id, role.trust, role.max, nil
}

// Managed returns the document of a managed policy that an account may use: its
// own or one of AWS's; ok is false if there is none.
func (s *Service) Managed(ctx context.Context, account, policyARN string) (document string, ok bool, err error) {
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := s.policyByARN(r, account, policyARN)
		if p != nil {
			document, ok = p.active().Document, true
		}
		return err
	})
	return document, ok, err
}

// Issue makes credentials for a session until expires. id.Tags are the session's
// own tags, without the role's; doc and policyARNs are the session policies, which
// must have been checked.
func (s *Service) Issue(ctx context.Context, id call.Identity, doc string, policyARNs []string, expires time.Time) (accessKey, secret, token string, err error) {
	p := id.Principal
	c := claims{
		AccessKey: newKeyID(s.d.IDs, "ASIA", p.Account),
		Kind:      p.Kind, Account: p.Account, ARN: p.ARN, RoleARN: p.RoleARN, UserID: p.UserID, UserName: p.UserName, Provider: p.Provider,
		Policy: doc, PolicyARNs: policyARNs, Tags: id.Tags, Transitive: id.Transitive, Source: id.SourceIdentity, MFA: id.MFA,
		Issued: s.now().Unix(), Expires: expires.Unix(),
	}
	if holder := holderOf(&p); holder != "" {
		sub, err := s.subject(ctx, s.cache.Load(), holder)
		if err != nil {
			return "", "", "", err
		}
		if sub == nil {
			return "", "", "", invalidToken()
		}
		c.Holder = sub.id
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", "", "", fmt.Errorf("iam: seal a session: %w", err)
	}
	sealed := append([]byte{tokenVersion}, s.sealBytes(b, "session")...)
	return c.AccessKey, s.secretOf(sealed), base64.StdEncoding.EncodeToString(sealed), nil
}

func (s *Service) sessionKey(ctx context.Context, g *generation, accessKey, token string) (call.Identity, string, error) {
	var ses *session
	if v, ok := g.sessions.Load(token); ok {
		ses = v.(*session)
	} else {
		var err error
		if ses, err = s.openSession(ctx, g, token); err != nil {
			return call.Identity{}, "", err
		}
		if g.opened.Add(1) > maxSessions {
			s.forget()
		}
		g.sessions.Store(token, ses)
	}
	if ses.id.AccessKey != accessKey {
		return call.Identity{}, "", invalidToken()
	}
	if !s.d.Clock.Now().Before(ses.expires) {
		return call.Identity{}, "", fault.Of(fault.ExpiredToken, "The security token included in the request is expired")
	}
	return ses.id, ses.secret, nil
}

// openSession opens a token and finds its holder.
func (s *Service) openSession(ctx context.Context, g *generation, token string) (*session, error) {
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") || len(sealed) == 0 || sealed[0] != tokenVersion {
		return nil, invalidToken()
	}
	b, err := s.openBytes(sealed[1:], "session")
	if err != nil {
		return nil, invalidToken()
	}
	var c claims
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("iam: a token of ours cannot be read: %w", err)
	}
	ses := &session{secret: s.secretOf(sealed), expires: time.Unix(c.Expires, 0).UTC()}
	ses.id = call.Identity{
		Principal: policy.Principal{
			Kind: c.Kind, Account: c.Account, ARN: c.ARN, RoleARN: c.RoleARN, UserID: c.UserID, UserName: c.UserName, Provider: c.Provider,
		},
		AccessKey: c.AccessKey, IssuedAt: time.Unix(c.Issued, 0).UTC(), MFA: c.MFA,
		Tags: c.Tags, Transitive: c.Transitive, SourceIdentity: c.Source,
	}
	if err := s.attachHolder(ctx, g, &ses.id, c.Holder); err != nil {
		return nil, err
	}
	return ses, s.attachPolicies(ctx, &ses.id, &c)
}

// holderOf is the ARN of the user or role whose policies a session has; "" for
// root's.
func holderOf(p *policy.Principal) string {
	switch {
	case p.Kind == policy.User:
		return p.ARN
	case p.Kind == policy.Role, p.Kind == policy.FederatedUser && p.RoleARN != rootARN(p.Account):
		return p.RoleARN
	}
	return ""
}

// attachHolder refuses sessions of who is gone, and gives the others the tags of
// their role or user, below their own.
func (s *Service) attachHolder(ctx context.Context, g *generation, id *call.Identity, was string) error {
	holder := holderOf(&id.Principal)
	if holder == "" {
		return nil
	}
	sub, err := s.subject(ctx, g, holder)
	if err != nil {
		return err
	}
	if sub == nil || sub.id != was {
		return invalidToken()
	}
	if len(sub.tags) > 0 && id.Principal.Kind != policy.FederatedUser {
		all := maps.Clone(sub.tags)
		maps.DeleteFunc(all, func(k, _ string) bool {
			for own := range id.Tags {
				if strings.EqualFold(own, k) {
					return true
				}
			}
			return false
		})
		maps.Copy(all, id.Tags)
		id.Tags = all
	}
	return nil
}

// attachPolicies gives a session its policies, and the limits of its kind.
func (s *Service) attachPolicies(ctx context.Context, id *call.Identity, c *claims) error {
	docs := []string{}
	if c.Policy != "" {
		docs = append(docs, c.Policy)
	}
	for _, a := range c.PolicyARNs {
		doc, ok, err := s.Managed(ctx, c.Account, a)
		if err != nil {
			return err
		}
		if ok { // a policy that was deleted since allows nothing
			docs = append(docs, doc)
		}
	}
	id.HasSession = c.Policy != "" || len(c.PolicyARNs) > 0
	for _, d := range docs {
		p, err := parseStored(d)
		if err != nil {
			return err
		}
		id.Session = append(id.Session, p)
	}
	switch c.Kind {
	case policy.User, policy.Root:
		id.Session, id.HasSession = append(id.Session, everything, sessionTokenLimits), true
	case policy.FederatedUser:
		id.Session, id.HasSession = append(id.Session, federationLimits), true
	}
	return nil
}

// What credentials of GetSessionToken without a second factor, and those of
// GetFederationToken, may never do.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
var (
	sessionTokenLimits = mustParse(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Action":"iam:*","Resource":"*"},
		{"Effect":"Deny","Action":["sts:Get*Token","sts:Decode*","sts:AssumeRoot","sts:GetAccessKeyInfo"],"Resource":"*"}]}`)
	federationLimits = mustParse(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Action":["iam:*","sts:*"],"Resource":"*"}]}`)
)
