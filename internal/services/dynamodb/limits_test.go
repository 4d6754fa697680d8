package dynamodb

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

func TestPagesEndAfterOneMegabyte(t *testing.T) {
	w, _ := newWorld(t)
	calltest.Must(t, w, api.CreateTable, &api.CreateTableInput{
		TableName: new("large"), BillingMode: new("PAY_PER_REQUEST"), KeySchema: schemaOf("pk", "sk"),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: new("pk"), AttributeType: new("S")}, {AttributeName: new("sk"), AttributeType: new("N")}, {AttributeName: new("l"), AttributeType: new("N")},
		},
		LocalSecondaryIndexes: []api.LocalSecondaryIndex{{IndexName: new("local"), KeySchema: schemaOf("pk", "l"), Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}},
	})
	body := strings.Repeat("x", 300<<10)
	for i := range 10 {
		calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("large"), Item: expr.Item{
			"pk": {S: new("p")}, "sk": {N: new(fmt.Sprint(i))}, "l": {N: new(fmt.Sprint(-i))}, "body": {S: &body},
		}})
	}
	query := &api.QueryInput{
		TableName: new("large"), KeyConditionExpression: new("pk = :p"), FilterExpression: new("l < :l"),
		ExpressionAttributeValues: expr.Item{":p": {S: new("p")}, ":l": {N: new("-7")}}, ReturnConsumedCapacity: new("TOTAL"), ConsistentRead: new(true),
	}
	var pages []string
	for {
		out := calltest.Must(t, w, api.Query, query)
		pages = append(pages, fmt.Sprintf("%d/%d for %g", *out.Count, *out.ScannedCount, *out.ConsumedCapacity.CapacityUnits))
		if query.ExclusiveStartKey = out.LastEvaluatedKey; out.LastEvaluatedKey == nil {
			break
		}
	}
	if got, want := strings.Join(pages, ", "), "0/4 for 301, 0/4 for 301, 2/2 for 151"; got != want {
		t.Errorf("pages %s, want %s", got, want)
	}
	// A local index fetches from the table what it does not have, and that costs.
	out := calltest.Must(t, w, api.Query, &api.QueryInput{
		TableName: new("large"), IndexName: new("local"), KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: expr.Item{":p": {S: new("p")}},
		Limit: new(int32(2)), Select: new("ALL_ATTRIBUTES"), ReturnConsumedCapacity: new("INDEXES"),
	})
	if len(out.Items) != 2 || *out.Items[0]["sk"].N != "9" || len(*out.Items[0]["body"].S) != len(body) {
		t.Errorf("%d items", len(out.Items))
	}
	if c := out.ConsumedCapacity; *c.Table.CapacityUnits != 76 || *c.LocalSecondaryIndexes["local"].CapacityUnits != 0.5 {
		t.Errorf("consumed %s", calltest.JSON(c))
	}
	batch := calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("large"), ReturnItemCollectionMetrics: new("SIZE"), Item: expr.Item{"pk": {S: new("p")}, "sk": {N: new("99")}}})
	if m := batch.ItemCollectionMetrics; m == nil || *m.ItemCollectionKey["pk"].S != "p" || m.SizeEstimateRangeGB[1] != 1 {
		t.Errorf("metrics %v", m)
	}
}

