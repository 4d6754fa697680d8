// Package stacksets holds what stack sets do, over the real rooms: the roles that act,
// in several accounts and regions.
package stacksets

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
	identities "github.com/tierra-cloud/tierra/internal/services/iam"
	functions "github.com/tierra-cloud/tierra/internal/services/lambda"
	parameters "github.com/tierra-cloud/tierra/internal/services/ssm"
	sessions "github.com/tierra-cloud/tierra/internal/services/sts"
)

// The accounts and regions of the tests. admin administers the stack sets.
const (
	admin, other = calltest.Account, "111111111111"
	east, west   = "us-east-1", "eu-west-1"

	adminRole = "AWSCloudFormationStackSetAdministrationRole"
	execRole  = "AWSCloudFormationStackSetExecutionRole"
)

// one is the template of most stack sets: a parameter, whose value is the template's.
const one = `
Parameters:
  Value: {Type: String, Default: plain}
Resources:
  P: {Type: AWS::SSM::Parameter, Properties: {Name: /set/p, Type: String, Value: !Sub "${Value} in ${AWS::AccountId} ${AWS::Region}"}}
`

type world struct {
	*testing.T
	*calltest.World
	store data.Store
	room  *cloudformation.Service
}

// newWorld has the rooms over one store. Operations answer once they have ended, if
// linger is an hour: the clock does not move by itself.
func newWorld(t *testing.T, linger time.Duration) *world {
	t.Helper()
	store := mem.New()
	w, key := &world{T: t, World: calltest.New(), store: store}, sha256.Sum256([]byte("key"))
	who, err := identities.New(identities.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, SessionKey: key[:], Root: identities.Root{Account: admin, AccessKey: "AKIAROOT", Secret: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	w.Gate.Identities = who
	catalog, err := runtime.NewCatalog(runtime.CatalogConfig{Dir: t.TempDir(), Path: os.Getenv("PATH")})
	if err != nil {
		t.Fatal(err)
	}
	run, err := functions.New(functions.Deps{Store: store, Blobs: memblob.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Key: key[:], CodeDir: t.TempDir(), Runtimes: catalog})
	if err != nil {
		t.Fatal(err)
	}
	w.room = cloudformation.New(cloudformation.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Linger: linger, Identities: who, Types: func() (all []resource.Type) {
		for _, r := range w.Services() {
			if p, ok := r.(resource.Provider); ok {
				all = append(all, p.ResourceTypes()...)
			}
		}
		return all
	}})
	w.Plug(who, run, sessions.New(sessions.Deps{Clock: w.Clock, Mint: who}), parameters.New(parameters.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board}), w.room)
	t.Cleanup(func() { _ = w.room.Stop(context.Background()) })
	return w
}

// root is the root of an account.
func root(account, region string) call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account}}, region)
}

// ask calls an operation as the root of an account in a region, and must not fail.
func ask[I, O any](w *world, account, region string, op call.Op[I, O], in *I) *O {
	w.Helper()
	out, err := call.Do(context.Background(), w.Board, root(account, region), op, in)
	if err != nil {
		w.Fatalf("%s: %v", op.Operation().Name, err)
	}
	return out
}

// role makes a role that trusts a principal and may do everything.
func (w *world) role(account, name, trusts string) {
	w.Helper()
	ask(w, account, east, iam.CreateRole, &iam.CreateRoleRequest{
		RoleName: &name, AssumeRolePolicyDocument: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + trusts + `,"Action":"sts:AssumeRole"}]}`),
	})
	ask(w, account, east, iam.PutRolePolicy, &iam.PutRolePolicyRequest{
		RoleName: &name, PolicyName: new("all"), PolicyDocument: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`),
	})
}

const cloudFormation = `{"Service":"cloudformation.amazonaws.com"}`

// roles makes the roles of both accounts.
func (w *world) roles() {
	w.role(admin, adminRole, cloudFormation)
	for _, account := range []string{admin, other} {
		w.role(account, execRole, `{"AWS":"arn:aws:iam::`+admin+`:role/`+adminRole+`"}`)
	}
}

func (w *world) createSet(body string, params ...api.Parameter) string {
	w.Helper()
	return *ask(w, admin, east, api.CreateStackSet, &api.CreateStackSetInput{StackSetName: new("set"), TemplateBody: &body, Parameters: params}).StackSetId
}

func param(k, v string) api.Parameter {
	return api.Parameter{ParameterKey: &k, ParameterValue: &v}
}

// stored is the value of the parameter that the template makes, in an account and region.
func (w *world) stored(account, region string) string {
	out, err := call.Do(context.Background(), w.Board, root(account, region), ssm.GetParameter, &ssm.GetParameterRequest{Name: new("/set/p")})
	if err != nil {
		return "none"
	}
	return *out.Parameter.Value
}

// operation says how an operation stands, with what became of each target.
func (w *world) operation(id *string) string {
	w.Helper()
	var b strings.Builder
	op := ask(w, admin, east, api.DescribeStackSetOperation, &api.DescribeStackSetOperationInput{StackSetName: new("set"), OperationId: id}).StackSetOperation
	fmt.Fprintf(&b, "%s %s failed=%d\n", *op.Action, *op.Status, *op.StatusDetails.FailedStackInstancesCount)
	for _, r := range ask(w, admin, east, api.ListStackSetOperationResults, &api.ListStackSetOperationResultsInput{StackSetName: new("set"), OperationId: id}).Summaries {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%s %s %s %s", *r.Account, *r.Region, *r.Status, opt.Val(r.StatusReason))) + "\n")
	}
	return b.String()
}

// instances says how the instances of the set stand.
func (w *world) instances() string {
	w.Helper()
	var b strings.Builder
	for _, i := range ask(w, admin, east, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: new("set")}).Summaries {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", *i.Account, *i.Region, *i.Status, *i.StackInstanceStatus.DetailedStatus, opt.Val(i.StatusReason))) + "\n")
	}
	return b.String()
}

func (w *world) same(what, got, want string) {
	w.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		w.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// eventually waits until what f says is so.
func (w *world) eventually(what string, f func() bool) {
	w.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s did not come about", what)
		}
	}
}

// keys are the parts of the keys of all that is stored.
func (w *world) keys() (all [][]string) {
	w.Helper()
	err := w.store.View(context.Background(), func(rd data.Reader) error {
		for p, err := range rd.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			if parts, ok := data.Parts(p.Key); ok {
				all = append(all, parts)
			}
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}
