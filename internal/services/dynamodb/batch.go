package dynamodb

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// Limits of batches.
const (
	maxBatchGet   = 100
	maxBatchWrite = 25
	maxBatchBytes = 16 << 20 // of what BatchGetItem answers
)

func (s *Service) batchBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.BatchGetItem, call.Rule(s.batchGetNeeds, "dynamodb:BatchGetItem"), s.batchGetItem),
		call.Bind(api.BatchWriteItem, call.Rule(s.batchWriteNeeds, "dynamodb:BatchWriteItem"), s.batchWriteItem),
	}
}

func (s *Service) batchGetNeeds(ctx context.Context, rq *call.Decoded, in *api.BatchGetItemInput) ([]call.Need, error) {
	var needs []call.Need
	for _, name := range sortedNames(in.RequestItems) {
		k := in.RequestItems[name]
		w := touched{table: name, keys: k.Keys, attributes: k.AttributesToGet, names: k.ExpressionAttributeNames}
		if k.ProjectionExpression != nil {
			w.expressions = []string{*k.ProjectionExpression}
		}
		n, err := s.need(ctx, rq, "dynamodb:BatchGetItem", w)
		if err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

func (s *Service) batchWriteNeeds(ctx context.Context, rq *call.Decoded, in *api.BatchWriteItemInput) ([]call.Need, error) {
	var needs []call.Need
	for _, name := range sortedNames(in.RequestItems) {
		w := touched{table: name}
		for _, wr := range in.RequestItems[name] {
			if wr.PutRequest != nil {
				w.keys = append(w.keys, wr.PutRequest.Item)
			}
			if wr.DeleteRequest != nil {
				w.keys = append(w.keys, wr.DeleteRequest.Key)
			}
		}
		n, err := s.need(ctx, rq, "dynamodb:BatchWriteItem", w)
		if err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

func (s *Service) batchGetItem(ctx context.Context, rq *call.Authorized, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	type part struct {
		name       string
		t          *table
		projection *expr.Projection
		keys       []expr.Item
		raw        []map[string]api.AttributeValue
		consistent bool
	}
	var parts []*part
	total := 0
	for _, name := range sortedNames(in.RequestItems) {
		k := in.RequestItems[name]
		if total += len(k.Keys); total > maxBatchGet {
			return nil, invalid("Too many items requested for the BatchGetItem call")
		}
		r, err := refOf(rq.Decoded, name)
		if err != nil {
			return nil, err
		}
		p := &part{name: name, raw: k.Keys, consistent: k.ConsistentRead != nil && *k.ConsistentRead}
		if p.projection, err = projectionOf(k.ProjectionExpression, k.ExpressionAttributeNames, k.AttributesToGet); err != nil {
			return nil, err
		}
		if p.t, err = s.named(ctx, r); err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, key := range k.Keys {
			key, err := p.t.checkKey(key)
			if err != nil {
				return nil, err
			}
			id := string(p.t.itemKey(key))
			if seen[id] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[id] = true
			p.keys = append(p.keys, key)
		}
		parts = append(parts, p)
	}
	out := &api.BatchGetItemOutput{}
	err := s.store.View(ctx, func(r data.Reader) error {
		*out = api.BatchGetItemOutput{Responses: map[string][]map[string]api.AttributeValue{}, UnprocessedKeys: map[string]api.KeysAndAttributes{}}
		bytes := 0
		for _, p := range parts {
			u := used{name: p.name}
			out.Responses[p.name] = []map[string]api.AttributeValue{}
			for i, key := range p.keys {
				if bytes > maxBatchBytes {
					rest := in.RequestItems[p.name]
					rest.Keys = p.raw[i:]
					out.UnprocessedKeys[p.name] = rest
					break
				}
				stored, ok, err := r.Get(p.t.itemKey(key))
				if err != nil {
					return err
				}
				if !ok {
					u.table += readUnits(0, p.consistent)
					continue
				}
				item, size, err := decodeItem(stored)
				if err != nil {
					return err
				}
				bytes += size
				u.table += readUnits(size, p.consistent)
				if p.projection != nil {
					item = p.projection.Apply(item)
				}
				out.Responses[p.name] = append(out.Responses[p.name], item)
			}
			if c := u.answer(p.t, in.ReturnConsumedCapacity); c != nil {
				out.ConsumedCapacity = append(out.ConsumedCapacity, *c)
			}
		}
		return nil
	})
	return out, err
}

// holdAll is hold for several tables, by the names that the caller used.
func (s *Service) holdAll(ctx context.Context, refs map[string]ref) (map[string]*table, error) {
	for {
		s.schema.RLock()
		found := make(map[string]*table, len(refs))
		for name, r := range refs {
			if t := s.tables[r]; t != nil {
				found[name] = t
			}
		}
		if len(found) == len(refs) {
			return found, nil
		}
		s.schema.RUnlock()
		for _, r := range refs {
			if _, err := s.named(ctx, r); err != nil {
				return nil, err
			}
		}
	}
}

func (s *Service) batchWriteItem(ctx context.Context, rq *call.Authorized, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	names := sortedNames(in.RequestItems)
	refs := map[string]ref{}
	total := 0
	for _, name := range names {
		r, err := refOf(rq.Decoded, name)
		if err != nil {
			return nil, err
		}
		refs[name] = r
		if total += len(in.RequestItems[name]); total > maxBatchWrite {
			return nil, invalid("Too many items requested for the BatchWriteItem call")
		}
	}
	tables, err := s.holdAll(ctx, refs)
	if err != nil {
		return nil, err
	}
	defer s.schema.RUnlock()
	seen := map[string]bool{}
	work := map[string][]*mutation{}
	for _, name := range names {
		t := tables[name]
		for _, w := range in.RequestItems[name] {
			m, err := batched(t, w)
			if err != nil {
				return nil, err
			}
			if seen[string(m.key)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[string(m.key)] = true
			m.wantOld = asked(in.ReturnConsumedCapacity)
			work[name] = append(work[name], m)
		}
	}
	cost := map[string]*written{}
	err = s.store.Update(ctx, func(txn data.Txn) error {
		clear(cost)
		for _, name := range names {
			cost[name] = &written{}
			for _, m := range work[name] {
				_, _, w, err := m.run(txn)
				if err != nil {
					return err
				}
				cost[name].add(w)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.BatchWriteItemOutput{UnprocessedItems: map[string][]api.WriteRequest{}}
	for _, name := range names {
		t := tables[name]
		t.stats.changed()
		if c := cost[name].used(name).answer(t, in.ReturnConsumedCapacity); c != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, *c)
		}
		metrics, err := s.collections(ctx, t, in.ReturnItemCollectionMetrics, work[name])
		if err != nil {
			return nil, err
		}
		if metrics != nil {
			if out.ItemCollectionMetrics == nil {
				out.ItemCollectionMetrics = map[string][]api.ItemCollectionMetrics{}
			}
			out.ItemCollectionMetrics[name] = metrics
		}
	}
	return out, nil
}

// batched makes the mutation of one request of a batch.
func batched(t *table, w api.WriteRequest) (*mutation, error) {
	switch {
	case (w.PutRequest == nil) == (w.DeleteRequest == nil):
		return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	case w.PutRequest != nil:
		return newPut(t, w.PutRequest.Item, nil)
	}
	return newChange(t, remove, w.DeleteRequest.Key, nil, nil)
}

// collections answers the collections that mutations of a table changed.
func (s *Service) collections(ctx context.Context, t *table, mode *string, work []*mutation) ([]api.ItemCollectionMetrics, error) {
	var out []api.ItemCollectionMetrics
	var seen []string
	for _, m := range work {
		h := m.keys[t.hash.name]
		id := string(appendHash(nil, &h))
		if slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		c, err := s.collection(ctx, t, mode, m.keys)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, *c)
		}
	}
	return out, nil
}
