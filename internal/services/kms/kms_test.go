package kms_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/kms"
)

var secret = bytes.Repeat([]byte{9}, 32)

func room(t *testing.T, store data.Store, key []byte) (*calltest.World, *kms.Service) {
	t.Helper()
	w := calltest.New()
	s, err := kms.New(kms.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	w.Plug(s)
	return w, s
}

func newRoom(t *testing.T) (*calltest.World, *kms.Service) {
	store := mem.New()
	t.Cleanup(func() { store.Close() })
	return room(t, store, secret)
}

func newKey(t *testing.T, w *calltest.World, policy *string) *string {
	t.Helper()
	return calltest.Must(t, w, api.CreateKey, &api.CreateKeyRequest{Policy: policy}).KeyMetadata.Arn
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestScripts(t *testing.T) {
	w, _ := newRoom(t)
	calltest.Script(t, "testdata/keys.txt", w, nil)
}

func TestLength(t *testing.T) {
	if _, err := kms.New(kms.Deps{Key: []byte("short")}); err == nil {
		t.Error("a short key was taken")
	}
}

// TestEncryption opens what was encrypted, and nothing that was changed.
func TestEncryption(t *testing.T) {
	w, _ := newRoom(t)
	k := newKey(t, w, nil)
	bound := map[string]string{"a": "1", "b": "2"}
	e := calltest.Must(t, w, api.Encrypt, &api.EncryptRequest{KeyId: k, Plaintext: []byte("hello"), EncryptionContext: bound})
	if bytes.Contains(e.CiphertextBlob, []byte("hello")) {
		t.Fatal("the ciphertext shows the plaintext")
	}
	d := calltest.Must(t, w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: e.CiphertextBlob, EncryptionContext: bound})
	if string(d.Plaintext) != "hello" || *d.KeyId != *k {
		t.Errorf("decrypted: %s", calltest.JSON(d))
	}
	for name, c := range map[string]map[string]string{"none": nil, "other": {"a": "1", "b": "3"}, "moved": {"a": "1b", "": "2"}, "less": {"a": "1"}} {
		_, err := calltest.Do(w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: e.CiphertextBlob, EncryptionContext: c})
		if !fault.Is(err, "InvalidCiphertextException") {
			t.Errorf("context %s: %v", name, err)
		}
	}
	for i := range e.CiphertextBlob {
		b := bytes.Clone(e.CiphertextBlob)
		b[i] ^= 1
		if _, err := calltest.Do(w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: b, EncryptionContext: bound}); err == nil {
			t.Errorf("changed at byte %d it was opened", i)
		}
	}
	other := newKey(t, w, nil)
	_, err := calltest.Do(w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: e.CiphertextBlob, EncryptionContext: bound, KeyId: other})
	wantFault(t, err, "IncorrectKeyException")

	re := calltest.Must(t, w, api.ReEncrypt, &api.ReEncryptRequest{CiphertextBlob: e.CiphertextBlob, SourceEncryptionContext: bound, DestinationKeyId: other})
	d = calltest.Must(t, w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: re.CiphertextBlob})
	if string(d.Plaintext) != "hello" || *d.KeyId != *other || *re.SourceKeyId != *k {
		t.Errorf("re-encrypted: %s", calltest.JSON(d))
	}

	g := calltest.Must(t, w, api.GenerateDataKey, &api.GenerateDataKeyRequest{KeyId: k, KeySpec: new("AES_256")})
	d = calltest.Must(t, w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: g.CiphertextBlob})
	if len(g.Plaintext) != 32 || !bytes.Equal(d.Plaintext, g.Plaintext) {
		t.Errorf("data key of %d bytes", len(g.Plaintext))
	}
	h := calltest.Must(t, w, api.GenerateDataKeyWithoutPlaintext, &api.GenerateDataKeyWithoutPlaintextRequest{KeyId: k, NumberOfBytes: new(int32(7))})
	if d = calltest.Must(t, w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: h.CiphertextBlob}); len(d.Plaintext) != 7 {
		t.Errorf("data key of %d bytes", len(d.Plaintext))
	}
	_, err = calltest.Do(w, api.Encrypt, &api.EncryptRequest{KeyId: k, Plaintext: []byte("x"), DryRun: new(true)})
	wantFault(t, err, "DryRunOperationException")
}

