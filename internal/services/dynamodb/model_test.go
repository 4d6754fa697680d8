package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// naive is a table as simple as it can be: all items in a list.
type naive struct{ items []expr.Item }

func (n *naive) at(key expr.Item) int {
	return slices.IndexFunc(n.items, func(i expr.Item) bool { return *i["pk"].S == *key["pk"].S && *i["sk"].N == *key["sk"].N })
}

func (n *naive) get(key expr.Item) expr.Item {
	if i := n.at(key); i >= 0 {
		return n.items[i]
	}
	return nil
}

func (n *naive) put(item expr.Item) {
	if i := n.at(item); i >= 0 {
		n.items[i] = item
	} else {
		n.items = append(n.items, item)
	}
}

func (n *naive) delete(key expr.Item) {
	if i := n.at(key); i >= 0 {
		n.items = slices.Delete(n.items, i, i+1)
	}
}

// query lists, in the order of the numbers in rng, the items whose hash is value.
func (n *naive) query(hash, value, rng string, reverse bool) []string {
	var found []expr.Item
	for _, i := range n.items {
		h, ok := i[hash]
		if _, has := i[rng]; ok && has && *h.S == value {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, func(a, b expr.Item) int {
		x, y := a[rng], b[rng]
		c, _ := expr.Compare(&x, &y)
		if c == 0 { // the order of equals is not told; sort them the same way below
			return 0
		}
		if reverse {
			c = -c
		}
		return c
	})
	return labels(found, rng)
}

// labels names items so that answers can be compared: by what they are sorted
// by, then by key, as the order of equals is open.
func labels(items []expr.Item, rng string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = fmt.Sprintf("%s|%s/%s", *item[rng].N, *item["pk"].S, *item["sk"].N)
	}
	for from := 0; from < len(out); {
		to := from
		for to < len(items) && *items[to][rng].N == *items[from][rng].N {
			to++
		}
		slices.Sort(out[from:to])
		from = to
	}
	return out
}

type machine struct {
	w     *calltest.World
	s     *Service
	naive naive
	gsi2  bool
}

func TestTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := calltest.New()
		s := New(Deps{Store: mem.New(), Clock: w.Clock, IDs: w.IDs, Caller: w.Board})
		w.Plug(s)
		defer func() { _ = s.Stop(context.Background()) }()
		m := &machine{w: w, s: s}
		calltest.Must(t, w, api.CreateTable, &api.CreateTableInput{
			TableName: new("model"), BillingMode: new("PAY_PER_REQUEST"),
			AttributeDefinitions: []api.AttributeDefinition{
				{AttributeName: new("pk"), AttributeType: new("S")}, {AttributeName: new("sk"), AttributeType: new("N")},
				{AttributeName: new("g"), AttributeType: new("S")}, {AttributeName: new("n"), AttributeType: new("N")},
			},
			KeySchema: schemaOf("pk", "sk"),
			LocalSecondaryIndexes: []api.LocalSecondaryIndex{
				{IndexName: new("local"), KeySchema: schemaOf("pk", "n"), Projection: &api.Projection{ProjectionType: new("ALL")}},
			},
			GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{
				{IndexName: new("global"), KeySchema: schemaOf("g", "n"), Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}},
			},
		})
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "update": m.update, "delete": m.delete, "get": m.get, "query": m.query, "scan": m.scan, "index": m.index, "": m.check,
		})
	})
}

func drawKey(t *rapid.T) expr.Item {
	return expr.Item{
		"pk": {S: new(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "pk"))},
		"sk": {N: new(fmt.Sprint(rapid.IntRange(-3, 12).Draw(t, "sk")))},
	}
}

func drawItem(t *rapid.T) expr.Item {
	item := drawKey(t)
	if rapid.Bool().Draw(t, "has g") {
		item["g"] = api.AttributeValue{S: new(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "g"))}
	}
	if rapid.Bool().Draw(t, "has n") {
		item["n"] = api.AttributeValue{N: new(rapid.SampledFrom([]string{"-1.5", "0", "2", "10", "1000"}).Draw(t, "n"))}
	}
	if rapid.Bool().Draw(t, "has v") {
		item["v"] = api.AttributeValue{S: new(rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "v"))}
	}
	return item
}

