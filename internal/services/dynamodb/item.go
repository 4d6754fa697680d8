package dynamodb

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

func (s *Service) itemBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetItem, onItems(s, "dynamodb:GetItem", func(in *api.GetItemInput) touched {
			return touched{table: opt.Val(in.TableName), keys: []expr.Item{in.Key}, attributes: in.AttributesToGet,
				expressions: []string{opt.Val(in.ProjectionExpression)}, names: in.ExpressionAttributeNames,
				more: map[string][]string{"dynamodb:returnconsumedcapacity": {opt.Val(in.ReturnConsumedCapacity)}}}
		}), s.getItem),
		call.Bind(api.PutItem, onItems(s, "dynamodb:PutItem", func(in *api.PutItemInput) touched {
			return touched{table: opt.Val(in.TableName), keys: []expr.Item{in.Item}, attributes: sortedNames(in.Expected),
				expressions: []string{opt.Val(in.ConditionExpression)}, names: in.ExpressionAttributeNames,
				more: returning(in.ReturnValues, in.ReturnConsumedCapacity)}
		}), s.putItem),
		call.Bind(api.UpdateItem, onItems(s, "dynamodb:UpdateItem", func(in *api.UpdateItemInput) touched {
			return touched{table: opt.Val(in.TableName), keys: []expr.Item{in.Key},
				attributes:  append(sortedNames(in.Expected), sortedNames(in.AttributeUpdates)...),
				expressions: []string{opt.Val(in.UpdateExpression), opt.Val(in.ConditionExpression)}, names: in.ExpressionAttributeNames,
				more: returning(in.ReturnValues, in.ReturnConsumedCapacity)}
		}), s.updateItem),
		call.Bind(api.DeleteItem, onItems(s, "dynamodb:DeleteItem", func(in *api.DeleteItemInput) touched {
			return touched{table: opt.Val(in.TableName), keys: []expr.Item{in.Key}, attributes: sortedNames(in.Expected),
				expressions: []string{opt.Val(in.ConditionExpression)}, names: in.ExpressionAttributeNames,
				more: returning(in.ReturnValues, in.ReturnConsumedCapacity)}
		}), s.deleteItem),
	}
}

func returning(values, capacity *string) map[string][]string {
	return map[string][]string{
		"dynamodb:returnvalues":           {opt.Or(values, api.ReturnValueNone)},
		"dynamodb:returnconsumedcapacity": {opt.Val(capacity)},
	}
}

func (s *Service) getItem(ctx context.Context, rq *call.Authorized, in *api.GetItemInput) (*api.GetItemOutput, error) {
	r, err := refOf(rq.Decoded, *in.TableName)
	if err != nil {
		return nil, err
	}
	projection, err := projectionOf(in.ProjectionExpression, in.ExpressionAttributeNames, in.AttributesToGet)
	if err != nil {
		return nil, err
	}
	t, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	key, err := t.checkKey(in.Key)
	if err != nil {
		return nil, err
	}
	item, size, err := s.read(ctx, t, key)
	if err != nil {
		return nil, err
	}
	out := &api.GetItemOutput{Item: item}
	if projection != nil && item != nil {
		out.Item = projection.Apply(item)
	}
	u := used{name: *in.TableName, table: readUnits(size, opt.Val(in.ConsistentRead))}
	out.ConsumedCapacity = u.answer(t, in.ReturnConsumedCapacity)
	return out, nil
}

// read returns the item with a key that has been checked; nil if there is none.
func (s *Service) read(ctx context.Context, t *table, key expr.Item) (item expr.Item, size int, err error) {
	k := t.itemKey(key)
	var stored []byte
	err = s.store.View(ctx, func(r data.Reader) (err error) {
		stored, _, err = r.Get(k)
		return err
	})
	if err != nil || stored == nil {
		return nil, 0, err
	}
	return decodeItem(stored)
}

// projectionOf reads the parameters that choose attributes; nil means all.
func projectionOf(expression *string, names map[string]string, legacy []string) (*expr.Projection, error) {
	if expression == nil && names == nil {
		return attributesToGet(legacy)
	}
	if legacy != nil {
		return nil, mixed("AttributesToGet", "ProjectionExpression")
	}
	scope, err := expr.NewScope(names, nil, expression != nil, false)
	if err != nil {
		return nil, wrong(err)
	}
	p, err := scope.Projection(*expression)
	if err != nil {
		return nil, wrong(err)
	}
	return p, wrong(scope.Finish())
}

