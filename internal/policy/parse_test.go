package policy

import (
	"strings"
	"testing"
)

// must parses a document that a test needs.
func must(t testing.TB, doc string) *Policy {
	t.Helper()
	p, err := Parse([]byte(doc))
	if err != nil {
		t.Fatalf("Parse(%s): %v", doc, err)
	}
	return p
}

func TestParseReadsEveryElement(t *testing.T) {
	p := must(t, `{
		"Statement": [
			{"Sid": "One", "Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::c"],
			 "Principal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:user/a"], "Service": "lambda.amazonaws.com"},
			 "Condition": {"NumericLessThan": {"s3:max-keys": 10}, "Bool": {"aws:SecureTransport": [true, "false"]}}},
			{"Effect": "Deny", "NotAction": ["iam:*"], "NotResource": "*", "NotPrincipal": "*"}
		],
		"Id": "an id",
		"Version": "2012-10-17"
	}`)
	if p.Version() != V2012 || p.ID() != "an id" || len(p.Statements()) != 2 {
		t.Fatalf("got version %q, id %q, %d statements", p.Version(), p.ID(), len(p.Statements()))
	}
	one, two := p.Statements()[0], p.Statements()[1]
	if one.Sid != "One" || !one.Allow || len(one.Action) != 1 || len(one.Resource) != 2 || !one.HasConditions || len(one.conditions) != 2 {
		t.Errorf("first statement: %+v", one)
	}
	if len(one.Principal) != 3 || one.Principal[2] != (PrincipalEntry{"Service", "lambda.amazonaws.com"}) {
		t.Errorf("principals: %v", one.Principal)
	}
	if two.Allow || two.NotAction[0] != "iam:*" || two.NotResource[0] != "*" || two.NotPrincipal[0] != (PrincipalEntry{"AWS", "*"}) {
		t.Errorf("second statement: %+v", two)
	}
}

