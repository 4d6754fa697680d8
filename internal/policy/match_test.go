package policy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestActions(t *testing.T) {
	tests := []struct {
		element, value, action string
		want                   bool
	}{
		{"Action", `"s3:GetObject"`, "s3:GetObject", true},
		{"Action", `"S3:getobject"`, "s3:GetObject", true},
		{"Action", `"s3:GetObject"`, "s3:GetObjectAcl", false},
		{"Action", `"s3:Get*"`, "s3:GetObjectAcl", true},
		{"Action", `"s3:*Object"`, "s3:PutObject", true},
		{"Action", `"s3:*Object"`, "s3:PutObjectAcl", false},
		{"Action", `"iam:*AccessKey*"`, "iam:ListAccessKeys", true},
		{"Action", `"iam:???User"`, "iam:GetUser", true},
		{"Action", `"iam:???User"`, "iam:ListUser", false},
		{"Action", `"*"`, "sqs:SendMessage", true},
		{"Action", `"*:*"`, "sqs:SendMessage", true},
		{"Action", `["a:B","sqs:*"]`, "sqs:SendMessage", true},
		{"Action", `["a:B","c:D"]`, "sqs:SendMessage", false},
		{"Action", `"s3:${aws:username}"`, "s3:ann", false}, // no variables in actions
		{"NotAction", `"iam:*"`, "s3:GetObject", true},
		{"NotAction", `"iam:*"`, "iam:GetUser", false},
		{"NotAction", `["iam:*","s3:*"]`, "S3:GetObject", false},
	}
	for _, tt := range tests {
		p := must(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow",%q:%s,"Resource":"*"}}`, tt.element, tt.value))
		if got := p.allow[0].matchAction(tt.action); got != tt.want {
			t.Errorf("%s %s, %s: got %v", tt.element, tt.value, tt.action, got)
		}
	}
}

func TestResources(t *testing.T) {
	tests := []struct {
		version, element, value, resource string
		want                              bool
	}{
		{V2012, "Resource", `"*"`, "arn:aws:s3:::b", true},
		{V2012, "Resource", `"*"`, "*", true},
		{V2012, "Resource", `"arn:aws:s3:::b"`, "arn:aws:s3:::b", true},
		{V2012, "Resource", `"arn:aws:s3:::b"`, "arn:aws:s3:::B", false},
		{V2012, "Resource", `"arn:aws:s3:::b"`, "arn:aws:s3:::b/x", false},
		{V2012, "Resource", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::b/x/y", true},
		{V2012, "Resource", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::b", false},
		{V2012, "Resource", `"arn:aws:s3:::*log*"`, "arn:aws:s3:::carlossalazar-logs", true},
		{V2012, "Resource", `"arn:aws:s3:::b/*/test/*"`, "arn:aws:s3:::b/1/test/2/3", true},
		{V2012, "Resource", `"arn:aws:s3:::b/*/test/*"`, "arn:aws:s3:::b/1/2", false},
		{V2012, "Resource", `"arn:aws:dynamodb:*:*:table/T?"`, "arn:aws:dynamodb:us-east-1:123456789012:table/T1", true},
		{V2012, "Resource", `"arn:aws:dynamodb:*:*:table/T?"`, "arn:aws:dynamodb:us-east-1:123456789012:table/T", false},
		{V2012, "Resource", `"arn:aws:sns:*"`, "arn:aws:sns:us-east-1:123456789012:t", true},
		{V2012, "Resource", `["arn:aws:s3:::a","arn:aws:s3:::b"]`, "arn:aws:s3:::b", true},
		{V2012, "Resource", `"arn:aws:s3:::b/?"`, "arn:aws:s3:::b/é", true},
		{V2012, "Resource", `"arn:aws:s3:::b/*??"`, "arn:aws:s3:::b/€", false},
		{V2012, "NotResource", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::b/x", false},
		{V2012, "NotResource", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::c/x", true},

		{V2012, "Resource", `"arn:aws:s3:::b/${aws:username}/*"`, "arn:aws:s3:::b/ann/x", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${AWS:UserName}/*"`, "arn:aws:s3:::b/ann/x", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:username}/*"`, "arn:aws:s3:::b/bob/x", false},
		{V2008, "Resource", `"arn:aws:s3:::b/${aws:username}/*"`, "arn:aws:s3:::b/ann/x", false},
		{V2008, "Resource", `"arn:aws:s3:::b/${aws:username}/*"`, "arn:aws:s3:::b/${aws:username}/x", true},
		{V2012, "Resource", `"arn:aws:sqs:us-east-2:*:${aws:username}-queue"`, "arn:aws:sqs:us-east-2:1:ann-queue", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:PrincipalTag/Department}"`, "arn:aws:s3:::b/sales", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:PrincipalTag/none}"`, "arn:aws:s3:::b/", false},
		{V2012, "NotResource", `"arn:aws:s3:::b/${aws:PrincipalTag/none}"`, "arn:aws:s3:::c", false},
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:PrincipalTag/none, 'company-wide'}/*"`, "arn:aws:s3:::b/company-wide/x", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:PrincipalTag/none,'}'}"`, "arn:aws:s3:::b/}", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:PrincipalTag/star}"`, "arn:aws:s3:::b/x", false}, // a * in a value is no wildcard
		{V2012, "Resource", `"arn:aws:s3:::b/${aws:PrincipalTag/star}"`, "arn:aws:s3:::b/*", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${*}${?}${$}"`, "arn:aws:s3:::b/*?$", true},
		{V2012, "Resource", `"arn:aws:s3:::b/${*}"`, "arn:aws:s3:::b/x", false},
		{V2012, "Resource", `"arn:aws:s3:::b/$x${open"`, "arn:aws:s3:::b/$x${open", true},
		{V2012, "Resource", `"arn:aws:s3:::b/*${aws:username}*"`, "arn:aws:s3:::b/anannx", true},
	}
	for _, tt := range tests {
		p := must(t, fmt.Sprintf(`{"Version":%q,"Statement":{"Effect":"Allow","Action":"*",%q:%s}}`, tt.version, tt.element, tt.value))
		e := evaluation{request: &Request{
			Principal: Principal{Kind: User, UserName: "ann"},
			Resource:  tt.resource,
			Context:   Keys{"aws:principaltag/department": {"sales"}, "aws:principaltag/star": {"*"}},
		}}
		if got := p.allow[0].matchResource(&e); got != tt.want {
			t.Errorf("%s %s %s, %s: got %v", tt.version, tt.element, tt.value, tt.resource, got)
		}
	}
}

// glob is the plain reading of * and ?, by way of a regular expression in which a
// wildcard matches what class says.
func glob(text, class string) string {
	q := regexp.QuoteMeta(text)
	return strings.NewReplacer(`\*`, class+"*", `\?`, class).Replace(q)
}

func TestWildcardsAgreeWithRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab*?é:]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab*?é:]{0,10}`).Draw(t, "text")
		p, err := compilePattern(text, true, true)
		if err != nil {
			t.Fatal(err)
		}
		want := regexp.MustCompile("^(?s:" + glob(text, ".") + ")$").MatchString(s)
		if got := p.match(nil, s, 0); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
		folded := compileAction(text)
		if got := folded.matchFold(strings.ReplaceAll(s, "a", "A")); got != want {
			t.Fatalf("ignoring case got %v, want %v", got, want)
		}
	})
}

func TestARNsAreComparedPartByPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[ab*?]{0,4}`)
		var text, s []string
		for range 5 {
			text = append(text, part.Draw(t, "pattern part"))
			s = append(s, rapid.StringMatching(`[ab]{0,4}`).Draw(t, "part"))
		}
		text = append(text, rapid.StringMatching(`[ab*?:]{0,5}`).Draw(t, "pattern resource"))
		s = append(s, rapid.StringMatching(`[ab:]{0,5}`).Draw(t, "resource"))
		want := true
		for i := range text {
			want = want && regexp.MustCompile("^"+glob(text[i], ".")+"$").MatchString(s[i])
		}
		p, err := compilePattern(strings.Join(text, ":"), true, false)
		if err != nil {
			t.Fatal(err)
		}
		value := strings.Join(s, ":")
		bound, ok := resourceOffset(value)
		if !ok {
			t.Fatalf("%q has no six parts", value)
		}
		if got := p.match(nil, value, bound); got != want {
			t.Fatalf("%q, %q: got %v, want %v", strings.Join(text, ":"), value, got, want)
		}
	})
}

func TestPrincipals(t *testing.T) {
	const acct = "123456789012"
	user := Principal{Kind: User, Account: acct, ARN: "arn:aws:iam::" + acct + ":user/d/ann", UserID: "AIDAAAAAAAAAAAAAAAAAA", UserName: "ann", CanonicalUser: "79a5"}
	root := Principal{Kind: Root, Account: acct, ARN: "arn:aws:iam::" + acct + ":root"}
	role := Principal{Kind: Role, Account: acct, ARN: "arn:aws:sts::" + acct + ":assumed-role/r/s", RoleARN: "arn:aws:iam::" + acct + ":role/p/r", UserID: "AROAAAAAAAAAAAAAAAAAA:s"}
	web := role
	web.Provider = "accounts.google.com"
	fed := Principal{Kind: FederatedUser, Account: acct, ARN: "arn:aws:sts::" + acct + ":federated-user/f", RoleARN: user.ARN}
	google := Principal{Kind: Federated, Provider: "accounts.google.com"}
	lambda := Principal{Kind: Service, Service: "lambda.amazonaws.com", Account: acct}
	nobody := Principal{}
	tests := []struct {
		name    string
		element string
		p       Principal
		want    reach
	}{
		{"everybody", `"Principal":"*"`, nobody, byItself},
		{"everybody in AWS", `"Principal":{"AWS":"*"}`, nobody, byItself},
		{"everybody, user", `"Principal":"*"`, user, byItself},
		{"everybody, service", `"Principal":{"AWS":"*"}`, lambda, byItself},
		{"account id", `"Principal":{"AWS":"123456789012"}`, user, byAccount},
		{"account root", `"Principal":{"AWS":"arn:aws:iam::123456789012:root"}`, role, byAccount},
		{"account root, root", `"Principal":{"AWS":"arn:aws:iam::123456789012:root"}`, root, byAccount},
		{"another account", `"Principal":{"AWS":"210987654321"}`, user, unnamed},
		{"account, service", `"Principal":{"AWS":"123456789012"}`, lambda, unnamed},
		{"account, anonymous", `"Principal":{"AWS":"123456789012"}`, nobody, unnamed},
		{"user", `"Principal":{"AWS":"arn:aws:iam::123456789012:user/d/ann"}`, user, byItself},
		{"user's case", `"Principal":{"AWS":"arn:aws:iam::123456789012:user/d/Ann"}`, user, unnamed},
		{"user's id", `"Principal":{"AWS":"AIDAAAAAAAAAAAAAAAAAA"}`, user, byItself},
		{"role", `"Principal":{"AWS":"arn:aws:iam::123456789012:role/p/r"}`, role, bySource},
		{"role's id", `"Principal":{"AWS":"AROAAAAAAAAAAAAAAAAAA"}`, role, bySource},
		{"session", `"Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"}`, role, byItself},
		{"another session", `"Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/r/t"}`, role, unnamed},
		{"the most direct counts", `"Principal":{"AWS":["123456789012","arn:aws:sts::123456789012:assumed-role/r/s","arn:aws:iam::123456789012:role/p/r"]}`, role, byItself},
		{"federated user", `"Principal":{"AWS":"arn:aws:sts::123456789012:federated-user/f"}`, fed, byItself},
		{"federated user's user", `"Principal":{"AWS":"arn:aws:iam::123456789012:user/d/ann"}`, fed, bySource},
		{"canonical", `"Principal":{"CanonicalUser":"79a5"}`, user, byAccount},
		{"canonical, unknown", `"Principal":{"CanonicalUser":"79a5"}`, role, unnamed},
		{"service", `"Principal":{"Service":["sns.amazonaws.com","lambda.amazonaws.com"]}`, lambda, byItself},
		{"another service", `"Principal":{"Service":"sns.amazonaws.com"}`, lambda, unnamed},
		{"service here", `"Principal":{"Service":"lambda.us-east-1.amazonaws.com"}`, lambda, byItself},
		{"service elsewhere", `"Principal":{"Service":"lambda.eu-west-1.amazonaws.com"}`, lambda, unnamed},
		{"any service", `"Principal":{"Service":"*"}`, lambda, byItself},
		{"any service, user", `"Principal":{"Service":"*"}`, user, unnamed},
		{"provider", `"Principal":{"Federated":"accounts.google.com"}`, google, byItself},
		{"another provider", `"Principal":{"Federated":"www.amazon.com"}`, google, unnamed},
		{"provider's session", `"Principal":{"Federated":"accounts.google.com"}`, web, bySource},
		{"provider, plain session", `"Principal":{"Federated":"accounts.google.com"}`, role, unnamed},
		{"not the user", `"NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/d/ann"}`, user, unnamed},
		{"not another user", `"NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/d/bob"}`, user, byItself},
		{"not the account", `"NotPrincipal":{"AWS":"123456789012"}`, role, unnamed},
		{"not the user, anonymous", `"NotPrincipal":{"AWS":"123456789012"}`, nobody, byItself},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := must(t, `{"Statement":{"Effect":"Deny",`+tt.element+`,"Action":"*"}}`)
			e := evaluation{request: &Request{Principal: tt.p, Context: Keys{"aws:requestedregion": {"us-east-1"}}}}
			if got := p.deny[0].matchPrincipal(&e); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