func TestLimitsOfItems(t *testing.T) {
	w, _ := newWorld(t)
	calltest.Must(t, w, api.CreateTable, &api.CreateTableInput{
		TableName: new("edge"), BillingMode: new("PAY_PER_REQUEST"), KeySchema: schemaOf("pk", "sk"),
		AttributeDefinitions: []api.AttributeDefinition{
			{AttributeName: new("pk"), AttributeType: new("B")}, {AttributeName: new("sk"), AttributeType: new("B")}, {AttributeName: new("g"), AttributeType: new("B")},
		},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{IndexName: new("swap"), KeySchema: schemaOf("g", "sk"), Projection: &api.Projection{ProjectionType: new("ALL")}}},
	})
	put := func(item expr.Item) error {
		_, err := calltest.Do(w, api.PutItem, &api.PutItemInput{TableName: new("edge"), Item: item})
		return err
	}
	// The worst keys are of zero bytes, which are escaped where a key goes on.
	worst := expr.Item{"pk": {B: make([]byte, maxHashKey)}, "sk": {B: make([]byte, maxRangeKey)}, "g": {B: make([]byte, maxHashKey)}}
	if err := put(worst); err != nil {
		t.Fatal(err)
	}
	out := calltest.Must(t, w, api.Query, &api.QueryInput{TableName: new("edge"), IndexName: new("swap"), KeyConditionExpression: new("g = :g AND begins_with(sk, :s)"),
		ExpressionAttributeValues: expr.Item{":g": worst["g"], ":s": {B: []byte{0}}}})
	if len(out.Items) != 1 {
		t.Errorf("%d items in the index", len(out.Items))
	}
	nest := func(depth int) api.AttributeValue {
		v := api.AttributeValue{S: new("x")}
		for range depth {
			v = api.AttributeValue{L: []api.AttributeValue{v}}
		}
		return v
	}
	key := func(more expr.Item) expr.Item {
		item := expr.Item{"pk": {B: []byte("p")}, "sk": {B: []byte("s")}}
		for k, v := range more {
			item[k] = v
		}
		return item
	}
	for _, c := range []struct {
		name string
		item expr.Item
		want string
	}{
		{"long hash", key(expr.Item{"pk": {B: make([]byte, maxHashKey+1)}}), "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"long range", key(expr.Item{"sk": {B: make([]byte, maxRangeKey+1)}}), "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		{"long index key", key(expr.Item{"g": {B: make([]byte, maxHashKey+1)}}), "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"large", key(expr.Item{"b": {B: make([]byte, maxItem-6)}}), "Item size has exceeded the maximum allowed size"},
		{"largest", key(expr.Item{"b": {B: make([]byte, maxItem-7)}}), ""},
		{"deep", key(expr.Item{"d": nest(32)}), "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"},
		{"deepest", key(expr.Item{"d": nest(31)}), ""},
	} {
		err := put(c.item)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != "ValidationException: "+c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	_, err := calltest.Do(w, api.UpdateItem, &api.UpdateItemInput{TableName: new("edge"), Key: key(nil), UpdateExpression: new("SET x = :x"), ExpressionAttributeValues: expr.Item{":x": {B: make([]byte, maxItem)}}})
	if err == nil || err.Error() != "ValidationException: Item size to update has exceeded the maximum allowed size" {
		t.Errorf("update: %v", err)
	}
}

func TestFaultsCarryTheItem(t *testing.T) {
	w, s := newWorld(t)
	simpleTable(t, w, "faults")
	item := expr.Item{"pk": {S: new("a")}, "n": {N: new("1")}}
	calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("faults"), Item: item})
	_, err := calltest.Do(w, api.PutItem, &api.PutItemInput{TableName: new("faults"), Item: item, ConditionExpression: new("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: new("ALL_OLD")})
	f := fault.As(err)
	if f == nil || f.Code != "ConditionalCheckFailedException" {
		t.Fatal(err)
	}
	if got, _ := f.Fields["Item"].(expr.Item); !expr.EqualItems(got, item) {
		t.Errorf("the fault has %v", f.Fields)
	}
	transaction := &api.TransactWriteItemsInput{ClientRequestToken: new("once"), TransactItems: []api.TransactWriteItem{
		{Update: &api.Update{TableName: new("faults"), Key: expr.Item{"pk": {S: new("b")}}, UpdateExpression: new("ADD n :n"), ExpressionAttributeValues: expr.Item{":n": {N: new("1")}}}},
		{ConditionCheck: &api.ConditionCheck{TableName: new("faults"), Key: expr.Item{"pk": {S: new("a")}}, ConditionExpression: new("n = :n"), ExpressionAttributeValues: expr.Item{":n": {N: new("2")}}, ReturnValuesOnConditionCheckFailure: new("ALL_OLD")}},
	}}
	_, err = calltest.Do(w, api.TransactWriteItems, transaction)
	if f = fault.As(err); f == nil {
		t.Fatal(err)
	}
	reasons, _ := f.Fields["CancellationReasons"].([]api.CancellationReason)
	if len(reasons) != 2 || *reasons[0].Code != "None" || *reasons[1].Code != "ConditionalCheckFailed" || !expr.EqualItems(reasons[1].Item, item) {
		t.Errorf("reasons %s", calltest.JSON(f.Fields))
	}
	// A transaction that was cancelled may be tried again with its token; one that
	// was carried out is not carried out twice until ten minutes have passed.
	transaction.TransactItems = transaction.TransactItems[:1]
	count := func() string {
		return *calltest.Must(t, w, api.GetItem, &api.GetItemInput{TableName: new("faults"), Key: expr.Item{"pk": {S: new("b")}}}).Item["n"].N
	}
	for range 3 {
		calltest.Must(t, w, api.TransactWriteItems, transaction)
	}
	if got := count(); got != "1" {
		t.Errorf("carried out %s times", got)
	}
	w.Clock.Sleepers(1)
	w.Clock.Advance(tokenLife + time.Second)
	w.Clock.Sleepers(1)
	s.sweep(t.Context())
	calltest.Must(t, w, api.TransactWriteItems, transaction)
	if got := count(); got != "2" {
		t.Errorf("carried out %s times", got)
	}
}
