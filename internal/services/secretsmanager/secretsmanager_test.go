package secretsmanager_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	kmsapi "github.com/tierra-cloud/tierra/internal/gen/kms"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/kms"
	"github.com/tierra-cloud/tierra/internal/services/secretsmanager"
)

func room(t *testing.T, store data.Store) (*calltest.World, *secretsmanager.Service) {
	t.Helper()
	w := calltest.New()
	keys, err := kms.New(kms.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	s := secretsmanager.New(secretsmanager.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w})
	w.Plug(s, keys)
	return w, s
}

func newRoom(t *testing.T) (*calltest.World, *secretsmanager.Service) {
	store := mem.New()
	t.Cleanup(func() { store.Close() })
	return room(t, store)
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestScripts(t *testing.T) {
	w, _ := newRoom(t)
	calltest.Script(t, "testdata/secrets.txt", w, nil)
}

func read(w *calltest.World, id string) (string, error) {
	out, err := calltest.Do(w, api.GetSecretValue, &api.GetSecretValueRequest{SecretId: &id})
	if err != nil {
		return "", err
	}
	return *out.SecretString, nil
}

// TestStore keeps a value over a restart on the same store, which never shows it;
// a secret is found by its name, its ARN and its ARN without the suffix; one that
// was made anew is not found by the old ARN.
func TestStore(t *testing.T) {
	store := mem.New()
	defer store.Close()
	w, _ := room(t, store)
	arn := *calltest.Must(t, w, api.CreateSecret, &api.CreateSecretRequest{Name: new("a/b-c"), SecretString: new("tell nobody")}).ARN
	err := store.View(t.Context(), func(r data.Reader) error {
		for p, err := range r.Scan([]byte{0}, nil, false) {
			if err != nil {
				return err
			}
			if bytes.Contains(p.Value, []byte("tell nobody")) {
				t.Errorf("the store shows the secret at %q", p.Key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w, _ = room(t, store)
	for _, id := range []string{"a/b-c", arn, arn[:len(arn)-7]} {
		if v, err := read(w, id); v != "tell nobody" {
			t.Errorf("%s: %q, %v", id, v, err)
		}
	}
	calltest.Must(t, w, api.DeleteSecret, &api.DeleteSecretRequest{SecretId: &arn, ForceDeleteWithoutRecovery: new(true)})
	// The restarted world draws the same ids again; the second is another.
	calltest.Must(t, w, api.CreateSecret, &api.CreateSecretRequest{Name: new("other"), SecretString: new("x")})
	anew := *calltest.Must(t, w, api.CreateSecret, &api.CreateSecretRequest{Name: new("a/b-c"), SecretString: new("new")}).ARN
	if anew == arn {
		t.Fatal("the ARN was used again")
	}
	_, err = read(w, arn)
	wantFault(t, err, "ResourceNotFoundException")
}

func as(name string) call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.User, Account: calltest.Account, ARN: "arn:aws:iam::" + calltest.Account + ":user/" + name, UserName: name,
	}}, calltest.Region)
}

// TestPolicies: a secret's policy lets in who has no policies of his own, and its
// Deny holds for everybody; the key's policy is asked besides.
func TestPolicies(t *testing.T) {
	w, _ := newRoom(t)
	root := w.As
	key := calltest.Must(t, w, kmsapi.CreateKey, &kmsapi.CreateKeyRequest{}).KeyMetadata.KeyId
	calltest.Must(t, w, api.CreateSecret, &api.CreateSecretRequest{Name: new("managed"), SecretString: new("m")})
	calltest.Must(t, w, api.CreateSecret, &api.CreateSecretRequest{Name: new("own"), SecretString: new("o"), KmsKeyId: key})
	for _, name := range []string{"managed", "own"} {
		calltest.Must(t, w, api.PutResourcePolicy, &api.PutResourcePolicyRequest{SecretId: &name, ResourcePolicy: new(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"secretsmanager:GetSecretValue","Resource":"*",
			 "Condition":{"StringEqualsIfExists":{"secretsmanager:VersionStage":"AWSCURRENT"}}}]}`)})
	}
	w.As = as("ann")
	if v, err := read(w, "managed"); v != "m" {
		t.Error(err)
	}
	_, err := read(w, "own") // ann may get the secret, but not use its key
	wantFault(t, err, "AccessDeniedException")
	_, err = calltest.Do(w, api.GetSecretValue, &api.GetSecretValueRequest{SecretId: new("managed"), VersionStage: new("AWSPREVIOUS")})
	wantFault(t, err, "AccessDeniedException")
	w.As = as("bob")
	_, err = read(w, "managed")
	wantFault(t, err, "AccessDeniedException")
	w.As = root
	calltest.Must(t, w, api.PutResourcePolicy, &api.PutResourcePolicyRequest{SecretId: new("own"), ResourcePolicy: new(
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}}`)})
	_, err = read(w, "own")
	wantFault(t, err, "AccessDeniedException")
}

