package cloudcontrol_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudcontrol"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/cloudcontrol"
)

// depot is a room with crates, and shelves that cannot be read.
type depot struct {
	mu     sync.Mutex
	crates map[string]*crateProps
	// step, if set, is called before a crate is made, and after.
	step func(ctx context.Context, what string)
}

type crateProps struct {
	Name   *string  `cfn:"Name,replace"`
	Size   *int     `cfn:"Size,required"`
	Labels []string `cfn:"Labels"`
	Secret string   `cfn:"Secret,required"`
}

func (d *depot) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("Test::Depot::Crate", resource.Handlers[crateProps]{
			Create: d.create, Update: d.update, Delete: d.delete, Read: d.read, List: d.list, Find: d.find,
			Identifier: []string{"Name"}, WriteOnly: []string{"Secret"}, Attributes: []string{"Arn"},
		}),
		resource.Define("Test::Depot::Shelf", resource.Handlers[struct{}]{
			Create: func(context.Context, *resource.Request, *struct{}) (resource.State, error) {
				return resource.State{ID: "shelf"}, nil
			},
			Delete: func(context.Context, *resource.Request, string, *struct{}) error { return nil },
		}),
	}
}

func state(name string) resource.State {
	return resource.State{ID: name, Attributes: map[string]any{"Arn": "arn:crate:" + name}}
}

func (d *depot) create(ctx context.Context, rq *resource.Request, p *crateProps) (resource.State, error) {
	name := rq.Name(40)
	if p.Name != nil {
		name = *p.Name
	}
	if d.step != nil {
		d.step(ctx, "create")
		defer d.step(ctx, "created")
	}
	if ctx.Err() != nil {
		return resource.State{}, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crates[name] != nil {
		return resource.State{}, fault.New("CrateAlreadyExists", 400, "crate %s exists", name)
	}
	if *p.Size < 0 {
		return resource.State{}, fault.New("BadSize", 400, "no crate has the size %d", *p.Size)
	}
	c := *p
	c.Name = &name
	d.crates[name] = &c
	return state(name), nil
}

func (d *depot) find(_ context.Context, _ *resource.Request, p *crateProps) ([]resource.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []resource.State
	for name, c := range d.crates {
		if p.Name == nil || *p.Name == *c.Name {
			out = append(out, state(name))
		}
	}
	return out, nil
}

func (d *depot) update(_ context.Context, _ *resource.Request, id string, _, p *crateProps) (resource.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.crates[id]
	c.Size, c.Labels = p.Size, p.Labels
	if p.Secret != "" {
		c.Secret = p.Secret
	}
	return state(id), nil
}

func (d *depot) delete(_ context.Context, _ *resource.Request, id string, _ *crateProps) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.crates, id)
	return nil
}

func (d *depot) read(_ context.Context, _ *resource.Request, id string, _ *crateProps) (*crateProps, resource.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.crates[id]
	if c == nil {
		return nil, resource.State{}, nil
	}
	out := *c
	out.Secret = ""
	return &out, state(id), nil
}

func (d *depot) list(context.Context, *resource.Request, *crateProps) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.crates)), nil
}

func world(store data.Store, d *depot) (*calltest.World, *cloudcontrol.Service) {
	w := calltest.New()
	room := cloudcontrol.New(cloudcontrol.Deps{
		Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Types: d.ResourceTypes, Linger: time.Hour,
	})
	w.Plug(room)
	return w, room
}

func TestScript(t *testing.T) {
	d := &depot{crates: map[string]*crateProps{}}
	w, room := world(mem.New(), d)
	t.Cleanup(func() { _ = room.Stop(context.Background()) })
	calltest.Script(t, "testdata/resources.txt", w, map[string]func(*testing.T, *datadriven.TestData) string{
		"secrets": func(*testing.T, *datadriven.TestData) string {
			out := ""
			for _, name := range slices.Sorted(maps.Keys(d.crates)) {
				out += fmt.Sprintf("%s=%s\n", name, d.crates[name].Secret)
			}
			return out
		},
	})
}

// TestResume stops the server before and after a crate is made: the next start makes
// it, or finds it, and there is one in the end.
func TestResume(t *testing.T) {
	for _, at := range []string{"create", "created"} {
		d, store := &depot{crates: map[string]*crateProps{}}, mem.New()
		w, room := world(store, d)
		stuck := make(chan bool)
		d.step = func(ctx context.Context, what string) {
			if what == at {
				stuck <- true
				<-ctx.Done()
			}
		}
		done := make(chan string, 1)
		go func() {
			out, err := calltest.Do(w, api.CreateResource, &api.CreateResourceInput{TypeName: new("Test::Depot::Crate"), DesiredState: new(`{"Size": 1, "Secret": "s"}`)})
			if err != nil {
				done <- ""
				return
			}
			done <- *out.ProgressEvent.RequestToken
		}()
		<-stuck
		if err := room.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		token := <-done
		d.step = nil
		w, room = world(store, d)
		if err := room.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		room.Settle()
		out := calltest.Must(t, w, api.GetResourceRequestStatus, &api.GetResourceRequestStatusInput{RequestToken: &token})
		if got := *out.ProgressEvent.OperationStatus; got != api.OperationStatusSuccess || len(d.crates) != 1 {
			t.Errorf("stopped at %s: it ended as %s with %d crates", at, got, len(d.crates))
		}
	}
}

// TestCancel cancels a creation, and refuses a second request on the same resource
// while one is under way.
func TestCancel(t *testing.T) {
	d, w := &depot{crates: map[string]*crateProps{}}, calltest.New()
	room := cloudcontrol.New(cloudcontrol.Deps{Store: mem.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Types: d.ResourceTypes})
	w.Plug(room)
	stuck := make(chan bool)
	d.step = func(ctx context.Context, what string) {
		if what == "create" {
			stuck <- true
			<-ctx.Done()
		}
	}
	out := calltest.Must(t, w, api.CreateResource, &api.CreateResourceInput{TypeName: new("Test::Depot::Crate"), DesiredState: new(`{"Size": 1, "Secret": "s"}`)})
	<-stuck
	if got := *out.ProgressEvent.OperationStatus; got != api.OperationStatusInProgress {
		t.Errorf("it began as %s", got)
	}
	token := out.ProgressEvent.RequestToken
	cancelled := calltest.Must(t, w, api.CancelResourceRequest, &api.CancelResourceRequestInput{RequestToken: token})
	if got := *cancelled.ProgressEvent.OperationStatus; got != api.OperationStatusCancelInProgress {
		t.Errorf("the cancellation was answered with %s", got)
	}
	room.Settle()
	now := calltest.Must(t, w, api.GetResourceRequestStatus, &api.GetResourceRequestStatusInput{RequestToken: token})
	if got := *now.ProgressEvent.OperationStatus; got != api.OperationStatusCancelComplete || len(d.crates) != 0 {
		t.Errorf("it ended as %s with %d crates", got, len(d.crates))
	}
	if _, err := calltest.Do(w, api.CancelResourceRequest, &api.CancelResourceRequestInput{RequestToken: token}); !fault.Is(err, "ConcurrentModificationException") {
		t.Errorf("what has ended was cancelled: %v", err)
	}
}
