package cloudformation_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
)

const (
	before = `
Resources:
  A: {Type: Test::Shop::Box, Properties: {Size: 1}}
  B: {Type: Test::Shop::Box, Properties: {Name: b, Size: 1, Note: !Ref A}}
  L: {Type: Test::Shop::Lid, Properties: {Box: !Ref B}}
`
	after = `
Resources:
  A: {Type: Test::Shop::Box, Properties: {Size: 2}}
  B: {Type: Test::Shop::Box, Properties: {Name: b2, Size: 1, Note: !Ref A}}
  C: {Type: Test::Shop::Box, DependsOn: B, Properties: {Size: 4}}
`
	// fails is after, but for a resource at the end that cannot be made.
	fails = after + `  D: {Type: Test::Shop::Box, DependsOn: C, Properties: {Size: -1}}
`
)

// operation is something that is done to a stack.
type operation struct {
	name, template string // "" deletes
	create         bool
}

func (o operation) begin(w *calltest.World) error {
	stack := "s"
	var err error
	switch {
	case o.template == "":
		_, err = calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: &stack})
	case o.create:
		_, err = calltest.Do(w, api.CreateStack, &api.CreateStackInput{StackName: &stack, TemplateBody: &o.template})
	default:
		_, err = calltest.Do(w, api.UpdateStack, &api.UpdateStackInput{StackName: &stack, TemplateBody: &o.template})
	}
	return err
}

// state describes how everything ended.
func state(t *testing.T, w *calltest.World, s *shop) string {
	out, err := calltest.Do(w, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("s")})
	if err != nil {
		return "gone\n" + s.list()
	}
	text := *out.Stacks[0].StackStatus + "\n"
	res := calltest.Must(t, w, api.ListStackResources, &api.ListStackResourcesInput{StackName: new("s")})
	for _, r := range res.StackResourceSummaries {
		text += fmt.Sprintf("%s %s %v\n", *r.LogicalResourceId, *r.ResourceStatus, r.PhysicalResourceId != nil)
	}
	return text + s.list()
}

// TestInterrupted interrupts operations at every step that a resource takes, half
// of the times after the step has had its effect, and lets a new room go on over
// the same store. However often that happens, all must end as if it had not.
func TestInterrupted(t *testing.T) {
	for _, ops := range [][]operation{
		{{"create over a forgetful room", "Resources:\n  A: {Type: Test::Shop::Box, Properties: {Size: 1}}\n  B: {Type: Test::Shop::Box, Properties: {Size: 1, Note: !Ref A}}\n", true}},
		{{"create", before, true}},
		{{"create that fails", fails, true}},
		{{"create", before, true}, {"update", after, false}},
		{{"create", before, true}, {"update that fails", fails, false}},
		{{"create", before, true}, {"delete", "", false}},
	} {
		last := ops[len(ops)-1]
		t.Run(last.name, func(t *testing.T) {
			want, steps := interrupted(t, ops, -1)
			if steps < 4 {
				t.Fatalf("only %d steps", steps)
			}
			for at := range steps {
				if got, _ := interrupted(t, ops, at); got != want {
					t.Errorf("interrupted at step %d it ended as\n%s\nand not as\n%s", at, got, want)
				}
			}
		})
	}
}

// interrupted carries operations out and interrupts the last at a step; -1 does
// not. It returns how all ended and how many steps the last one took.
func interrupted(t *testing.T, ops []operation, at int) (string, int) {
	s, store := newShop(), mem.New()
	s.forgetful = strings.Contains(ops[len(ops)-1].name, "forgetful")
	w, room := world(store, s)
	for _, o := range ops[:len(ops)-1] {
		if err := o.begin(w); err != nil {
			t.Fatal(err)
		}
	}
	n, stuck := 0, make(chan bool, 1)
	s.step = func(ctx context.Context, _ string) {
		s.mu.Lock()
		n++
		mine := n == at+1
		s.mu.Unlock()
		if mine {
			stuck <- true
			<-ctx.Done()
		}
	}
	done := make(chan error, 1)
	go func() { done <- ops[len(ops)-1].begin(w) }()
	if at < 0 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return state(t, w, s), n
	}
	<-stuck
	if err := room.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.step = nil
	w, room = world(store, s)
	if err := room.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	room.Settle()
	return state(t, w, s), n
}
