package call

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Identities knows who callers are and what they may do. IAM's room is one.
type Identities interface {
	// Key returns the identity that signs with an access key, and the key's
	// secret. token is the session token that came with it, "" if none. A key
	// that is unknown, inactive or expired gives the common fault for it.
	Key(ctx context.Context, accessKey, token string) (Identity, string, error)
	// Policies returns the policies that bound an identity: identity-based,
	// boundary, organisation. Session policies are in the identity.
	Policies(ctx context.Context, id Identity) (policy.Sets, error)
	// Assume makes the identity of a role session for a service that the role
	// must trust; AccessDenied if it does not.
	Assume(ctx context.Context, role, session, service string) (Identity, error)
}

// Mode says what the gate does with a caller that is not allowed.
type Mode uint8

// The modes.
const (
	Enforce Mode = iota // refuse
	Audit               // let through and record what would have been refused
	Off                 // do not ask
)

// Gate decides at AUTHORISE.
type Gate struct {
	Identities Identities
	Mode       Mode
	// Denied is told of every refusal, also of those that Audit lets through.
	Denied func(ctx context.Context, d *Decoded, need Need, message string)
}

// Ask asks whether a caller at a public face may do need, which no operation
// stands for: execute-api:Invoke on an API's method. It returns the fault to
// answer with.
func (g *Gate) Ask(ctx context.Context, in Incoming, id Identity, need Need) error {
	return g.allow(ctx, &Decoded{Authenticated: &Authenticated{in, id}}, []Need{need})
}

func (g *Gate) allow(ctx context.Context, d *Decoded, needs []Need) error {
	if g.Mode == Off || len(needs) == 0 {
		if g.Mode != Off && len(needs) == 0 && d.id.Principal.Kind == policy.Anonymous && !d.b.Op.NoAuth {
			return fault.Of(fault.MissingAuthenticationToken, "Missing Authentication Token")
		}
		return nil
	}
	sets, err := g.Identities.Policies(ctx, d.id)
	if err != nil {
		return err
	}
	sets.Session, sets.HasSession = d.id.Session, d.id.HasSession
	for i := range needs {
		n := &needs[i]
		set := sets
		set.Resource, set.ResourceRequired = n.Policy, n.PolicyDecides
		rq := policy.Request{
			Principal: d.id.Principal, Action: n.Action, Resource: n.Resource, ResourceAccount: n.Owner,
			Context: &keys{d: d, n: n},
		}
		dec := policy.Evaluate(&rq, &set)
		if dec.Allowed {
			continue
		}
		msg := policy.Message(&rq, dec)
		if g.Denied != nil {
			g.Denied(ctx, d, *n, msg)
		}
		if g.Mode == Enforce {
			return fault.Of(fault.AccessDenied, "%s", msg)
		}
	}
	return nil
}

// keys offers the condition keys of a request that do not follow from its
// principal, which policy knows itself. Names come in lower case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
type keys struct {
	d   *Decoded
	n   *Need
	one [1]string
}

// Lookup implements policy.Context.
func (k *keys) Lookup(name string) []string {
	if v, ok := k.n.Keys[name]; ok {
		return v
	}
	if name == "aws:calledvia" {
		return k.d.in.Via
	}
	if v := k.global(name); v != "" {
		k.one[0] = v
		return k.one[:]
	}
	return nil
}

func (k *keys) global(name string) string {
	in, id := &k.d.in, &k.d.id
	service := id.Principal.Kind == policy.Service
	switch name {
	case "aws:currenttime":
		return in.Time.UTC().Format(time.RFC3339)
	case "aws:epochtime":
		return strconv.FormatInt(in.Time.Unix(), 10)
	case "aws:requestedregion":
		return in.Region
	case "aws:securetransport":
		return strconv.FormatBool(in.Secure())
	case "aws:sourceip":
		if in.SourceIP.IsValid() && !service {
			return in.SourceIP.Unmap().String()
		}
	case "aws:useragent":
		return in.UserAgent
	case "aws:sourcearn":
		return id.SourceARN
	case "aws:sourceaccount":
		return id.SourceAccount
	case "aws:sourceidentity":
		return id.SourceIdentity
	case "aws:viaawsservice":
		return strconv.FormatBool(len(in.Via) > 0)
	case "aws:calledviafirst":
		if len(in.Via) > 0 {
			return in.Via[0]
		}
	case "aws:calledvialast":
		if n := len(in.Via); n > 0 {
			return in.Via[n-1]
		}
	case "aws:multifactorauthpresent":
		if !id.IssuedAt.IsZero() {
			return strconv.FormatBool(id.MFA)
		}
	case "aws:tokenissuetime":
		if !id.IssuedAt.IsZero() {
			return id.IssuedAt.UTC().Format(time.RFC3339)
		}
	}
	if tag, ok := strings.CutPrefix(name, "aws:principaltag/"); ok {
		for t, v := range id.Tags {
			if strings.EqualFold(t, tag) {
				return v
			}
		}
	}
	return ""
}
