package cloudformation_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

const twoBoxes = "Resources:\n  A: {Type: Test::Shop::Box, Properties: {Name: a, Size: 1}}\n  B: {Type: Test::Shop::Box, DependsOn: A, Properties: {Name: b, Size: 1}}\n"

// TestContinueUpdateRollback lets a rollback fail, because a resource was taken
// away meanwhile, and go on once it is back, or without it.
func TestContinueUpdateRollback(t *testing.T) {
	for _, skip := range []bool{false, true} {
		s := newShop()
		w, _ := world(mem.New(), s)
		calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(twoBoxes)})
		_, err := calltest.Do(w, api.ContinueUpdateRollback, &api.ContinueUpdateRollbackInput{StackName: new("s")})
		if err == nil || !strings.Contains(err.Error(), "is in CREATE_COMPLETE state and can not be rolled back.") {
			t.Errorf("continued what did not fail: %v", err)
		}
		s.step = func(_ context.Context, what string) {
			if what == "updated A" {
				s.mu.Lock()
				delete(s.boxes, "a")
				s.mu.Unlock()
			}
		}
		calltest.Must(t, w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: new(strings.NewReplacer("a, Size: 1", "a, Size: 2", "b, Size: 1", "b, Size: -1").Replace(twoBoxes))})
		s.step = nil
		if got := state(t, w, s); !strings.HasPrefix(got, "UPDATE_ROLLBACK_FAILED\nA UPDATE_FAILED true\n") {
			t.Fatalf("the rollback ended as %s", got)
		}
		in := &api.ContinueUpdateRollbackInput{StackName: new("s")}
		want := "UPDATE_ROLLBACK_COMPLETE\nA UPDATE_COMPLETE true\nB UPDATE_COMPLETE true\n"
		if skip {
			in.ResourcesToSkip = []string{"A", "X"}
			if _, err := calltest.Do(w, api.ContinueUpdateRollback, in); err == nil || !strings.Contains(err.Error(), "not in the UPDATE_FAILED state: [X]") {
				t.Errorf("skipped what did not fail: %v", err)
			}
			in.ResourcesToSkip = []string{"A"}
			want += "b size=1\n"
		} else {
			s.boxes["a"] = &shopBox{size: 2, lids: map[string]bool{}}
			want += "a size=1\nb size=1\n"
		}
		calltest.Must(t, w, api.ContinueUpdateRollback, in)
		if got := state(t, w, s); got != want {
			t.Errorf("skip %v: it ended as %s", skip, got)
		}
	}
}

// TestCancelUpdateStack cancels an update while its first resource is changed, in
// one case with a restart in between.
func TestCancelUpdateStack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s, store := newShop(), mem.New()
		w, room := world(store, s)
		calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(twoBoxes)})
		if _, err := calltest.Do(w, api.CancelUpdateStack, &api.CancelUpdateStackInput{StackName: new("s")}); err == nil || !strings.Contains(err.Error(), "cannot be called from current stack status") {
			t.Errorf("cancelled nothing: %v", err)
		}
		stuck, free := make(chan bool), make(chan bool)
		var once sync.Once // the rollback changes A too
		s.step = func(ctx context.Context, what string) {
			if what != "update A" {
				return
			}
			once.Do(func() {
				stuck <- true
				select {
				case <-free:
				case <-ctx.Done():
				}
			})
		}
		done := make(chan error, 1)
		go func() {
			_, err := calltest.Do(w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: new(strings.ReplaceAll(twoBoxes, "Size: 1", "Size: 2"))})
			done <- err
		}()
		<-stuck
		calltest.Must(t, w, api.CancelUpdateStack, &api.CancelUpdateStackInput{StackName: new("s")})
		if restart {
			if err := room.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		} else {
			close(free)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if restart {
			s.step = nil
			var again *cloudformation.Service
			w, again = world(store, s)
			if err := again.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			again.Settle()
		}
		want := "UPDATE_ROLLBACK_COMPLETE\nA UPDATE_COMPLETE true\nB CREATE_COMPLETE true\na size=1\nb size=1\n"
		if got := state(t, w, s); got != want {
			t.Errorf("restart %v: it ended as %s", restart, got)
		}
	}
}
