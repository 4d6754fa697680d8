package policy

import (
	"strings"
	"testing"
)

const (
	ownAccount   = "111122223333"
	otherAccount = "444455556666"
	bucket       = "arn:aws:s3:::b/k"
)

var (
	ann     = Principal{Kind: User, Account: ownAccount, ARN: "arn:aws:iam::111122223333:user/ann", UserName: "ann", UserID: "AIDAANN"}
	session = Principal{Kind: Role, Account: ownAccount, ARN: "arn:aws:sts::111122223333:assumed-role/r/s", RoleARN: "arn:aws:iam::111122223333:role/r", UserID: "AROAR:s"}
	linked  = Principal{Kind: Role, Account: ownAccount, ARN: "arn:aws:sts::111122223333:assumed-role/l/s", RoleARN: "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/l"}
	rootUsr = Principal{Kind: Root, Account: ownAccount, ARN: "arn:aws:iam::111122223333:root", UserID: ownAccount}
	fedUser = Principal{Kind: FederatedUser, Account: ownAccount, ARN: "arn:aws:sts::111122223333:federated-user/f", RoleARN: "arn:aws:iam::111122223333:user/ann"}
	nobody  = Principal{}
	lambda  = Principal{Kind: Service, Service: "lambda.amazonaws.com"}
	google  = Principal{Kind: Federated, Provider: "accounts.google.com"}
)

