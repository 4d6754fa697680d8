package call

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/policy"
)

// Need is one permission that an operation takes.
type Need struct {
	Action   string // "s3:GetObject"
	Resource string // an ARN, or "*"
	// Owner is the account that the resource belongs to; "" means the caller's.
	Owner string
	// Policy is the resource's own policy, if it has one.
	Policy *policy.Policy
	// PolicyDecides says that the resource's policy must allow, whatever the
	// caller's own policies say, as with a role's trust policy.
	PolicyDecides bool
	// Keys are the condition keys that belong to this resource or operation, in
	// lower case: "s3:prefix".
	Keys map[string][]string
}

// Access is an access rule: from an input to the permissions that it takes.
type Access[I any] struct {
	actions []string
	why     string
	needs   func(context.Context, *Decoded, *I) ([]Need, error)
}

// Allow is the rule of most operations: one action on one resource.
func Allow[I any](action string, resource func(rq *Decoded, in *I) string) Access[I] {
	return Access[I]{
		actions: []string{action},
		needs: func(_ context.Context, rq *Decoded, in *I) ([]Need, error) {
			return []Need{{Action: action, Resource: resource(rq, in)}}, nil
		},
	}
}

// Any is the rule of operations that have no resource to name, such as listings:
// the action on "*".
func Any[I any](action string) Access[I] {
	return Allow(action, func(*Decoded, *I) string { return "*" })
}

// Rule is a rule that has to look: at several resources, or at a resource's own
// policy. actions lists every action that it may ask for. An error that it
// returns is answered as it is, before the caller is known to be allowed, so it
// must not tell what a stranger should not know.
func Rule[I any](f func(ctx context.Context, rq *Decoded, in *I) ([]Need, error), actions ...string) Access[I] {
	return Access[I]{actions: actions, needs: f}
}

// Open is the rule of the few operations that AWS lets every authenticated
// caller do; why says where AWS says so.
func Open[I any](why string) Access[I] {
	return Access[I]{why: why, needs: func(context.Context, *Decoded, *I) ([]Need, error) { return nil, nil }}
}
