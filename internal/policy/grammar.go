package policy

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// The versions of the policy language. A document without Version is of V2008,
// in which ${...} is ordinary text.
const (
	V2008 = "2008-10-17"
	V2012 = "2012-10-17"
)

// Policy is a parsed and compiled document. It is immutable and safe for
// concurrent use.
type Policy struct {
	version    string
	id         string
	statements []Statement
	deny       []*Statement
	allow      []*Statement
}

// Version is the document's Version, V2008 if it has none.
func (p *Policy) Version() string { return p.version }

// ID is the document's Id, "" if it has none.
func (p *Policy) ID() string { return p.id }

// Statements returns the statements in the document's order. The slice and what
// it refers to belong to the policy: do not change them.
func (p *Policy) Statements() []Statement { return p.statements }

// Statement is one statement as it was written, for checks that are a room's
// own (a bucket policy's resources, say). A list that was not there is nil.
type Statement struct {
	Sid           string
	Allow         bool
	Action        []string
	NotAction     []string
	Resource      []string
	NotResource   []string
	Principal     []PrincipalEntry
	NotPrincipal  []PrincipalEntry
	HasConditions bool

	actions    []pattern
	resources  []pattern
	principals []principalMatch
	conditions []condition
}

// PrincipalEntry is one value of a Principal element: Type is AWS, Service,
// Federated or CanonicalUser. "Principal": "*" is the entry {AWS, *}.
type PrincipalEntry struct {
	Type, Value string
}

// ValidateIdentity checks what identity-based policies must hold beyond the
// grammar: actions and resources, and no principal. It is also the check for
// inline policies, boundaries and session policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html
func ValidateIdentity(p *Policy) error {
	for i := range p.statements {
		s := &p.statements[i]
		if s.Principal != nil || s.NotPrincipal != nil {
			return malformed("Policy document should not specify a principal.")
		}
		if err := needActions(s); err != nil {
			return err
		}
		if len(s.Resource) == 0 && len(s.NotResource) == 0 {
			return malformed("Policy statement must contain resources.")
		}
		if err := checkResources(s); err != nil {
			return err
		}
	}
	return checkSids(p, true)
}

// ValidateManaged is ValidateIdentity for managed policies, which must be of
// version 2012-10-17.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
func ValidateManaged(p *Policy) error {
	if p.version != V2012 {
		return malformed("Policy document must be version 2012-10-17 or greater.")
	}
	return ValidateIdentity(p)
}

// ValidateTrust checks a role's trust policy: a principal in each statement,
// STS actions only, no resource.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html
func ValidateTrust(p *Policy) error {
	for i := range p.statements {
		s := &p.statements[i]
		if s.Resource != nil || s.NotResource != nil {
			return malformed("Has prohibited field Resource")
		}
		if s.NotPrincipal != nil {
			return malformed("Has prohibited field NotPrincipal")
		}
		if s.Principal == nil {
			return malformed("Missing required field Principal")
		}
		if s.Action == nil && s.NotAction == nil {
			return malformed("Missing required field Action")
		}
		if s.NotAction != nil {
			return malformed("Has prohibited field NotAction")
		}
		if err := needActions(s); err != nil {
			return err
		}
		for _, a := range s.Action {
			if vendor, _, _ := strings.Cut(a, ":"); !strings.EqualFold(vendor, "sts") {
				return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
	}
	return checkSids(p, true)
}

// ValidateResource checks a resource-based policy: a principal and an action in
// each statement. Whether a Resource must be there, and which ones may, is for
// the service to say; without one the statement is about the resource that the
// policy is attached to.
func ValidateResource(p *Policy) error {
	for i := range p.statements {
		s := &p.statements[i]
		if s.Principal == nil && s.NotPrincipal == nil {
			return malformed("Missing required field Principal")
		}
		if s.NotPrincipal != nil && s.Allow {
			return malformed("NotPrincipal must be used with Effect Deny; with Effect Allow it is not supported.")
		}
		if err := needActions(s); err != nil {
			return err
		}
		if err := checkResources(s); err != nil {
			return err
		}
	}
	return checkSids(p, false)
}

func needActions(s *Statement) error {
	if len(s.Action) == 0 && len(s.NotAction) == 0 {
		return malformed("Policy statement must contain actions.")
	}
	for _, list := range [2][]string{s.Action, s.NotAction} {
		for _, a := range list {
			if err := checkAction(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAction holds an action to vendor:name, where only the whole vendor may be *.
func checkAction(a string) error {
	if a == "*" {
		return nil
	}
	vendor, name, ok := strings.Cut(a, ":")
	if !ok || vendor == "" {
		return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	}
	if strings.Contains(name, ":") {
		return malformed("Actions/Condition can contain only one colon.")
	}
	if vendor != "*" && strings.Trim(vendor, alphanumeric+"-_.") != "" {
		return malformed("Vendor %s is not valid", vendor)
	}
	if name == "" {
		return malformed("Action %s names no action after its vendor.", a)
	}
	return nil
}

func checkResources(s *Statement) error {
	for _, list := range [2][]string{s.Resource, s.NotResource} {
		for _, r := range list {
			if err := checkResource(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkResource(r string) error {
	if r == "*" {
		return nil
	}
	if !arn.Is(r) {
		return malformed("Resource %s must be in ARN format or \"*\".", r)
	}
	parts := strings.SplitN(r, ":", 6)
	if len(parts) < 3 || parts[2] == "" || strings.ContainsAny(parts[2], "*?") && parts[2] != "*" {
		return malformed("Resource vendor must be fully qualified and cannot contain regexes.")
	}
	if len(parts) < 6 && !strings.HasSuffix(r, "*") {
		return malformed("The policy failed legacy parsing")
	}
	if !strings.HasPrefix(parts[1], "aws") && !strings.ContainsAny(parts[1], "*?") {
		return malformed("Partition %q is not valid for resource %q.", parts[1], r)
	}
	return nil
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// checkSids refuses two statements of one Sid and, in IAM's own policies, a Sid
// that is not alphanumeric.
func checkSids(p *Policy, plain bool) error {
	seen := make(map[string]bool, len(p.statements))
	for i := range p.statements {
		sid := p.statements[i].Sid
		if sid == "" {
			continue
		}
		if plain && strings.Trim(sid, alphanumeric) != "" {
			return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
		}
		if seen[sid] {
			return malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		seen[sid] = true
	}
	return nil
}
