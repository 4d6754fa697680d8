package ssm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	kmsapi "github.com/tierra-cloud/tierra/internal/gen/kms"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/kms"
	"github.com/tierra-cloud/tierra/internal/services/ssm"
)

func room(t *testing.T, store data.Store) (*calltest.World, *ssm.Service) {
	t.Helper()
	w := calltest.New()
	keys, err := kms.New(kms.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	s := ssm.New(ssm.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w})
	w.Plug(s, keys)
	return w, s
}

func newRoom(t *testing.T) (*calltest.World, *ssm.Service) {
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
	calltest.Script(t, "testdata/parameters.txt", w, nil)
}

func secure(name, text string) *api.PutParameterRequest {
	return &api.PutParameterRequest{Name: &name, Value: &text, Type: new(api.ParameterTypeSecureString)}
}

func read(t *testing.T, w *calltest.World, name string) string {
	t.Helper()
	return *calltest.Must(t, w, api.GetParameter, &api.GetParameterRequest{Name: &name, WithDecryption: new(true)}).Parameter.Value
}

// TestSecureString keeps secrets of both tiers, shows them only with decryption,
// and reads them after a restart on the same store. The store never holds them.
func TestSecureString(t *testing.T) {
	store := mem.New()
	defer store.Close()
	w, _ := room(t, store)
	long := strings.Repeat("long secret ", 500)
	calltest.Must(t, w, api.PutParameter, secure("/s/short", "short secret"))
	_, err := calltest.Do(w, api.PutParameter, secure("/s/long", long))
	wantFault(t, err, "ValidationException")
	in := secure("/s/long", long)
	in.Tier = new(api.ParameterTierIntelligentTiering)
	if out := calltest.Must(t, w, api.PutParameter, in); *out.Tier != api.ParameterTierAdvanced {
		t.Errorf("the tier is %s", *out.Tier)
	}
	_, err = calltest.Do(w, api.PutParameter, secure("/s/huge", strings.Repeat("x", 9000)))
	wantFault(t, err, "ValidationException")
	sealed := *calltest.Must(t, w, api.GetParameter, &api.GetParameterRequest{Name: new("/s/short")}).Parameter.Value
	if strings.Contains(sealed, "secret") {
		t.Errorf("shown without decryption: %s", sealed)
	}
	err = store.View(t.Context(), func(r data.Reader) error {
		for p, err := range r.Scan([]byte{0}, nil, false) {
			if err != nil {
				return err
			}
			if bytes.Contains(p.Value, []byte("secret ")) || bytes.Contains(p.Value, []byte("short secret")) {
				t.Errorf("the store shows a secret at %q", p.Key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w, _ = room(t, store)
	if got := read(t, w, "/s/short"); got != "short secret" {
		t.Errorf("after a restart: %q", got)
	}
	if got := read(t, w, "/s/long"); got != long {
		t.Errorf("after a restart: %d bytes", len(got))
	}
	in = secure("/s/long", "x")
	in.Overwrite, in.Tier = new(true), new(api.ParameterTierStandard)
	_, err = calltest.Do(w, api.PutParameter, in)
	wantFault(t, err, "ValidationException") // no way back to the standard tier
}

// TestDecryptPermission reads a SecureString as one who may get the parameter:
// without kms:Decrypt on its key that is refused, and so is encrypting.
func TestDecryptPermission(t *testing.T) {
	w, _ := newRoom(t)
	root := w.As
	key := calltest.Must(t, w, kmsapi.CreateKey, &kmsapi.CreateKeyRequest{}).KeyMetadata.KeyId
	in := secure("own", "secret")
	in.KeyId = key
	calltest.Must(t, w, api.PutParameter, in)
	calltest.Must(t, w, kmsapi.DisableKey, &kmsapi.DisableKeyRequest{KeyId: key})
	_, err := calltest.Do(w, api.GetParameter, &api.GetParameterRequest{Name: new("own"), WithDecryption: new(true)})
	wantFault(t, err, "InvalidKeyId")
	calltest.Must(t, w, kmsapi.EnableKey, &kmsapi.EnableKeyRequest{KeyId: key})
	for _, allowed := range []bool{false, true} {
		principal := "arn:aws:iam::000000000000:user/other"
		if allowed {
			principal = "arn:aws:iam::000000000000:root"
		}
		calltest.Must(t, w, kmsapi.PutKeyPolicy, &kmsapi.PutKeyPolicyRequest{KeyId: key, BypassPolicyLockoutSafetyCheck: new(true), Policy: new(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":["kms:PutKeyPolicy"],"Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"kms:*","Resource":"*",
			 "Condition":{"StringEquals":{"kms:EncryptionContext:PARAMETER_ARN":"arn:aws:ssm:us-east-1:000000000000:parameter/own","kms:ViaService":"ssm.us-east-1.amazonaws.com"}}}]}`)})
		_, err := calltest.Do(w, api.GetParameter, &api.GetParameterRequest{Name: new("own"), WithDecryption: new(true)})
		if allowed && err != nil || !allowed && !fault.Is(err, "AccessDeniedException") {
			t.Errorf("allowed %v: %v", allowed, err)
		}
		calltest.Must(t, w, api.GetParameter, &api.GetParameterRequest{Name: new("own")}) // needs no key
	}
	w.As = call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.User, Account: calltest.Account, ARN: "arn:aws:iam::" + calltest.Account + ":user/nobody", UserName: "nobody",
	}}, calltest.Region)
	_, err = calltest.Do(w, api.GetParameters, &api.GetParametersRequest{Names: []string{"own"}})
	wantFault(t, err, "AccessDeniedException")
	w.As = root
}

// TestVersions makes more versions than are kept.
func TestVersions(t *testing.T) {
	w, _ := newRoom(t)
	put := func(i int) error {
		_, err := calltest.Do(w, api.PutParameter, &api.PutParameterRequest{Name: new("v"), Value: new(fmt.Sprint(i)), Type: new("String"), Overwrite: new(true)})
		return err
	}
	for i := range 103 {
		if err := put(i + 1); err != nil {
			t.Fatal(err)
		}
	}
	_, err := calltest.Do(w, api.GetParameter, &api.GetParameterRequest{Name: new("v:3")})
	wantFault(t, err, "ParameterVersionNotFound")
	if got := read(t, w, "v:4"); got != "4" {
		t.Errorf("version 4 is %q", got)
	}
	n, in := 0, &api.GetParameterHistoryRequest{Name: new("v"), MaxResults: new(int32(30))}
	for {
		out := calltest.Must(t, w, api.GetParameterHistory, in)
		for _, p := range out.Parameters {
			if n++; *p.Version != int64(n+3) || *p.Value != fmt.Sprint(n+3) {
				t.Fatalf("entry %d: %s", n, calltest.JSON(p))
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if n != 100 {
		t.Errorf("%d versions", n)
	}
	calltest.Must(t, w, api.LabelParameterVersion, &api.LabelParameterVersionRequest{Name: new("v"), ParameterVersion: new(int64(4)), Labels: []string{"keep"}})
	wantFault(t, put(104), "ParameterMaxVersionLimitExceeded")
	calltest.Must(t, w, api.DeleteParameter, &api.DeleteParameterRequest{Name: new("v")})
	if err := put(1); err != nil || read(t, w, "v:1") != "1" {
		t.Errorf("made anew: %v", err)
	}
}

func TestResource(t *testing.T) {
	w, s := newRoom(t)
	ty := s.ResourceTypes()[0]
	rq := &resource.Request{
		Caller: w, As: w.As, Account: calltest.Account, Region: calltest.Region, StackTags: map[string]string{"stack": "yes"},
		Name: func(int) string { return "stack-thing-ABC" },
	}
	first := map[string]any{"Type": "String", "Value": "one", "Tags": map[string]any{"a": "b"}}
	st, err := ty.Create(t.Context(), rq, first)
	if err != nil || st.ID != "CFN-stack-thing-ABC" || st.Attributes["Value"] != "one" || read(t, w, st.ID) != "one" {
		t.Fatalf("create: %v %v", st, err)
	}
	if found, err := ty.Find(t.Context(), rq, first); err != nil || len(found) != 1 || found[0].ID != st.ID {
		t.Errorf("find: %v %v", found, err)
	}
	if st, err = ty.Update(t.Context(), rq, st.ID, first, map[string]any{"Type": "String", "Value": "two"}); err != nil || st.Attributes["Value"] != "two" || read(t, w, st.ID) != "two" {
		t.Errorf("update: %v %v", st, err)
	}
	tags := calltest.Must(t, w, api.ListTagsForResource, &api.ListTagsForResourceRequest{ResourceType: new("Parameter"), ResourceId: &st.ID}).TagList
	if len(tags) != 1 || *tags[0].Key != "stack" {
		t.Errorf("tags: %s", calltest.JSON(tags))
	}
	for _, bad := range []map[string]any{{"Type": "SecureString", "Value": "x"}, {"Type": "String", "Value": "x", "Policies": "[]"}} {
		if len(ty.Check(bad)) != 1 {
			t.Errorf("%v is taken", bad)
		}
	}
	for range 2 {
		if err := ty.Delete(t.Context(), rq, st.ID, first); err != nil {
			t.Error(err)
		}
	}
}

// FuzzReference: whatever is asked for, nothing panics, and a name that was
// accepted is found by its ARN.
func FuzzReference(f *testing.F) {
	for _, s := range []string{"a", "/a/b", "a:1", "arn:aws:ssm:us-east-1:000000000000:parameter/a", "arn:aws:ssm:us-east-1:000000000000:parameter", ":", "//", "/aws/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w, _ := newRoom(t)
		_, put := calltest.Do(w, api.PutParameter, &api.PutParameterRequest{Name: &name, Value: new("x"), Type: new("String")})
		_, get := calltest.Do(w, api.GetParameter, &api.GetParameterRequest{Name: &name})
		for _, err := range []error{put, get} {
			if err != nil && fault.As(err) == nil {
				t.Errorf("%q: %v", name, err)
			}
		}
		if (put == nil) != (get == nil) {
			t.Errorf("%q: put %v, get %v", name, put, get)
		}
	})
}
