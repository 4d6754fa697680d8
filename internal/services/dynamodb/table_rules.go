package dynamodb

import (
	"slices"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

// Limits of tables.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
const (
	maxGlobal    = 20
	maxLocal     = 5
	maxProjected = 100
)

func badParameter(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

// refused is the answer for a setting that would not act.
func refused(setting, why string) error {
	return badParameter("%s is not supported by this version of Tierra: %s", setting, why)
}

// unsupported refuses the settings that CreateTable and UpdateTable share and
// that do nothing here.
func unsupported(stream *api.StreamSpecification, sse *api.SSESpecification, warm *api.WarmThroughput, most *api.OnDemandThroughput, replication *string) error {
	switch {
	case stream != nil && opt.Val(stream.StreamEnabled):
		return refused("StreamSpecification", "tables have no streams yet")
	case stream != nil && stream.StreamViewType != nil:
		return badParameter("StreamViewType can only be specified when StreamEnabled is true")
	case sse != nil && (opt.Val(sse.Enabled) || sse.SSEType != nil || sse.KMSMasterKeyId != nil):
		return refused("SSESpecification", "tables are not encrypted with keys of KMS")
	case warm != nil:
		return refused("WarmThroughput", "capacity cannot be warmed")
	case most != nil:
		return refused("OnDemandThroughput", "requests are not throttled")
	case replication != nil:
		return refused("GlobalTableSettingsReplicationMode", "tables have no replicas")
	}
	return nil
}

// tableOf makes the record of a new table, without numbers and times.
func tableOf(in *api.CreateTableInput) (record, error) {
	rec := record{V: recordFormat, Types: map[string]string{}}
	if err := unsupported(in.StreamSpecification, in.SSESpecification, in.WarmThroughput, in.OnDemandThroughput, in.GlobalTableSettingsReplicationMode); err != nil {
		return rec, err
	}
	if in.GlobalTableSourceArn != nil {
		return rec, refused("GlobalTableSourceArn", "tables have no replicas")
	}
	if in.ResourcePolicy != nil {
		return rec, refused("ResourcePolicy", "tables have no policies of their own")
	}
	if in.KeySchema == nil {
		return rec, badParameter("KeySchema must be specified")
	}
	var err error
	if rec.Types, err = definitions(in.AttributeDefinitions); err != nil {
		return rec, err
	}
	if rec.Hash, rec.Range, err = keySchema(in.KeySchema); err != nil {
		return rec, err
	}
	rec.BillingMode = opt.Val(in.BillingMode)
	if rec.Throughput, err = provisioned(rec.BillingMode, in.ProvisionedThroughput, ""); err != nil {
		return rec, err
	}
	if err := rec.addLocal(in.LocalSecondaryIndexes); err != nil {
		return rec, err
	}
	if in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0 {
		return rec, badParameter("List of GlobalSecondaryIndexes is empty")
	}
	for _, x := range in.GlobalSecondaryIndexes {
		err := rec.addGlobal(&api.CreateGlobalSecondaryIndexAction{
			IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: x.Projection,
			ProvisionedThroughput: x.ProvisionedThroughput, OnDemandThroughput: x.OnDemandThroughput, WarmThroughput: x.WarmThroughput,
		})
		if err != nil {
			return rec, err
		}
	}
	if err := rec.checkDefinitions(); err != nil {
		return rec, err
	}
	rec.TableClass = opt.Val(in.TableClass)
	rec.DeletionProtection = opt.Val(in.DeletionProtectionEnabled)
	rec.Tags, err = tagsOf(in.Tags)
	return rec, err
}

func definitions(defs []api.AttributeDefinition) (map[string]string, error) {
	types := make(map[string]string, len(defs))
	for _, d := range defs {
		name := opt.Val(d.AttributeName)
		if _, twice := types[name]; twice {
			return nil, badParameter("Duplicate AttributeName in AttributeDefinitions: %s", name)
		}
		types[name] = opt.Val(d.AttributeType)
	}
	return types, nil
}

func keySchema(ks []api.KeySchemaElement) (hash, rng string, err error) {
	if len(ks) == 0 {
		return "", "", badParameter("KeySchema must not be empty")
	}
	if len(ks) > 2 {
		return "", "", badParameter("A KeySchema of more than one HASH and one RANGE key is not supported by this version of Tierra")
	}
	if opt.Val(ks[0].KeyType) != api.KeyTypeHash {
		return "", "", invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	}
	hash = opt.Val(ks[0].AttributeName)
	if len(ks) == 2 {
		if opt.Val(ks[1].KeyType) != api.KeyTypeRange {
			return "", "", invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
		}
		if rng = opt.Val(ks[1].AttributeName); rng == hash {
			return "", "", invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
		}
	}
	return hash, rng, nil
}

func provisioned(mode string, p *api.ProvisionedThroughput, index string) (throughput, error) {
	where := ""
	if index != "" {
		where = " for index: " + index
	}
	if mode == api.BillingModePayPerRequest {
		if p != nil {
			return throughput{}, badParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST%s", where)
		}
		return throughput{}, nil
	}
	if p == nil || p.ReadCapacityUnits == nil || p.WriteCapacityUnits == nil {
		return throughput{}, badParameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED%s", where)
	}
	return throughput{Read: *p.ReadCapacityUnits, Write: *p.WriteCapacityUnits}, nil
}

func (rec *record) addLocal(list []api.LocalSecondaryIndex) error {
	if list != nil && len(list) == 0 {
		return badParameter("List of LocalSecondaryIndexes is empty")
	}
	if len(list) > maxLocal {
		return badParameter("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocal)
	}
	for _, in := range list {
		x := indexRecord{Name: opt.Val(in.IndexName)}
		if rec.Range == "" {
			return badParameter("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
		}
		if err := rec.shape(&x, in.KeySchema, in.Projection); err != nil {
			return err
		}
		if x.Range == "" {
			return badParameter("Index KeySchema does not have a range key for index: %s", x.Name)
		}
		if x.Hash != rec.Hash {
			return badParameter("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s", x.Name, x.Hash, rec.Hash)
		}
		rec.Indexes = append(rec.Indexes, x)
	}
	return nil
}

func (rec *record) addGlobal(in *api.CreateGlobalSecondaryIndexAction) error {
	x := indexRecord{Name: opt.Val(in.IndexName), Global: true}
	n := 0
	for _, o := range rec.Indexes {
		if o.Global {
			n++
		}
	}
	if n == maxGlobal {
		return badParameter("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobal)
	}
	if err := unsupported(nil, nil, in.WarmThroughput, in.OnDemandThroughput, nil); err != nil {
		return err
	}
	if err := rec.shape(&x, in.KeySchema, in.Projection); err != nil {
		return err
	}
	var err error
	if x.Throughput, err = provisioned(rec.BillingMode, in.ProvisionedThroughput, x.Name); err != nil {
		return err
	}
	rec.Indexes = append(rec.Indexes, x)
	return nil
}

// shape reads what local and global indexes share.
func (rec *record) shape(x *indexRecord, ks []api.KeySchemaElement, p *api.Projection) (err error) {
	for _, o := range rec.Indexes {
		if o.Name == x.Name {
			return badParameter("Duplicate index name: %s", x.Name)
		}
	}
	if x.Hash, x.Range, err = keySchema(ks); err != nil {
		return err
	}
	if p == nil || p.ProjectionType == nil {
		return badParameter("Unknown ProjectionType: null")
	}
	x.Projection, x.NonKey = *p.ProjectionType, slices.Clone(p.NonKeyAttributes)
	if include := x.Projection == api.ProjectionTypeInclude; include != (len(x.NonKey) > 0) {
		if include {
			return badParameter("NonKeyAttributes must be specified for ProjectionType INCLUDE")
		}
		return badParameter("ProjectionType is %s, but NonKeyAttributes is specified", x.Projection)
	}
	for i, n := range x.NonKey {
		if slices.Contains(x.NonKey[:i], n) {
			return badParameter("Duplicate attribute in NonKeyAttributes: %s", n)
		}
	}
	total := len(x.NonKey)
	for _, o := range rec.Indexes {
		total += len(o.NonKey)
	}
	if total > maxProjected {
		return badParameter("The number of projected attributes exceeds the per-table limit of %d", maxProjected)
	}
	return nil
}

// keyNames are the attributes that are keys of the table or an index.
func (rec *record) keyNames() []string {
	var out []string
	add := func(names ...string) {
		for _, n := range names {
			if n != "" && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	add(rec.Hash, rec.Range)
	for _, x := range rec.Indexes {
		add(x.Hash, x.Range)
	}
	return out
}

// checkDefinitions holds that exactly the key attributes are defined.
func (rec *record) checkDefinitions() error {
	keys := rec.keyNames()
	defined := make([]string, 0, len(rec.Types))
	for n := range rec.Types {
		defined = append(defined, n)
	}
	slices.Sort(defined)
	list := func(s []string) string { return "[" + strings.Join(s, ", ") + "]" }
	for _, k := range keys {
		if _, ok := rec.Types[k]; !ok {
			if len(rec.Indexes) > 0 && k != rec.Hash && k != rec.Range {
				return badParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: %s, AttributeDefinitions: %s", list([]string{k}), list(defined))
			}
			return invalid("Invalid KeySchema: Some index key attribute have no definition")
		}
	}
	if len(defined) > len(keys) {
		if len(rec.Indexes) == 0 {
			return badParameter("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
		}
		return badParameter("Some AttributeDefinitions are not used. AttributeDefinitions: %s, keys used: %s", list(defined), list(keys))
	}
	return nil
}

func tagsOf(list []api.Tag) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(list))
	for _, t := range list {
		k := opt.Val(t.Key)
		if _, twice := out[k]; twice {
			return nil, badParameter("Duplicate tag key found: %s", k)
		}
		out[k] = opt.Val(t.Value)
	}
	if err := tags.Check(out); err != nil {
		return nil, badParameter("%v", err)
	}
	return out, nil
}
