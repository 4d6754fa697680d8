package dynamodb

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) updateTable(ctx context.Context, rq *call.Authorized, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	if err := unsupported(in.StreamSpecification, in.SSESpecification, in.WarmThroughput, in.OnDemandThroughput, in.GlobalTableSettingsReplicationMode); err != nil {
		return nil, err
	}
	switch {
	case in.ReplicaUpdates != nil:
		return nil, refused("ReplicaUpdates", "tables have no replicas")
	case in.MultiRegionConsistency != nil:
		return nil, refused("MultiRegionConsistency", "tables have no replicas")
	case in.GlobalTableWitnessUpdates != nil:
		return nil, refused("GlobalTableWitnessUpdates", "tables have no replicas")
	}
	if in.BillingMode == nil && in.ProvisionedThroughput == nil && len(in.GlobalSecondaryIndexUpdates) == 0 &&
		in.TableClass == nil && in.DeletionProtectionEnabled == nil && in.StreamSpecification == nil && in.SSESpecification == nil {
		return nil, invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	t, err := s.tableFor(ctx, rq, in.TableName)
	if err != nil {
		return nil, err
	}
	var filling string
	var rubbish []byte
	now := s.clock.Now()
	t, err = s.alter(ctx, t.ref, func(txn data.Txn, rec *record) error {
		filling, rubbish = "", nil
		if err := rec.bill(in, now); err != nil {
			return err
		}
		if in.DeletionProtectionEnabled != nil {
			rec.DeletionProtection = *in.DeletionProtectionEnabled
		}
		if in.TableClass != nil {
			rec.TableClass = *in.TableClass
		}
		var err error
		filling, rubbish, err = updateIndexes(txn, t.place, rec, in, now)
		return err
	})
	if err == errGone {
		return nil, api.ResourceNotFoundException("Requested resource not found")
	}
	if err != nil {
		return nil, err
	}
	if filling != "" {
		s.fill(ctx, t.ref, filling)
		if now, err := s.lookup(ctx, t.ref); err == nil && now != nil {
			t = now
		}
	}
	if rubbish != nil {
		s.clear(ctx, rubbish)
	}
	c, err := s.count(ctx, t)
	if err != nil {
		return nil, err
	}
	return &api.UpdateTableOutput{TableDescription: describe(t, c, t.status())}, nil
}

// bill changes the billing mode and the table's throughput.
func (rec *record) bill(in *api.UpdateTableInput, now time.Time) (err error) {
	if in.BillingMode == nil && in.ProvisionedThroughput == nil {
		return nil
	}
	mode := opt.Or(in.BillingMode, rec.BillingMode)
	want, err := provisioned(mode, in.ProvisionedThroughput, "")
	if err != nil {
		return err
	}
	if in.BillingMode == nil && want.Read == rec.Throughput.Read && want.Write == rec.Throughput.Write {
		return invalid("The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
			rec.Throughput.Read, want.Read, rec.Throughput.Write, want.Write)
	}
	toOnDemand := mode == api.BillingModePayPerRequest && rec.BillingMode != mode
	toProvisioned := mode != api.BillingModePayPerRequest && rec.BillingMode == api.BillingModePayPerRequest
	rec.BillingMode = mode
	rec.Throughput = rec.Throughput.to(want, now)
	if toOnDemand {
		rec.OnDemandSince = &now
		for i := range rec.Indexes {
			rec.Indexes[i].Throughput = throughput{}
		}
	}
	if !toProvisioned {
		return nil
	}
	// Every global index then needs throughput of its own.
	for i := range rec.Indexes {
		x := &rec.Indexes[i]
		if !x.Global {
			continue
		}
		var p *api.ProvisionedThroughput
		for _, u := range in.GlobalSecondaryIndexUpdates {
			if u.Update != nil && opt.Val(u.Update.IndexName) == x.Name {
				p = u.Update.ProvisionedThroughput
			}
			if u.Delete != nil && opt.Val(u.Delete.IndexName) == x.Name {
				p = &api.ProvisionedThroughput{ReadCapacityUnits: new(int64(1)), WriteCapacityUnits: new(int64(1))}
			}
		}
		if x.Throughput, err = provisioned(mode, p, x.Name); err != nil {
			return err
		}
	}
	return nil
}

// to notes when throughput was raised or lowered.
func (p throughput) to(want throughput, now time.Time) throughput {
	want.Raised, want.Lowered = p.Raised, p.Lowered
	if want.Read > p.Read || want.Write > p.Write {
		want.Raised = &now
	}
	if want.Read < p.Read || want.Write < p.Write {
		want.Lowered = &now
	}
	return want
}

// updateIndexes makes, changes and removes global indexes. It returns the number
// of an index to be filled and the key of what is to be cleared away.
func updateIndexes(txn data.Txn, p place, rec *record, in *api.UpdateTableInput, now time.Time) (filling string, rubbish []byte, err error) {
	changes := 0
	for _, u := range in.GlobalSecondaryIndexUpdates {
		set := 0
		for _, is := range []bool{u.Create != nil, u.Update != nil, u.Delete != nil} {
			if is {
				set++
			}
		}
		if set != 1 {
			return "", nil, badParameter("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must be specified")
		}
		if u.Create != nil || u.Delete != nil {
			if changes++; changes > 1 {
				return "", nil, api.LimitExceededException("Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
			}
		}
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		switch {
		case u.Create != nil:
			filling, err = createIndex(txn, p, rec, in.AttributeDefinitions, u.Create)
		case u.Delete != nil:
			rubbish, err = deleteIndex(txn, p, rec, opt.Val(u.Delete.IndexName))
		default:
			err = updateIndex(rec, u.Update, now)
		}
		if err != nil {
			return "", nil, err
		}
	}
	return filling, rubbish, nil
}

func createIndex(txn data.Txn, p place, rec *record, defs []api.AttributeDefinition, in *api.CreateGlobalSecondaryIndexAction) (string, error) {
	for _, x := range rec.Indexes {
		if x.Filling {
			return "", api.ResourceInUseException("Attempt to change a resource which is still in use: Table is being updated: %s", rec.Name)
		}
		if x.Name == opt.Val(in.IndexName) {
			return "", invalid("Attempting to create an index which already exists")
		}
	}
	types, err := definitions(defs)
	if err != nil {
		return "", err
	}
	all := maps.Clone(rec.Types)
	for n, typ := range types {
		if had, ok := all[n]; ok && had != typ {
			return "", badParameter("Attribute type of %s cannot be changed from %s to %s", n, had, typ)
		}
		all[n] = typ
	}
	if err := rec.addGlobal(in); err != nil {
		return "", err
	}
	rec.Types = all
	if err := rec.checkDefinitions(); err != nil {
		return "", err
	}
	x := &rec.Indexes[len(rec.Indexes)-1]
	x.Filling = true
	x.Number, err = number(txn, p)
	return x.Number, err
}

func noIndex(name string) error {
	return api.ResourceNotFoundException("Requested resource not found: Index: %s not found", name)
}

func deleteIndex(txn data.Txn, p place, rec *record, name string) (rubbish []byte, err error) {
	i := slices.IndexFunc(rec.Indexes, func(x indexRecord) bool { return x.Name == name && x.Global })
	if i < 0 {
		return nil, noIndex(name)
	}
	rubbish, err = discard(txn, p, numbered(p, "entry", rec.Indexes[i].Number))
	rec.Indexes = slices.Delete(rec.Indexes, i, i+1)
	keys := rec.keyNames()
	maps.DeleteFunc(rec.Types, func(n, _ string) bool { return !slices.Contains(keys, n) })
	return rubbish, err
}

func updateIndex(rec *record, in *api.UpdateGlobalSecondaryIndexAction, now time.Time) error {
	if err := unsupported(nil, nil, in.WarmThroughput, in.OnDemandThroughput, nil); err != nil {
		return err
	}
	for i := range rec.Indexes {
		x := &rec.Indexes[i]
		if x.Name != opt.Val(in.IndexName) || !x.Global {
			continue
		}
		want, err := provisioned(rec.BillingMode, in.ProvisionedThroughput, x.Name)
		if err != nil {
			return err
		}
		x.Throughput = x.Throughput.to(want, now)
		return nil
	}
	return noIndex(opt.Val(in.IndexName))
}
