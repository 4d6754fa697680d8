package policy

import "testing"

// handful is what a function's role looks like: a few statements, a variable, a
// condition, a boundary and a bucket policy.
func handful(t testing.TB) (*Request, *Sets) {
	identity := must(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:*"},
		{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query"],"Resource":["arn:aws:dynamodb:us-east-1:111122223333:table/tickets","arn:aws:dynamodb:us-east-1:111122223333:table/tickets/index/*"]},
		{"Effect":"Allow","Action":"s3:*Object","Resource":"arn:aws:s3:::b/*/${aws:PrincipalAccount}/*","Condition":{"Bool":{"aws:SecureTransport":"true"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.168.0.0/16"]},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}},
		{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}`)
	boundary := must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}`)
	resource := must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}}`)
	r := &Request{Principal: session, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/reports/111122223333/2024.csv", Context: Keys{
		"aws:securetransport": {"true"}, "aws:sourceip": {"192.168.1.7"}, "aws:currenttime": {"2024-05-06T07:08:09Z"},
	}}
	return r, &Sets{Identity: []*Policy{identity}, Boundary: boundary, HasBoundary: true, Resource: resource}
}

func TestEvaluateAllocatesNothing(t *testing.T) {
	r, s := handful(t)
	if d := Evaluate(r, s); d.Reason != AllowedByIdentity {
		t.Fatalf("got %v", d.Reason)
	}
	if n := testing.AllocsPerRun(100, func() { Evaluate(r, s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	b.Run("simple", func(b *testing.B) {
		_, s := handful(b)
		r := &Request{Principal: session, Action: "dynamodb:GetItem", Resource: "arn:aws:dynamodb:us-east-1:111122223333:table/tickets"}
		s = &Sets{Identity: s.Identity}
		b.ReportAllocs()
		for b.Loop() {
			if !Evaluate(r, s).Allowed {
				b.Fatal("denied")
			}
		}
	})
	b.Run("handful", func(b *testing.B) {
		r, s := handful(b)
		b.ReportAllocs()
		for b.Loop() {
			if !Evaluate(r, s).Allowed {
				b.Fatal("denied")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	doc := []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem"],"Resource":"arn:aws:dynamodb:us-east-1:111122223333:table/t","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
