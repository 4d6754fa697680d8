package policy

// Request is one call to decide about.
type Request struct {
	Principal Principal
	// Action is the IAM action, dynamodb:GetItem say.
	Action string
	// Resource is the ARN of what the action is about, "*" if it is about nothing
	// in particular.
	Resource string
	// ResourceAccount owns the resource; "" means the principal's own account.
	ResourceAccount string
	// Context has the condition keys; nil means none but those of Principal.
	Context Context
}

// Sets are the policies that apply to a request, by their kinds.
type Sets struct {
	// Identity are the principal's own and its groups' policies; for a session
	// those of its role or user.
	Identity []*Policy
	// Boundary is the permissions boundary; HasBoundary says that there is one. A
	// boundary that is nil allows nothing.
	Boundary    *Policy
	HasBoundary bool
	// Session are the policies passed when the session was made; HasSession says
	// that some were.
	Session    []*Policy
	HasSession bool
	// Resource is the resource-based policy, nil if there is none.
	Resource *Policy
	// ResourceRequired is set for resources whose own policy must allow, because
	// identity-based policies alone never suffice: role trust policies, KMS keys.
	ResourceRequired bool
	// SCP are the service control policies of the principal's account, one list
	// for each level from the organization's root down; each level must allow. Nil
	// if the account is in no organization.
	SCP [][]*Policy
}

// Reason says why a request was allowed or denied.
type Reason uint8

// The reasons. The first allow; of the others those with Explicit in their names
// come from a Deny statement, the rest from the lack of an Allow.
const (
	NoIdentityAllow Reason = iota
	NoBoundaryAllow
	NoSessionAllow
	NoResourceAllow
	NoSCPAllow
	ExplicitIdentityDeny
	ExplicitBoundaryDeny
	ExplicitSessionDeny
	ExplicitResourceDeny
	ExplicitSCPDeny
	AllowedByIdentity
	AllowedByResource
	AllowedByBoth // across accounts
	AllowedAsRoot
)

var reasonNames = [...]string{
	NoIdentityAllow:      "NoIdentityAllow",
	NoBoundaryAllow:      "NoBoundaryAllow",
	NoSessionAllow:       "NoSessionAllow",
	NoResourceAllow:      "NoResourceAllow",
	NoSCPAllow:           "NoSCPAllow",
	ExplicitIdentityDeny: "ExplicitIdentityDeny",
	ExplicitBoundaryDeny: "ExplicitBoundaryDeny",
	ExplicitSessionDeny:  "ExplicitSessionDeny",
	ExplicitResourceDeny: "ExplicitResourceDeny",
	ExplicitSCPDeny:      "ExplicitSCPDeny",
	AllowedByIdentity:    "AllowedByIdentity",
	AllowedByResource:    "AllowedByResource",
	AllowedByBoth:        "AllowedByBoth",
	AllowedAsRoot:        "AllowedAsRoot",
}

// String is the reason's name, for records.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// Explicit reports a denial by a Deny statement.
func (r Reason) Explicit() bool { return r >= ExplicitIdentityDeny && r <= ExplicitSCPDeny }

// Decision is the outcome. The zero Decision denies.
type Decision struct {
	Allowed bool
	Reason  Reason
	// Policy and Statement decided; both are nil if the lack of an Allow did, or
	// the principal is the account's root.
	Policy    *Policy
	Statement *Statement
}

// evaluation is the state of one Evaluate.
type evaluation struct {
	request *Request
	bounded bool // the principal has a permissions boundary
	one     [1]string
}

// hit is a statement that applies; a nil statement says that none does.
type hit struct {
	policy    *Policy
	statement *Statement
}

func (h hit) decide(allowed bool, why Reason) Decision {
	return Decision{Allowed: allowed, Reason: why, Policy: h.policy, Statement: h.statement}
}

func denied(why Reason) Decision { return Decision{Reason: why} }

// Evaluate decides a request as AWS does: a Deny anywhere wins; within an
// account an Allow by the identity or by the resource suffices, within the limits
// of boundary, session and service control policies; across accounts both must
// allow; anonymous callers, services and identities of a provider have nothing
// but the resource's policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func Evaluate(r *Request, s *Sets) Decision {
	e := evaluation{request: r, bounded: s.HasBoundary}
	controlled := r.Principal.inAccount() && !r.Principal.serviceLinked()
	if d, found := e.explicitDeny(s, controlled); found {
		return d
	}
	if controlled {
		for _, level := range s.SCP {
			if e.firstAllow(level).statement == nil {
				return denied(NoSCPAllow)
			}
		}
	}
	resource, named := e.resourceAllow(s.Resource)
	own := r.ResourceAccount == "" || r.ResourceAccount == r.Principal.Account
	switch {
	case !r.Principal.inAccount():
		if named == unnamed {
			return denied(NoResourceAllow)
		}
		return resource.decide(true, AllowedByResource)
	case r.Principal.Kind == Root:
		switch {
		case own && !s.ResourceRequired:
			return Decision{Allowed: true, Reason: AllowedAsRoot}
		case named == unnamed:
			return denied(NoResourceAllow)
		}
		return resource.decide(true, AllowedByResource)
	case own:
		return e.withinAccount(s, resource, named)
	}
	return e.acrossAccounts(s, resource, named)
}