func (s *Service) putItem(ctx context.Context, rq *call.Authorized, in *api.PutItemInput) (*api.PutItemOutput, error) {
	r, err := refOf(rq.Decoded, *in.TableName)
	if err != nil {
		return nil, err
	}
	all, err := returnsOld(in.ReturnValues)
	if err != nil {
		return nil, err
	}
	condition, err := conditionOf(in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Expected, in.ConditionalOperator)
	if err != nil {
		return nil, err
	}
	var m *mutation
	old, _, w, err := s.mutate(ctx, r, func(t *table) (*mutation, error) {
		if m, err = newPut(t, in.Item, condition); err == nil {
			m.wantOld, m.onFail = all || asked(in.ReturnConsumedCapacity), in.ReturnValuesOnConditionCheckFailure
		}
		return m, err
	})
	if err != nil {
		return nil, err
	}
	out := &api.PutItemOutput{ConsumedCapacity: w.used(*in.TableName).answer(m.t, in.ReturnConsumedCapacity)}
	if all {
		out.Attributes = old
	}
	out.ItemCollectionMetrics, err = s.collection(ctx, m.t, in.ReturnItemCollectionMetrics, m.keys)
	return out, err
}

func returnsOld(rv *string) (bool, error) {
	switch opt.Or(rv, api.ReturnValueNone) {
	case api.ReturnValueNone:
		return false, nil
	case api.ReturnValueAllOld:
		return true, nil
	}
	return false, invalid("ReturnValues can only be ALL_OLD or NONE")
}

// mutate carries out what prepare makes for the table as it is then.
func (s *Service) mutate(ctx context.Context, r ref, prepare func(*table) (*mutation, error)) (old, item expr.Item, w written, err error) {
	t, err := s.hold(ctx, r)
	if err != nil {
		return nil, nil, w, err
	}
	defer s.schema.RUnlock()
	m, err := prepare(t)
	if err != nil {
		return nil, nil, w, err
	}
	err = s.store.Update(ctx, func(txn data.Txn) (err error) {
		old, item, w, err = m.run(txn)
		return err
	})
	if failed, ok := err.(*conditionFailed); ok {
		err = failed.fault()
	}
	t.stats.changed()
	return old, item, w, err
}

func (s *Service) deleteItem(ctx context.Context, rq *call.Authorized, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	r, err := refOf(rq.Decoded, *in.TableName)
	if err != nil {
		return nil, err
	}
	all, err := returnsOld(in.ReturnValues)
	if err != nil {
		return nil, err
	}
	condition, err := conditionOf(in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.Expected, in.ConditionalOperator)
	if err != nil {
		return nil, err
	}
	var m *mutation
	old, _, w, err := s.mutate(ctx, r, func(t *table) (*mutation, error) {
		if m, err = newChange(t, remove, in.Key, condition, nil); err == nil {
			m.wantOld, m.onFail = all || asked(in.ReturnConsumedCapacity), in.ReturnValuesOnConditionCheckFailure
		}
		return m, err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DeleteItemOutput{ConsumedCapacity: w.used(*in.TableName).answer(m.t, in.ReturnConsumedCapacity)}
	if all {
		out.Attributes = old
	}
	out.ItemCollectionMetrics, err = s.collection(ctx, m.t, in.ReturnItemCollectionMetrics, m.keys)
	return out, err
}

func (s *Service) updateItem(ctx context.Context, rq *call.Authorized, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	r, err := refOf(rq.Decoded, *in.TableName)
	if err != nil {
		return nil, err
	}
	change, condition, err := updateOf(in)
	if err != nil {
		return nil, err
	}
	var m *mutation
	old, item, w, err := s.mutate(ctx, r, func(t *table) (*mutation, error) {
		if m, err = newChange(t, update, in.Key, condition, change); err == nil {
			m.onFail = in.ReturnValuesOnConditionCheckFailure
		}
		return m, err
	})
	if err != nil {
		return nil, err
	}
	out := &api.UpdateItemOutput{ConsumedCapacity: w.used(*in.TableName).answer(m.t, in.ReturnConsumedCapacity)}
	out.Attributes = returned(opt.Val(in.ReturnValues), old, item, change)
	out.ItemCollectionMetrics, err = s.collection(ctx, m.t, in.ReturnItemCollectionMetrics, m.keys)
	return out, err
}

// returned chooses what UpdateItem answers; nil if there is nothing.
func returned(values string, old, item expr.Item, u *expr.Update) expr.Item {
	switch values {
	case api.ReturnValueAllOld:
		return old
	case api.ReturnValueAllNew:
		return item
	case api.ReturnValueUpdatedOld, api.ReturnValueUpdatedNew:
		if u == nil {
			return nil
		}
		from := item
		if values == api.ReturnValueUpdatedOld {
			from = old
		}
		p := expr.Projection{Paths: u.Paths()}
		if out := p.Apply(from); len(out) > 0 {
			return out
		}
	}
	return nil
}