// TestEvaluate walks every branch. A policy is written as a few words, see policies.
func TestEvaluate(t *testing.T) {
	tests := []struct {
		name     string
		who      Principal
		owner    string
		identity string
		boundary string // "-" is a boundary that allows nothing
		session  string
		resource string
		scp      string // levels divided by ;
		required bool
		want     Reason
	}{
		{name: "nothing", who: ann, want: NoIdentityAllow},
		{name: "identity", who: ann, identity: "allow", want: AllowedByIdentity},
		{name: "identity for another action", who: ann, identity: "other", want: NoIdentityAllow},
		{name: "second policy", who: ann, identity: "other, allow", want: AllowedByIdentity},
		{name: "identity deny", who: ann, identity: "allow, deny", want: ExplicitIdentityDeny},
		{name: "role", who: session, identity: "allow", want: AllowedByIdentity},
		{name: "owner said", who: ann, owner: ownAccount, identity: "allow", want: AllowedByIdentity},

		{name: "boundary allows", who: ann, identity: "allow", boundary: "allow", want: AllowedByIdentity},
		{name: "boundary does not", who: ann, identity: "allow", boundary: "other", want: NoBoundaryAllow},
		{name: "boundary is empty", who: ann, identity: "allow", boundary: "-", want: NoBoundaryAllow},
		{name: "boundary gives nothing", who: ann, boundary: "allow", want: NoIdentityAllow},
		{name: "boundary denies", who: ann, identity: "allow", boundary: "deny", want: ExplicitBoundaryDeny},

		{name: "session allows", who: session, identity: "allow", session: "allow", want: AllowedByIdentity},
		{name: "session does not", who: session, identity: "allow", session: "other", want: NoSessionAllow},
		{name: "one of the session's", who: session, identity: "allow", session: "other, allow", want: AllowedByIdentity},
		{name: "session gives nothing", who: session, session: "allow", want: NoIdentityAllow},
		{name: "session denies", who: session, identity: "allow", session: "allow, deny", want: ExplicitSessionDeny},
		{name: "federated user without session policy", who: fedUser, identity: "allow", want: NoSessionAllow},
		{name: "federated user", who: fedUser, identity: "allow", session: "allow", want: AllowedByIdentity},
		{name: "federated user directly", who: fedUser, resource: "allow=arn:aws:sts::111122223333:federated-user/f", want: AllowedByResource},
		{name: "federated user by the user", who: fedUser, session: "other", resource: "allow=arn:aws:iam::111122223333:user/ann", want: NoSessionAllow},

		{name: "scp allows", who: ann, identity: "allow", scp: "allow;allow", want: AllowedByIdentity},
		{name: "one level of scp does not", who: ann, identity: "allow", scp: "allow;other", want: NoSCPAllow},
		{name: "an empty level", who: ann, identity: "allow", scp: "allow;", want: NoSCPAllow},
		{name: "scp denies", who: ann, identity: "allow", scp: "allow;allow, deny", want: ExplicitSCPDeny},
		{name: "scp denies root", who: rootUsr, scp: "allow, deny", want: ExplicitSCPDeny},
		{name: "scp does not allow root", who: rootUsr, scp: "other", want: NoSCPAllow},
		{name: "scp spares service-linked roles", who: linked, identity: "allow", scp: "deny", want: AllowedByIdentity},
		{name: "scp spares services", who: lambda, resource: "allow=service", scp: "deny", want: AllowedByResource},
		{name: "scp before resource", who: ann, resource: "allow=arn:aws:iam::111122223333:user/ann", scp: "other", want: NoSCPAllow},

		{name: "resource names the user", who: ann, resource: "allow=arn:aws:iam::111122223333:user/ann", want: AllowedByResource},
		{name: "resource names the user, boundary does not allow", who: ann, boundary: "other", resource: "allow=arn:aws:iam::111122223333:user/ann", want: AllowedByResource},
		{name: "resource names the user, boundary denies", who: ann, boundary: "deny", resource: "allow=arn:aws:iam::111122223333:user/ann", want: ExplicitBoundaryDeny},
		{name: "resource names the account", who: ann, resource: "allow=111122223333", want: NoIdentityAllow},
		{name: "resource names the account, identity allows", who: ann, identity: "allow", resource: "allow=111122223333", want: AllowedByIdentity},
		{name: "resource names everybody", who: ann, boundary: "other", resource: "allow=*", want: AllowedByResource},
		{name: "resource names the role", who: session, resource: "allow=arn:aws:iam::111122223333:role/r", want: AllowedByResource},
		{name: "resource names the role, boundary does not allow", who: session, boundary: "other", resource: "allow=arn:aws:iam::111122223333:role/r", want: NoBoundaryAllow},
		{name: "resource names the role, session does not allow", who: session, session: "other", resource: "allow=arn:aws:iam::111122223333:role/r", want: NoSessionAllow},
		{name: "resource names the role, both allow", who: session, boundary: "allow", session: "allow", resource: "allow=arn:aws:iam::111122223333:role/r", want: AllowedByResource},
		{name: "resource names the session", who: session, boundary: "other", session: "other", resource: "allow=arn:aws:sts::111122223333:assumed-role/r/s", want: AllowedByResource},
		{name: "resource names role and session", who: session, boundary: "other", resource: "allow=arn:aws:iam::111122223333:role/r, allow=arn:aws:sts::111122223333:assumed-role/r/s", want: AllowedByResource},
		{name: "resource names somebody else", who: ann, resource: "allow=arn:aws:iam::111122223333:user/bob", want: NoIdentityAllow},
		{name: "resource denies", who: ann, identity: "allow", resource: "deny=*", want: ExplicitResourceDeny},
		{name: "resource denies the account", who: ann, identity: "allow", resource: "deny=111122223333", want: ExplicitResourceDeny},
		{name: "resource denies the role", who: session, identity: "allow", resource: "deny=arn:aws:iam::111122223333:role/r", want: ExplicitResourceDeny},
		{name: "resource denies somebody else", who: ann, identity: "allow", resource: "deny=arn:aws:iam::111122223333:user/bob", want: AllowedByIdentity},
		{name: "resource denies all but", who: ann, identity: "allow", resource: "denynot=arn:aws:iam::111122223333:user/ann", want: AllowedByIdentity},
		{name: "resource denies all but another", who: ann, identity: "allow", resource: "denynot=arn:aws:iam::111122223333:user/bob", want: ExplicitResourceDeny},
		{name: "NotPrincipal hits whoever has a boundary", who: ann, identity: "allow", boundary: "allow", resource: "denynot=arn:aws:iam::111122223333:user/ann", want: ExplicitResourceDeny},

		{name: "root", who: rootUsr, want: AllowedAsRoot},
		{name: "root denied by resource", who: rootUsr, resource: "deny=*", want: ExplicitResourceDeny},
		{name: "root elsewhere", who: rootUsr, owner: otherAccount, want: NoResourceAllow},
		{name: "root elsewhere, allowed", who: rootUsr, owner: otherAccount, resource: "allow=111122223333", want: AllowedByResource},
		{name: "root and a required policy", who: rootUsr, required: true, want: NoResourceAllow},
		{name: "root and a required policy that allows", who: rootUsr, required: true, resource: "allow=111122223333", want: AllowedByResource},

		{name: "across, neither", who: ann, owner: otherAccount, want: NoIdentityAllow},
		{name: "across, identity only", who: ann, owner: otherAccount, identity: "allow", want: NoResourceAllow},
		{name: "across, resource only", who: ann, owner: otherAccount, resource: "allow=arn:aws:iam::111122223333:user/ann", want: NoIdentityAllow},
		{name: "across, public resource only", who: ann, owner: otherAccount, resource: "allow=*", want: NoIdentityAllow},
		{name: "across, both", who: ann, owner: otherAccount, identity: "allow", resource: "allow=arn:aws:iam::111122223333:user/ann", want: AllowedByBoth},
		{name: "across, both by account", who: ann, owner: otherAccount, identity: "allow", resource: "allow=111122223333", want: AllowedByBoth},
		{name: "across, session named directly", who: session, owner: otherAccount, identity: "allow", session: "other", resource: "allow=arn:aws:sts::111122223333:assumed-role/r/s", want: NoSessionAllow},
		{name: "across, boundary", who: ann, owner: otherAccount, identity: "allow", boundary: "other", resource: "allow=*", want: NoBoundaryAllow},
		{name: "across, resource denies", who: ann, owner: otherAccount, identity: "allow", resource: "allow=*, deny=111122223333", want: ExplicitResourceDeny},
		{name: "across, identity denies", who: ann, owner: otherAccount, identity: "deny", resource: "allow=*", want: ExplicitIdentityDeny},

		{name: "anonymous", who: nobody, owner: ownAccount, want: NoResourceAllow},
		{name: "anonymous, public", who: nobody, owner: ownAccount, resource: "allow=*", want: AllowedByResource},
		{name: "anonymous, account", who: nobody, owner: ownAccount, resource: "allow=111122223333", want: NoResourceAllow},
		{name: "anonymous, identity is not asked", who: nobody, identity: "allow", want: NoResourceAllow},
		{name: "anonymous, denied", who: nobody, resource: "allow=*, deny=*", want: ExplicitResourceDeny},
		{name: "service", who: lambda, owner: ownAccount, resource: "allow=service", want: AllowedByResource},
		{name: "service, identity is not asked", who: lambda, identity: "allow", want: NoResourceAllow},
		{name: "service, unnamed", who: lambda, resource: "allow=111122223333", want: NoResourceAllow},
		{name: "provider", who: google, resource: "allow=federated", required: true, want: AllowedByResource},
		{name: "provider, unnamed", who: google, resource: "allow=service", required: true, want: NoResourceAllow},

		{name: "trust: identity alone", who: ann, identity: "allow", required: true, want: NoResourceAllow},
		{name: "trust: names the user", who: ann, resource: "allow=arn:aws:iam::111122223333:user/ann", required: true, want: AllowedByResource},
		{name: "trust: names the account", who: ann, resource: "allow=111122223333", required: true, want: NoIdentityAllow},
		{name: "trust: names the account, identity allows", who: ann, identity: "allow", resource: "allow=111122223333", required: true, want: AllowedByIdentity},
		{name: "trust: names the calling role", who: session, resource: "allow=arn:aws:iam::111122223333:role/r", required: true, want: AllowedByResource},
		{name: "trust: across", who: ann, owner: otherAccount, identity: "allow", resource: "allow=111122223333", required: true, want: AllowedByBoth},
		{name: "trust: across, not named", who: ann, owner: otherAccount, identity: "allow", required: true, want: NoResourceAllow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Sets{ResourceRequired: tt.required, Identity: policies(t, tt.identity)}
			if tt.boundary != "" {
				s.HasBoundary = true
				if tt.boundary != "-" {
					s.Boundary = policies(t, tt.boundary)[0]
				}
			}
			if tt.session != "" {
				s.HasSession, s.Session = true, policies(t, tt.session)
			}
			if tt.resource != "" {
				s.Resource = resourcePolicy(t, tt.resource)
			}
			if tt.scp != "" {
				for _, level := range strings.Split(tt.scp, ";") {
					s.SCP = append(s.SCP, policies(t, level))
				}
			}
			r := Request{Principal: tt.who, Action: "s3:GetObject", Resource: bucket, ResourceAccount: tt.owner}
			d := Evaluate(&r, &s)
			if d.Reason != tt.want {
				t.Fatalf("got %s, want %s", d.Reason, tt.want)
			}
			if d.Allowed != (d.Reason >= AllowedByIdentity) {
				t.Errorf("%v says Allowed is %v", d.Reason, d.Allowed)
			}
			if stated := d.Reason.Explicit() || d.Allowed && d.Reason != AllowedAsRoot; stated != (d.Statement != nil) || stated != (d.Policy != nil) {
				t.Errorf("%v gives policy %v and statement %v", d.Reason, d.Policy, d.Statement)
			}
			if (Message(&r, d) == "") != d.Allowed {
				t.Errorf("message of %v is %q", d.Reason, Message(&r, d))
			}
		})
	}
}

