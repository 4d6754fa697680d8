package dynamodb

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

func simpleTable(t testing.TB, w *calltest.World, name string) {
	calltest.Must(t, w, api.CreateTable, &api.CreateTableInput{
		TableName: &name, BillingMode: new("PAY_PER_REQUEST"), KeySchema: schemaOf("pk", ""),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new("S")}},
	})
}

func TestCountersAreAtomic(t *testing.T) {
	w, _ := newWorld(t)
	simpleTable(t, w, "counters")
	const workers, times = 8, 25
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for j := range times {
				_, err := calltest.Do(w, api.UpdateItem, &api.UpdateItemInput{
					TableName: new("counters"), Key: expr.Item{"pk": {S: new("c")}}, UpdateExpression: new("ADD n :one"),
					ExpressionAttributeValues: expr.Item{":one": {N: new("1")}},
				})
				if err != nil {
					t.Error(err)
				}
				// Two items that move together, read together.
				if j%5 == 0 {
					_, err = calltest.Do(w, api.TransactWriteItems, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
						{Update: &api.Update{TableName: new("counters"), Key: expr.Item{"pk": {S: new("x")}}, UpdateExpression: new("ADD n :d"), ExpressionAttributeValues: expr.Item{":d": {N: new("1")}}}},
						{Update: &api.Update{TableName: new("counters"), Key: expr.Item{"pk": {S: new("y")}}, UpdateExpression: new("ADD n :d"), ExpressionAttributeValues: expr.Item{":d": {N: new("-1")}}}},
					}})
					if err != nil {
						t.Error(err)
					}
					out, err := calltest.Do(w, api.TransactGetItems, &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{
						{Get: &api.Get{TableName: new("counters"), Key: expr.Item{"pk": {S: new("x")}}}},
						{Get: &api.Get{TableName: new("counters"), Key: expr.Item{"pk": {S: new("y")}}}},
					}})
					if err != nil {
						t.Error(err)
					} else if x, y := *out.Responses[0].Item["n"].N, *out.Responses[1].Item["n"].N; "-"+x != y {
						t.Errorf("worker %d sees %s and %s", i, x, y)
					}
				}
			}
		})
	}
	wg.Wait()
	out := calltest.Must(t, w, api.GetItem, &api.GetItemInput{TableName: new("counters"), Key: expr.Item{"pk": {S: new("c")}}})
	if got := *out.Item["n"].N; got != fmt.Sprint(workers*times) {
		t.Errorf("counted %s, want %d", got, workers*times)
	}
}

// While writers write, an index is made over more items than one batch takes.
func TestIndexIsFilledWhileItemsAreWritten(t *testing.T) {
	w, s := newWorld(t)
	simpleTable(t, w, "busy")
	item := func(i int) expr.Item {
		return expr.Item{"pk": {S: new(fmt.Sprint(i))}, "g": {S: new("same")}}
	}
	const before, during = 2*batchKeys + 10, 200
	for i := range before {
		calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("busy"), Item: item(i)})
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range during {
			if _, err := calltest.Do(w, api.PutItem, &api.PutItemInput{TableName: new("busy"), Item: item(before + i)}); err != nil {
				t.Error(err)
			}
			if _, err := calltest.Do(w, api.DeleteItem, &api.DeleteItemInput{TableName: new("busy"), Key: expr.Item{"pk": {S: new(fmt.Sprint(i))}}}); err != nil {
				t.Error(err)
			}
		}
	})
	calltest.Must(t, w, api.UpdateTable, &api.UpdateTableInput{
		TableName:            new("busy"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: new("g"), AttributeType: new("S")}},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: new("later"), KeySchema: schemaOf("g", ""), Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")},
		}}},
	})
	wg.Wait()
	s.jobs.Wait()
	out := calltest.Must(t, w, api.Query, &api.QueryInput{
		TableName: new("busy"), IndexName: new("later"), Select: new("COUNT"),
		KeyConditionExpression: new("g = :g"), ExpressionAttributeValues: expr.Item{":g": {S: new("same")}},
	})
	if *out.Count != before {
		t.Errorf("the index has %d items, want %d", *out.Count, before)
	}
}