func TestParseWithoutVersionIs2008(t *testing.T) {
	if p := must(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`); p.Version() != V2008 {
		t.Errorf("got %q", p.Version())
	}
}

func TestParseRefuses(t *testing.T) {
	// Each row replaces a part of an otherwise good statement or policy.
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	tests := []struct{ name, doc, want string }{
		{"no JSON", `This is not JSON`, "not valid JSON"},
		{"nothing", ``, "ends too early"},
		{"cut off", `{"Version":"2012-10-17","Statement":[`, "ends too early"},
		{"a list", `[]`, "the policy must be a JSON object"},
		{"text after", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} {}`, "after the end"},
		{"version", `{"Version":"2013-10-17","Statement":{"Effect":"Allow"}}`, `not "2013-10-17"`},
		{"version number", `{"Version":2012}`, "Version must be a string"},
		{"id", `{"Id":["a"]}`, "Id must be a string"},
		{"unknown element", `{"Extra field":"x"}`, `unknown element "Extra field"`},
		{"case of elements", `{"statement":{}}`, `unknown element "statement"`},
		{"no statement", `{"Version":"2012-10-17"}`, "must contain a statement"},
		{"no statements", `{"Version":"2012-10-17","Statement":[]}`, "must contain a statement"},
		{"duplicate at the top", `{"Version":"2012-10-17","Version":"2012-10-17"}`, `"Version" more than once`},
		{"statement is text", statement(`"x"`), "Statement 1: a statement must be a JSON object"},
		{"duplicate in a statement", statement(`{"Effect":"Allow","Effect":"Deny"}`), `"Effect" more than once`},
		{"unknown in a statement", statement(`{"Effect":"Allow","Foo":1}`), `Statement 1: unknown element "Foo"`},
		{"second statement", statement(`{"Effect":"Allow","Action":"*"},{"Effect":"allow"}`), `Statement 2: its Effect must be`},
		{"no effect", statement(`{"Action":"*"}`), "Effect is missing"},
		{"sid", statement(`{"Sid":1}`), "Sid must be a string"},
		{"action and notaction", statement(`{"Effect":"Allow","Action":"*","NotAction":"*"}`), "exclude each other"},
		{"resource and notresource", statement(`{"Effect":"Allow","Resource":"*","NotResource":"*"}`), "exclude each other"},
		{"principal and notprincipal", statement(`{"Effect":"Allow","Principal":"*","NotPrincipal":"*"}`), "exclude each other"},
		{"action number", statement(`{"Effect":"Allow","Action":[1]}`), "Action must be a string"},
		{"resource object", statement(`{"Effect":"Allow","Resource":{"a":"b"}}`), "Resource must be a string"},
		{"null", statement(`{"Effect":"Allow","Action":null}`), "Action must be a string"},
		{"nested list", statement(`{"Effect":"Allow","Action":[["*"]]}`), "Action must be a string"},
		{"principal text", statement(`{"Effect":"Allow","Principal":"arn:aws:iam::123456789012:root"}`), "Invalid principal in policy"},
		{"principal type", statement(`{"Effect":"Allow","Principal":{"Aws":"*"}}`), `unknown type "Aws"`},
		{"principal empty", statement(`{"Effect":"Allow","Principal":{}}`), "names nobody"},
		{"principal account", statement(`{"Effect":"Allow","Principal":{"AWS":"1234"}}`), `Invalid principal in policy: "AWS":"1234"`},
		{"principal wildcard", statement(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/*"}}`), "Invalid principal"},
		{"principal is no identity", statement(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:s3:::bucket"}}`), "Invalid principal"},
		{"principal service", statement(`{"Effect":"Allow","Principal":{"Service":"lambda"}}`), "Invalid principal"},
		{"condition list", statement(`{"Effect":"Allow","Condition":[]}`), "Condition must be a JSON object"},
		{"condition text", statement(`{"Effect":"Allow","Condition":{"StringEquals":"b"}}`), "Condition StringEquals must be a JSON object"},
		{"condition operator", statement(`{"Effect":"Allow","Condition":{"StringIs":{"a":"b"}}}`), `unknown condition operator "StringIs"`},
		{"condition null if exists", statement(`{"Effect":"Allow","Condition":{"NullIfExists":{"a":"true"}}}`), "unknown condition operator"},
		{"condition value", statement(`{"Effect":"Allow","Condition":{"StringEquals":{"a":{}}}}`), "must be strings, numbers or booleans"},
		{"condition duplicate key", statement(`{"Effect":"Allow","Condition":{"StringEquals":{"a":"b","a":"c"}}}`), "more than once"},
		{"condition empty key", statement(`{"Effect":"Allow","Condition":{"StringEquals":{"":"b"}}}`), "empty key"},
		{"number", statement(`{"Effect":"Allow","Condition":{"NumericEquals":{"a":"ten"}}}`), `"ten" is not a number`},
		{"hexadecimal number", statement(`{"Effect":"Allow","Condition":{"NumericEquals":{"a":"0x10"}}}`), `is not a number`},
		{"date", statement(`{"Effect":"Allow","Condition":{"DateLessThan":{"a":"2020-13-01"}}}`), `ISO 8601`},
		{"bool", statement(`{"Effect":"Allow","Condition":{"Bool":{"a":"flase"}}}`), `neither true nor false`},
		{"null value", statement(`{"Effect":"Allow","Condition":{"Null":{"a":"maybe"}}}`), `neither true nor false`},
		{"address", statement(`{"Effect":"Allow","Condition":{"IpAddress":{"a":"203.0.113.0/33"}}}`), `CIDR`},
		{"binary", statement(`{"Effect":"Allow","Condition":{"BinaryEquals":{"a":"???"}}}`), `not base64`},
		{"variable without a name", statement(`{"Effect":"Allow","Resource":"arn:aws:s3:::${}"}`), "names no key"},
		{"variable default", statement(`{"Effect":"Allow","Resource":"arn:aws:s3:::${aws:x, y}"}`), "single quotes"},
		{"variable default open", statement(`{"Effect":"Allow","Resource":"arn:aws:s3:::${aws:x, 'y}"}`), "closing quote"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse([]byte(tt.doc))
			if err == nil {
				t.Fatalf("accepted: %+v", p)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
			if !strings.HasPrefix(err.Error(), "Syntax errors in policy.") && !strings.HasPrefix(err.Error(), "Invalid principal in policy") {
				t.Errorf("got %q, which is not AWS's wording", err)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	doc := func(statement string) string {
		return `{"Version":"2012-10-17","Statement":[` + statement + `]}`
	}
	const resource = `"Resource":"arn:aws:s3:::b"`
	tests := []struct {
		name  string
		check func(*Policy) error
		doc   string
		want  string // "" accepts
	}{
		{"identity", ValidateIdentity, doc(`{"Effect":"Allow","Action":"s3:*",` + resource + `}`), ""},
		{"everything", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"*"}`), ""},
		{"star vendor", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*:*","Resource":"*"}`), ""},
		{"old version inline", ValidateIdentity, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, ""},
		{"old version managed", ValidateManaged, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, "Policy document must be version 2012-10-17 or greater."},
		{"new version managed", ValidateManaged, doc(`{"Effect":"Allow","Action":"*","Resource":"*"}`), ""},
		{"principal", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}`), "Policy document should not specify a principal."},
		{"no action", ValidateIdentity, doc(`{"Effect":"Allow",` + resource + `}`), "Policy statement must contain actions."},
		{"empty action", ValidateIdentity, doc(`{"Effect":"Allow","Action":[],` + resource + `}`), "Policy statement must contain actions."},
		{"no resource", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*"}`), "Policy statement must contain resources."},
		{"vendor", ValidateIdentity, doc(`{"Effect":"Allow","Action":"GetObject",` + resource + `}`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{"colons", ValidateIdentity, doc(`{"Effect":"Allow","Action":"s3:Get:Object",` + resource + `}`), "Actions/Condition can contain only one colon."},
		{"vendor name", ValidateIdentity, doc(`{"Effect":"Allow","Action":"s 3:GetObject",` + resource + `}`), "Vendor s 3 is not valid"},
		{"vendor wildcard", ValidateIdentity, doc(`{"Effect":"Allow","Action":"s*:GetObject",` + resource + `}`), "Vendor s* is not valid"},
		{"no ARN", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"invalid resource"}`), `Resource invalid resource must be in ARN format or "*".`},
		{"short ARN", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"arn:aws"}`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{"ARN of five parts", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3::example_bucket"}`), "The policy failed legacy parsing"},
		{"ARN cut with a star", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:*"}`), ""},
		{"partition", ValidateIdentity, doc(`{"Effect":"Allow","Action":"*","Resource":"arn:foo:s3:::b"}`), `Partition "foo" is not valid for resource "arn:foo:s3:::b".`},
		{"sid", ValidateIdentity, doc(`{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{"sids", ValidateIdentity, doc(`{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}`), "Statement IDs (SID) in a single policy must be unique."},
		{"empty sids", ValidateIdentity, doc(`{"Sid":"","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"","Effect":"Deny","Action":"*","Resource":"*"}`), ""},

		{"trust", ValidateTrust, doc(`{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`), ""},
		{"trust resource", ValidateTrust, doc(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}`), "Has prohibited field Resource"},
		{"trust principal", ValidateTrust, doc(`{"Effect":"Allow","Action":"sts:AssumeRole"}`), "Missing required field Principal"},
		{"trust notprincipal", ValidateTrust, doc(`{"Effect":"Deny","NotPrincipal":"*","Action":"sts:AssumeRole"}`), "Has prohibited field NotPrincipal"},
		{"trust action", ValidateTrust, doc(`{"Effect":"Allow","Principal":"*"}`), "Missing required field Action"},
		{"trust other action", ValidateTrust, doc(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}`), "AssumeRole policy may only specify STS AssumeRole actions."},
		{"trust any action", ValidateTrust, doc(`{"Effect":"Allow","Principal":"*","Action":"*"}`), "AssumeRole policy may only specify STS AssumeRole actions."},

		{"resource", ValidateResource, doc(`{"Sid":"a b","Effect":"Allow","Principal":"*","Action":"s3:*",` + resource + `}`), ""},
		{"resource without Resource", ValidateResource, doc(`{"Effect":"Allow","Principal":"*","Action":"ecr:*"}`), ""},
		{"resource without principal", ValidateResource, doc(`{"Effect":"Allow","Action":"s3:*",` + resource + `}`), "Missing required field Principal"},
		{"resource without action", ValidateResource, doc(`{"Effect":"Allow","Principal":"*",` + resource + `}`), "Policy statement must contain actions."},
		{"resource notprincipal allow", ValidateResource, doc(`{"Effect":"Allow","NotPrincipal":"*","Action":"s3:*",` + resource + `}`), "NotPrincipal must be used with Effect Deny; with Effect Allow it is not supported."},
		{"resource notprincipal deny", ValidateResource, doc(`{"Effect":"Deny","NotPrincipal":{"AWS":"123456789012"},"Action":"s3:*",` + resource + `}`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.check(must(t, tt.doc)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username, 'x'}/*"}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["123456789012"]},"NotAction":"iam:*","NotResource":"*"}}`))
	f.Add([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:?","Resource":"*","Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["*a","${*}"]},"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00.5+01:00"},"IpAddress":{"aws:SourceIp":"::1/64"}}}}`))
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Action":"*","Condition":{"Null":{"a":true},"BinaryEquals":{"b":"QQ=="},"ArnLike":{"c":"arn:*"}}}}`))
	request := Request{
		Principal: Principal{Kind: User, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/a", UserName: "a"},
		Action:    "s3:GetObject", Resource: "arn:aws:s3:::b/a/x",
		Context: ContextFunc(func(string) []string { return []string{"2020-01-01T00:00:00Z", "::1", "a:b:c:d:e:f", "10", ""} }),
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := Parse(doc)
		if err != nil {
			if p != nil || err.Error() == "" {
				t.Fatalf("Parse gave %v and %q", p, err)
			}
			return
		}
		for _, check := range []func(*Policy) error{ValidateIdentity, ValidateManaged, ValidateTrust, ValidateResource} {
			_ = check(p)
		}
		for i := range p.Statements() {
			if s := &p.Statements()[i]; !s.Allow && s.applies(&evaluation{request: &request}) && s.meets(&evaluation{request: &request}) &&
				s.NotPrincipal == nil && s.Principal == nil {
				if Evaluate(&request, &Sets{Identity: []*Policy{p}}).Allowed {
					t.Fatalf("allowed against a Deny in %s", doc)
				}
			}
		}
		Evaluate(&request, &Sets{Identity: []*Policy{p}, Resource: p, Boundary: p, HasBoundary: true})
	})
}
