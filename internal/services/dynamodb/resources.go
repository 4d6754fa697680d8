package dynamodb

import (
	"context"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// The properties of AWS::DynamoDB::Table.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
type (
	tableProperties struct {
		TableName                 *string              `cfn:"TableName,replace"`
		KeySchema                 []keyProperty        `cfn:"KeySchema,required,replace"`
		AttributeDefinitions      []definitionProperty `cfn:"AttributeDefinitions"`
		BillingMode               *string              `cfn:"BillingMode"`
		ProvisionedThroughput     *throughputProperty  `cfn:"ProvisionedThroughput,meaningless"`
		LocalSecondaryIndexes     []localProperty      `cfn:"LocalSecondaryIndexes,replace"`
		GlobalSecondaryIndexes    []globalProperty     `cfn:"GlobalSecondaryIndexes"`
		TimeToLiveSpecification   *timeToLiveProperty  `cfn:"TimeToLiveSpecification"`
		DeletionProtectionEnabled *bool                `cfn:"DeletionProtectionEnabled"`
		TableClass                *string              `cfn:"TableClass,meaningless"`
		Tags                      []tagProperty        `cfn:"Tags"`

		_ any `cfn:"ContributorInsightsSpecification,refused"`
		_ any `cfn:"ImportSourceSpecification,refused"`
		_ any `cfn:"KinesisStreamSpecification,refused"`
		_ any `cfn:"OnDemandThroughput,refused"`
		_ any `cfn:"PointInTimeRecoverySpecification,refused"`
		_ any `cfn:"ResourcePolicy,refused"`
		_ any `cfn:"SSESpecification,refused"`
		_ any `cfn:"StreamSpecification,refused"`
		_ any `cfn:"VectorIndexes,refused"`
		_ any `cfn:"WarmThroughput,refused"`
	}
	keyProperty struct {
		AttributeName *string `cfn:"AttributeName,required"`
		KeyType       *string `cfn:"KeyType,required"`
	}
	definitionProperty struct {
		AttributeName *string `cfn:"AttributeName,required"`
		AttributeType *string `cfn:"AttributeType,required"`
	}
	throughputProperty struct {
		ReadCapacityUnits  *int64 `cfn:"ReadCapacityUnits,required"`
		WriteCapacityUnits *int64 `cfn:"WriteCapacityUnits,required"`
	}
	projectionProperty struct {
		ProjectionType   *string  `cfn:"ProjectionType"`
		NonKeyAttributes []string `cfn:"NonKeyAttributes"`
	}
	localProperty struct {
		IndexName  *string             `cfn:"IndexName,required"`
		KeySchema  []keyProperty       `cfn:"KeySchema,required"`
		Projection *projectionProperty `cfn:"Projection,required"`
	}
	globalProperty struct {
		IndexName             *string             `cfn:"IndexName,required"`
		KeySchema             []keyProperty       `cfn:"KeySchema,required"`
		Projection            *projectionProperty `cfn:"Projection,required"`
		ProvisionedThroughput *throughputProperty `cfn:"ProvisionedThroughput,meaningless"`

		_ any `cfn:"ContributorInsightsSpecification,refused"`
		_ any `cfn:"OnDemandThroughput,refused"`
		_ any `cfn:"WarmThroughput,refused"`
	}
	timeToLiveProperty struct {
		Enabled       *bool   `cfn:"Enabled,required"`
		AttributeName *string `cfn:"AttributeName"`
	}
	tagProperty struct {
		Key   *string `cfn:"Key,required"`
		Value *string `cfn:"Value,required"`
	}
)

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{resource.Define("AWS::DynamoDB::Table", resource.Handlers[tableProperties]{
		Create: s.createResource, Find: leftResource, Update: s.updateResource, Delete: deleteResource,
		Check: checkResource, Attributes: []string{"Arn"},
		Identifier: []string{"TableName"}, Read: readResource, List: listResource,
	})}
}

