package iam_test

import (
	"context"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// filled gives the members of an input that name something a value.
func filled(in any) {
	const account = calltest.Account
	values := map[string]string{
		"UserName": "bob", "GroupName": "g", "RoleName": "r", "PolicyName": "p", "InstanceProfileName": "i",
		"PolicyArn": "arn:aws:iam::" + account + ":policy/pp/p", "PolicySourceArn": "arn:aws:iam::" + account + ":user/up/bob",
		"PolicyDocument": *allow("s3:*", "*"), "AssumeRolePolicyDocument": trustLambda, "PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess",
		"VersionId": "v1", "AccessKeyId": "AKIAQAAAAAAANFUCUXW4", "Status": "Active", "AccountAlias": "alias", "Description": "d",
		"AWSServiceName": "ops.apigateway.amazonaws.com",
		"DeletionTaskId": "task/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway/0",
	}
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Interface().(type) {
		case *string:
			if s, ok := values[name]; ok {
				f.Set(reflect.ValueOf(&s))
			}
		case []string:
			f.Set(reflect.ValueOf(map[string][]string{
				"TagKeys": {"k"}, "ActionNames": {"s3:GetObject"}, "PolicyInputList": {*allow("s3:*", "*")},
			}[name]))
		case []api.Tag:
			f.Set(reflect.ValueOf([]api.Tag{{Key: new("k"), Value: new("v")}}))
		}
	}
}

// TestRefusals calls every operation as a user without policies and as nobody.
// All are refused; testdata/refusals says on which resource.
func TestRefusals(t *testing.T) {
	w, s := newWorld(t)
	root := w.As
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("ann")})
	calltest.Must(t, w, api.CreateUser, &api.CreateUserRequest{UserName: new("bob"), Path: new("/up/")})
	calltest.Must(t, w, api.CreateGroup, &api.CreateGroupRequest{GroupName: new("g"), Path: new("/gp/")})
	calltest.Must(t, w, api.CreateRole, &api.CreateRoleRequest{RoleName: new("r"), Path: new("/rp/"), AssumeRolePolicyDocument: new(trustLambda)})
	calltest.Must(t, w, api.CreatePolicy, &api.CreatePolicyRequest{PolicyName: new("p"), Path: new("/pp/"), PolicyDocument: allow("s3:*", "*")})
	calltest.Must(t, w, api.CreateInstanceProfile, &api.CreateInstanceProfileRequest{InstanceProfileName: new("i"), Path: new("/ip/")})
	ann := asUser(t, w, s, root, "ann")
	nobody := call.AsIdentity(call.Identity{}, calltest.Region)
	var lines []string
	for _, b := range s.Bindings() {
		in := b.NewInput()
		filled(in)
		if _, err := w.Call(context.Background(), nobody, b.Service, b.Op, in); !fault.Is(err, "AccessDeniedException") {
			t.Errorf("%s as nobody: %v", b.Op.Name, err)
		}
		_, err := w.Call(context.Background(), ann, b.Service, b.Op, in)
		if !fault.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", b.Op.Name, err)
			continue
		}
		_, what, _ := strings.Cut(err.Error(), "perform: ")
		what, _, _ = strings.Cut(what, " because")
		lines = append(lines, what)
	}
	sort.Strings(lines)
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/refusals"
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table differs; it should be\n%s", got)
	}
	if n := len(s.Bindings()); n != len(lines) {
		t.Errorf("%d operations, %d lines", n, len(lines))
	}
}
