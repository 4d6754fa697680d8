package dynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

const (
	// tokenLife is how long a ClientRequestToken is remembered.
	tokenLife = 10 * time.Minute
	// maxTransaction is how many bytes of items one transaction may have.
	maxTransaction = 4 << 20
)

func (s *Service) transactionBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TransactGetItems, call.Rule(s.transactGetNeeds, "dynamodb:GetItem"), s.transactGetItems),
		call.Bind(api.TransactWriteItems, call.Rule(s.transactWriteNeeds, "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"), s.transactWriteItems),
	}
}

func (s *Service) transactGetNeeds(ctx context.Context, rq *call.Decoded, in *api.TransactGetItemsInput) ([]call.Need, error) {
	var needs []call.Need
	for _, item := range in.TransactItems {
		g := item.Get
		n, err := s.need(ctx, rq, "dynamodb:GetItem", touched{table: opt.Val(g.TableName), keys: []expr.Item{g.Key},
			expressions: []string{opt.Val(g.ProjectionExpression)}, names: g.ExpressionAttributeNames})
		if err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

// step is one entry of TransactItems, whichever kind it is.
type step struct {
	change    change
	action    string
	table     *string
	key       expr.Item // or the item, for put
	update    *string
	condition *string
	names     map[string]string
	values    map[string]api.AttributeValue
	onFail    *string
}

func stepOf(w api.TransactWriteItem) (st step, err error) {
	n := 0
	if p := w.Put; p != nil {
		n++
		st = step{put, "dynamodb:PutItem", p.TableName, p.Item, nil, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure}
	}
	if u := w.Update; u != nil {
		n++
		st = step{update, "dynamodb:UpdateItem", u.TableName, u.Key, u.UpdateExpression, u.ConditionExpression, u.ExpressionAttributeNames, u.ExpressionAttributeValues, u.ReturnValuesOnConditionCheckFailure}
	}
	if d := w.Delete; d != nil {
		n++
		st = step{remove, "dynamodb:DeleteItem", d.TableName, d.Key, nil, d.ConditionExpression, d.ExpressionAttributeNames, d.ExpressionAttributeValues, d.ReturnValuesOnConditionCheckFailure}
	}
	if c := w.ConditionCheck; c != nil {
		n++
		st = step{check, "dynamodb:ConditionCheckItem", c.TableName, c.Key, nil, c.ConditionExpression, c.ExpressionAttributeNames, c.ExpressionAttributeValues, c.ReturnValuesOnConditionCheckFailure}
	}
	if n != 1 {
		return st, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return st, nil
}

func stepsOf(items []api.TransactWriteItem) ([]step, error) {
	steps := make([]step, len(items))
	for i, w := range items {
		var err error
		if steps[i], err = stepOf(w); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (s *Service) transactWriteNeeds(ctx context.Context, rq *call.Decoded, in *api.TransactWriteItemsInput) ([]call.Need, error) {
	steps, err := stepsOf(in.TransactItems)
	if err != nil {
		return nil, err
	}
	var needs []call.Need
	for _, st := range steps {
		n, err := s.need(ctx, rq, st.action, touched{table: opt.Val(st.table), keys: []expr.Item{st.key},
			expressions: []string{opt.Val(st.update), opt.Val(st.condition)}, names: st.names})
		if err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

func (s *Service) transactGetItems(ctx context.Context, rq *call.Authorized, in *api.TransactGetItemsInput) (*api.TransactGetItemsOutput, error) {
	type get struct {
		name       string
		t          *table
		key        []byte
		projection *expr.Projection
	}
	gets := make([]get, len(in.TransactItems))
	seen := map[string]bool{}
	for i, item := range in.TransactItems {
		g := item.Get
		r, err := refOf(rq.Decoded, opt.Val(g.TableName))
		if err != nil {
			return nil, err
		}
		p, err := projectionOf(g.ProjectionExpression, g.ExpressionAttributeNames, nil)
		if err != nil {
			return nil, err
		}
		t, err := s.named(ctx, r)
		if err != nil {
			return nil, err
		}
		key, err := t.checkKey(g.Key)
		if err != nil {
			return nil, err
		}
		gets[i] = get{*g.TableName, t, t.itemKey(key), p}
		if seen[string(gets[i].key)] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[string(gets[i].key)] = true
	}
	out := &api.TransactGetItemsOutput{Responses: make([]api.ItemResponse, len(gets))}
	units := map[string]float64{}
	total := 0
	err := s.store.View(ctx, func(r data.Reader) error {
		clear(units)
		total = 0
		for i, g := range gets {
			out.Responses[i] = api.ItemResponse{}
			stored, ok, err := r.Get(g.key)
			if err != nil {
				return err
			}
			size := 0
			if ok {
				var item expr.Item
				if item, size, err = decodeItem(stored); err != nil {
					return err
				}
				if g.projection != nil {
					item = g.projection.Apply(item)
				}
				out.Responses[i].Item = item
			}
			total += size
			units[g.name] += transactional * readUnits(size, true)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if total > maxTransaction {
		return nil, invalid("Total size of items in the transaction has exceeded the maximum of %d bytes", maxTransaction)
	}
	if asked(in.ReturnConsumedCapacity) {
		for _, name := range sortedNames(units) {
			u := units[name]
			c := api.ConsumedCapacity{TableName: &name, CapacityUnits: &u, ReadCapacityUnits: &u}
			if *in.ReturnConsumedCapacity == api.ReturnConsumedCapacityIndexes {
				c.Table = &api.Capacity{CapacityUnits: &u, ReadCapacityUnits: &u}
			}
			out.ConsumedCapacity = append(out.ConsumedCapacity, c)
		}
	}
	return out, nil
}

// mutationOf checks one step against its table.
func (st *step) mutationOf(t *table) (*mutation, error) {
	if st.change == check && st.condition == nil {
		return nil, invalid("The ConditionExpression parameter is required for ConditionCheck")
	}
	u, condition, err := changeOf(st.update, st.condition, st.names, st.values)
	if err != nil {
		return nil, err
	}
	var m *mutation
	if st.change == put {
		m, err = newPut(t, st.key, condition)
	} else {
		m, err = newChange(t, st.change, st.key, condition, u)
	}
	if err != nil {
		return nil, err
	}
	m.wantOld, m.onFail = true, st.onFail
	return m, nil
}

func (s *Service) transactWriteItems(ctx context.Context, rq *call.Authorized, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	steps, err := stepsOf(in.TransactItems)
	if err != nil {
		return nil, err
	}
	refs := map[string]ref{}
	for _, st := range steps {
		if refs[opt.Val(st.table)], err = refOf(rq.Decoded, opt.Val(st.table)); err != nil {
			return nil, err
		}
	}
	tables, err := s.holdAll(ctx, refs)
	if err != nil {
		return nil, err
	}
	defer s.schema.RUnlock()
	work := make([]*mutation, len(steps))
	byTable := map[string][]*mutation{}
	seen := map[string]bool{}
	total := 0
	for i, st := range steps {
		m, err := st.mutationOf(tables[*st.table])
		if err != nil {
			return nil, err
		}
		if seen[string(m.key)] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[string(m.key)] = true
		total += m.size
		work[i] = m
		byTable[*st.table] = append(byTable[*st.table], m)
	}
	if total > maxTransaction {
		return nil, invalid("Total size of items in the transaction has exceeded the maximum of %d bytes", maxTransaction)
	}
	token, err := tokenOf(in, place{rq.Account(), rq.Region()}, s.clock.Now())
	if err != nil {
		return nil, err
	}
	cost := map[string]*written{}
	repeated := false
	err = s.store.Update(ctx, func(txn data.Txn) (err error) {
		clear(cost)
		if repeated, err = token.seen(txn); err != nil || repeated {
			return err
		}
		reasons := make([]api.CancellationReason, len(work))
		failed := false
		for i, m := range work {
			_, _, w, err := m.run(txn)
			reason, ok := reasonOf(err)
			if !ok {
				return err
			}
			failed = failed || err != nil
			reasons[i] = reason
			name := *steps[i].table
			if cost[name] == nil {
				cost[name] = &written{}
			}
			cost[name].add(w)
		}
		if failed {
			return canceled(reasons)
		}
		return token.keep(txn)
	})
	if err != nil {
		return nil, err
	}
	out := &api.TransactWriteItemsOutput{}
	for _, name := range sortedNames(byTable) {
		t := tables[name]
		t.stats.changed()
		if c := s.transactCost(t, name, in.ReturnConsumedCapacity, cost[name], repeated, byTable[name]); c != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, *c)
		}
		metrics, err := s.collections(ctx, t, in.ReturnItemCollectionMetrics, byTable[name])
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

// transactCost answers what a transaction consumed of a table; a repeated one
// only read.
func (s *Service) transactCost(t *table, name string, mode *string, w *written, repeated bool, work []*mutation) *api.ConsumedCapacity {
	if !asked(mode) {
		return nil
	}
	u := &used{name: name}
	if repeated {
		for _, m := range work {
			u.table += transactional * readUnits(m.size, true)
		}
	} else {
		u = w.used(name)
		u.table *= transactional
		for x := range u.indexes {
			u.indexes[x] *= transactional
		}
	}
	c := u.answer(t, mode)
	if repeated {
		c.ReadCapacityUnits = c.CapacityUnits
	} else {
		c.WriteCapacityUnits = c.CapacityUnits
	}
	return c
}

// reasonOf makes an error of one step the reason of a cancellation; ok is false
// for errors that are none.
func reasonOf(err error) (api.CancellationReason, bool) {
	if err == nil {
		return api.CancellationReason{Code: new("None")}, true
	}
	if failed, ok := err.(*conditionFailed); ok {
		return api.CancellationReason{Code: new("ConditionalCheckFailed"), Message: new(failed.Error()), Item: failed.item}, true
	}
	if f := fault.As(err); f != nil && f.Common == fault.Validation {
		return api.CancellationReason{Code: new("ValidationError"), Message: &f.Message}, true
	}
	return api.CancellationReason{}, false
}

func canceled(reasons []api.CancellationReason) error {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = *r.Code
	}
	return api.TransactionCanceledException("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")).
		With("CancellationReasons", reasons)
}

// token makes a transaction happen once, however often it is sent.
type token struct {
	at   place
	name string // "" if the caller gave none
	hash [sha256.Size]byte
	now  time.Time
}

func tokenOf(in *api.TransactWriteItemsInput, at place, now time.Time) (token, error) {
	t := token{at: at, name: opt.Val(in.ClientRequestToken), now: now}
	if t.name == "" {
		return t, nil
	}
	// encoding/json sorts maps, so equal requests have equal hashes.
	b, err := json.Marshal(in.TransactItems)
	if err != nil {
		return t, fmt.Errorf("dynamodb: a transaction's hash: %w", err)
	}
	t.hash = sha256.Sum256(b)
	return t, nil
}

// read returns the hash kept for the token; ok is false if there is none or its
// time is over.
func (t token) read(r data.Reader) (hash []byte, ok bool, err error) {
	b, ok, err := r.Get(tokenKey(t.at, t.name))
	if err != nil || !ok || len(b) != 8+sha256.Size {
		return nil, false, err
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	return b[8:], !t.now.After(until), nil
}

// seen reports whether the transaction was carried out already.
func (t token) seen(r data.Reader) (bool, error) {
	if t.name == "" {
		return false, nil
	}
	hash, ok, err := t.read(r)
	if err != nil || !ok {
		return false, err
	}
	if string(hash) != string(t.hash[:]) {
		return false, api.IdempotentParameterMismatchException("The request uses the same client token as a previous, but non-identical request. Do not reuse a client token with different requests, unless the requests are identical")
	}
	return true, nil
}

// forget removes what is kept for the token, unless it was used again since.
func (t token) forget(txn data.Txn) error {
	if _, alive, err := t.read(txn); err != nil || alive {
		return err
	}
	return txn.Delete(tokenKey(t.at, t.name))
}

func (t token) keep(txn data.Txn) error {
	if t.name == "" {
		return nil
	}
	until := t.now.Add(tokenLife)
	if err := txn.Put(forgetKey(t.at, until.Add(time.Second), t.name), nil); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	return txn.Put(tokenKey(t.at, t.name), append(b, t.hash[:]...))
}
