package iam_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/iam"
)

// TestNoStaleDecision changes a user's policy while others ask for it: once a
// change is acknowledged, nobody sees what was before.
func TestNoStaleDecision(t *testing.T) {
	w, s := newWorld(t)
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("ann")})
	who := asUser(t, w, s, w.As, "ann")
	id, err := who.Identify(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	allowed := func() bool {
		sets, err := s.Policies(context.Background(), id)
		if err != nil {
			t.Error(err)
		}
		return policy.Evaluate(&policy.Request{Principal: id.Principal, Action: "s3:GetObject", Resource: "*"}, &sets).Allowed
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					allowed()
				}
			}
		})
	}
	for range 100 {
		calltest.Must(t, w, api.PutUserPolicy, &api.PutUserPolicyRequest{UserName: new("ann"), PolicyName: new("p"), PolicyDocument: allow("s3:*", "*")})
		if !allowed() {
			t.Error("a policy does not act that was put")
		}
		calltest.Must(t, w, api.DeleteUserPolicy, &api.DeleteUserPolicyRequest{UserName: new("ann"), PolicyName: new("p")})
		if allowed() {
			t.Error("a policy acts that was deleted")
		}
	}
	close(stop)
	readers.Wait()
}

// TestForeignTrust holds that a role may trust an account that nothing is known
// of, but no user that does not exist in one that is.
func TestForeignTrust(t *testing.T) {
	w, _ := newWorld(t)
	const there = "arn:aws:iam::999988887777:user/eve"
	doc := strings.Replace(trustLambda, `"Service":"lambda.amazonaws.com"`, `"AWS":"`+there+`"`, 1)
	calltest.Must(t, w, api.CreateRole, &api.CreateRoleRequest{RoleName: new("r"), AssumeRolePolicyDocument: &doc})
	if _, err := call.Do(context.Background(), w.Board, asRoot("999988887777"), api.CreateUser, &api.CreateUserRequest{UserName: new("bob")}); err != nil {
		t.Fatal(err)
	}
	if _, err := calltest.Do(w, api.CreateRole, &api.CreateRoleRequest{RoleName: new("q"), AssumeRolePolicyDocument: &doc}); !fault.Is(err, "MalformedPolicyDocument") {
		t.Errorf("%v", err)
	}
}

func TestSessionKeySize(t *testing.T) {
	if _, err := iam.New(iam.Deps{SessionKey: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
}

// FuzzToken asks for made-up tokens: all are refused in the same way.
func FuzzToken(f *testing.F) {
	w, s := newWorld(f)
	id, err := w.As.Identify(context.Background(), s)
	if err != nil {
		f.Fatal(err)
	}
	key, _, good, err := s.Issue(context.Background(), id, "", nil, calltest.Start.Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	if _, _, err := s.Key(context.Background(), key, good); err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("AQ==")
	f.Add(good[:len(good)-4])
	f.Add(good + "AAAA")
	f.Add(good + "\n")
	f.Fuzz(func(t *testing.T, token string) {
		if token == good {
			return
		}
		_, _, err := s.Key(context.Background(), key, token)
		var ft *fault.Fault
		if !errors.As(err, &ft) || ft.Common != fault.InvalidClientTokenID {
			t.Errorf("%q: %v", token, err)
		}
	})
}

// BenchmarkPolicies is what every request costs: its key and its policies.
func BenchmarkPolicies(b *testing.B) {
	w, s := newWorld(b)
	calltest.Must(b, w, api.CreateUser, &api.CreateUserRequest{UserName: new("ann")})
	calltest.Must(b, w, api.AttachUserPolicy, &api.AttachUserPolicyRequest{UserName: new("ann"), PolicyArn: new("arn:aws:iam::aws:policy/ReadOnlyAccess")})
	key := *calltest.Must(b, w, api.CreateAccessKey, &api.CreateAccessKeyRequest{UserName: new("ann")}).AccessKey.AccessKeyId
	b.ReportAllocs()
	for b.Loop() {
		id, _, err := s.Key(context.Background(), key, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Policies(context.Background(), id); err != nil {
			b.Fatal(err)
		}
	}
}
