package sts_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	iamapi "github.com/tierra-cloud/tierra/internal/gen/iam"
	api "github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/iam"
	"github.com/tierra-cloud/tierra/internal/services/sts"
)

const other = "111122223333"

// world is both rooms, as the platform wires them.
type world struct {
	*calltest.World
	t     *testing.T
	iam   *iam.Service
	store data.Store
	root  call.As
}

func newWorld(t *testing.T) *world {
	w := &world{World: calltest.New(), t: t, store: mem.New()}
	w.root = w.As
	w.iam = w.newIAM()
	w.Gate.Identities = w.iam
	w.Plug(w.iam, sts.New(sts.Deps{Clock: w.Clock, Mint: w.iam}))
	return w
}

func (w *world) newIAM() *iam.Service {
	s, err := iam.New(iam.Deps{
		Store: w.store, Clock: w.Clock, IDs: w.IDs, SessionKey: bytes.Repeat([]byte{7}, 32),
		Root: iam.Root{Account: calltest.Account, AccessKey: "AKIAROOTROOTROOTROOT", Secret: "s"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func asRoot(account string) call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account,
	}}, calltest.Region)
}

func do[I, O any](w *world, as call.As, op call.Op[I, O], in *I) (*O, error) {
	w.t.Helper()
	return call.Do(context.Background(), w.Board, as, op, in)
}

func must[I, O any](w *world, as call.As, op call.Op[I, O], in *I) *O {
	w.t.Helper()
	out, err := do(w, as, op, in)
	if err != nil {
		w.t.Fatalf("%s: %v", op.Operation().Name, err)
	}
	return out
}

// user makes a user with a policy, as the root of an account, and its key.
func (w *world) user(root call.As, name, doc string) (arn string, as call.As) {
	w.t.Helper()
	u := must(w, root, iamapi.CreateUser, &iamapi.CreateUserRequest{UserName: &name})
	if doc != "" {
		must(w, root, iamapi.PutUserPolicy, &iamapi.PutUserPolicyRequest{UserName: &name, PolicyName: new("p"), PolicyDocument: &doc})
	}
	k := must(w, root, iamapi.CreateAccessKey, &iamapi.CreateAccessKeyRequest{UserName: &name}).AccessKey
	return *u.User.Arn, w.key(*k.AccessKeyId, "")
}

func (w *world) key(id, token string) call.As {
	w.t.Helper()
	who, _, err := w.iam.Key(context.Background(), id, token)
	if err != nil {
		w.t.Fatalf("key %s: %v", id, err)
	}
	return call.AsIdentity(who, calltest.Region)
}

func (w *world) with(c *api.Credentials) call.As { return w.key(*c.AccessKeyId, *c.SessionToken) }