// TestStates uses a key while it is disabled, waits for its deletion, and is gone.
func TestStates(t *testing.T) {
	w, s := newRoom(t)
	k := newKey(t, w, nil)
	calltest.Must(t, w, api.CreateAlias, &api.CreateAliasRequest{AliasName: new("alias/main"), TargetKeyId: k})
	name := new("alias/main")
	e := calltest.Must(t, w, api.Encrypt, &api.EncryptRequest{KeyId: name, Plaintext: []byte("x")})
	open := func() error {
		_, err := calltest.Do(w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: e.CiphertextBlob})
		return err
	}
	calltest.Must(t, w, api.DisableKey, &api.DisableKeyRequest{KeyId: k})
	wantFault(t, open(), "DisabledException")
	calltest.Must(t, w, api.EnableKey, &api.EnableKeyRequest{KeyId: k})
	if err := open(); err != nil {
		t.Error(err)
	}
	_, err := calltest.Do(w, api.ScheduleKeyDeletion, &api.ScheduleKeyDeletionRequest{KeyId: k, PendingWindowInDays: new(int32(6))})
	wantFault(t, err, "ValidationException")
	calltest.Must(t, w, api.ScheduleKeyDeletion, &api.ScheduleKeyDeletionRequest{KeyId: k, PendingWindowInDays: new(int32(7))})
	wantFault(t, open(), "KMSInvalidStateException")
	calltest.Must(t, w, api.CancelKeyDeletion, &api.CancelKeyDeletionRequest{KeyId: k})
	wantFault(t, open(), "DisabledException")
	calltest.Must(t, w, api.ScheduleKeyDeletion, &api.ScheduleKeyDeletionRequest{KeyId: k, PendingWindowInDays: new(int32(7))})

	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Clock.Sleepers(1)
	w.Clock.Advance(7 * 24 * time.Hour)
	wantFault(t, open(), "AccessDeniedException")
	_, err = calltest.Do(w, api.DescribeKey, &api.DescribeKeyRequest{KeyId: name})
	wantFault(t, err, "NotFoundException")
	w.Clock.Sleepers(1)
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if out := calltest.Must(t, w, api.ListAliases, &api.ListAliasesRequest{}); len(out.Aliases) != 0 {
		t.Errorf("aliases are left: %s", calltest.JSON(out))
	}
	calltest.Must(t, w, api.CreateAlias, &api.CreateAliasRequest{AliasName: name, TargetKeyId: newKey(t, w, nil)})
}

// TestRestart opens old ciphertexts after a restart on the same store, and none
// with another server's key.
func TestRestart(t *testing.T) {
	store := mem.New()
	defer store.Close()
	w, _ := room(t, store, secret)
	k := newKey(t, w, nil)
	e := calltest.Must(t, w, api.Encrypt, &api.EncryptRequest{KeyId: k, Plaintext: []byte("kept")})
	w, _ = room(t, store, secret)
	if d := calltest.Must(t, w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: e.CiphertextBlob}); string(d.Plaintext) != "kept" {
		t.Errorf("after a restart: %q", d.Plaintext)
	}
	w, _ = room(t, store, bytes.Repeat([]byte{8}, 32))
	if _, err := calltest.Do(w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: e.CiphertextBlob}); err == nil {
		t.Error("another server's key opened the material")
	}
}

func as(name string) call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.User, Account: calltest.Account, ARN: "arn:aws:iam::" + calltest.Account + ":user/" + name, UserName: name,
	}}, calltest.Region)
}

const rootMay = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"}`

