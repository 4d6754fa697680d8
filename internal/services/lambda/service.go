package lambda

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store  data.Store
	Blobs  blob.Store
	Clock  clock.Clock
	IDs    *ids.Source
	Caller call.Caller
	// Gate decides about callers of function URLs.
	Gate *call.Gate
	// Key encrypts environment variables in the store: 32 bytes.
	Key []byte
	// CodeDir is a folder of the room's own for unpacked packages. Start clears it.
	CodeDir string

	Launcher sandbox.Launcher
	Runtimes *engine.Catalog
	// Images keeps the bytes of container images, ImageDir is a folder of the room's
	// own for unpacked layers, which Start clears, and Pull fetches images from
	// other registries; nil: none are fetched.
	Images   *image.Content
	ImageDir string
	Pull     *image.Puller
	// Templates are interpreters that were started ahead of their functions; nil: none.
	Templates *engine.Templates
	// Network is the network that functions are in.
	Network sandbox.Network
	// Door is where functions in a private network reach the server.
	Door engine.Door
	// Egress is how they reach the outside; nil: not at all.
	Egress engine.Egress
	// Endpoint is the server's address as a function reaches it in that network,
	// "http://127.0.0.1:4566"; "" if it cannot.
	Endpoint func(sandbox.Network) string
	// Tap is told every line of every function's log as it comes, without its
	// line feed. It must not block. Nil is no tap.
	Tap func(function, line string)
	// Idle is for how long an environment is kept without an event; 0 means 10 minutes.
	Idle time.Duration
	// Cores is how many processors functions share; 0 means all.
	Cores int
	// Busy reports whether the processors have no time to spare, if that is known;
	// nil: it is not.
	Busy func() (busy, known bool)
	// Memory is what all environments may hold together, in bytes; 0 is no limit.
	Memory int64
}

// Service is the room.
type Service struct {
	store    data.Store
	blobs    blob.Store
	clock    clock.Clock
	ids      *ids.Source
	caller   call.Caller
	gate     *call.Gate
	runtimes *engine.Catalog

	shelf   shelf
	urls    sync.Map // id to urlPlace, as far as they were asked for
	seal    seal
	folders folders
	trees   *image.Trees
	plane   *plane
	async   async
}

// New makes the room. It fails if the key is not one.
func New(d Deps) (*Service, error) {
	seal, err := newSeal(d.Key, d.IDs)
	if err != nil {
		return nil, err
	}
	if d.Idle == 0 {
		d.Idle = 10 * time.Minute
	}
	if d.Cores == 0 {
		d.Cores = runtime.NumCPU()
	}
	s := &Service{
		store: d.Store, blobs: d.Blobs, clock: d.Clock, ids: d.IDs, caller: d.Caller, gate: d.Gate, runtimes: d.Runtimes,
		seal: seal, folders: folders{dir: d.CodeDir},
	}
	s.trees = image.NewTrees(d.Images, d.ImageDir, d.Launcher != nil && d.Launcher.Tier().Overlay)
	s.shelf.init()
	s.plane = newPlane(s, d)
	s.async.s = s
	return s, nil
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	all = append(all, s.functionBindings()...)
	all = append(all, s.updateBindings()...)
	all = append(all, s.versionBindings()...)
	all = append(all, s.aliasBindings()...)
	all = append(all, s.permissionBindings()...)
	all = append(all, s.concurrencyBindings()...)
	all = append(all, s.provisionedBindings()...)
	all = append(all, s.recursionBindings()...)
	all = append(all, s.codeSigningBindings()...)
	all = append(all, s.managementBindings()...)
	all = append(all, s.eventInvokeBindings()...)
	all = append(all, s.tagBindings()...)
	all = append(all, s.layerBindings()...)
	all = append(all, s.urlBindings()...)
	all = append(all, s.streamBindings()...)
	all = append(all, s.invokeBindings()...)
	return all
}

// Start implements call.Worker: it makes the folder of code ready and takes up
// the asynchronous invocations that wait.
func (s *Service) Start(ctx context.Context) error {
	if err := s.folders.open(); err != nil {
		return err
	}
	if err := s.openImages(ctx); err != nil {
		return err
	}
	if err := s.collect(ctx); err != nil {
		return err
	}
	s.plane.start()
	s.plane.work.Go(s.provideAll)
	return s.async.start(ctx)
}

// Stop implements call.Worker: invocations under way may end until ctx does;
// then what is left is killed. Log lines that came are delivered.
func (s *Service) Stop(ctx context.Context) error {
	s.async.stop()
	defer s.trees.Close()
	return s.plane.stop(ctx)
}

// checkInterpreter says whether this machine can run a runtime, and tells who
// follows the function's log if it does so with another version of the interpreter.
func (s *Service) checkInterpreter(ctx context.Context, k key, name string) error {
	if err := checkRuntime(name); err != nil {
		return err
	}
	c, err := s.runtimes.Resolve(ctx, name)
	if missing := (*engine.UnavailableError)(nil); errors.As(err, &missing) {
		return api.InvalidParameterValueException("%s", missing)
	}
	if err != nil {
		return fmt.Errorf("runtime of %s: %w", k.name, err)
	}
	if tap := s.plane.deps.Tap; tap != nil && c.Notice != "" {
		tap(k.name, c.Notice)
	}
	return nil
}

// stateReason is a reason for a state, with what whoever deploys the function
// should know of the interpreter that is to run it.
func (s *Service) stateReason(ctx context.Context, reason, runtime string) *string {
	if runtime == "" {
		return &reason
	}
	if c, err := s.runtimes.Resolve(ctx, runtime); err == nil && c.Notice != "" {
		reason += " " + c.Notice + "."
	}
	return &reason
}

// checkCode says whether this machine can run a package with a runtime.
func (s *Service) checkCode(ctx context.Context, name, hash string) error {
	if !strings.HasPrefix(name, "java") {
		return nil
	}
	c, err := s.runtimes.Resolve(ctx, name)
	if err == nil {
		err = c.CheckCode(s.folders.path(hash))
	}
	if missing := (*engine.UnavailableError)(nil); errors.As(err, &missing) {
		return api.InvalidParameterValueException("%s", missing)
	}
	return err
}
