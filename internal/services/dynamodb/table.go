package dynamodb

import (
	"context"
	"errors"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) tableBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateTable, call.Rule(createNeeds, "dynamodb:CreateTable", "dynamodb:TagResource"), s.createTable),
		call.Bind(api.DescribeTable, onTable("dynamodb:DescribeTable", func(in *api.DescribeTableInput) *string { return in.TableName }), s.describeTable),
		call.Bind(api.UpdateTable, onTable("dynamodb:UpdateTable", func(in *api.UpdateTableInput) *string { return in.TableName }), s.updateTable),
		call.Bind(api.DeleteTable, onTable("dynamodb:DeleteTable", func(in *api.DeleteTableInput) *string { return in.TableName }), s.deleteTable),
		call.Bind(api.ListTables, call.Any[api.ListTablesInput]("dynamodb:ListTables"), s.listTables),
		call.Bind(api.DescribeLimits, call.Any[api.DescribeLimitsInput]("dynamodb:DescribeLimits"), s.describeLimits),
		call.Bind(api.DescribeEndpoints, call.Any[api.DescribeEndpointsRequest]("dynamodb:DescribeEndpoints"), s.describeEndpoints),
		call.Bind(api.DescribeContinuousBackups, onTable("dynamodb:DescribeContinuousBackups", func(in *api.DescribeContinuousBackupsInput) *string { return in.TableName }), s.describeContinuousBackups),
	}
}

func createNeeds(_ context.Context, rq *call.Decoded, in *api.CreateTableInput) ([]call.Need, error) {
	r, err := refOf(rq, opt.Val(in.TableName))
	if err != nil {
		return nil, err
	}
	needs := []call.Need{{Action: "dynamodb:CreateTable", Resource: r.arn(), Owner: r.account}}
	if len(in.Tags) > 0 {
		needs = append(needs, call.Need{Action: "dynamodb:TagResource", Resource: r.arn(), Owner: r.account})
	}
	return needs, nil
}

func (s *Service) createTable(ctx context.Context, rq *call.Authorized, in *api.CreateTableInput) (*api.CreateTableOutput, error) {
	r, err := refOf(rq.Decoded, opt.Val(in.TableName))
	if err != nil {
		return nil, err
	}
	rec, err := tableOf(in)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	rec.Name, rec.ID, rec.Created = r.name, s.ids.UUID(), now
	if rec.BillingMode == api.BillingModePayPerRequest {
		rec.OnDemandSince = &now
	}
	s.schema.Lock()
	defer s.schema.Unlock()
	if t, err := s.load(ctx, r); err != nil {
		return nil, err
	} else if t != nil {
		return nil, api.ResourceInUseException("Table already exists: %s", r.name)
	}
	err = s.store.Update(ctx, func(txn data.Txn) (err error) {
		if rec.Number, err = number(txn, r.place); err != nil {
			return err
		}
		for i := range rec.Indexes {
			if rec.Indexes[i].Number, err = number(txn, r.place); err != nil {
				return err
			}
		}
		return writeRecord(txn, r, rec)
	})
	if err != nil {
		return nil, err
	}
	t := compile(r, rec, &stats{})
	s.tables[r] = t
	return &api.CreateTableOutput{TableDescription: describe(t, counts{}, api.TableStatusActive)}, nil
}

func tableNotFound(r ref) error {
	return api.ResourceNotFoundException("Requested resource not found: Table: %s not found", r.name)
}

func (s *Service) describeTable(ctx context.Context, rq *call.Authorized, in *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	t, err := s.tableFor(ctx, rq, in.TableName)
	if err != nil {
		return nil, err
	}
	c, err := s.count(ctx, t)
	if err != nil {
		return nil, err
	}
	return &api.DescribeTableOutput{Table: describe(t, c, t.status())}, nil
}

// tableFor returns the table that a control operation names.
func (s *Service) tableFor(ctx context.Context, rq *call.Authorized, name *string) (*table, error) {
	r, err := refOf(rq.Decoded, opt.Val(name))
	if err != nil {
		return nil, err
	}
	t, err := s.lookup(ctx, r)
	if err == nil && t == nil {
		err = tableNotFound(r)
	}
	return t, err
}

var errGone = errors.New("dynamodb: the table is not there")

// alter changes a table's record as f does, and the table that is in use with it.
// errGone says that there is none. f may be called several times.
func (s *Service) alter(ctx context.Context, r ref, f func(data.Txn, *record) error) (*table, error) {
	s.schema.Lock()
	defer s.schema.Unlock()
	old, err := s.load(ctx, r)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return nil, errGone
	}
	var rec record
	err = s.store.Update(ctx, func(txn data.Txn) error {
		rec = old.rec.clone()
		if err := f(txn, &rec); err != nil {
			return err
		}
		return writeRecord(txn, r, rec)
	})
	if err != nil {
		return nil, err
	}
	t := compile(r, rec, old.stats)
	s.tables[r] = t
	t.stats.changed()
	return t, nil
}