// policies makes policies without principals of the words allow, deny and other,
// which allows something else.
func policies(t testing.TB, words string) (list []*Policy) {
	t.Helper()
	for word := range strings.SplitSeq(words, ",") {
		switch strings.TrimSpace(word) {
		case "":
		case "allow":
			list = append(list, must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}`))
		case "deny":
			list = append(list, must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:Get*","Resource":"*"}}`))
		case "other":
			list = append(list, must(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"},{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::c"}]}`))
		default:
			t.Fatalf("policies: %q", word)
		}
	}
	return list
}

// resourcePolicy makes one policy of words like allow=PRINCIPAL, deny=PRINCIPAL
// and denynot=PRINCIPAL.
func resourcePolicy(t testing.TB, words string) *Policy {
	t.Helper()
	var statements []string
	for word := range strings.SplitSeq(words, ", ") {
		what, who, _ := strings.Cut(word, "=")
		effect, element := "Allow", "Principal"
		switch what {
		case "deny":
			effect = "Deny"
		case "denynot":
			effect, element = "Deny", "NotPrincipal"
		}
		entry := `{"AWS":"` + who + `"}`
		switch who {
		case "service":
			entry = `{"Service":"lambda.amazonaws.com"}`
		case "federated":
			entry = `{"Federated":"accounts.google.com"}`
		}
		statements = append(statements, `{"Effect":"`+effect+`","`+element+`":`+entry+`,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`)
	}
	return must(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
}

// TestCarlos is the worked example of AWS's page on evaluation logic.
func TestCarlos(t *testing.T) {
	identity := must(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"AllowS3ListRead","Effect":"Allow","Action":["s3:GetBucketLocation","s3:GetAccountPublicAccessBlock","s3:ListAccessPoints","s3:ListAllMyBuckets"],"Resource":"arn:aws:s3:::*"},
		{"Sid":"AllowS3Self","Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::carlossalazar/*","arn:aws:s3:::carlossalazar"]},
		{"Sid":"DenyS3Logs","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*log*"}]}`)
	carlos := Principal{Kind: User, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/carlossalazar", UserName: "carlossalazar"}
	tests := []struct {
		action, resource, sid string
		want                  Reason
	}{
		{"s3:PutObject", "arn:aws:s3:::carlossalazar-logs/x", "DenyS3Logs", ExplicitIdentityDeny},
		{"s3:PutObject", "arn:aws:s3:::carlossalazar/x", "AllowS3Self", AllowedByIdentity},
		{"s3:GetBucketLocation", "arn:aws:s3:::somebody", "AllowS3ListRead", AllowedByIdentity},
		{"s3:PutObject", "arn:aws:s3:::somebody/x", "", NoIdentityAllow},
	}
	for _, tt := range tests {
		d := Evaluate(&Request{Principal: carlos, Action: tt.action, Resource: tt.resource}, &Sets{Identity: []*Policy{identity}})
		sid := ""
		if d.Statement != nil {
			sid = d.Statement.Sid
		}
		if d.Reason != tt.want || sid != tt.sid {
			t.Errorf("%s %s: got %v by %q", tt.action, tt.resource, d.Reason, sid)
		}
	}
}

