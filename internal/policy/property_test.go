package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// statementOf draws a statement of the given effect; some have a principal.
func statementOf(t *rapid.T, effect string, principal bool) string {
	parts := []string{`"Effect":"` + effect + `"`}
	parts = append(parts, rapid.SampledFrom([]string{
		`"Action":"*"`, `"Action":"s3:*"`, `"Action":"s3:GetObject"`, `"Action":"sqs:*"`, `"NotAction":"iam:*"`, `"NotAction":"s3:Get*"`,
	}).Draw(t, "action"))
	parts = append(parts, rapid.SampledFrom([]string{
		`"Resource":"*"`, `"Resource":"arn:aws:s3:::b/*"`, `"Resource":"arn:aws:s3:::b/${aws:username}*"`, `"Resource":"arn:aws:s3:::c"`, `"NotResource":"arn:aws:s3:::c"`,
	}).Draw(t, "resource"))
	if principal {
		parts = append(parts, rapid.SampledFrom([]string{
			`"Principal":"*"`, `"Principal":{"AWS":"111122223333"}`, `"Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"}`,
			`"Principal":{"AWS":"arn:aws:iam::111122223333:role/r"}`, `"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s"}`,
			`"Principal":{"Service":"lambda.amazonaws.com"}`, `"NotPrincipal":{"AWS":"444455556666"}`,
		}).Draw(t, "principal"))
	}
	if c := rapid.SampledFrom([]string{
		``, ``, `{"Bool":{"aws:SecureTransport":"true"}}`, `{"StringEquals":{"my:key":"a"}}`, `{"StringNotEquals":{"my:key":"a"}}`,
		`{"ForAnyValue:StringLike":{"my:key":"?"}}`, `{"Null":{"my:key":"true"}}`,
	}).Draw(t, "condition"); c != "" {
		parts = append(parts, `"Condition":`+c)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// world is a drawn request with its policies, as texts that can be added to.
type world struct {
	request    Request
	statements [5][]string // identity, boundary, session, resource, scp
	sets       Sets
}

const (
	inIdentity = iota
	inBoundary
	inSession
	inResource
	inSCP
)

func drawWorld(t *rapid.T) *world {
	w := &world{}
	w.request = Request{
		Principal:       rapid.SampledFrom([]Principal{ann, session, rootUsr, fedUser, nobody, lambda, linked}).Draw(t, "who"),
		Action:          rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "sqs:SendMessage", "iam:GetUser"}).Draw(t, "action"),
		Resource:        rapid.SampledFrom([]string{"arn:aws:s3:::b/ann1", "arn:aws:s3:::c", "*"}).Draw(t, "resource"),
		ResourceAccount: rapid.SampledFrom([]string{"", ownAccount, otherAccount}).Draw(t, "owner"),
		Context: rapid.SampledFrom([]Keys{
			{}, {"aws:securetransport": {"true"}, "my:key": {"a"}}, {"my:key": {"b", "a"}}, {"my:key": {"xx"}},
		}).Draw(t, "context"),
	}
	for kind := range w.statements {
		for range rapid.IntRange(0, 3).Draw(t, "statements") {
			w.statements[kind] = append(w.statements[kind], statementOf(t, rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect"), kind == inResource))
		}
	}
	w.sets.HasBoundary = rapid.Bool().Draw(t, "boundary")
	w.sets.HasSession = rapid.Bool().Draw(t, "session")
	w.sets.ResourceRequired = rapid.Bool().Draw(t, "required")
	return w
}

func (w *world) evaluate(t testing.TB) Decision {
	doc := func(kind int) *Policy {
		if len(w.statements[kind]) == 0 {
			return nil
		}
		return must(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(w.statements[kind], ",")+`]}`)
	}
	s := w.sets
	s.Boundary, s.Resource = doc(inBoundary), doc(inResource)
	s.Identity, s.Session = []*Policy{doc(inIdentity)}, []*Policy{doc(inSession)}
	if p := doc(inSCP); p != nil {
		s.SCP = [][]*Policy{{p}}
	}
	return Evaluate(&w.request, &s)
}

func TestAnExplicitDenyAlwaysWins(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		kind := rapid.IntRange(inIdentity, inResource).Draw(rt, "where")
		principal := ""
		if kind == inResource {
			principal = `"Principal":"*",`
		}
		w.statements[kind] = append(w.statements[kind], `{"Effect":"Deny",`+principal+`"Action":"*","Resource":"*"}`)
		w.sets.HasBoundary = w.sets.HasBoundary || kind == inBoundary
		if d := w.evaluate(t); d.Allowed || !d.Reason.Explicit() {
			rt.Fatalf("got %v for %+v", d.Reason, w)
		}
	})
}

func TestAnAllowNeverTakesAway(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		before := w.evaluate(t)
		kind := rapid.IntRange(inIdentity, inSCP).Draw(rt, "where")
		if kind == inSCP && len(w.statements[inSCP]) == 0 {
			rt.Skip("a first service control policy restricts")
		}
		w.statements[kind] = append(w.statements[kind], statementOf(rt, "Allow", kind == inResource))
		if after := w.evaluate(t); before.Allowed && !after.Allowed {
			rt.Fatalf("%v became %v in %+v", before.Reason, after.Reason, w)
		}
	})
}

func TestADenyNeverGives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		before := w.evaluate(t)
		kind := rapid.IntRange(inIdentity, inSCP).Draw(rt, "where")
		w.statements[kind] = append(w.statements[kind], statementOf(rt, "Deny", kind == inResource))
		if after := w.evaluate(t); !before.Allowed && after.Allowed {
			rt.Fatalf("%v became %v in %+v", before.Reason, after.Reason, w)
		}
	})
}

func TestLimitsNeverGive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		w.sets.HasBoundary, w.sets.HasSession = false, false
		w.statements[inBoundary], w.statements[inSession] = nil, nil
		if w.request.Principal.Kind == FederatedUser {
			rt.Skip("without session policies it has no permissions")
		}
		free := w.evaluate(t)
		w.sets.HasBoundary, w.sets.HasSession = true, true
		w.statements[inBoundary] = []string{statementOf(rt, "Allow", false)}
		w.statements[inSession] = []string{statementOf(rt, "Allow", false)}
		if limited := w.evaluate(t); limited.Allowed && !free.Allowed {
			rt.Fatalf("%v became %v in %+v", free.Reason, limited.Reason, w)
		}
	})
}

func TestWithoutAnyAllowNobodyButRootGetsIn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		for kind := range w.statements {
			kept := w.statements[kind][:0]
			for _, s := range w.statements[kind] {
				if strings.Contains(s, `"Deny"`) {
					kept = append(kept, s)
				}
			}
			w.statements[kind] = kept
		}
		if d := w.evaluate(t); d.Allowed && d.Reason != AllowedAsRoot {
			rt.Fatalf("got %v for %+v", d.Reason, w)
		}
	})
}