func (s *Service) deleteTable(ctx context.Context, rq *call.Authorized, in *api.DeleteTableInput) (*api.DeleteTableOutput, error) {
	t, err := s.tableFor(ctx, rq, in.TableName)
	if err != nil {
		return nil, err
	}
	c, err := s.count(ctx, t)
	if err != nil {
		return nil, err
	}
	t, rubbish, err := s.drop(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	s.clear(ctx, rubbish...)
	return &api.DeleteTableOutput{TableDescription: describe(t, c, api.TableStatusDeleting)}, nil
}

// drop removes a table and notes that its items are to be deleted.
func (s *Service) drop(ctx context.Context, r ref) (t *table, rubbish [][]byte, err error) {
	s.schema.Lock()
	defer s.schema.Unlock()
	if t, err = s.load(ctx, r); err != nil {
		return nil, nil, err
	}
	if t == nil {
		return nil, nil, tableNotFound(r)
	}
	if t.rec.DeletionProtection {
		return nil, nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	prefixes := [][]byte{t.items}
	for _, x := range t.indexes {
		prefixes = append(prefixes, x.prefix)
	}
	if t.expiry != nil {
		prefixes = append(prefixes, t.expiry.prefix)
	}
	err = s.store.Update(ctx, func(txn data.Txn) error {
		rubbish = nil
		for _, p := range prefixes {
			key, err := discard(txn, r.place, p)
			if err != nil {
				return err
			}
			rubbish = append(rubbish, key)
		}
		return txn.Delete(tableKey(r))
	})
	if err != nil {
		return nil, nil, err
	}
	delete(s.tables, r)
	return t, rubbish, nil
}

func (s *Service) listTables(ctx context.Context, rq *call.Authorized, in *api.ListTablesInput) (*api.ListTablesOutput, error) {
	limit := int(opt.Or(in.Limit, 100))
	out := &api.ListTablesOutput{TableNames: []string{}}
	err := s.store.View(ctx, func(r data.Reader) error {
		out.TableNames, out.LastEvaluatedTableName = []string{}, nil
		return eachTable(r, place{rq.Account(), rq.Region()}, opt.Val(in.ExclusiveStartTableName), func(rec record) bool {
			if len(out.TableNames) == limit {
				out.LastEvaluatedTableName = &out.TableNames[limit-1]
				return false
			}
			out.TableNames = append(out.TableNames, rec.Name)
			return true
		})
	})
	return out, err
}

// describeLimits answers AWS's default quotas; nothing here is throttled.
func (s *Service) describeLimits(context.Context, *call.Authorized, *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	return &api.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits: new(int64(80000)), AccountMaxWriteCapacityUnits: new(int64(80000)),
		TableMaxReadCapacityUnits: new(int64(40000)), TableMaxWriteCapacityUnits: new(int64(40000)),
	}, nil
}

// describeEndpoints answers the address that the caller used.
func (s *Service) describeEndpoints(_ context.Context, rq *call.Authorized, _ *api.DescribeEndpointsRequest) (*api.DescribeEndpointsResponse, error) {
	_, address, _ := strings.Cut(rq.Endpoint(), "://")
	return &api.DescribeEndpointsResponse{Endpoints: []api.Endpoint{{Address: &address, CachePeriodInMinutes: new(int64(1440))}}}, nil
}

// describeContinuousBackups says the truth, that there are none; tools that
// manage tables ask for it.
func (s *Service) describeContinuousBackups(ctx context.Context, rq *call.Authorized, in *api.DescribeContinuousBackupsInput) (*api.DescribeContinuousBackupsOutput, error) {
	r, err := refOf(rq.Decoded, opt.Val(in.TableName))
	if err != nil {
		return nil, err
	}
	if t, err := s.lookup(ctx, r); err != nil {
		return nil, err
	} else if t == nil {
		return nil, api.TableNotFoundException("Table not found: %s", r.name)
	}
	return &api.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: &api.ContinuousBackupsDescription{
		ContinuousBackupsStatus:        new(api.ContinuousBackupsStatusDisabled),
		PointInTimeRecoveryDescription: &api.PointInTimeRecoveryDescription{PointInTimeRecoveryStatus: new(api.PointInTimeRecoveryStatusDisabled)},
	}}, nil
}