// checkResource finds what CreateTable would refuse, before anything is made.
func checkResource(p *tableProperties) []resource.Problem {
	if t := p.TimeToLiveSpecification; t != nil && opt.Val(t.Enabled) && opt.Val(t.AttributeName) == "" {
		return []resource.Problem{{Path: []string{"TimeToLiveSpecification"}, Text: "required key [AttributeName] not found"}}
	}
	if _, err := tableOf(p.input("name", nil)); err != nil {
		text := err.Error()
		if f := fault.As(err); f != nil {
			text = f.Message
		}
		return []resource.Problem{{Text: text}}
	}
	return nil
}

func keysOf(ks []keyProperty) []api.KeySchemaElement {
	out := make([]api.KeySchemaElement, len(ks))
	for i, k := range ks {
		out[i] = api.KeySchemaElement{AttributeName: k.AttributeName, KeyType: k.KeyType}
	}
	return out
}

func (p *throughputProperty) api() *api.ProvisionedThroughput {
	if p == nil {
		return nil
	}
	return &api.ProvisionedThroughput{ReadCapacityUnits: p.ReadCapacityUnits, WriteCapacityUnits: p.WriteCapacityUnits}
}

func (p *projectionProperty) api() *api.Projection {
	if p == nil {
		return nil
	}
	return &api.Projection{ProjectionType: p.ProjectionType, NonKeyAttributes: p.NonKeyAttributes}
}

// input is the CreateTable of a resource.
func (p *tableProperties) input(name string, tags map[string]string) *api.CreateTableInput {
	in := &api.CreateTableInput{
		TableName: &name, KeySchema: keysOf(p.KeySchema), BillingMode: p.BillingMode, ProvisionedThroughput: p.ProvisionedThroughput.api(),
		DeletionProtectionEnabled: p.DeletionProtectionEnabled, TableClass: p.TableClass,
	}
	for _, d := range p.AttributeDefinitions {
		in.AttributeDefinitions = append(in.AttributeDefinitions, api.AttributeDefinition{AttributeName: d.AttributeName, AttributeType: d.AttributeType})
	}
	for _, x := range p.LocalSecondaryIndexes {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, api.LocalSecondaryIndex{IndexName: x.IndexName, KeySchema: keysOf(x.KeySchema), Projection: x.Projection.api()})
	}
	for _, x := range p.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, api.GlobalSecondaryIndex{IndexName: x.IndexName, KeySchema: keysOf(x.KeySchema), Projection: x.Projection.api(), ProvisionedThroughput: x.ProvisionedThroughput.api()})
	}
	all := p.tags(tags)
	for _, k := range sortedNames(all) {
		in.Tags = append(in.Tags, api.Tag{Key: &k, Value: new(all[k])})
	}
	return in
}

// tags are the resource's own and the stack's; its own win.
func (p *tableProperties) tags(stack map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range stack {
		out[k] = v
	}
	for _, t := range p.Tags {
		out[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	return out
}

func stateOf(rq *resource.Request, name string) resource.State {
	return resource.State{ID: name, Attributes: map[string]any{"Arn": arn.Make("dynamodb", rq.Region, rq.Account, "table/"+name)}}
}

func (s *Service) createResource(ctx context.Context, rq *resource.Request, p *tableProperties) (resource.State, error) {
	name := opt.Val(p.TableName)
	if p.TableName == nil {
		name = rq.Name(255)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateTable, p.input(name, rq.StackTags))
	// A name that was made for this step is taken only if the step was interrupted.
	if err != nil && !(p.TableName == nil && fault.Is(err, "ResourceInUseException")) {
		return resource.State{}, err
	}
	return stateOf(rq, name), s.setTimeToLive(ctx, rq, name, nil, p.TimeToLiveSpecification)
}

// attribute is the one that is wanted to tell when items end; "" if none is.
func (p *timeToLiveProperty) attribute() string {
	if p == nil || !opt.Val(p.Enabled) {
		return ""
	}
	return opt.Val(p.AttributeName)
}

// setTimeToLive brings a table's time to live to what is wanted.
func (s *Service) setTimeToLive(ctx context.Context, rq *resource.Request, name string, old, want *timeToLiveProperty) error {
	attribute := want.attribute()
	if attribute == "" && old.attribute() == "" {
		return nil
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeTimeToLive, &api.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return err
	}
	is := opt.Val(out.TimeToLiveDescription.AttributeName)
	set := func(attribute string, enabled bool) error {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateTimeToLive, &api.UpdateTimeToLiveInput{
			TableName: &name, TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: &attribute, Enabled: &enabled},
		})
		return err
	}
	if is == attribute {
		return nil
	}
	if is != "" {
		if err := set(is, false); err != nil {
			return err
		}
	}
	if attribute != "" {
		return set(attribute, true)
	}
	return nil
}

