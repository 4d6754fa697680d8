package policy

import "strings"

// Message words a denial as AWS's access-denied errors do; "" for a request that
// was allowed. r must be the request that d was made for.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func Message(r *Request, d Decision) string {
	if d.Allowed {
		return ""
	}
	m := "User: " + r.Principal.String() + " is not authorized to perform: " + r.Action
	if r.Resource != "" {
		m += " on resource: " + r.Resource
	}
	kind := ""
	switch d.Reason {
	case NoIdentityAllow, ExplicitIdentityDeny:
		kind = "identity-based policy"
	case NoBoundaryAllow, ExplicitBoundaryDeny:
		kind = "permissions boundary"
	case NoSessionAllow, ExplicitSessionDeny:
		kind = "session policy"
	case NoSCPAllow, ExplicitSCPDeny:
		kind = "service control policy"
	case NoResourceAllow, ExplicitResourceDeny:
		kind = "resource-based policy"
		if strings.HasPrefix(r.Action, "sts:") { // the resource is a role, its policy the trust policy
			kind = "role trust policy"
		}
	}
	if !d.Reason.Explicit() {
		return m + " because no " + kind + " allows the " + r.Action + " action"
	}
	article := "a"
	switch {
	case kind == "role trust policy":
		article = "the"
	case d.Reason == ExplicitIdentityDeny:
		article = "an"
	}
	return m + " with an explicit deny in " + article + " " + kind
}