// role makes a role that a principal element trusts, with what a policy allows.
func (w *world) role(root call.As, name, principal, condition, doc string) string {
	w.t.Helper()
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal +
		`,"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]` + condition + `}}`
	r := must(w, root, iamapi.CreateRole, &iamapi.CreateRoleRequest{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if doc != "" {
		must(w, root, iamapi.PutRolePolicy, &iamapi.PutRolePolicyRequest{RoleName: &name, PolicyName: new("p"), PolicyDocument: &doc})
	}
	return *r.Role.Arn
}

func allow(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}}`
}

func assume(role string) *api.AssumeRoleRequest {
	return &api.AssumeRoleRequest{RoleArn: &role, RoleSessionName: new("session")}
}

// may reports whether as may list users and, separately, groups.
func (w *world) may(as call.As) (users, groups bool) {
	w.t.Helper()
	_, err := do(w, as, iamapi.ListUsers, &iamapi.ListUsersRequest{})
	users = w.refused(err)
	_, err = do(w, as, iamapi.ListGroups, &iamapi.ListGroupsRequest{})
	return users, w.refused(err)
}

func (w *world) refused(err error) (allowed bool) {
	w.t.Helper()
	if err != nil && !fault.Is(err, "AccessDeniedException") {
		w.t.Fatal(err)
	}
	return err == nil
}

// TestWhoMayAssume walks the ways in which a role trusts.
func TestWhoMayAssume(t *testing.T) {
	w := newWorld(t)
	annARN, ann := w.user(w.root, "ann", "")
	_, bob := w.user(w.root, "bob", allow("sts:*", "*"))
	_, far := w.user(asRoot(other), "far", allow("sts:AssumeRole", "*"))
	farARN, weak := w.user(asRoot(other), "weak", "")
	lambda := call.AsService("lambda.amazonaws.com", "arn:aws:lambda:us-east-1:"+calltest.Account+":function:f", calltest.Account, calltest.Region)
	byUser := w.role(w.root, "by-user", `{"AWS":"`+annARN+`"}`, "", "")
	byAccount := w.role(w.root, "by-account", `{"AWS":"`+calltest.Account+`"}`, "", "")
	byFar := w.role(w.root, "by-far", `{"AWS":["`+other+`"]}`, `{"StringEquals":{"sts:ExternalId":"x1"}}`, "")
	byFarUser := w.role(w.root, "by-far-user", `{"AWS":["`+farARN+`"]}`, "", "")
	byService := w.role(w.root, "by-service", `{"Service":"lambda.amazonaws.com"}`, `{"StringEquals":{"aws:SourceAccount":"`+calltest.Account+`"}}`, "")
	named := w.role(w.root, "named", `{"AWS":"`+calltest.Account+`"}`, `{"StringEquals":{"sts:RoleSessionName":"${aws:username}"}}`, "")

	tests := []struct {
		name string
		as   call.As
		in   *api.AssumeRoleRequest
		want bool
	}{
		{"named user without policies", ann, assume(byUser), true},
		{"other user", bob, assume(byUser), false},
		{"account, user without policies", ann, assume(byAccount), false},
		{"account, user with policies", bob, assume(byAccount), true},
		{"another account", far, &api.AssumeRoleRequest{RoleArn: &byFar, RoleSessionName: new("session"), ExternalId: new("x1")}, true},
		{"another account without the external id", far, assume(byFar), false},
		{"another account, wrong external id", far, &api.AssumeRoleRequest{RoleArn: &byFar, RoleSessionName: new("session"), ExternalId: new("x2")}, false},
		{"another account's user without policies, though named", weak, assume(byFarUser), false},
		{"another account's user that is not named", far, assume(byFarUser), false},
		{"service", lambda, assume(byService), true},
		{"service that is not trusted", call.AsService("ec2.amazonaws.com", "", calltest.Account, calltest.Region), assume(byService), false},
		{"service for another account", call.AsService("lambda.amazonaws.com", "", other, calltest.Region), assume(byService), false},
		{"user, of a role for services", bob, assume(byService), false},
		{"session named as demanded", bob, &api.AssumeRoleRequest{RoleArn: &named, RoleSessionName: new("bob")}, true},
		{"session named otherwise", bob, &api.AssumeRoleRequest{RoleArn: &named, RoleSessionName: new("ann")}, false},
		{"no such role", bob, assume("arn:aws:iam::" + calltest.Account + ":role/none"), false},
		{"role by a wrong path", ann, assume("arn:aws:iam::" + calltest.Account + ":role/x/by-user"), false},
		{"a user's ARN", bob, assume(annARN), false},
		{"root", w.root, assume(byAccount), false},
		{"nobody", call.AsIdentity(call.Identity{}, calltest.Region), assume(byAccount), false},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			_, err := do(w, c.as, api.AssumeRole, c.in)
			if got := w.refused(err); got != c.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestLenient holds that root assumes roles only where the gate does not enforce.
func TestLenient(t *testing.T) {
	w := newWorld(t)
	role := w.role(w.root, "r", `{"Service":"lambda.amazonaws.com"}`, "", "")
	b := &call.Board{Gate: &call.Gate{Identities: w.iam, Mode: call.Off}, Clock: w.Clock, IDs: w.IDs}
	b.Plug(sts.New(sts.Deps{Clock: w.Clock, Mint: w.iam, Lenient: true}))
	if _, err := call.Do(context.Background(), b, w.root, api.AssumeRole, assume(role)); err != nil {
		t.Error(err)
	}
	if _, err := call.Do(context.Background(), b, w.root, api.AssumeRole, assume(role+"x")); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("a role that does not exist: %v", err)
	}
	b.Gate.Mode = call.Enforce
	if _, err := call.Do(context.Background(), b, w.root, api.AssumeRole, assume(role)); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("a role that does not trust root: %v", err)
	}
}

// TestSession follows a session from its making to its end.
func TestSession(t *testing.T) {
	w := newWorld(t)
	annARN, ann := w.user(w.root, "ann", "")
	role := w.role(w.root, "r", `{"AWS":"`+annARN+`"}`, "", allow("iam:List*", "*"))
	out := must(w, ann, api.AssumeRole, assume(role))
	c := out.Credentials
	if !c.Expiration.Equal(calltest.Start.Add(time.Hour)) || !strings.HasPrefix(*c.AccessKeyId, "ASIA") || len(*c.SecretAccessKey) != 40 {
		t.Fatalf("credentials %s of %d, until %s", *c.AccessKeyId, len(*c.SecretAccessKey), c.Expiration)
	}
	wantARN := "arn:aws:sts::" + calltest.Account + ":assumed-role/r/session"
	if *out.AssumedRoleUser.Arn != wantARN {
		t.Errorf("ARN %s", *out.AssumedRoleUser.Arn)
	}
	ctx := context.Background()
	me := must(w, w.with(c), api.GetCallerIdentity, &api.GetCallerIdentityRequest{})
	if *me.Arn != wantARN || *me.UserId != *out.AssumedRoleUser.AssumedRoleId || *me.Account != calltest.Account {
		t.Errorf("caller %s %s", *me.Arn, *me.UserId)
	}
	if users, groups := w.may(w.with(c)); !users || !groups {
		t.Error("the role's policy does not act")
	}
	if _, secret, err := w.iam.Key(ctx, *c.AccessKeyId, *c.SessionToken); err != nil || secret != *c.SecretAccessKey {
		t.Errorf("the secret differs, %v", err)
	}
	if _, secret, err := w.newIAM().Key(ctx, *c.AccessKeyId, *c.SessionToken); err != nil || secret != *c.SecretAccessKey {
		t.Errorf("the session does not outlive a restart: %v", err)
	}
	account := must(w, w.root, api.GetAccessKeyInfo, &api.GetAccessKeyInfoRequest{AccessKeyId: c.AccessKeyId}).Account
	if *account != calltest.Account {
		t.Errorf("account %s", *account)
	}

	second := must(w, ann, api.AssumeRole, assume(role)).Credentials
	broken := []byte(*c.SessionToken)
	broken[len(broken)/2] ^= 1
	for name, bad := range map[string][2]string{
		"no token":         {*c.AccessKeyId, ""},
		"another's token":  {*c.AccessKeyId, *second.SessionToken},
		"a changed token":  {*c.AccessKeyId, string(broken)},
		"no token of ours": {*c.AccessKeyId, "bm9uc2Vuc2U="},
		"no base64":        {*c.AccessKeyId, "%"},
		"a long-lived key": {"AKIAROOTROOTROOTROOT", *c.SessionToken},
	} {
		if _, _, err := w.iam.Key(ctx, bad[0], bad[1]); err == nil || fault.As(err).Common != fault.InvalidClientTokenID {
			t.Errorf("%s: %v", name, err)
		}
	}

	w.Clock.Advance(time.Hour - time.Second)
	if _, _, err := w.iam.Key(ctx, *c.AccessKeyId, *c.SessionToken); err != nil {
		t.Errorf("just before the end: %v", err)
	}
	w.Clock.Advance(time.Second)
	if _, _, err := w.iam.Key(ctx, *c.AccessKeyId, *c.SessionToken); err == nil || fault.As(err).Common != fault.ExpiredToken {
		t.Errorf("at the end: %v", err)
	}

	third := must(w, ann, api.AssumeRole, assume(role)).Credentials
	must(w, w.root, iamapi.DeleteRolePolicy, &iamapi.DeleteRolePolicyRequest{RoleName: new("r"), PolicyName: new("p")})
	if users, _ := w.may(w.with(third)); users {
		t.Error("a policy that is gone acts in a session")
	}
	must(w, w.root, iamapi.DeleteRole, &iamapi.DeleteRoleRequest{RoleName: new("r")})
	w.role(w.root, "r", `{"AWS":"`+annARN+`"}`, "", allow("iam:List*", "*"))
	if _, _, err := w.iam.Key(ctx, *third.AccessKeyId, *third.SessionToken); err == nil {
		t.Error("the session of a deleted role works with its successor")
	}
}

// TestSessionPolicies holds what limits a session below its role.
func TestSessionPolicies(t *testing.T) {
	w := newWorld(t)
	annARN, ann := w.user(w.root, "ann", "")
	role := w.role(w.root, "r", `{"AWS":"`+annARN+`"}`, "", allow("iam:List*", "*"))
	own := *must(w, w.root, iamapi.CreatePolicy, &iamapi.CreatePolicyRequest{PolicyName: new("own"), PolicyDocument: new(allow("iam:ListGroups", "*"))}).Policy.Arn
	arns := func(a ...string) (out []api.PolicyDescriptorType) {
		for _, a := range a {
			out = append(out, api.PolicyDescriptorType{Arn: &a})
		}
		return out
	}
	tests := []struct {
		name          string
		policy        *string
		arns          []api.PolicyDescriptorType
		users, groups bool
	}{
		{"none", nil, nil, true, true},
		{"document", new(allow("iam:ListUsers", "*")), nil, true, false},
		{"ARN", nil, arns(own), false, true},
		{"both", new(allow("iam:ListUsers", "*")), arns(own), true, true},
		{"more than the role", new(allow("*", "*")), nil, true, true},
		{"AWS's", nil, arns("arn:aws:iam::aws:policy/AmazonS3FullAccess"), false, false},
	}
	for _, c := range tests {
		in := assume(role)
		in.Policy, in.PolicyArns = c.policy, c.arns
		out := must(w, ann, api.AssumeRole, in)
		if users, groups := w.may(w.with(out.Credentials)); users != c.users || groups != c.groups {
			t.Errorf("%s: users %v, groups %v", c.name, users, groups)
		}
		if (out.PackedPolicySize != nil) != (c.policy != nil || c.arns != nil) {
			t.Errorf("%s: packed size %v", c.name, out.PackedPolicySize)
		}
	}
	bad := map[string]*api.AssumeRoleRequest{
		"MalformedPolicyDocument": {Policy: new(`{"Version":"2012-10-17","Statement":[]}`)},
		"PackedPolicyTooLarge":    {Policy: new(allow("s3:*", "arn:aws:s3:::"+strings.Repeat("x", 1900))), Tags: manyTags(15)},
		"ValidationException":     {PolicyArns: arns("arn:aws:iam::aws:policy/None")},
		"AccessDeniedException":   {SerialNumber: new("arn:aws:iam::" + calltest.Account + ":mfa/x"), TokenCode: new("123456")},
	}
	for code, in := range bad {
		in.RoleArn, in.RoleSessionName = &role, new("session")
		if _, err := do(w, ann, api.AssumeRole, in); !fault.Is(err, code) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func manyTags(n int) (out []api.Tag) {
	for i := range n {
		out = append(out, api.Tag{Key: new(string(rune('a' + i))), Value: new(strings.Repeat("v", 200))})
	}
	return out
}

// TestChain holds roles that assume roles: durations, tags and who is behind.
func TestChain(t *testing.T) {
	w := newWorld(t)
	annARN, ann := w.user(w.root, "ann", "")
	first := w.role(w.root, "first", `{"AWS":"`+annARN+`"}`, "", allow("sts:*", "*"))
	must(w, w.root, iamapi.UpdateRole, &iamapi.UpdateRoleRequest{RoleName: new("first"), MaxSessionDuration: new(int32(7200))})
	must(w, w.root, iamapi.TagRole, &iamapi.TagRoleRequest{RoleName: new("first"), Tags: []iamapi.Tag{{Key: new("own"), Value: new("o")}, {Key: new("Team"), Value: new("roles")}}})
	next := w.role(w.root, "next", `{"AWS":"`+first+`"}`, `{"StringEquals":{"aws:RequestTag/x":"1"}}`, "")
	in := assume(first)
	in.DurationSeconds = new(int32(7201))
	if _, err := do(w, ann, api.AssumeRole, in); !fault.Is(err, "ValidationException") {
		t.Errorf("longer than the role's longest: %v", err)
	}
	in.DurationSeconds = new(int32(7200))
	in.Tags = []api.Tag{{Key: new("team"), Value: new("a")}, {Key: new("cost"), Value: new("c")}}
	in.TransitiveTagKeys = []string{"cost", "none"}
	if _, err := do(w, ann, api.AssumeRole, in); !fault.Is(err, "ValidationException") {
		t.Errorf("transitive tag that is not passed: %v", err)
	}
	in.TransitiveTagKeys = []string{"cost"}
	in.SourceIdentity = new("ann-herself")
	c := must(w, ann, api.AssumeRole, in).Credentials
	id, _, err := w.iam.Key(context.Background(), *c.AccessKeyId, *c.SessionToken)
	if err != nil || id.Tags["own"] != "o" || id.Tags["team"] != "a" || id.Tags["cost"] != "c" || id.SourceIdentity != "ann-herself" {
		t.Errorf("identity %+v, %v", id, err)
	}
	if v, old := id.Tags["Team"]; old {
		t.Errorf("the role's tag %q is beside the session's", v)
	}
	s1 := w.with(c)
	in = assume(next)
	if _, err := do(w, s1, api.AssumeRole, in); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("without the tag that the trust demands: %v", err)
	}
	in.Tags = []api.Tag{{Key: new("x"), Value: new("1")}}
	in.DurationSeconds = new(int32(3601))
	must(w, w.root, iamapi.UpdateRole, &iamapi.UpdateRoleRequest{RoleName: new("next"), MaxSessionDuration: new(int32(7200))})
	if _, err := do(w, s1, api.AssumeRole, in); !fault.Is(err, "ValidationException") {
		t.Errorf("a chained session over an hour: %v", err)
	}
	in.DurationSeconds = nil
	in.SourceIdentity = new("somebody")
	if _, err := do(w, s1, api.AssumeRole, in); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("another source identity: %v", err)
	}
	in.SourceIdentity = nil
	out := must(w, s1, api.AssumeRole, in)
	id, _, _ = w.iam.Key(context.Background(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	if id.Tags["cost"] != "c" || id.Tags["x"] != "1" || id.Tags["team"] != "" || *out.SourceIdentity != "ann-herself" {
		t.Errorf("chained identity %+v", id)
	}
	in.Tags = append(in.Tags, api.Tag{Key: new("COST"), Value: new("2")})
	if _, err := do(w, s1, api.AssumeRole, in); !fault.Is(err, "ValidationException") {
		t.Errorf("a transitive tag set anew: %v", err)
	}
}

// TestUserSessions holds GetSessionToken and GetFederationToken.
func TestUserSessions(t *testing.T) {
	w := newWorld(t)
	annARN, ann := w.user(w.root, "ann", allow("*", "*"))
	role := w.role(w.root, "r", `{"AWS":"`+annARN+`"}`, "", "")
	c := must(w, ann, api.GetSessionToken, &api.GetSessionTokenRequest{}).Credentials
	if !c.Expiration.Equal(calltest.Start.Add(12 * time.Hour)) {
		t.Errorf("until %s", c.Expiration)
	}
	ses := w.with(c)
	if me := must(w, ses, api.GetCallerIdentity, &api.GetCallerIdentityRequest{}); *me.Arn != annARN {
		t.Errorf("caller %s", *me.Arn)
	}
	must(w, ses, api.AssumeRole, assume(role))
	if users, _ := w.may(ses); users {
		t.Error("a session without a second factor may call IAM")
	}
	if _, err := do(w, ses, api.GetSessionToken, &api.GetSessionTokenRequest{}); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("a session makes a session: %v", err)
	}
	if _, err := do(w, ses, api.GetFederationToken, &api.GetFederationTokenRequest{Name: new("fed")}); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("a session makes a federated user: %v", err)
	}
	rootC := must(w, w.root, api.GetSessionToken, &api.GetSessionTokenRequest{}).Credentials
	if !rootC.Expiration.Equal(calltest.Start.Add(time.Hour)) {
		t.Errorf("root's until %s", rootC.Expiration)
	}
	if users, _ := w.may(w.with(rootC)); users {
		t.Error("root's session may call IAM")
	}

	fed := must(w, ann, api.GetFederationToken, &api.GetFederationTokenRequest{Name: new("fed"), Policy: new(allow("sqs:*", "*"))})
	if *fed.FederatedUser.Arn != "arn:aws:sts::"+calltest.Account+":federated-user/fed" {
		t.Errorf("ARN %s", *fed.FederatedUser.Arn)
	}
	sets := func(c *api.Credentials) policy.Sets {
		id, _, err := w.iam.Key(context.Background(), *c.AccessKeyId, *c.SessionToken)
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.iam.Policies(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		s.Session, s.HasSession = id.Session, id.HasSession
		return s
	}
	decide := func(c *api.Credentials, action string) bool {
		id, _, _ := w.iam.Key(context.Background(), *c.AccessKeyId, *c.SessionToken)
		s := sets(c)
		return policy.Evaluate(&policy.Request{Principal: id.Principal, Action: action, Resource: "*"}, &s).Allowed
	}
	if !decide(fed.Credentials, "sqs:SendMessage") || decide(fed.Credentials, "s3:GetObject") || decide(fed.Credentials, "iam:ListUsers") {
		t.Error("a federated user may not what its policy says, or more")
	}
	bare := must(w, ann, api.GetFederationToken, &api.GetFederationTokenRequest{Name: new("fed")})
	if decide(bare.Credentials, "sqs:SendMessage") {
		t.Error("a federated user without a policy may something")
	}
	byRoot := must(w, w.root, api.GetFederationToken, &api.GetFederationTokenRequest{Name: new("fed"), Policy: new(allow("sqs:*", "*"))})
	if !decide(byRoot.Credentials, "sqs:SendMessage") || decide(byRoot.Credentials, "s3:GetObject") {
		t.Error("root's federated user may not what its policy says, or more")
	}
	for _, k := range must(w, w.root, iamapi.ListAccessKeys, &iamapi.ListAccessKeysRequest{UserName: new("ann")}).AccessKeyMetadata {
		must(w, w.root, iamapi.DeleteAccessKey, &iamapi.DeleteAccessKeyRequest{UserName: new("ann"), AccessKeyId: k.AccessKeyId})
	}
	must(w, w.root, iamapi.DeleteUserPolicy, &iamapi.DeleteUserPolicyRequest{UserName: new("ann"), PolicyName: new("p")})
	must(w, w.root, iamapi.DeleteUser, &iamapi.DeleteUserRequest{UserName: new("ann")})
	w.user(w.root, "ann", allow("*", "*"))
	for name, c := range map[string]*api.Credentials{"session": c, "federated": fed.Credentials} {
		if _, _, err := w.iam.Key(context.Background(), *c.AccessKeyId, *c.SessionToken); err == nil {
			t.Errorf("a %s of a deleted user works", name)
		}
	}
}