func (s *Service) updateResource(ctx context.Context, rq *resource.Request, id string, old, p *tableProperties) (resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeTable, &api.DescribeTableInput{TableName: &id})
	if err != nil {
		return resource.State{}, err
	}
	for _, in := range p.changes(id, out.Table) {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateTable, in); err != nil {
			return resource.State{}, err
		}
		if err := s.settled(ctx, rq, id); err != nil {
			return resource.State{}, err
		}
	}
	if err := s.setTimeToLive(ctx, rq, id, old.TimeToLiveSpecification, p.TimeToLiveSpecification); err != nil {
		return resource.State{}, err
	}
	return stateOf(rq, id), setTags(ctx, rq, id, old.tags(nil), p.tags(rq.StackTags))
}

// changes are the UpdateTable calls that bring a table to what is wanted. Each
// makes or deletes at most one index.
func (p *tableProperties) changes(name string, is *api.TableDescription) []*api.UpdateTableInput {
	var out []*api.UpdateTableInput
	var gone, made []api.GlobalSecondaryIndexUpdate
	var adjusted []api.GlobalSecondaryIndexUpdate
	toProvisioned := opt.Val(p.BillingMode) != api.BillingModePayPerRequest
	for _, had := range is.GlobalSecondaryIndexes {
		i := slices.IndexFunc(p.GlobalSecondaryIndexes, func(x globalProperty) bool { return opt.Val(x.IndexName) == *had.IndexName })
		if i < 0 || !p.GlobalSecondaryIndexes[i].same(&had) {
			gone = append(gone, api.GlobalSecondaryIndexUpdate{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: had.IndexName}})
			continue
		}
		if want := p.GlobalSecondaryIndexes[i].ProvisionedThroughput; want != nil && toProvisioned {
			adjusted = append(adjusted, api.GlobalSecondaryIndexUpdate{Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: had.IndexName, ProvisionedThroughput: want.api()}})
		}
	}
	for _, x := range p.GlobalSecondaryIndexes {
		kept := slices.ContainsFunc(is.GlobalSecondaryIndexes, func(had api.GlobalSecondaryIndexDescription) bool {
			return *had.IndexName == opt.Val(x.IndexName) && x.same(&had)
		})
		if !kept {
			made = append(made, api.GlobalSecondaryIndexUpdate{Create: &api.CreateGlobalSecondaryIndexAction{
				IndexName: x.IndexName, KeySchema: keysOf(x.KeySchema), Projection: x.Projection.api(), ProvisionedThroughput: x.ProvisionedThroughput.api(),
			}})
		}
	}
	for _, g := range gone {
		out = append(out, &api.UpdateTableInput{TableName: &name, GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{g}})
	}
	if in := p.settings(name, is, adjusted); in != nil {
		out = append(out, in)
	}
	for _, m := range made {
		in := &api.UpdateTableInput{TableName: &name, GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{m}}
		for _, k := range m.Create.KeySchema {
			for _, d := range p.AttributeDefinitions {
				if opt.Val(d.AttributeName) == opt.Val(k.AttributeName) {
					in.AttributeDefinitions = append(in.AttributeDefinitions, api.AttributeDefinition{AttributeName: d.AttributeName, AttributeType: d.AttributeType})
				}
			}
		}
		out = append(out, in)
	}
	return out
}

