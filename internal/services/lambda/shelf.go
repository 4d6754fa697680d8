package lambda

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// function is one state of a function. It is never changed: a change makes
// another one, so that invocations read it without a lock.
type function struct {
	key      key
	rec      *record
	versions map[string]*version
	policies map[string]*policy.Policy // by qualifier
	pools    *pools
}

// shelf keeps functions in memory. The room is the only writer of the store's
// records, so what is on the shelf is what is in the store.
type shelf struct {
	functions sync.Map // key to *function
	seed      maphash.Seed
	// locks serialise loading and changing, by function; invocations of loaded
	// functions take none.
	locks [64]sync.Mutex
}

func (s *shelf) init() { s.seed = maphash.MakeSeed() }

func (s *shelf) lock(k key) *sync.Mutex {
	l := &s.locks[maphash.Comparable(s.seed, k)%uint64(len(s.locks))]
	l.Lock()
	return l
}

// find returns a function, nil if there is none.
func (s *Service) find(ctx context.Context, k key) (*function, error) {
	if f, ok := s.shelf.functions.Load(k); ok {
		return f.(*function), nil
	}
	defer s.shelf.lock(k).Unlock()
	return s.load(ctx, k)
}

// load reads a function from the store and puts it on the shelf; k is locked.
func (s *Service) load(ctx context.Context, k key) (f *function, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		f, err = s.read(r, k)
		return err
	})
	if err == nil && f != nil {
		f.pools, err = s.plane.of(ctx, k)
	}
	if err != nil || f == nil {
		s.shelf.functions.Delete(k)
		return nil, err
	}
	s.shelf.functions.Store(k, f)
	return f, nil
}

func (s *Service) read(r data.Reader, k key) (*function, error) {
	rec, err := data.Load[record](r, k.record())
	if err != nil || rec == nil {
		return nil, err
	}
	f := &function{key: k, rec: rec, versions: map[string]*version{}, policies: map[string]*policy.Policy{}}
	for p, err := range r.Scan(k.versions(), data.PrefixEnd(k.versions()), false) {
		if err != nil {
			return nil, err
		}
		v, err := data.Decode[version](p)
		if err != nil {
			return nil, err
		}
		if v.Env, err = s.seal.open(k, v.SealedEnv); err != nil {
			return nil, err
		}
		f.versions[v.Version] = v
	}
	for q, p := range rec.Policies {
		if f.policies[q], err = p.parse(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// change runs a transaction on one function and puts the result on the shelf. f
// is nil if there is no such function; the change writes what it wants kept.
func (s *Service) change(ctx context.Context, k key, change func(t data.Txn, f *function) error) (*function, error) {
	defer s.shelf.lock(k).Unlock()
	err := s.store.Update(ctx, func(t data.Txn) error {
		f, err := s.read(t, k)
		if err != nil {
			return err
		}
		return change(t, f)
	})
	if err != nil {
		return nil, err
	}
	// The change is made: what follows must not depend on the caller's patience.
	f, err := s.load(context.WithoutCancel(ctx), k)
	if err == nil {
		s.plane.changed(k, f)
	}
	return f, err
}

// changeRecord changes what is common to all versions of a function.
func (s *Service) changeRecord(ctx context.Context, k key, change func(f *function) error) (*function, error) {
	return s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound("")
		}
		if err := change(f); err != nil {
			return err
		}
		return data.Save(t, k.record(), f.rec)
	})
}

// resolve finds the version that a qualifier means: nothing, a version, or an
// alias, whose weights choose by a random number from 0 to 1.
func (f *function) resolve(qualifier string, random func() float64) *version {
	if qualifier == "" {
		return f.versions[latest]
	}
	a := f.rec.Aliases[qualifier]
	if a == nil {
		return f.versions[qualifier]
	}
	if len(a.Weights) > 0 {
		x := random()
		for v, w := range a.Weights { // there is at most one
			if x < w {
				return f.versions[v]
			}
		}
	}
	return f.versions[a.Version]
}
