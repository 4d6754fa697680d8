package dynamodb

import (
	"context"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

func TestTableResource(t *testing.T) {
	w, s := newWorld(t)
	typ := s.ResourceTypes()[0]
	rq := &resource.Request{
		Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region, StackTags: map[string]string{"stack": "s"},
		Name: func(int) string { return "stack-Orders-ABC" },
	}
	old := map[string]any{
		"BillingMode":          "PAY_PER_REQUEST",
		"KeySchema":            []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
		"AttributeDefinitions": []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}, map[string]any{"AttributeName": "a", "AttributeType": "S"}},
		"GlobalSecondaryIndexes": []any{map[string]any{
			"IndexName": "bya", "KeySchema": []any{map[string]any{"AttributeName": "a", "KeyType": "HASH"}}, "Projection": map[string]any{"ProjectionType": "ALL"},
		}},
		"TimeToLiveSpecification": map[string]any{"AttributeName": "ends", "Enabled": "true"},
		"Tags":                    []any{map[string]any{"Key": "team", "Value": "x"}},
	}
	ctx := context.Background()
	if bad := typ.Check(old); len(bad) > 0 {
		t.Fatal(bad)
	}
	st, err := typ.Create(ctx, rq, old)
	if err != nil {
		t.Fatal(err)
	}
	if st.ID != "stack-Orders-ABC" || st.Attributes["Arn"] != "arn:aws:dynamodb:us-east-1:000000000000:table/stack-Orders-ABC" {
		t.Errorf("state %+v", st)
	}
	// A step that is repeated after a crash finds its own table.
	if again, err := typ.Create(ctx, rq, old); err != nil || again.ID != st.ID {
		t.Errorf("again: %+v, %v", again, err)
	}
	calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: &st.ID, Item: expr.Item{"pk": {S: new("1")}, "b": {S: new("x")}}})
	changed := map[string]any{
		"ProvisionedThroughput": map[string]any{"ReadCapacityUnits": 3, "WriteCapacityUnits": "4"},
		"KeySchema":             old["KeySchema"],
		"AttributeDefinitions":  []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}, map[string]any{"AttributeName": "b", "AttributeType": "S"}, map[string]any{"AttributeName": "c", "AttributeType": "N"}},
		"GlobalSecondaryIndexes": []any{
			map[string]any{"IndexName": "byb", "KeySchema": []any{map[string]any{"AttributeName": "b", "KeyType": "HASH"}}, "Projection": map[string]any{"ProjectionType": "ALL"}, "ProvisionedThroughput": map[string]any{"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
			map[string]any{"IndexName": "byc", "KeySchema": []any{map[string]any{"AttributeName": "c", "KeyType": "HASH"}}, "Projection": map[string]any{"ProjectionType": "KEYS_ONLY"}, "ProvisionedThroughput": map[string]any{"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
		},
		"DeletionProtectionEnabled": true,
	}
	if _, err := typ.Update(ctx, rq, st.ID, old, changed); err != nil {
		t.Fatal(err)
	}
	d := calltest.Must(t, w, api.DescribeTable, &api.DescribeTableInput{TableName: &st.ID}).Table
	if len(d.GlobalSecondaryIndexes) != 2 || *d.GlobalSecondaryIndexes[0].ItemCount != 1 || *d.ProvisionedThroughput.WriteCapacityUnits != 4 || !*d.DeletionProtectionEnabled {
		t.Errorf("after the update: %s", calltest.JSON(d))
	}
	if ttl := calltest.Must(t, w, api.DescribeTimeToLive, &api.DescribeTimeToLiveInput{TableName: &st.ID}); *ttl.TimeToLiveDescription.TimeToLiveStatus != "DISABLED" {
		t.Errorf("time to live: %s", calltest.JSON(ttl))
	}
	tags := calltest.Must(t, w, api.ListTagsOfResource, &api.ListTagsOfResourceInput{ResourceArn: d.TableArn})
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "stack" {
		t.Errorf("tags: %s", calltest.JSON(tags))
	}
	if err := typ.Delete(ctx, rq, st.ID, changed); err == nil {
		t.Error("a protected table was deleted")
	}
	changed["DeletionProtectionEnabled"] = false
	if _, err := typ.Update(ctx, rq, st.ID, changed, changed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := typ.Delete(ctx, rq, st.ID, changed); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTableResourceRefusesByName(t *testing.T) {
	_, s := newWorld(t)
	typ := s.ResourceTypes()[0]
	base := func() map[string]any {
		return map[string]any{
			"BillingMode":          "PAY_PER_REQUEST",
			"KeySchema":            []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
			"AttributeDefinitions": []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}},
		}
	}
	for name, v := range map[string]any{
		"StreamSpecification":              map[string]any{"StreamViewType": "NEW_IMAGE"},
		"SSESpecification":                 map[string]any{"SSEEnabled": true},
		"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		"AttributeDefinitions":             []any{},
		"KeySchema":                        []any{},
		"TimeToLiveSpecification":          map[string]any{"Enabled": true},
	} {
		props := base()
		props[name] = v
		if bad := typ.Check(props); len(bad) == 0 {
			t.Errorf("%s was taken", name)
		}
	}
	if typ.InPlace([]string{"KeySchema"}) || !typ.InPlace([]string{"GlobalSecondaryIndexes", "Tags"}) {
		t.Error("what replaces is wrong")
	}
}