// TestPasswords: every included kind is there, nothing excluded is.
func TestPasswords(t *testing.T) {
	w, _ := newRoom(t)
	kinds := []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}
	for range 200 {
		p := *calltest.Must(t, w, api.GetRandomPassword, &api.GetRandomPasswordRequest{PasswordLength: new(int64(4)), ExcludeCharacters: new("abc/@")}).RandomPassword
		for _, k := range kinds {
			if !strings.ContainsAny(p, k) {
				t.Errorf("%q lacks one of %q", p, k)
			}
		}
		if len(p) != 4 || strings.ContainsAny(p, "abc/@ ") {
			t.Errorf("password %q", p)
		}
	}
}

// TestVersions: a hundred versions without labels are kept, older ones go.
func TestVersions(t *testing.T) {
	w, _ := newRoom(t)
	first := *calltest.Must(t, w, api.CreateSecret, &api.CreateSecretRequest{Name: new("v"), SecretString: new("0")}).VersionId
	for range 103 {
		calltest.Must(t, w, api.PutSecretValue, &api.PutSecretValueRequest{SecretId: new("v"), SecretString: new("x")})
		w.Clock.Advance(1)
	}
	out := calltest.Must(t, w, api.ListSecretVersionIds, &api.ListSecretVersionIdsRequest{SecretId: new("v"), IncludeDeprecated: new(true)})
	n, next := len(out.Versions), out.NextToken
	out = calltest.Must(t, w, api.ListSecretVersionIds, &api.ListSecretVersionIdsRequest{SecretId: new("v"), IncludeDeprecated: new(true), NextToken: next})
	if n += len(out.Versions); n != 102 || out.NextToken != nil {
		t.Errorf("%d versions are left", n)
	}
	_, err := calltest.Do(w, api.GetSecretValue, &api.GetSecretValueRequest{SecretId: new("v"), VersionId: &first})
	wantFault(t, err, "ResourceNotFoundException")
}

func TestResources(t *testing.T) {
	w, s := newRoom(t)
	types := map[string]*resource.Type{}
	for _, ty := range s.ResourceTypes() {
		types[ty.Name] = &ty
	}
	rq := &resource.Request{
		Caller: w, As: w.As, Account: calltest.Account, Region: calltest.Region, StackTags: map[string]string{"stack": "yes"},
		Name: func(int) string { return "stack-thing-ABC" },
	}
	ty, ctx := types["AWS::SecretsManager::Secret"], t.Context()
	first := map[string]any{"GenerateSecretString": map[string]any{"SecretStringTemplate": `{"username":"admin"}`, "GenerateStringKey": "password", "PasswordLength": "12", "ExcludePunctuation": "true"}}
	st, err := ty.Create(ctx, rq, first)
	if err != nil {
		t.Fatal(err)
	}
	value := func() string {
		v, err := read(w, st.ID)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	var made struct{ Username, Password string }
	if err := json.Unmarshal([]byte(value()), &made); err != nil || made.Username != "admin" || len(made.Password) != 12 {
		t.Errorf("generated: %v %v", made, err)
	}
	if found, err := ty.Find(ctx, rq, first); err != nil || len(found) != 1 || found[0].ID != st.ID {
		t.Errorf("find: %v %v", found, err)
	}
	was := value()
	second := map[string]any{"GenerateSecretString": first["GenerateSecretString"], "Description": "d"}
	if _, err := ty.Update(ctx, rq, st.ID, first, second); err != nil || value() != was {
		t.Errorf("an update of the description made a new value: %v", err)
	}
	if _, err := ty.Update(ctx, rq, st.ID, second, map[string]any{"SecretString": "plain"}); err != nil || value() != "plain" {
		t.Errorf("update: %v", err)
	}
	if len(ty.Check(map[string]any{"SecretString": "a", "GenerateSecretString": map[string]any{}})) != 1 || len(ty.Check(map[string]any{"ReplicaRegions": []any{map[string]any{"Region": "eu-west-1"}}})) != 1 {
		t.Error("bad properties are taken")
	}
	p := types["AWS::SecretsManager::ResourcePolicy"]
	props := map[string]any{"SecretId": st.ID, "ResourcePolicy": map[string]any{"Version": "2012-10-17", "Statement": map[string]any{"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}}}
	if ps, err := p.Create(ctx, rq, props); err != nil || ps.ID != st.ID {
		t.Errorf("policy: %v %v", ps, err)
	}
	_, err = read(w, st.ID)
	wantFault(t, err, "AccessDeniedException")
	for range 2 {
		if err := p.Delete(ctx, rq, st.ID, props); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := ty.Delete(ctx, rq, st.ID, first); err != nil {
			t.Error(err)
		}
	}
}
