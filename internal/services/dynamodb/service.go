package dynamodb

import (
	"context"
	"sync"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// Deps are what the room needs.
type Deps struct {
	Store  data.Store
	Clock  clock.Clock
	IDs    *ids.Source
	Caller call.Caller
}

// Service is the DynamoDB room. It is the only writer of its keys.
type Service struct {
	store data.Store
	clock clock.Clock
	ids   *ids.Source

	// schema guards tables. Whoever writes items holds it for reading until the
	// write is committed, so that no item is written by the rules of a table that
	// has changed meanwhile.
	schema sync.RWMutex
	tables map[ref]*table

	background
}

// New returns the room. Without Start it serves, but expires no items and goes on
// with nothing that was interrupted.
func New(d Deps) *Service {
	s := &Service{store: d.Store, clock: d.Clock, ids: d.IDs, tables: map[ref]*table{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	for _, topic := range [][]call.Binding{
		s.tableBindings(), s.tagBindings(), s.expiryBindings(),
		s.itemBindings(), s.queryBindings(), s.batchBindings(), s.transactionBindings(),
	} {
		all = append(all, topic...)
	}
	return all
}

// lookup returns a table as it is now; nil if there is none.
func (s *Service) lookup(ctx context.Context, r ref) (*table, error) {
	s.schema.RLock()
	t := s.tables[r]
	s.schema.RUnlock()
	if t != nil {
		return t, nil
	}
	s.schema.Lock()
	defer s.schema.Unlock()
	return s.load(ctx, r)
}

// load is lookup for who holds schema for writing.
func (s *Service) load(ctx context.Context, r ref) (*table, error) {
	if t := s.tables[r]; t != nil {
		return t, nil
	}
	var t *table
	err := s.store.View(ctx, func(rd data.Reader) error {
		rec, ok, err := readRecord(rd, r)
		if ok {
			t = compile(r, rec, &stats{})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if t != nil {
		s.tables[r] = t
	}
	return t, nil
}

// named returns the table that a request for items names, or the fault for one
// that is not there.
func (s *Service) named(ctx context.Context, r ref) (*table, error) {
	t, err := s.lookup(ctx, r)
	if err == nil && t == nil {
		err = noTable()
	}
	return t, err
}

// hold is named for writers: on success they hold schema for reading, and must
// release it once they have committed.
func (s *Service) hold(ctx context.Context, r ref) (*table, error) {
	s.schema.RLock()
	t := s.tables[r]
	if t != nil {
		return t, nil
	}
	s.schema.RUnlock()
	if _, err := s.named(ctx, r); err != nil {
		return nil, err
	}
	s.schema.RLock()
	if t = s.tables[r]; t == nil {
		s.schema.RUnlock()
		return nil, noTable()
	}
	return t, nil
}

func noTable() error { return api.ResourceNotFoundException("Requested resource not found") }

// invalid makes a ValidationException.
func invalid(format string, args ...any) error { return fault.Of(fault.Validation, format, args...) }

// wrong makes ValidationExceptions of the errors of the expression language and
// leaves others as they are.
func wrong(err error) error {
	if e, ok := err.(*expr.Error); ok {
		return fault.Of(fault.Validation, "%s", e.Message)
	}
	return err
}
