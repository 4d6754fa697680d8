package dynamodb

import (
	"slices"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// status is UPDATING while an index is being filled.
func (t *table) status() string {
	for _, x := range t.indexes {
		if x.Filling {
			return api.TableStatusUpdating
		}
	}
	return api.TableStatusActive
}

func describe(t *table, c counts, status string) *api.TableDescription {
	rec := &t.rec
	d := &api.TableDescription{
		TableName: &rec.Name, TableId: &rec.ID, TableArn: &t.tableARN, TableStatus: &status,
		CreationDateTime: &rec.Created, KeySchema: schemaOf(rec.Hash, rec.Range),
		ItemCount: new(c.items), TableSizeBytes: new(c.bytes),
		ProvisionedThroughput:     rec.Throughput.describe(),
		DeletionProtectionEnabled: new(rec.DeletionProtection),
	}
	names := rec.keyNames()
	slices.Sort(names)
	for _, n := range names {
		d.AttributeDefinitions = append(d.AttributeDefinitions, api.AttributeDefinition{AttributeName: &n, AttributeType: new(rec.Types[n])})
	}
	if rec.BillingMode == api.BillingModePayPerRequest || rec.OnDemandSince != nil {
		d.BillingModeSummary = &api.BillingModeSummary{BillingMode: new(opt.Or(opt.NonZero(rec.BillingMode), api.BillingModeProvisioned)), LastUpdateToPayPerRequestDateTime: rec.OnDemandSince}
	}
	if rec.TableClass != "" {
		d.TableClassSummary = &api.TableClassSummary{TableClass: &rec.TableClass}
	}
	for _, x := range t.indexes {
		size := c.indexes[x.Number]
		arn := t.tableARN + "/index/" + x.Name
		projection := &api.Projection{ProjectionType: &x.Projection, NonKeyAttributes: x.NonKey}
		if !x.Global {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, api.LocalSecondaryIndexDescription{
				IndexName: &x.Name, IndexArn: &arn, KeySchema: schemaOf(x.Hash, x.Range), Projection: projection,
				ItemCount: new(size.items), IndexSizeBytes: new(size.bytes),
			})
			continue
		}
		g := api.GlobalSecondaryIndexDescription{
			IndexName: &x.Name, IndexArn: &arn, KeySchema: schemaOf(x.Hash, x.Range), Projection: projection,
			ItemCount: new(size.items), IndexSizeBytes: new(size.bytes),
			IndexStatus: new(api.IndexStatusActive), ProvisionedThroughput: x.Throughput.describe(),
		}
		switch {
		case status == api.TableStatusDeleting:
			g.IndexStatus = new(api.IndexStatusDeleting)
		case x.Filling:
			g.IndexStatus, g.Backfilling = new(api.IndexStatusCreating), new(true)
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, g)
	}
	return d
}

func schemaOf(hash, rng string) []api.KeySchemaElement {
	out := []api.KeySchemaElement{{AttributeName: &hash, KeyType: new(api.KeyTypeHash)}}
	if rng != "" {
		out = append(out, api.KeySchemaElement{AttributeName: &rng, KeyType: new(api.KeyTypeRange)})
	}
	return out
}

func (p throughput) describe() *api.ProvisionedThroughputDescription {
	return &api.ProvisionedThroughputDescription{
		ReadCapacityUnits: new(p.Read), WriteCapacityUnits: new(p.Write), NumberOfDecreasesToday: new(int64(0)),
		LastIncreaseDateTime: p.Raised, LastDecreaseDateTime: p.Lowered,
	}
}
