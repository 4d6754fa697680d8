package iam_test

import (
	"context"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/iam"
)

func asRoot(account string) call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account,
	}}, calltest.Region)
}

// asUser makes a key for a user and calls with it.
func asUser(t testing.TB, w *calltest.World, s *iam.Service, root call.As, name string) call.As {
	t.Helper()
	key, err := call.Do(context.Background(), w.Board, root, api.CreateAccessKey, &api.CreateAccessKeyRequest{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return asKey(t, s, *key.AccessKey.AccessKeyId, "")
}

const trustLambda = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`

func allow(action, resource string) *string {
	return new(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}}`)
}

func deny(action string) *string {
	return new(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"` + action + `","Resource":"*"}}`)
}

// may reports whether as may read the user bob, and fails on anything but a
// refusal.
func may(t *testing.T, w *calltest.World, as call.As) bool {
	t.Helper()
	_, err := call.Do(context.Background(), w.Board, as, api.GetUser, &api.GetUserRequest{UserName: new("bob")})
	if err != nil && !fault.Is(err, "AccessDeniedException") {
		t.Fatal(err)
	}
	return err == nil
}

// TestUser changes what a user may do in every way; each change acts on the next
// call.
func TestUser(t *testing.T) {
	w, s := newWorld(t)
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("bob"), Path: new("/staff/")})
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("ann")})
	calltest.Must(t, w, api.CreateGroup, &api.CreateGroupRequest{GroupName: new("readers")})
	managed := calltest.Must(t, w, api.CreatePolicy, &api.CreatePolicyRequest{PolicyName: new("m"), PolicyDocument: allow("iam:Get*", "*")}).Policy.Arn
	none := calltest.Must(t, w, api.CreatePolicy, &api.CreatePolicyRequest{PolicyName: new("none"), PolicyDocument: allow("s3:*", "*")}).Policy.Arn
	ann := asUser(t, w, s, w.As, "ann")
	bobARN := "arn:aws:iam::" + calltest.Account + ":user/staff/bob"

	steps := []struct {
		name string
		do   func()
		want bool
	}{
		{"no policies", func() {}, false},
		{"inline", func() {
			calltest.Must(t, w, api.PutUserPolicy, &api.PutUserPolicyRequest{UserName: new("ann"), PolicyName: new("p"), PolicyDocument: allow("iam:GetUser", bobARN)})
		}, true},
		{"inline for another path", func() {
			calltest.Must(t, w, api.PutUserPolicy, &api.PutUserPolicyRequest{UserName: new("ann"), PolicyName: new("p"), PolicyDocument: allow("iam:GetUser", "arn:aws:iam::*:user/bob")})
		}, false},
		{"inline gone", func() {
			calltest.Must(t, w, api.DeleteUserPolicy, &api.DeleteUserPolicyRequest{UserName: new("ann"), PolicyName: new("p")})
		}, false},
		{"attached", func() {
			calltest.Must(t, w, api.AttachUserPolicy, &api.AttachUserPolicyRequest{UserName: new("ann"), PolicyArn: managed})
		}, true},
		{"a new default version", func() {
			calltest.Must(t, w, api.CreatePolicyVersion, &api.CreatePolicyVersionRequest{PolicyArn: managed, PolicyDocument: allow("s3:*", "*"), SetAsDefault: new(true)})
		}, false},
		{"the old version again", func() {
			calltest.Must(t, w, api.SetDefaultPolicyVersion, &api.SetDefaultPolicyVersionRequest{PolicyArn: managed, VersionId: new("v1")})
		}, true},
		{"boundary that does not allow", func() {
			calltest.Must(t, w, api.PutUserPermissionsBoundary, &api.PutUserPermissionsBoundaryRequest{UserName: new("ann"), PermissionsBoundary: none})
		}, false},
		{"boundary that allows", func() {
			calltest.Must(t, w, api.PutUserPermissionsBoundary, &api.PutUserPermissionsBoundaryRequest{UserName: new("ann"), PermissionsBoundary: managed})
		}, true},
		{"boundary gone", func() {
			calltest.Must(t, w, api.DeleteUserPermissionsBoundary, &api.DeleteUserPermissionsBoundaryRequest{UserName: new("ann")})
		}, true},
		{"detached", func() {
			calltest.Must(t, w, api.DetachUserPolicy, &api.DetachUserPolicyRequest{UserName: new("ann"), PolicyArn: managed})
		}, false},
		{"group without policies", func() {
			calltest.Must(t, w, api.AddUserToGroup, &api.AddUserToGroupRequest{UserName: new("ann"), GroupName: new("readers")})
		}, false},
		{"group with AWS's policy", func() {
			calltest.Must(t, w, api.AttachGroupPolicy, &api.AttachGroupPolicyRequest{GroupName: new("readers"), PolicyArn: new("arn:aws:iam::aws:policy/IAMReadOnlyAccess")})
		}, true},
		{"group that denies", func() {
			calltest.Must(t, w, api.PutGroupPolicy, &api.PutGroupPolicyRequest{GroupName: new("readers"), PolicyName: new("d"), PolicyDocument: deny("iam:GetUser")})
		}, false},
		{"group allows again", func() {
			calltest.Must(t, w, api.DeleteGroupPolicy, &api.DeleteGroupPolicyRequest{GroupName: new("readers"), PolicyName: new("d")})
		}, true},
		{"renamed group", func() {
			calltest.Must(t, w, api.UpdateGroup, &api.UpdateGroupRequest{GroupName: new("readers"), NewGroupName: new("lookers")})
		}, true},
		{"out of the group", func() {
			calltest.Must(t, w, api.RemoveUserFromGroup, &api.RemoveUserFromGroupRequest{UserName: new("ann"), GroupName: new("lookers")})
		}, false},
	}
	for _, st := range steps {
		st.do()
		if got := may(t, w, ann); got != st.want {
			t.Fatalf("%s: allowed is %v", st.name, got)
		}
	}
}

// TestConditionKeys holds delegation with a required boundary and tags.
func TestConditionKeys(t *testing.T) {
	w, s := newWorld(t)
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("ann")})
	limit := *calltest.Must(t, w, api.CreatePolicy, &api.CreatePolicyRequest{PolicyName: new("limit"), PolicyDocument: allow("s3:*", "*")}).Policy.Arn
	calltest.Must(t, w, api.PutUserPolicy, &api.PutUserPolicyRequest{UserName: new("ann"), PolicyName: new("p"), PolicyDocument: new(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:CreateRole","iam:PutRolePolicy"],"Resource":"arn:aws:iam::*:role/app/*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"` + limit + `"}}},
		{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*","Condition":{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AmazonS3*"}}},
		{"Effect":"Allow","Action":"iam:TagRole","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a","aws:ResourceTag/team":"a"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}]}`)})
	ann := asUser(t, w, s, w.As, "ann")
	role := func(name, path string, boundary *string) *api.CreateRoleRequest {
		return &api.CreateRoleRequest{RoleName: &name, Path: &path, AssumeRolePolicyDocument: new(trustLambda), PermissionsBoundary: boundary}
	}
	admin := "arn:aws:iam::aws:policy/AdministratorAccess"
	calltest.Must(t, w, api.CreateRole, role("free", "/app/", nil))
	calltest.Must(t, w, api.TagRole, &api.TagRoleRequest{RoleName: new("free"), Tags: []api.Tag{{Key: new("team"), Value: new("a")}}})
	check := func(name string, want bool, err error) {
		t.Helper()
		if err != nil && !fault.Is(err, "AccessDeniedException") || (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx := context.Background()
	_, err := call.Do(ctx, w.Board, ann, api.CreateRole, role("x", "/app/", nil))
	check("create without boundary", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.CreateRole, role("x", "/app/", &admin))
	check("create with another boundary", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.CreateRole, role("x", "/", &limit))
	check("create with another path", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.CreateRole, role("x", "/app/", &limit))
	check("create", true, err)
	_, err = call.Do(ctx, w.Board, ann, api.PutRolePolicy, &api.PutRolePolicyRequest{RoleName: new("x"), PolicyName: new("p"), PolicyDocument: allow("*", "*")})
	check("put into a role with the boundary", true, err)
	_, err = call.Do(ctx, w.Board, ann, api.PutRolePolicy, &api.PutRolePolicyRequest{RoleName: new("free"), PolicyName: new("p"), PolicyDocument: allow("*", "*")})
	check("put into a role without", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.AttachRolePolicy, &api.AttachRolePolicyRequest{RoleName: new("x"), PolicyArn: &admin})
	check("attach another policy", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.AttachRolePolicy, &api.AttachRolePolicyRequest{RoleName: new("x"), PolicyArn: new("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")})
	check("attach", true, err)
	tag := func(role, key, value string) *api.TagRoleRequest {
		return &api.TagRoleRequest{RoleName: &role, Tags: []api.Tag{{Key: &key, Value: &value}}}
	}
	_, err = call.Do(ctx, w.Board, ann, api.TagRole, tag("free", "team", "a"))
	check("tag", true, err)
	_, err = call.Do(ctx, w.Board, ann, api.TagRole, tag("free", "team", "b"))
	check("tag with another value", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.TagRole, tag("free", "cost", "a"))
	check("tag with another key", false, err)
	_, err = call.Do(ctx, w.Board, ann, api.TagRole, tag("x", "team", "a"))
	check("tag another resource", false, err)
}

// TestKeys holds access keys: who they are, and that they stop at once.
func TestKeys(t *testing.T) {
	w, s := newWorld(t)
	ctx := context.Background()
	id, secret, err := s.Key(ctx, rootKey, "")
	if err != nil || secret != rootSecret || id.Principal.Kind != policy.Root || id.AccessKey != rootKey {
		t.Fatalf("root: %+v, %v", id, err)
	}
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("ann"), Path: new("/a/"), Tags: []api.Tag{{Key: new("team"), Value: new("x")}}})
	key := calltest.Must(t, w, api.CreateAccessKey, &api.CreateAccessKeyRequest{UserName: new("ann")}).AccessKey
	if len(*key.AccessKeyId) != 20 || (*key.AccessKeyId)[:4] != "AKIA" || len(*key.SecretAccessKey) != 40 {
		t.Fatalf("key %s with a secret of %d", *key.AccessKeyId, len(*key.SecretAccessKey))
	}
	works := func() bool {
		t.Helper()
		id, secret, err := s.Key(ctx, *key.AccessKeyId, "")
		if err != nil {
			if !fault.Is(err, "UnrecognizedClientException") && fault.As(err).Common != fault.InvalidClientTokenID {
				t.Fatal(err)
			}
			return false
		}
		if secret != *key.SecretAccessKey || id.Principal.UserName != "ann" && id.Principal.UserName != "anna" || id.Tags["team"] != "x" {
			t.Fatalf("identity %+v", id)
		}
		return true
	}
	status := func(v string) {
		calltest.Must(t, w, api.UpdateAccessKey, &api.UpdateAccessKeyRequest{UserName: new("ann"), AccessKeyId: key.AccessKeyId, Status: &v})
	}
	if !works() {
		t.Error("a new key does not work")
	}
	if _, _, err := s.Key(ctx, *key.AccessKeyId, "a token"); err == nil {
		t.Error("a long-lived key works with a token")
	}
	if status("Inactive"); works() {
		t.Error("an inactive key works")
	}
	if status("Active"); !works() {
		t.Error("an active key does not work")
	}
	calltest.Must(t, w, api.UpdateUser, &api.UpdateUserRequest{UserName: new("ann"), NewUserName: new("anna")})
	if !works() {
		t.Error("the key of a renamed user does not work")
	}
	calltest.Must(t, w, api.DeleteAccessKey, &api.DeleteAccessKeyRequest{UserName: new("anna"), AccessKeyId: key.AccessKeyId})
	if works() {
		t.Error("a deleted key works")
	}
	if account, ok := s.Owner(*key.AccessKeyId); !ok || account != calltest.Account {
		t.Errorf("the key's account is %q", account)
	}
	for _, bad := range []string{"", "AKIA", "ASIA0000000000000000", "AKIAAAAAAAAAAAAAAAAA"} {
		if _, _, err := s.Key(ctx, bad, ""); err == nil {
			t.Errorf("the key %q works", bad)
		}
	}
}

