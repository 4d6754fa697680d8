package iam_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/iam"
)

// stack deploys resources one by one.
type stack struct {
	t     *testing.T
	w     *calltest.World
	types map[string]*resource.Type
	rq    *resource.Request
}

func newStack(t *testing.T) *stack {
	w, s := newWorld(t)
	st := &stack{t: t, w: w, types: map[string]*resource.Type{}}
	var _ resource.Provider = (*iam.Service)(nil)
	for _, x := range s.ResourceTypes() {
		st.types[x.Name] = &x
	}
	st.rq = &resource.Request{
		Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region, StackName: "s",
		StackTags: map[string]string{"stack": "s", "aws:cloudformation:stack-name": "s"},
		Name:      func(int) string { return "s-" + st.rq.LogicalID + "-X" },
	}
	return st
}

type props = map[string]any

func (s *stack) create(kind, id string, p props) resource.State {
	s.t.Helper()
	s.rq.LogicalID = id
	if bad := s.types[kind].Check(p); len(bad) > 0 {
		s.t.Fatalf("%s: %v", id, bad)
	}
	st, err := s.types[kind].Create(context.Background(), s.rq, p)
	if err != nil {
		s.t.Fatalf("%s: %v", id, err)
	}
	return st
}

func (s *stack) update(kind, id string, old, p props) resource.State {
	s.t.Helper()
	st, err := s.types[kind].Update(context.Background(), s.rq, id, old, p)
	if err != nil {
		s.t.Fatalf("%s: %v", id, err)
	}
	return st
}

// remove deletes twice: what is gone is no error.
func (s *stack) remove(kind, id string, p props) {
	s.t.Helper()
	for range 2 {
		if err := s.types[kind].Delete(context.Background(), s.rq, id, p); err != nil {
			s.t.Fatalf("%s: %v", id, err)
		}
	}
}

func doc(action string) props {
	return props{"Version": "2012-10-17", "Statement": []any{props{"Effect": "Allow", "Action": action, "Resource": "*"}}}
}