// TestWebIdentityTrust is the trust policy that CI systems use.
func TestWebIdentityTrust(t *testing.T) {
	trust := must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
		"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"},
		"StringLike":{"token.actions.githubusercontent.com:sub":"repo:octo-org/octo-repo:*"}}}}`)
	if err := ValidateTrust(trust); err != nil {
		t.Fatal(err)
	}
	for sub, want := range map[string]bool{"repo:octo-org/octo-repo:ref:refs/heads/main": true, "repo:evil/octo-repo:x": false} {
		r := Request{
			Principal: Principal{Kind: Federated, Provider: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
			Action:    "sts:AssumeRoleWithWebIdentity", Resource: "arn:aws:iam::111122223333:role/ci", ResourceAccount: ownAccount,
			Context: Keys{"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"}, "token.actions.githubusercontent.com:sub": {sub}},
		}
		if got := Evaluate(&r, &Sets{Resource: trust, ResourceRequired: true}).Allowed; got != want {
			t.Errorf("%s: got %v", sub, got)
		}
	}
}

func TestMessage(t *testing.T) {
	const ask = "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k"
	tests := []struct {
		why  Reason
		want string
	}{
		{NoIdentityAllow, ask + " because no identity-based policy allows the s3:GetObject action"},
		{NoBoundaryAllow, ask + " because no permissions boundary allows the s3:GetObject action"},
		{NoSessionAllow, ask + " because no session policy allows the s3:GetObject action"},
		{NoResourceAllow, ask + " because no resource-based policy allows the s3:GetObject action"},
		{NoSCPAllow, ask + " because no service control policy allows the s3:GetObject action"},
		{ExplicitIdentityDeny, ask + " with an explicit deny in an identity-based policy"},
		{ExplicitBoundaryDeny, ask + " with an explicit deny in a permissions boundary"},
		{ExplicitSessionDeny, ask + " with an explicit deny in a session policy"},
		{ExplicitResourceDeny, ask + " with an explicit deny in a resource-based policy"},
		{ExplicitSCPDeny, ask + " with an explicit deny in a service control policy"},
	}
	r := Request{Principal: ann, Action: "s3:GetObject", Resource: bucket}
	for _, tt := range tests {
		if got := Message(&r, Decision{Reason: tt.why}); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	trust := Request{Principal: session, Action: "sts:AssumeRole"}
	if got, want := Message(&trust, Decision{Reason: NoResourceAllow}), "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: sts:AssumeRole because no role trust policy allows the sts:AssumeRole action"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := Message(&trust, Decision{Reason: ExplicitResourceDeny}), "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: sts:AssumeRole with an explicit deny in the role trust policy"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := Message(&Request{Action: "s3:GetObject"}, Decision{Reason: NoResourceAllow}); !strings.HasPrefix(got, "User: anonymous is not authorized") {
		t.Errorf("got %s", got)
	}
}