// settings is the UpdateTable for what is not about which indexes there are; nil
// if nothing changes.
func (p *tableProperties) settings(name string, is *api.TableDescription, adjusted []api.GlobalSecondaryIndexUpdate) *api.UpdateTableInput {
	in := &api.UpdateTableInput{TableName: &name}
	changed := false
	mode := api.BillingModeProvisioned
	if is.BillingModeSummary != nil {
		mode = opt.Val(is.BillingModeSummary.BillingMode)
	}
	want := opt.Or(p.BillingMode, api.BillingModeProvisioned)
	if want != mode {
		in.BillingMode, changed = &want, true
	}
	if t := p.ProvisionedThroughput; t != nil && want == api.BillingModeProvisioned {
		if want != mode || opt.Val(t.ReadCapacityUnits) != *is.ProvisionedThroughput.ReadCapacityUnits || opt.Val(t.WriteCapacityUnits) != *is.ProvisionedThroughput.WriteCapacityUnits {
			in.ProvisionedThroughput, changed = t.api(), true
		}
	}
	if len(adjusted) > 0 {
		in.GlobalSecondaryIndexUpdates, changed = adjusted, true
	}
	if protect := opt.Val(p.DeletionProtectionEnabled); protect != *is.DeletionProtectionEnabled {
		in.DeletionProtectionEnabled, changed = &protect, true
	}
	class := ""
	if is.TableClassSummary != nil {
		class = opt.Val(is.TableClassSummary.TableClass)
	}
	if wantClass := opt.Or(p.TableClass, api.TableClassStandard); wantClass != opt.Or(opt.NonZero(class), api.TableClassStandard) {
		in.TableClass, changed = &wantClass, true
	}
	if !changed {
		return nil
	}
	return in
}

// same reports whether an index has the wanted keys and projection.
func (x *globalProperty) same(is *api.GlobalSecondaryIndexDescription) bool {
	sameKeys := slices.EqualFunc(x.KeySchema, is.KeySchema, func(a keyProperty, b api.KeySchemaElement) bool {
		return opt.Val(a.AttributeName) == opt.Val(b.AttributeName) && opt.Val(a.KeyType) == opt.Val(b.KeyType)
	})
	return sameKeys && x.Projection != nil && opt.Val(x.Projection.ProjectionType) == opt.Val(is.Projection.ProjectionType) &&
		slices.Equal(x.Projection.NonKeyAttributes, is.Projection.NonKeyAttributes)
}

// settled waits until a table's indexes are filled.
func (s *Service) settled(ctx context.Context, rq *resource.Request, name string) error {
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeTable, &api.DescribeTableInput{TableName: &name})
		if err != nil || opt.Val(out.Table.TableStatus) == api.TableStatusActive {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.clock.After(200 * time.Millisecond):
		}
	}
}

func setTags(ctx context.Context, rq *resource.Request, name string, old, want map[string]string) error {
	resourceARN := arn.Make("dynamodb", rq.Region, rq.Account, "table/"+name)
	add := &api.TagResourceInput{ResourceArn: &resourceARN}
	for _, k := range sortedNames(want) {
		if v, ok := old[k]; !ok || v != want[k] {
			add.Tags = append(add.Tags, api.Tag{Key: &k, Value: new(want[k])})
		}
	}
	drop := &api.UntagResourceInput{ResourceArn: &resourceARN}
	for _, k := range sortedNames(old) {
		if _, ok := want[k]; !ok {
			drop.TagKeys = append(drop.TagKeys, k)
		}
	}
	if drop.TagKeys != nil {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, drop); err != nil {
			return err
		}
	}
	if add.Tags == nil {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.TagResource, add)
	return err
}

func deleteResource(ctx context.Context, rq *resource.Request, id string, _ *tableProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteTable, &api.DeleteTableInput{TableName: &id})
	if fault.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}
