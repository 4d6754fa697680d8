package stacksets

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// pages reads all pages of a list.
func pages[T any](page func(token *string) (part []T, next *string)) (all [][]T) {
	var token *string
	for {
		part, next := page(token)
		all = append(all, part)
		if token = next; token == nil {
			return all
		}
	}
}

// TestPages reads what there is of a stack set one by one.
func TestPages(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	w.createSet(one)
	name, both, regions, few := new("set"), []string{admin, other}, []string{east, west}, new(int32(1))
	op := ask(w, admin, east, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: name, Accounts: both, Regions: regions, OperationId: new("first")}).OperationId
	ask(w, admin, east, api.UpdateStackInstances, &api.UpdateStackInstancesInput{StackSetName: name, Accounts: []string{other}, Regions: regions, OperationId: new("second")})
	ask(w, admin, east, api.CreateStackSet, &api.CreateStackSetInput{StackSetName: new("another"), TemplateBody: new(one)})
	places := "000000000000 eu-west-1,000000000000 us-east-1,111111111111 eu-west-1,111111111111 us-east-1"
	for what, c := range map[string]struct {
		page func(token *string) ([]string, *string)
		want string
	}{
		"instances": {func(token *string) (all []string, next *string) {
			out := ask(w, admin, east, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: name, MaxResults: few, NextToken: token})
			for _, i := range out.Summaries {
				all = append(all, *i.Account+" "+*i.Region)
			}
			return all, out.NextToken
		}, places},
		"instances of an account": {func(token *string) (all []string, next *string) {
			out := ask(w, admin, east, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: name, MaxResults: few, NextToken: token, StackInstanceAccount: new(other)})
			for _, i := range out.Summaries {
				all = append(all, *i.Account+" "+*i.Region)
			}
			return all, out.NextToken
		}, "111111111111 eu-west-1,111111111111 us-east-1"},
		"results": {func(token *string) (all []string, next *string) {
			out := ask(w, admin, east, api.ListStackSetOperationResults, &api.ListStackSetOperationResultsInput{StackSetName: name, OperationId: op, MaxResults: few, NextToken: token})
			for _, r := range out.Summaries {
				all = append(all, *r.Account+" "+*r.Region)
			}
			return all, out.NextToken
		}, places},
		"operations, the latest first": {func(token *string) (all []string, next *string) {
			out := ask(w, admin, east, api.ListStackSetOperations, &api.ListStackSetOperationsInput{StackSetName: name, MaxResults: few, NextToken: token})
			for _, o := range out.Summaries {
				all = append(all, *o.OperationId)
			}
			return all, out.NextToken
		}, "second,first"},
		"sets": {func(token *string) (all []string, next *string) {
			out := ask(w, admin, east, api.ListStackSets, &api.ListStackSetsInput{MaxResults: few, NextToken: token, Status: new("ACTIVE")})
			for _, s := range out.Summaries {
				all = append(all, *s.StackSetName)
			}
			return all, out.NextToken
		}, "another,set"},
	} {
		var got []string
		for _, part := range pages(c.page) {
			if len(part) > 1 {
				t.Errorf("%s: a page of %d", what, len(part))
			}
			got = append(got, part...)
		}
		w.same(what, strings.Join(got, ","), c.want)
	}
	for what, err := range map[string]error{
		"instances": func() error {
			_, err := calltest.Do(w.World, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: name, NextToken: new("no")})
			return err
		}(),
		"operations": func() error {
			_, err := calltest.Do(w.World, api.ListStackSetOperations, &api.ListStackSetOperationsInput{StackSetName: name, NextToken: new("no")})
			return err
		}(),
	} {
		if err == nil || !strings.Contains(err.Error(), "Invalid NextToken") {
			t.Errorf("a token of %s that nobody gave: %v", what, err)
		}
	}
}

// TestHistory holds that operations are shown for 90 days after their end, and that their
// ids are free then.
func TestHistory(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	w.createSet(one)
	const day = 24 * time.Hour
	name := new("set")
	place := func(id, region string) {
		t.Helper()
		ask(w, admin, east, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: name, Accounts: []string{admin}, Regions: []string{region}, OperationId: &id})
	}
	list := func() string {
		var all []string
		for _, o := range ask(w, admin, east, api.ListStackSetOperations, &api.ListStackSetOperationsInput{StackSetName: name}).Summaries {
			all = append(all, *o.OperationId)
		}
		return strings.Join(all, " ")
	}
	place("first", east)
	w.Clock.Advance(60 * day)
	place("second", east)
	w.same("after 60 days", list(), "second first")
	w.Clock.Advance(31 * day)
	w.same("after 91 days", list(), "second")
	_, err := calltest.Do(w.World, api.DescribeStackSetOperation, &api.DescribeStackSetOperationInput{StackSetName: name, OperationId: new("first")})
	if !fault.Is(err, "OperationNotFoundException") {
		t.Errorf("after 91 days: %v", err)
	}
	place("first", west)
	w.same("with the same id", list(), "first second")
	w.same("results", w.operation(new("first")), "CREATE SUCCEEDED failed=0\n000000000000 eu-west-1 SUCCEEDED")
	w.same("instances", w.instances(), "000000000000 eu-west-1 CURRENT SUCCEEDED\n000000000000 us-east-1 CURRENT SUCCEEDED")

	ask(w, admin, east, api.DeleteStackInstances, &api.DeleteStackInstancesInput{StackSetName: name, Accounts: []string{admin}, Regions: []string{east, west}, RetainStacks: new(false)})
	ask(w, admin, east, api.DeleteStackSet, &api.DeleteStackSetInput{StackSetName: name})
	var kinds []string
	for _, k := range w.keys() {
		if k[0] == "cloudformation" && strings.HasPrefix(k[3], "set") {
			kinds = append(kinds, k[3])
		}
	}
	slices.Sort(kinds)
	w.same("what is left of a set", strings.Join(kinds, " "), "set setspec")
}