// withinAccount decides for a user or session and a resource of its own account.
// How directly the resource's policy names the principal decides which limits
// still hold.
func (e *evaluation) withinAccount(s *Sets, resource hit, named reach) Decision {
	if named == byItself {
		return resource.decide(true, AllowedByResource)
	}
	granted := resource.decide(true, AllowedByResource)
	if named < bySource {
		if named == unnamed && s.ResourceRequired {
			return denied(NoResourceAllow)
		}
		identity := e.firstAllow(s.Identity)
		if identity.statement == nil {
			return denied(NoIdentityAllow)
		}
		granted = identity.decide(true, AllowedByIdentity)
	}
	if d, ok := e.limits(s); !ok {
		return d
	}
	return granted
}

// acrossAccounts needs the principal's side and the resource's side.
func (e *evaluation) acrossAccounts(s *Sets, resource hit, named reach) Decision {
	if e.firstAllow(s.Identity).statement == nil {
		return denied(NoIdentityAllow)
	}
	if d, ok := e.limits(s); !ok {
		return d
	}
	if named == unnamed {
		return denied(NoResourceAllow)
	}
	return resource.decide(true, AllowedByBoth)
}

// limits applies what can only take away: boundary and session policies. A
// federated user has no permissions without session policies.
func (e *evaluation) limits(s *Sets) (Decision, bool) {
	if s.HasBoundary && e.allowIn(s.Boundary).statement == nil {
		return denied(NoBoundaryAllow), false
	}
	if (s.HasSession || e.request.Principal.Kind == FederatedUser) && e.firstAllow(s.Session).statement == nil {
		return denied(NoSessionAllow), false
	}
	return Decision{}, true
}

func (e *evaluation) explicitDeny(s *Sets, controlled bool) (Decision, bool) {
	if controlled {
		for _, level := range s.SCP {
			if h := e.firstDeny(level); h.statement != nil {
				return h.decide(false, ExplicitSCPDeny), true
			}
		}
	}
	if p := s.Resource; p != nil {
		for _, st := range p.deny {
			if st.applies(e) && st.matchPrincipal(e) != unnamed && st.meets(e) {
				return hit{p, st}.decide(false, ExplicitResourceDeny), true
			}
		}
	}
	if h := e.firstDeny(s.Identity); h.statement != nil {
		return h.decide(false, ExplicitIdentityDeny), true
	}
	if h := e.denyIn(s.Boundary); s.HasBoundary && h.statement != nil {
		return h.decide(false, ExplicitBoundaryDeny), true
	}
	if h := e.firstDeny(s.Session); h.statement != nil {
		return h.decide(false, ExplicitSessionDeny), true
	}
	return Decision{}, false
}

// resourceAllow finds the Allow of a resource-based policy that names the
// principal most directly.
func (e *evaluation) resourceAllow(p *Policy) (hit, reach) {
	var best hit
	named := unnamed
	if p == nil {
		return best, named
	}
	for _, st := range p.allow {
		if !st.applies(e) {
			continue
		}
		if n := st.matchPrincipal(e); n > named && st.meets(e) {
			if best, named = (hit{p, st}), n; n == byItself {
				break
			}
		}
	}
	return best, named
}

func (e *evaluation) firstAllow(list []*Policy) hit {
	for _, p := range list {
		if h := e.allowIn(p); h.statement != nil {
			return h
		}
	}
	return hit{}
}

func (e *evaluation) firstDeny(list []*Policy) hit {
	for _, p := range list {
		if h := e.denyIn(p); h.statement != nil {
			return h
		}
	}
	return hit{}
}

func (e *evaluation) allowIn(p *Policy) hit {
	if p == nil {
		return hit{}
	}
	return e.first(p, p.allow)
}

func (e *evaluation) denyIn(p *Policy) hit {
	if p == nil {
		return hit{}
	}
	return e.first(p, p.deny)
}

func (e *evaluation) first(p *Policy, list []*Statement) hit {
	for _, st := range list {
		if st.applies(e) && st.meets(e) {
			return hit{p, st}
		}
	}
	return hit{}
}

// applies reports whether the statement is about the request's action and resource.
func (s *Statement) applies(e *evaluation) bool {
	return s.matchAction(e.request.Action) && s.matchResource(e)
}