func trust(service string) props {
	return props{"Version": "2012-10-17", "Statement": []any{props{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": props{"Service": service}}}}
}

func TestRoleResource(t *testing.T) {
	s := newStack(t)
	const kind = "AWS::IAM::Role"
	first := props{
		"AssumeRolePolicyDocument": trust("lambda.amazonaws.com"), "Path": "/app/", "Description": "d", "MaxSessionDuration": "7200",
		"ManagedPolicyArns":   []any{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"},
		"PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess",
		"Policies":            []any{props{"PolicyName": "a", "PolicyDocument": doc("s3:GetObject")}, props{"PolicyName": "b", "PolicyDocument": doc("s3:PutObject")}},
		"Tags":                []any{props{"Key": "k", "Value": "v"}},
	}
	st := s.create(kind, "Fn", first)
	role := calltest.Must(t, s.w, api.GetRole, &api.GetRoleRequest{RoleName: &st.ID}).Role
	if st.ID != "s-Fn-X" || st.Attributes["Arn"] != *role.Arn || st.Attributes["RoleId"] != *role.RoleId || *role.Path != "/app/" || *role.MaxSessionDuration != 7200 ||
		len(role.Tags) != 2 || role.PermissionsBoundary == nil {
		t.Fatalf("%+v\n%s", st, calltest.JSON(role))
	}
	if again := s.create(kind, "Fn", first); again.ID != st.ID || again.Attributes["Arn"] != *role.Arn {
		t.Errorf("the same step again: %+v", again)
	}
	second := props{
		"AssumeRolePolicyDocument": trust("states.amazonaws.com"), "Path": "/app/",
		"ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/AmazonS3FullAccess"},
		"Policies":          []any{props{"PolicyName": "b", "PolicyDocument": doc("s3:*")}},
		"Tags":              []any{props{"Key": "k", "Value": "w"}},
	}
	st = s.update(kind, st.ID, first, second)
	out := calltest.JSON(calltest.Must(t, s.w, api.GetAccountAuthorizationDetails, &api.GetAccountAuthorizationDetailsRequest{Filter: []string{"Role"}}))
	for _, want := range []string{"states.amazonaws.com", `"PolicyName": "b"`, "AmazonS3FullAccess", `"Value": "w"`, `"Key": "stack"`, "s3%3A%2A"} {
		if !strings.Contains(out, want) {
			t.Errorf("the changed role lacks %s:\n%s", want, out)
		}
	}
	for _, not := range []string{"lambda.amazonaws.com", `"PolicyName": "a"`, "AWSLambdaBasicExecutionRole", "PermissionsBoundary", `"Value": "v"`} {
		if strings.Contains(out, not) {
			t.Errorf("the changed role has %s:\n%s", not, out)
		}
	}
	role = calltest.Must(t, s.w, api.GetRole, &api.GetRoleRequest{RoleName: &st.ID}).Role
	if role.Description != nil || *role.MaxSessionDuration != 3600 {
		t.Errorf("%s", calltest.JSON(role))
	}
	s.remove(kind, st.ID, second)
	if _, err := calltest.Do(s.w, api.GetRole, &api.GetRoleRequest{RoleName: &st.ID}); !fault.Is(err, "NoSuchEntity") {
		t.Errorf("%v", err)
	}
	if _, err := s.types[kind].Create(context.Background(), s.rq, props{
		"AssumeRolePolicyDocument": trust("lambda.amazonaws.com"), "RoleName": "r", "ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/None"},
	}); !fault.Is(err, "NoSuchEntity") {
		t.Errorf("an unknown policy: %v", err)
	}
}

func TestOtherResources(t *testing.T) {
	s := newStack(t)
	group := s.create("AWS::IAM::Group", "Group", props{"Policies": []any{props{"PolicyName": "g", "PolicyDocument": doc("s3:ListBucket")}}, "Path": "/x/"})
	userProps := props{"UserName": "ann", "Groups": []any{group.ID}, "ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"}, "Tags": []any{props{"Key": "k", "Value": "v"}}}
	user := s.create("AWS::IAM::User", "User", userProps)
	if user.Attributes["Arn"] != "arn:aws:iam::"+calltest.Account+":user/ann" {
		t.Errorf("%+v", user)
	}
	userNext := props{"UserName": "ann", "Path": "/y/", "PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess"}
	user = s.update("AWS::IAM::User", "ann", userProps, userNext)
	got := calltest.Must(t, s.w, api.GetUser, &api.GetUserRequest{UserName: new("ann")}).User
	if user.Attributes["Arn"] != *got.Arn || *got.Path != "/y/" || got.PermissionsBoundary == nil || len(got.Tags) != 1 {
		t.Errorf("%s", calltest.JSON(got))
	}
	if n := len(calltest.Must(t, s.w, api.ListGroupsForUser, &api.ListGroupsForUserRequest{UserName: new("ann")}).Groups); n != 0 {
		t.Errorf("still in %d groups", n)
	}
	addition := props{"GroupName": group.ID, "Users": []any{"ann"}}
	add := s.create("AWS::IAM::UserToGroupAddition", "Add", addition)

	role := s.create("AWS::IAM::Role", "Role", props{"AssumeRolePolicyDocument": trust("ec2.amazonaws.com")})
	inline := props{"PolicyName": "p", "PolicyDocument": doc("sqs:*"), "Roles": []any{role.ID}, "Users": []any{"ann"}}
	pol := s.create("AWS::IAM::Policy", "Policy", inline)
	inlineNext := props{"PolicyName": "q", "PolicyDocument": doc("sqs:*"), "Roles": []any{role.ID}}
	pol = s.update("AWS::IAM::Policy", pol.ID, inline, inlineNext)
	if names := calltest.Must(t, s.w, api.ListRolePolicies, &api.ListRolePoliciesRequest{RoleName: &role.ID}).PolicyNames; len(names) != 1 || names[0] != "q" {
		t.Errorf("the role's policies are %v", names)
	}
	if names := calltest.Must(t, s.w, api.ListUserPolicies, &api.ListUserPoliciesRequest{UserName: new("ann")}).PolicyNames; len(names) != 0 {
		t.Errorf("the user's policies are %v", names)
	}

	managed := props{"ManagedPolicyName": "m", "PolicyDocument": doc("sns:*"), "Roles": []any{role.ID}, "Groups": []any{group.ID}}
	m := s.create("AWS::IAM::ManagedPolicy", "Managed", managed)
	if m.ID != "arn:aws:iam::"+calltest.Account+":policy/m" || m.Attributes["PolicyArn"] != m.ID {
		t.Errorf("%+v", m)
	}
	for i := range 7 { // more versions than a policy may have
		next := props{"ManagedPolicyName": "m", "PolicyDocument": doc("sns:Publish" + strings.Repeat("x", i)), "Roles": []any{role.ID}}
		m = s.update("AWS::IAM::ManagedPolicy", m.ID, managed, next)
		managed = next
	}
	if m.Attributes["DefaultVersionId"] != "v8" {
		t.Errorf("%+v", m)
	}
	key := props{"UserName": "ann"}
	k := s.create("AWS::IAM::AccessKey", "Key", key)
	off := props{"UserName": "ann", "Status": "Inactive"}
	if k2 := s.update("AWS::IAM::AccessKey", k.ID, key, off); k2.Attributes["SecretAccessKey"] != k.Attributes["SecretAccessKey"] || k.Attributes["SecretAccessKey"] == "" {
		t.Errorf("%+v, %+v", k, k2)
	}
	profile := props{"Roles": []any{role.ID}}
	ip := s.create("AWS::IAM::InstanceProfile", "Profile", profile)
	linked := props{"AWSServiceName": "ops.apigateway.amazonaws.com"}
	l := s.create("AWS::IAM::ServiceLinkedRole", "Linked", linked)

	s.remove("AWS::IAM::ServiceLinkedRole", l.ID, linked)
	s.remove("AWS::IAM::InstanceProfile", ip.ID, profile)
	s.remove("AWS::IAM::AccessKey", k.ID, off)
	s.remove("AWS::IAM::ManagedPolicy", m.ID, managed)
	s.remove("AWS::IAM::Policy", pol.ID, inlineNext)
	s.remove("AWS::IAM::Role", role.ID, props{"AssumeRolePolicyDocument": trust("ec2.amazonaws.com")})
	s.remove("AWS::IAM::UserToGroupAddition", add.ID, addition)
	s.remove("AWS::IAM::User", "ann", userNext)
	s.remove("AWS::IAM::Group", group.ID, props{"Policies": []any{props{"PolicyName": "g", "PolicyDocument": doc("s3:ListBucket")}}})
	left := calltest.JSON(calltest.Must(t, s.w, api.GetAccountAuthorizationDetails, &api.GetAccountAuthorizationDetailsRequest{}))
	if strings.Contains(left, "Arn") {
		t.Errorf("left behind:\n%s", left)
	}
}

func TestResourceChecks(t *testing.T) {
	s := newStack(t)
	tests := []struct {
		kind, want string
		p          props
	}{
		{"AWS::IAM::Role", "required key [AssumeRolePolicyDocument] not found", props{}},
		{"AWS::IAM::Role", "AssumeRolePolicyDocument: Missing required field Principal", props{"AssumeRolePolicyDocument": props{"Statement": []any{props{"Effect": "Allow", "Action": "sts:AssumeRole"}}}}},
		{"AWS::IAM::Role", "Policies.0.PolicyDocument: Policy document should not specify a principal.",
			props{"AssumeRolePolicyDocument": trust("x.amazonaws.com"), "Policies": []any{props{"PolicyName": "p", "PolicyDocument": `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}`}}}},
		{"AWS::IAM::Role", "", props{"AssumeRolePolicyDocument": trust("x.amazonaws.com"), "Policies": []any{props{"PolicyName": "p", "PolicyDocument": props{"Statement": []any{resource.Unknown{}}}}}}},
		{"AWS::IAM::User", "LoginProfile: [LoginProfile] is not supported", props{"LoginProfile": props{"Password": "x"}}},
		{"AWS::IAM::Policy", "At least one of", props{"PolicyName": "p", "PolicyDocument": doc("s3:*")}},
		{"AWS::IAM::ManagedPolicy", "PolicyDocument: Policy document must be version", props{"PolicyDocument": props{"Statement": doc("s3:*")["Statement"]}}},
	}
	for _, c := range tests {
		bad := s.types[c.kind].Check(c.p)
		text := ""
		for _, b := range bad {
			text += b.String() + "\n"
		}
		if c.want == "" && text != "" || !strings.Contains(text, c.want) {
			t.Errorf("%s: %q, not %q", c.kind, text, c.want)
		}
	}
}

// A policy of one identity is made, read, listed, changed and taken away, and none
// takes the place of another's.
func TestHeldPolicies(t *testing.T) {
	s := newStack(t)
	ctx := context.Background()
	s.create("AWS::IAM::Role", "Role", props{"RoleName": "role", "AssumeRolePolicyDocument": trust("lambda.amazonaws.com")})
	s.create("AWS::IAM::User", "User", props{"UserName": "user"})
	s.create("AWS::IAM::Group", "Group", props{"GroupName": "group"})
	for kind, holder := range map[string]string{"Role": "role", "User": "user", "Group": "group"} {
		name := "AWS::IAM::" + kind + "Policy"
		ty := s.types[name]
		p := props{"PolicyName": "p", kind + "Name": holder, "PolicyDocument": doc("s3:GetObject")}
		st := s.create(name, "P", p)
		if id := ty.IdentifierOf(st, p); id != "p|"+holder {
			t.Errorf("%s: identifier %q", name, id)
		}
		if _, err := ty.Create(ctx, s.rq, p); !fault.Is(err, "AlreadyExists") {
			t.Errorf("%s, a second of the name: %v", name, err)
		}
		now := props{"PolicyName": "p", kind + "Name": holder, "PolicyDocument": doc("s3:PutObject")}
		if !ty.InPlace([]string{"PolicyDocument"}) || ty.InPlace([]string{kind + "Name"}) {
			t.Errorf("%s: replaced by the wrong properties", name)
		}
		s.update(name, st.ID, p, now)
		id, known, ok := ty.Identified("p|" + holder)
		if !ok {
			t.Fatalf("%s: no identifier", name)
		}
		is, _, err := ty.Read(ctx, s.rq, id, known)
		if err != nil || len(ty.Differences(now, is, nil)) > 0 {
			t.Errorf("%s: read %v, %v", name, is, err)
		}
		if ids, err := ty.List(ctx, s.rq, props{}); err != nil || len(ids) != 1 || ids[0] != "p|"+holder {
			t.Errorf("%s: listed %v, %v", name, ids, err)
		}
		s.remove(name, st.ID, now)
		if is, _, err := ty.Read(ctx, s.rq, id, known); is != nil || err != nil {
			t.Errorf("%s: left %v, %v", name, is, err)
		}
	}
}

func TestListProfiles(t *testing.T) {
	s := newStack(t)
	s.create("AWS::IAM::Role", "Role", props{"RoleName": "role", "AssumeRolePolicyDocument": trust("ec2.amazonaws.com")})
	s.create("AWS::IAM::InstanceProfile", "Profile", props{"InstanceProfileName": "profile", "Roles": []any{"role"}})
	if ids, err := s.types["AWS::IAM::InstanceProfile"].List(context.Background(), s.rq, props{}); err != nil || len(ids) != 1 || ids[0] != "profile" {
		t.Errorf("%v, %v", ids, err)
	}
}

// Users move from group to group without a new resource.
func TestAdditionMoves(t *testing.T) {
	s := newStack(t)
	for _, g := range []string{"a", "b"} {
		s.create("AWS::IAM::Group", g, props{"GroupName": g})
	}
	s.create("AWS::IAM::User", "User", props{"UserName": "user"})
	old, now := props{"GroupName": "a", "Users": []any{"user"}}, props{"GroupName": "b", "Users": []any{"user"}}
	st := s.create("AWS::IAM::UserToGroupAddition", "Add", old)
	if !s.types["AWS::IAM::UserToGroupAddition"].InPlace([]string{"GroupName"}) {
		t.Error("it is replaced")
	}
	s.update("AWS::IAM::UserToGroupAddition", st.ID, old, now)
	in := calltest.Must(t, s.w, api.ListGroupsForUser, &api.ListGroupsForUserRequest{UserName: new("user")})
	if len(in.Groups) != 1 || *in.Groups[0].GroupName != "b" {
		t.Errorf("the user is in %v", in.Groups)
	}
}
