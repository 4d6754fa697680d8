package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// make creates a resource and notes what came of it. again says that it may have
// been made before a restart, without anybody having noted it: then it is taken up.
func (r *run) make(ctx context.Context, rec *resourceRecord, again bool) error {
	t, rq := r.plan.types.of(rec.Type), r.request(rec.ID, rec.Type, "create")
	var st resource.State
	var err error
	found, ok := resource.State{}, false
	if t.Waits() && r.failing != nil {
		ctx = r.failing
	}
	if again {
		found, ok = r.left(rec)
	}
	switch {
	case ok:
		st, err = t.Adopt(ctx, rq, found, rec.Properties)
	case again && !t.Finds():
		st, err = r.repeat(ctx, t, rq, rec.Properties)
	default:
		st, err = t.Create(ctx, rq, rec.Properties)
		if f := fault.As(err); f != nil && strings.Contains(f.Code, "AlreadyExists") {
			st.ID = "" // it is another's, whom a rollback must not rob of it
		}
	}
	rec.take(st)
	if err == nil && st.ID == "" {
		err = fmt.Errorf("the type %s gave no physical id", rec.Type)
	}
	return err
}

// take notes what a resource type said of what it made.
func (x *existing) take(st resource.State) {
	x.Physical, x.Ref, x.Attributes, x.NoEcho = st.ID, st.Ref, st.Attributes, st.NoEcho
}

// repeat creates a resource of a type that cannot find what an earlier attempt
// made. If the name that the platform gave it, which is of this step alone, is
// taken, the earlier attempt made it.
func (r *run) repeat(ctx context.Context, t *resource.Type, rq *resource.Request, props map[string]any) (resource.State, error) {
	given, name := "", rq.Name
	rq.Name = func(most int) string {
		given = name(most)
		return given
	}
	st, err := t.Create(ctx, rq, props)
	if f := fault.As(err); f != nil && handlerCode(f) == "AlreadyExists" && given != "" && t.InPlace([]string{""}) {
		if found, ferr := t.Update(ctx, rq, given, props, props); ferr == nil {
			if st, err = found, nil; st.ID == "" {
				st.ID = given
			}
		}
	}
	return st, err
}

// look notes what there is, before x is made, that could be taken for it. Who may
// not ask goes without: then an interrupted creation is simply begun anew.
func (r *run) look(ctx context.Context, rec *resourceRecord, x *existing) {
	rec.Making, rec.Others = nil, nil
	t := r.s.types().of(x.Type)
	if t == nil || !t.Finds() {
		return
	}
	found, err := t.Find(ctx, r.request(rec.ID, x.Type, "create"), x.Properties)
	if err != nil {
		return
	}
	making := *x
	rec.Making = &making
	for _, st := range found {
		rec.Others = append(rec.Others, st.ID)
	}
}

// broken is a creation that a crash broke off.
type broken struct {
	run *run
	rec *resourceRecord
}

// broken lists the creations of a stack that a crash broke off.
func (s *Service) broken(ctx context.Context, sc scope, id string) ([]broken, error) {
	r, err := s.open(ctx, sc, id, nil)
	if err != nil || r == nil {
		return nil, err
	}
	if r.st.Spec != "" {
		err := s.view(ctx, func(rd data.Reader) (err error) {
			r.spec, err = get[specRecord](rd, sc.specKey(id, r.st.Spec))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var out []broken
	for _, rec := range r.recs {
		if rec.Op == r.st.Op.ID && strings.HasSuffix(rec.Status, "_IN_PROGRESS") && rec.Making != nil {
			out = append(out, broken{r, rec})
		}
	}
	return out, nil
}

// search finds what creations that were broken off had made. It runs at the start,
// before anything else is made that could be taken for it. Two that made the like
// at the same time may each have seen the other's before it began: who saw the
// most began last, and has the fewest to choose from.
func (s *Service) search(ctx context.Context, all []broken) {
	sort.SliceStable(all, func(i, j int) bool { return len(all[i].rec.Others) > len(all[j].rec.Others) })
	claimed := map[[2]string]bool{}
	for _, b := range all {
		if st, ok := b.run.orphan(ctx, b.rec, claimed); ok {
			s.plane.left[[2]string{b.run.st.ID, b.rec.ID}] = st
		}
	}
}

// left tells what an interrupted attempt at making a resource has left.
func (r *run) left(rec *resourceRecord) (resource.State, bool) {
	p := &r.s.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{r.st.ID, rec.ID}
	st, ok := p.left[key]
	delete(p.left, key)
	return st, ok && rec.Making != nil
}

// orphan finds what was made of rec.Making: what is there now, was not before, and
// belongs to no resource of any stack nor to what is claimed, by type and id.
func (r *run) orphan(ctx context.Context, rec *resourceRecord, claimed map[[2]string]bool) (resource.State, bool) {
	x := rec.Making
	if x == nil || r.s.types().of(x.Type) == nil {
		return resource.State{}, false
	}
	found, err := r.s.types().of(x.Type).Find(ctx, r.request(rec.ID, x.Type, "create"), x.Properties)
	if err != nil || len(found) == 0 {
		return resource.State{}, false
	}
	owned := map[string]bool{}
	if err := r.owned(ctx, x.Type, owned); err != nil {
		return resource.State{}, false
	}
	for _, st := range found {
		claim := [2]string{x.Type, st.ID}
		if slices.Contains(rec.Others, st.ID) || owned[st.ID] || claimed[claim] {
			continue
		}
		claimed[claim] = true
		return st, true
	}
	return resource.State{}, false
}

// owned collects the physical ids of a type that the stacks here have.
func (r *run) owned(ctx context.Context, kind string, into map[string]bool) error {
	return r.s.view(ctx, func(rd data.Reader) error {
		all, err := list[resourceRecord](rd, r.sc.key("resource"))
		for _, rec := range all {
			if rec.Status == api.ResourceStatusDeleteSkipped || rec.Status == api.ResourceStatusDeleteComplete {
				continue // its stack has let go of it
			}
			for _, x := range append(rec.leftovers(), rec.existing) {
				if x.Type == kind && x.Physical != "" {
					into[x.Physical] = true
				}
			}
		}
		return err
	})
}