// What was interrupted is taken up by the next start.
func TestStartTakesUpWhatWasInterrupted(t *testing.T) {
	store := mem.New()
	w := calltest.New()
	s := New(Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board})
	w.Plug(s)
	simpleTable(t, w, "half")
	simpleTable(t, w, "gone")
	const n = 5 * batchKeys
	for i := range n {
		item := expr.Item{"pk": {S: new(fmt.Sprint(i))}, "g": {S: new("same")}}
		calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("half"), Item: item})
		calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("gone"), Item: item})
	}
	// A room that is stopped starts no work: only the first batch is done.
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	calltest.Must(t, w, api.UpdateTable, &api.UpdateTableInput{
		TableName:            new("half"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: new("g"), AttributeType: new("S")}},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: new("later"), KeySchema: schemaOf("g", ""), Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")},
		}}},
	})
	query := &api.QueryInput{
		TableName: new("half"), IndexName: new("later"), Select: new("COUNT"),
		KeyConditionExpression: new("g = :g"), ExpressionAttributeValues: expr.Item{":g": {S: new("same")}},
	}
	if _, err := calltest.Do(w, api.Query, query); err == nil || err.Error() != "ValidationException: Cannot read from backfilling global secondary index: later" {
		t.Fatalf("reading an index that is not complete: %v", err)
	}
	d := calltest.Must(t, w, api.DescribeTable, &api.DescribeTableInput{TableName: new("half")}).Table
	if *d.TableStatus != "UPDATING" || *d.GlobalSecondaryIndexes[0].IndexStatus != "CREATING" {
		t.Fatalf("status %s, index %s", *d.TableStatus, *d.GlobalSecondaryIndexes[0].IndexStatus)
	}
	left := s.tables[ref{place{calltest.Account, calltest.Region}, "gone"}].items
	calltest.Must(t, w, api.DeleteTable, &api.DeleteTableInput{TableName: new("gone")})
	if keysBelow(t, store, left) == 0 {
		t.Fatal("the table was not large enough")
	}

	w2 := calltest.New()
	s2 := New(Deps{Store: store, Clock: w2.Clock, IDs: w2.IDs, Caller: w2.Board})
	w2.Plug(s2)
	if err := s2.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s2.Stop(context.Background()) }()
	s2.jobs.Wait()
	out := calltest.Must(t, w2, api.Query, query)
	if *out.Count != n {
		t.Errorf("the index has %d items, want %d", *out.Count, n)
	}
	if n := keysBelow(t, store, left); n != 0 {
		t.Errorf("%d items of the deleted table are left", n)
	}
}

func keysBelow(t *testing.T, store data.Store, prefix []byte) (n int) {
	err := store.View(t.Context(), func(r data.Reader) error {
		for _, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestItemsExpire(t *testing.T) {
	w, _ := newWorld(t)
	simpleTable(t, w, "sessions")
	put := func(name string, v api.AttributeValue) {
		calltest.Must(t, w, api.PutItem, &api.PutItemInput{TableName: new("sessions"), Item: expr.Item{"pk": {S: &name}, "ends": v}})
	}
	in := func(d time.Duration) api.AttributeValue {
		return api.AttributeValue{N: new(fmt.Sprint(calltest.Start.Add(d).Unix()))}
	}
	put("early", in(time.Minute)) // before the table knows of its time
	calltest.Must(t, w, api.UpdateTimeToLive, &api.UpdateTimeToLiveInput{
		TableName: new("sessions"), TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: new("ends"), Enabled: new(true)},
	})
	put("late", in(time.Hour))
	put("ancient", in(-6*365*24*time.Hour))
	put("past", in(-time.Second))
	put("text", api.AttributeValue{S: new("tomorrow")})
	put("fraction", api.AttributeValue{N: new("0.5")})
	put("moved", in(time.Minute))
	put("moved", in(time.Hour))
	names := func() string {
		// The worker looks every ten seconds; when it waits again, it is done.
		w.Clock.Sleepers(1)
		out := calltest.Must(t, w, api.Scan, &api.ScanInput{TableName: new("sessions")})
		got := map[string]bool{}
		for _, i := range out.Items {
			got[*i["pk"].S] = true
		}
		return fmt.Sprint(sortedNames(got))
	}
	w.Clock.Sleepers(1)
	w.Clock.Advance(sweepEvery)
	if got, want := names(), "[ancient early fraction late moved text]"; got != want {
		t.Errorf("after a sweep: %s, want %s", got, want)
	}
	w.Clock.Advance(time.Minute)
	if got, want := names(), "[ancient fraction late moved text]"; got != want {
		t.Errorf("after a minute: %s, want %s", got, want)
	}
	w.Clock.Advance(time.Hour)
	if got, want := names(), "[ancient fraction text]"; got != want {
		t.Errorf("after an hour: %s, want %s", got, want)
	}
}