func (m *machine) put(t *rapid.T) {
	item := drawItem(t)
	in := &api.PutItemInput{TableName: new("model"), Item: item, ReturnValues: new("ALL_OLD")}
	fresh := rapid.Bool().Draw(t, "only if new")
	if fresh {
		in.ConditionExpression = new("attribute_not_exists(pk)")
	}
	out, err := calltest.Do(m.w, api.PutItem, in)
	old := m.naive.get(item)
	if fresh && old != nil {
		if err == nil {
			t.Fatal("the condition did not hold")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !expr.EqualItems(out.Attributes, old) {
		t.Fatalf("replaced %v, want %v", out.Attributes, old)
	}
	m.naive.put(item)
}

func (m *machine) update(t *rapid.T) {
	from := drawItem(t)
	key := expr.Item{"pk": from["pk"], "sk": from["sk"]}
	in := &api.UpdateItemInput{TableName: new("model"), Key: key, ReturnValues: new("ALL_NEW")}
	want := expr.Item{}
	for k, v := range m.naive.get(key) {
		want[k] = v
	}
	want["pk"], want["sk"] = key["pk"], key["sk"]
	set, remove := "", ""
	for _, name := range []string{"g", "n", "v"} {
		if v, ok := from[name]; ok {
			if in.ExpressionAttributeValues == nil {
				in.ExpressionAttributeValues = map[string]api.AttributeValue{}
			}
			in.ExpressionAttributeValues[":"+name] = v
			set += ", " + name + " = :" + name
			want[name] = v
		} else {
			remove += ", " + name
			delete(want, name)
		}
	}
	e := ""
	if set != "" {
		e = "SET " + set[2:]
	}
	if remove != "" {
		e += " REMOVE " + remove[2:]
	}
	in.UpdateExpression = &e
	out, err := calltest.Do(m.w, api.UpdateItem, in)
	if err != nil {
		t.Fatal(err)
	}
	if set == "" && m.naive.get(key) == nil {
		return // there was nothing to take away from
	}
	if !expr.EqualItems(out.Attributes, want) {
		t.Fatalf("became %v, want %v", out.Attributes, want)
	}
	m.naive.put(want)
}

func (m *machine) delete(t *rapid.T) {
	key := drawKey(t)
	if _, err := calltest.Do(m.w, api.DeleteItem, &api.DeleteItemInput{TableName: new("model"), Key: key}); err != nil {
		t.Fatal(err)
	}
	m.naive.delete(key)
}

func (m *machine) get(t *rapid.T) {
	key := drawKey(t)
	out, err := calltest.Do(m.w, api.GetItem, &api.GetItemInput{TableName: new("model"), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if want := m.naive.get(key); !expr.EqualItems(out.Item, want) {
		t.Fatalf("got %v, want %v", out.Item, want)
	}
}

func (m *machine) query(t *rapid.T) {
	reverse := rapid.Bool().Draw(t, "reverse")
	limit := int32(rapid.IntRange(1, 5).Draw(t, "limit"))
	index, hash, rng := "", "pk", "sk"
	switch rapid.IntRange(0, 3).Draw(t, "index") {
	case 1:
		index, hash, rng = "local", "pk", "n"
	case 2:
		index, hash, rng = "global", "g", "n"
	case 3:
		if m.gsi2 {
			index, hash, rng = "later", "g", "sk"
		}
	}
	value := rapid.SampledFrom([]string{"a", "b", "x", "y"}).Draw(t, "hash")
	in := &api.QueryInput{
		TableName: new("model"), KeyConditionExpression: new(hash + " = :h"), ExpressionAttributeValues: map[string]api.AttributeValue{":h": {S: &value}},
		Limit: &limit, ScanIndexForward: new(!reverse),
	}
	if index != "" {
		in.IndexName = &index
	}
	var got []expr.Item
	for {
		out, err := calltest.Do(m.w, api.Query, in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out.Items...)
		if out.LastEvaluatedKey == nil {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	if want := m.naive.query(hash, value, rng, reverse); !slices.Equal(labels(got, rng), want) {
		t.Fatalf("%s of %q: got %v, want %v", index, value, labels(got, rng), want)
	}
}

func (m *machine) scan(t *rapid.T) {
	total := int32(rapid.IntRange(1, 4).Draw(t, "segments"))
	var got []string
	for segment := range total {
		in := &api.ScanInput{TableName: new("model"), Segment: &segment, TotalSegments: &total, Limit: new(int32(2))}
		for {
			out, err := calltest.Do(m.w, api.Scan, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range out.Items {
				got = append(got, *i["pk"].S+"/"+*i["sk"].N)
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; out.LastEvaluatedKey == nil {
				break
			}
		}
	}
	var want []string
	for _, i := range m.naive.items {
		want = append(want, *i["pk"].S+"/"+*i["sk"].N)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("scanned %v, want %v", got, want)
	}
}

// index makes an index over what is there, or removes it.
func (m *machine) index(t *rapid.T) {
	u := api.GlobalSecondaryIndexUpdate{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: new("later")}}
	if !m.gsi2 {
		u = api.GlobalSecondaryIndexUpdate{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: new("later"), KeySchema: schemaOf("g", "sk"), Projection: &api.Projection{ProjectionType: new("ALL")},
		}}
	}
	if _, err := calltest.Do(m.w, api.UpdateTable, &api.UpdateTableInput{TableName: new("model"), GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{u}}); err != nil {
		t.Fatal(err)
	}
	m.gsi2 = !m.gsi2
}

// check holds that the counts are right, those of sparse indexes too.
func (m *machine) check(t *rapid.T) {
	out, err := calltest.Do(m.w, api.DescribeTable, &api.DescribeTableInput{TableName: new("model")})
	if err != nil {
		t.Fatal(err)
	}
	var both, size int64
	for _, i := range m.naive.items {
		_, g := i["g"]
		_, n := i["n"]
		if g && n {
			both++
		}
		size += int64(expr.ItemSize(i))
	}
	d := out.Table
	if *d.ItemCount != int64(len(m.naive.items)) || *d.TableSizeBytes != size || *d.GlobalSecondaryIndexes[0].ItemCount != both {
		t.Fatalf("%d items (%d bytes), %d in the index; want %d (%d), %d", *d.ItemCount, *d.TableSizeBytes, *d.GlobalSecondaryIndexes[0].ItemCount, len(m.naive.items), size, both)
	}
}
