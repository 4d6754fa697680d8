package policy

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// Kind says what sort of principal makes a request.
type Kind uint8

// The kinds of principals.
const (
	Anonymous     Kind = iota // nobody signed the request
	Root                      // the account itself
	User                      // an IAM user
	Role                      // a session of an assumed role
	FederatedUser             // a session from GetFederationToken
	Federated                 // somebody known to an identity provider, who has no session yet
	Service                   // an AWS service
)

// Principal is who makes a request.
type Principal struct {
	Kind Kind
	// Account is the twelve-digit account of a Root, User, Role or FederatedUser.
	Account string
	// ARN names the principal: arn:aws:iam::A:root, arn:aws:iam::A:user/…,
	// arn:aws:sts::A:assumed-role/ROLE/SESSION, arn:aws:sts::A:federated-user/….
	ARN string
	// RoleARN is the ARN, with its path, of what a session was made from: of a
	// Role the role, of a FederatedUser the user.
	RoleARN string
	// UserID is aws:userid: AIDA… of a user, AROA…:SESSION of a role's session, the
	// account of its root, ACCOUNT:NAME of a federated user.
	UserID string
	// UserName is the name of a User, without its path.
	UserName string
	// Service is a service's name, lambda.amazonaws.com say.
	Service string
	// Provider is the identity provider of a Federated principal, and of a Role
	// session that came from one: its ARN, or a web provider's domain.
	Provider string
	// CanonicalUser is the account's canonical user ID in S3, if it is known.
	CanonicalUser string
}

// String names the principal as access-denied messages do.
func (p *Principal) String() string {
	switch {
	case p.Kind == Anonymous:
		return "anonymous"
	case p.ARN != "":
		return p.ARN
	case p.Kind == Service:
		return p.Service
	}
	return p.Provider
}

// inAccount reports whether the principal belongs to an account, and so can
// have identity-based policies.
func (p *Principal) inAccount() bool {
	return p.Kind >= Root && p.Kind <= FederatedUser
}

// iamARN is aws:PrincipalArn, which for a session of a role is the role.
func (p *Principal) iamARN() string {
	if p.Kind == Role && p.RoleARN != "" {
		return p.RoleARN
	}
	return p.ARN
}

// serviceLinked reports a role that service control policies do not restrict.
func (p *Principal) serviceLinked() bool {
	return p.Kind == Role && strings.Contains(p.RoleARN, ":role/aws-service-role/")
}

// typeName is aws:PrincipalType.
func (p *Principal) typeName() string {
	switch p.Kind {
	case Anonymous:
		return "Anonymous"
	case Root:
		return "Account"
	case User:
		return "User"
	case Role:
		return "AssumedRole"
	case FederatedUser:
		return "FederatedUser"
	}
	return ""
}

// reach is how a Principal element names a principal, from not at all to most
// directly. Within an account it decides which other policies can still limit
// what the resource's policy allows.
type reach uint8

const (
	unnamed   reach = iota
	byAccount       // its account: leaves the decision to the account's own policies
	bySource        // the role or user that its session was made from
	byItself        // itself, or everybody
)

// principalMatch is one compiled entry of a Principal element.
type principalMatch struct {
	kind  principalKind
	value string
	// Of a service named with a region: the name without it, and the region.
	global, region string
}

type principalKind uint8

const (
	everybody principalKind = iota
	account
	entityARN
	entityID
	service
	anyService
	provider
	anyProvider
	canonical
)

func invalidPrincipal(kind, value string) error {
	return malformed("Invalid principal in policy: %q:%q", kind, value)
}

// compilePrincipal checks and takes apart one entry. Wildcards are refused but
// for a lone *, as AWS refuses to match parts of names.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func compilePrincipal(e PrincipalEntry) (principalMatch, error) {
	m := principalMatch{value: e.Value}
	bad := e.Value == "" || e.Value != "*" && strings.ContainsAny(e.Value, "*?")
	switch e.Type {
	case "AWS":
		a, isARN := arn.Parse(e.Value)
		switch {
		case e.Value == "*":
			m.kind = everybody
		case isAccount(e.Value):
			m.kind = account
		case isARN && (a.Service == "iam" || a.Service == "sts") && a.Region == "" && isAccount(a.Account):
			m.kind = entityARN
			if a.Resource == "root" {
				m.kind, m.value = account, a.Account
			}
		case len(e.Value) >= 16 && e.Value[0] == 'A' && !strings.ContainsAny(e.Value, "./ "):
			m.kind = entityID // what IAM shows for a user or role that was deleted since
		default:
			bad = true
		}
	case "Service":
		m.kind = service
		if e.Value == "*" {
			m.kind = anyService
			break
		}
		name, rest, dotted := strings.Cut(e.Value, ".")
		if region, domain, ok := strings.Cut(rest, "."); ok && strings.HasPrefix(domain, "amazonaws.com") && strings.Count(region, "-") >= 2 {
			m.global, m.region = name+"."+domain, region
		}
		bad = bad || !dotted
	case "Federated":
		m.kind = provider
		if e.Value == "*" {
			m.kind = anyProvider
		}
	case "CanonicalUser":
		m.kind = canonical
		bad = bad || e.Value == "*"
	}
	if bad {
		return m, invalidPrincipal(e.Type, e.Value)
	}
	return m, nil
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// matchPrincipal reports how the statement names the request's principal.
func (s *Statement) matchPrincipal(e *evaluation) reach {
	best := unnamed
	for i := range s.principals {
		best = max(best, s.principals[i].match(e))
	}
	if s.NotPrincipal == nil {
		return best
	}
	if best == unnamed || !s.Allow && e.bounded {
		return byItself
	}
	return unnamed
}

func (m *principalMatch) match(e *evaluation) reach {
	p := &e.request.Principal
	named := false
	switch m.kind {
	case everybody:
		named = true
	case account:
		if p.inAccount() && m.value == p.Account {
			return byAccount
		}
	case canonical:
		if p.inAccount() && m.value == p.CanonicalUser {
			return byAccount
		}
	case entityARN:
		if p.inAccount() && p.Kind != User && m.value == p.RoleARN {
			return bySource
		}
		named = p.inAccount() && m.value == p.ARN
	case entityID:
		id, _, session := strings.Cut(p.UserID, ":")
		if session && p.Kind == Role && m.value == id {
			return bySource
		}
		named = p.inAccount() && m.value == p.UserID
	case service:
		named = p.Kind == Service && (m.value == p.Service || m.global == p.Service && m.global != "" && e.inRegion(m.region))
	case anyService:
		named = p.Kind == Service
	case provider, anyProvider:
		named = p.Provider != "" && (m.kind == anyProvider || m.value == p.Provider)
		if named && p.Kind == Role {
			return bySource
		}
	}
	if named {
		return byItself
	}
	return unnamed
}

func (e *evaluation) inRegion(region string) bool {
	if e.request.Context == nil {
		return false
	}
	v := e.request.Context.Lookup("aws:requestedregion")
	return len(v) == 1 && v[0] == region
}
