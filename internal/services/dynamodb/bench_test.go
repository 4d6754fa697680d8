package dynamodb

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
)

func benchTable(b *testing.B) *calltest.World {
	w, _ := newWorld(b)
	calltest.Must(b, w, api.CreateTable, &api.CreateTableInput{
		TableName: new("bench"), BillingMode: new(api.BillingModePayPerRequest),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new("S")}},
		KeySchema:            []api.KeySchemaElement{{AttributeName: new("pk"), KeyType: new("HASH")}},
	})
	return w
}

func benchItem(i int) map[string]api.AttributeValue {
	return map[string]api.AttributeValue{
		"pk": {S: new(fmt.Sprintf("key-%05d", i))}, "name": {S: new(strings.Repeat("n", 60))}, "count": {N: new("42")},
		"done": {BOOL: new(true)}, "when": {S: new("2026-11-01T12:00:00Z")}, "list": {L: []api.AttributeValue{{S: new("a")}, {N: new("1.5")}}},
	}
}

func BenchmarkPutItem(b *testing.B) {
	w := benchTable(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		calltest.Must(b, w, api.PutItem, &api.PutItemInput{TableName: new("bench"), Item: benchItem(i % 10000)})
	}
}

func BenchmarkGetItem(b *testing.B) {
	w := benchTable(b)
	for i := range 10000 {
		calltest.Must(b, w, api.PutItem, &api.PutItemInput{TableName: new("bench"), Item: benchItem(i)})
	}
	keys := make([]map[string]api.AttributeValue, 10000)
	for i := range keys {
		keys[i] = map[string]api.AttributeValue{"pk": benchItem(i)["pk"]}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		out := calltest.Must(b, w, api.GetItem, &api.GetItemInput{TableName: new("bench"), Key: keys[i%10000]})
		if out.Item == nil {
			b.Fatal("no item")
		}
		i++
	}
}

func BenchmarkUpdateItem(b *testing.B) {
	w := benchTable(b)
	key := map[string]api.AttributeValue{"pk": {S: new("counter")}}
	values := map[string]api.AttributeValue{":n": {N: new("1")}}
	b.ReportAllocs()
	for b.Loop() {
		calltest.Must(b, w, api.UpdateItem, &api.UpdateItemInput{TableName: new("bench"), Key: key,
			UpdateExpression: new("ADD visits :n"), ExpressionAttributeValues: values, ReturnValues: new("UPDATED_NEW")})
	}
}

func BenchmarkGetItemParallel(b *testing.B) {
	w := benchTable(b)
	calltest.Must(b, w, api.PutItem, &api.PutItemInput{TableName: new("bench"), Item: benchItem(7)})
	key := map[string]api.AttributeValue{"pk": benchItem(7)["pk"]}
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			calltest.Must(b, w, api.GetItem, &api.GetItemInput{TableName: new("bench"), Key: key})
		}
	})
}

func BenchmarkPutItemParallel(b *testing.B) {
	w := benchTable(b)
	var n atomic.Int64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			calltest.Must(b, w, api.PutItem, &api.PutItemInput{TableName: new("bench"), Item: benchItem(int(n.Add(1) % 10000))})
		}
	})
}