// TestKeyPolicyDecides calls as users without policies of their own, and as the
// account's root where the key's policy leaves it out.
func TestKeyPolicyDecides(t *testing.T) {
	w, _ := newRoom(t)
	root := w.As
	k := newKey(t, w, new(`{"Version":"2012-10-17","Statement":[`+rootMay+`,
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:team":"red"}}}]}`))
	encrypt := func(who call.As, context map[string]string) ([]byte, error) {
		w.As = who
		defer func() { w.As = root }()
		out, err := calltest.Do(w, api.Encrypt, &api.EncryptRequest{KeyId: k, Plaintext: []byte("x"), EncryptionContext: context})
		if err != nil {
			return nil, err
		}
		return out.CiphertextBlob, nil
	}
	red := map[string]string{"team": "red"}
	if _, err := encrypt(as("ann"), red); err != nil {
		t.Error(err)
	}
	_, err := encrypt(as("ann"), map[string]string{"team": "blue"})
	wantFault(t, err, "AccessDeniedException")
	_, err = encrypt(as("bob"), red)
	wantFault(t, err, "AccessDeniedException")
	blob, err := encrypt(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.As = as("ann")
	_, err = calltest.Do(w, api.Decrypt, &api.DecryptRequest{CiphertextBlob: blob})
	wantFault(t, err, "AccessDeniedException")

	w.As = root
	calltest.Must(t, w, api.PutKeyPolicy, &api.PutKeyPolicyRequest{KeyId: k, BypassPolicyLockoutSafetyCheck: new(true), Policy: new(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"kms:*","Resource":"*"}}`)})
	_, err = encrypt(root, nil)
	wantFault(t, err, "AccessDeniedException")
}

// TestManagedKey is used by everybody in the account, but through its service only.
func TestManagedKey(t *testing.T) {
	w, _ := newRoom(t)
	for via, allowed := range map[string]bool{"": false, "ssm.amazonaws.com": true, "secretsmanager.amazonaws.com": false} {
		w.As = as("ann")
		if via != "" {
			w.As = w.As.Via(via)
		}
		_, err := calltest.Do(w, api.Encrypt, &api.EncryptRequest{KeyId: new("alias/aws/ssm"), Plaintext: []byte("x")})
		if allowed && err != nil || !allowed && !fault.Is(err, "AccessDeniedException") {
			t.Errorf("via %q: %v", via, err)
		}
	}
}

// What a key is cannot be changed, and no other key takes its place.
func TestKeyResourceStays(t *testing.T) {
	w, s := newRoom(t)
	var key resource.Type
	for _, ty := range s.ResourceTypes() {
		if ty.Name == "AWS::KMS::Key" {
			key = ty
		}
	}
	rq := &resource.Request{Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region}
	st, err := key.Create(t.Context(), rq, map[string]any{"Description": "a"})
	if err != nil {
		t.Fatal(err)
	}
	if !key.InPlace([]string{"KeySpec", "KeyUsage", "MultiRegion", "Origin"}) {
		t.Error("a key is replaced")
	}
	_, err = key.Update(t.Context(), rq, st.ID, map[string]any{"Description": "a"}, map[string]any{"Description": "b", "KeyUsage": "SIGN_VERIFY"})
	if err == nil || !strings.Contains(err.Error(), "You cannot change the KeyUsage") {
		t.Errorf("a new usage: %v", err)
	}
	if x := calltest.Must(t, w, api.DescribeKey, &api.DescribeKeyRequest{KeyId: &st.ID}).KeyMetadata; *x.Description != "a" || *x.KeyState != api.KeyStateEnabled {
		t.Errorf("the key was changed: %s", calltest.JSON(x))
	}
	if _, err = key.Update(t.Context(), rq, st.ID, map[string]any{"Description": "a"}, map[string]any{"Description": "b", "KeyUsage": "ENCRYPT_DECRYPT"}); err != nil {
		t.Errorf("the default said: %v", err)
	}
}
