package dynamodb

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func keyProperties(ks []api.KeySchemaElement) []keyProperty {
	out := make([]keyProperty, len(ks))
	for i, k := range ks {
		out[i] = keyProperty{k.AttributeName, k.KeyType}
	}
	return out
}

func projection(p *api.Projection) *projectionProperty {
	if p == nil {
		return nil
	}
	return &projectionProperty{p.ProjectionType, p.NonKeyAttributes}
}

func throughputOf(t *api.ProvisionedThroughputDescription) *throughputProperty {
	if t == nil || opt.Val(t.ReadCapacityUnits) == 0 {
		return nil
	}
	return &throughputProperty{t.ReadCapacityUnits, t.WriteCapacityUnits}
}

func readResource(ctx context.Context, rq *resource.Request, name string, _ *tableProperties) (*tableProperties, resource.State, error) {
	none := resource.State{}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeTable, &api.DescribeTableInput{TableName: &name})
	if fault.Is(err, "ResourceNotFoundException") {
		return nil, none, nil
	}
	if err != nil {
		return nil, none, err
	}
	t := out.Table
	p := &tableProperties{
		TableName: &name, KeySchema: keyProperties(t.KeySchema), BillingMode: new(api.BillingModeProvisioned),
		ProvisionedThroughput: throughputOf(t.ProvisionedThroughput), DeletionProtectionEnabled: t.DeletionProtectionEnabled,
	}
	if t.BillingModeSummary != nil {
		p.BillingMode = t.BillingModeSummary.BillingMode
	}
	if t.TableClassSummary != nil {
		p.TableClass = t.TableClassSummary.TableClass
	}
	for _, d := range t.AttributeDefinitions {
		p.AttributeDefinitions = append(p.AttributeDefinitions, definitionProperty{d.AttributeName, d.AttributeType})
	}
	for _, x := range t.LocalSecondaryIndexes {
		p.LocalSecondaryIndexes = append(p.LocalSecondaryIndexes, localProperty{x.IndexName, keyProperties(x.KeySchema), projection(x.Projection)})
	}
	for _, x := range t.GlobalSecondaryIndexes {
		p.GlobalSecondaryIndexes = append(p.GlobalSecondaryIndexes, globalProperty{
			IndexName: x.IndexName, KeySchema: keyProperties(x.KeySchema), Projection: projection(x.Projection), ProvisionedThroughput: throughputOf(x.ProvisionedThroughput),
		})
	}
	ttl, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeTimeToLive, &api.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return nil, none, err
	}
	if a := ttl.TimeToLiveDescription.AttributeName; a != nil {
		p.TimeToLiveSpecification = &timeToLiveProperty{Enabled: new(true), AttributeName: a}
	}
	in := &api.ListTagsOfResourceInput{ResourceArn: new(arn.Make("dynamodb", rq.Region, rq.Account, "table/"+name))}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsOfResource, in)
		if err != nil {
			return nil, none, err
		}
		for _, x := range page.Tags {
			p.Tags = append(p.Tags, tagProperty{x.Key, x.Value})
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return p, stateOf(rq, name), nil
		}
	}
}

func listResource(ctx context.Context, rq *resource.Request, _ *tableProperties) (out []string, err error) {
	in := &api.ListTablesInput{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.ListTables, in)
		if err != nil {
			return nil, err
		}
		out = append(out, page.TableNames...)
		if in.ExclusiveStartTableName = page.LastEvaluatedTableName; in.ExclusiveStartTableName == nil {
			return out, nil
		}
	}
}