// TestAssume holds what a service may be.
func TestAssume(t *testing.T) {
	w, s := newWorld(t)
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("bob")})
	role := calltest.Must(t, w, api.CreateRole, &api.CreateRoleRequest{RoleName: new("fn"), Path: new("/app/"), AssumeRolePolicyDocument: new(trustLambda)}).Role
	as := call.AsRole(*role.Arn, "session", "lambda.amazonaws.com", calltest.Region)
	if may(t, w, as) {
		t.Error("a role without policies may")
	}
	calltest.Must(t, w, api.PutRolePolicy, &api.PutRolePolicyRequest{RoleName: new("fn"), PolicyName: new("p"), PolicyDocument: allow("iam:GetUser", "*")})
	if !may(t, w, as) {
		t.Error("a role with a policy may not")
	}
	id, err := s.Assume(context.Background(), *role.Arn, "session", "lambda.amazonaws.com")
	if err != nil || id.Principal.ARN != "arn:aws:sts::"+calltest.Account+":assumed-role/fn/session" || id.Principal.UserID != *role.RoleId+":session" {
		t.Errorf("identity %+v, %v", id, err)
	}
	for _, bad := range [][2]string{
		{*role.Arn, "ec2.amazonaws.com"},
		{"arn:aws:iam::" + calltest.Account + ":role/fn", "lambda.amazonaws.com"},
		{"arn:aws:iam::" + calltest.Account + ":user/bob", "lambda.amazonaws.com"},
		{"nonsense", "lambda.amazonaws.com"},
	} {
		if may(t, w, call.AsRole(bad[0], "session", bad[1], calltest.Region)) {
			t.Errorf("%v may", bad)
		}
	}
	held := call.AsIdentity(id, calltest.Region)
	calltest.Must(t, w, api.DeleteRolePolicy, &api.DeleteRolePolicyRequest{RoleName: new("fn"), PolicyName: new("p")})
	calltest.Must(t, w, api.DeleteRole, &api.DeleteRoleRequest{RoleName: new("fn")})
	calltest.Must(t, w, api.CreateRole, &api.CreateRoleRequest{RoleName: new("fn"), Path: new("/app/"), AssumeRolePolicyDocument: new(trustLambda)})
	calltest.Must(t, w, api.PutRolePolicy, &api.PutRolePolicyRequest{RoleName: new("fn"), PolicyName: new("p"), PolicyDocument: allow("iam:GetUser", "*")})
	if _, err := call.Do(context.Background(), w.Board, held, api.GetUser, &api.GetUserRequest{UserName: new("bob")}); err == nil {
		t.Error("an identity of a role that is gone has the policies of its successor")
	}
}
