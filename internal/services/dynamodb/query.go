package dynamodb

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

func (s *Service) queryBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.Query, call.Rule(s.queryNeeds, "dynamodb:Query"), s.query),
		call.Bind(api.Scan, onItems(s, "dynamodb:Scan", func(in *api.ScanInput) touched {
			return touched{table: opt.Val(in.TableName), index: opt.Val(in.IndexName),
				attributes:  append(sortedNames(in.ScanFilter), in.AttributesToGet...),
				expressions: []string{opt.Val(in.ProjectionExpression), opt.Val(in.FilterExpression)}, names: in.ExpressionAttributeNames,
				more: selecting(in.Select, in.ReturnConsumedCapacity)}
		}), s.scan),
	}
}

func selecting(choice, capacity *string) map[string][]string {
	return map[string][]string{"dynamodb:select": {opt.Val(choice)}, "dynamodb:returnconsumedcapacity": {opt.Val(capacity)}}
}

// queryNeeds finds the partition key in the key condition. What cannot be read
// has none here, and is refused by the operation.
func (s *Service) queryNeeds(ctx context.Context, rq *call.Decoded, in *api.QueryInput) ([]call.Need, error) {
	w := touched{table: opt.Val(in.TableName), index: opt.Val(in.IndexName),
		attributes:  append(append(sortedNames(in.KeyConditions), sortedNames(in.QueryFilter)...), in.AttributesToGet...),
		expressions: []string{opt.Val(in.KeyConditionExpression), opt.Val(in.ProjectionExpression), opt.Val(in.FilterExpression)},
		names:       in.ExpressionAttributeNames, more: selecting(in.Select, in.ReturnConsumedCapacity)}
	n, err := s.need(ctx, rq, "dynamodb:Query", w)
	if err != nil {
		return nil, err
	}
	r, err := refOf(rq, opt.Val(in.TableName))
	if err != nil {
		return nil, err
	}
	t, err := s.lookup(ctx, r)
	if err != nil || t == nil {
		return []call.Need{n}, err
	}
	hash, rng := t.hash, t.rng
	if x := t.index(w.index); x != nil {
		hash, rng = x.hash, x.rng
	}
	var key *expr.KeyCondition
	if in.KeyConditionExpression != nil {
		if scope, err := expr.NewScope(in.ExpressionAttributeNames, in.ExpressionAttributeValues, true, true); err == nil {
			key, _ = scope.KeyCondition(*in.KeyConditionExpression, hash.name, rng.name)
		}
	} else {
		key, _ = expr.KeyConditions(in.KeyConditions, hash.name, rng.name)
	}
	if key != nil {
		if text, ok := keyText(key.Hash); ok {
			n.Keys["dynamodb:leadingkeys"] = []string{text}
		}
	}
	return []call.Need{n}, nil
}

// selection are the parameters that Query and Scan share.
type selection struct {
	table, index       *string
	choice             *string
	projection, filter *string
	keyCondition       *string
	names              map[string]string
	values             map[string]api.AttributeValue
	attributes         []string
	legacyFilter       map[string]api.Condition
	legacyKeys         map[string]api.Condition
	operator           *string
	filterName         string // the legacy filter's parameter
	limit              *int32
	consistent         *bool
}

// listing is a Query or Scan that has been checked.
type listing struct {
	t          *table
	x          *index // nil: the table itself
	from, to   []byte
	reverse    bool
	limit      int // 0: none
	filter     expr.Condition
	projection *expr.Projection
	key        *expr.KeyCondition
	countOnly  bool
	fetch      bool // items are read from the table, because a local index lacks attributes
	consistent bool
}

// keys are those of the index or table that is listed.
func (l *listing) keys() []attribute {
	if l.x != nil {
		return l.x.keys()
	}
	return l.t.keys()
}

func (l *listing) prefix() []byte {
	if l.x != nil {
		return l.x.prefix
	}
	return l.t.items
}

// listingOf checks what Query and Scan share.
func (s *Service) listingOf(ctx context.Context, rq *call.Authorized, p *selection) (*listing, error) {
	r, err := refOf(rq.Decoded, opt.Val(p.table))
	if err != nil {
		return nil, err
	}
	t, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	l := &listing{t: t, consistent: opt.Val(p.consistent), limit: int(opt.Val(p.limit))}
	if p.index != nil {
		if l.x = t.index(*p.index); l.x == nil {
			return nil, invalid("The table does not have the specified index: %s", *p.index)
		}
		if l.x.Filling {
			return nil, invalid("Cannot read from backfilling global secondary index: %s", l.x.Name)
		}
		if l.x.Global && l.consistent {
			return nil, invalid("Consistent reads are not supported on global secondary indexes")
		}
	}
	if err := l.read(p); err != nil {
		return nil, err
	}
	return l, l.choose(p)
}

// read reads the expressions, or the parameters that they replaced.
func (l *listing) read(p *selection) error {
	legacy := ""
	switch {
	case p.attributes != nil:
		legacy = "AttributesToGet"
	case p.legacyFilter != nil:
		legacy = p.filterName
	case p.legacyKeys != nil:
		legacy = "KeyConditions"
	case p.operator != nil:
		legacy = "ConditionalOperator"
	}
	expression := ""
	switch {
	case p.projection != nil:
		expression = "ProjectionExpression"
	case p.filter != nil:
		expression = "FilterExpression"
	case p.keyCondition != nil:
		expression = "KeyConditionExpression"
	}
	if legacy != "" && expression != "" {
		return mixed(legacy, expression)
	}
	scope, err := expr.NewScope(p.names, p.values, expression != "", p.filter != nil || p.keyCondition != nil)
	if err != nil {
		return wrong(err)
	}
	keys := l.keys()
	hash, rng := keys[0].name, ""
	if len(keys) > 1 {
		rng = keys[1].name
	}
	if p.keyCondition != nil {
		if l.key, err = scope.KeyCondition(*p.keyCondition, hash, rng); err != nil {
			return wrong(err)
		}
	} else if p.legacyKeys != nil {
		if l.key, err = expr.KeyConditions(p.legacyKeys, hash, rng); err != nil {
			return wrong(err)
		}
	}
	switch {
	case p.filter != nil:
		l.filter, err = scope.Filter(*p.filter)
	case p.legacyFilter != nil || p.operator != nil:
		l.filter, err = expr.Filter(p.legacyFilter, p.operator)
	}
	if err != nil {
		return wrong(err)
	}
	if p.projection != nil {
		l.projection, err = scope.Projection(*p.projection)
	} else {
		l.projection, err = attributesToGet(p.attributes)
	}
	if err != nil {
		return wrong(err)
	}
	return wrong(scope.Finish())
}

// choose decides which attributes are answered.
func (l *listing) choose(p *selection) error {
	choice := opt.Val(p.choice)
	if l.projection != nil {
		parameter := "ProjectionExpression"
		if p.projection == nil {
			parameter = "AttributesToGet"
		}
		switch choice {
		case "", api.SelectSpecificAttributes:
		case api.SelectCount:
			return invalid("Cannot specify the %s when choosing to get only the Count", parameter)
		default:
			return invalid("Cannot specify the %s when choosing to get %s", parameter, choice)
		}
		return l.cover()
	}
	switch choice {
	case api.SelectSpecificAttributes:
		return badParameter("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case api.SelectCount:
		l.countOnly = true
	case api.SelectAllProjectedAttributes:
		if l.x == nil {
			return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
	case api.SelectAllAttributes:
		if l.x != nil && l.x.keep != nil {
			if l.x.Global {
				return badParameter("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", l.x.Name)
			}
			l.fetch = true
		}
	}
	return nil
}

// cover sees to it that an index has the attributes that were asked for.
func (l *listing) cover() error {
	if l.x == nil || l.x.keep == nil {
		return nil
	}
	for _, path := range l.projection.Paths {
		if l.x.keep[path.Top()] {
			continue
		}
		if l.x.Global {
			return badParameter("Global secondary index %s does not project %s", l.x.Name, path)
		}
		l.fetch = true
	}
	return nil
}

func (s *Service) query(ctx context.Context, rq *call.Authorized, in *api.QueryInput) (*api.QueryOutput, error) {
	p := &selection{
		table: in.TableName, index: in.IndexName, choice: in.Select, projection: in.ProjectionExpression, filter: in.FilterExpression,
		keyCondition: in.KeyConditionExpression, names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
		attributes: in.AttributesToGet, legacyFilter: in.QueryFilter, filterName: "QueryFilter", legacyKeys: in.KeyConditions,
		operator: in.ConditionalOperator, limit: in.Limit, consistent: in.ConsistentRead,
	}
	l, err := s.listingOf(ctx, rq, p)
	if err != nil {
		return nil, err
	}
	if l.key == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	for _, a := range l.keys() {
		if l.filter != nil && expr.Uses(l.filter, a.name) {
			name := "Filter Expression"
			if in.FilterExpression == nil {
				name = "QueryFilter"
			}
			return nil, invalid("%s can only contain non-primary key attributes: Primary key attribute: %s", name, a.name)
		}
	}
	l.reverse = !opt.Or(in.ScanIndexForward, true)
	if err := l.partition(); err != nil {
		return nil, err
	}
	if err := l.resume(in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	page, err := s.list(ctx, l)
	if err != nil {
		return nil, err
	}
	return &api.QueryOutput{
		Items: page.items, Count: &page.count, ScannedCount: &page.scanned, LastEvaluatedKey: page.last,
		ConsumedCapacity: page.used(l, *in.TableName).answer(l.t, in.ReturnConsumedCapacity),
	}, nil
}

func (s *Service) scan(ctx context.Context, rq *call.Authorized, in *api.ScanInput) (*api.ScanOutput, error) {
	p := &selection{
		table: in.TableName, index: in.IndexName, choice: in.Select, projection: in.ProjectionExpression, filter: in.FilterExpression,
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
		attributes: in.AttributesToGet, legacyFilter: in.ScanFilter, filterName: "ScanFilter",
		operator: in.ConditionalOperator, limit: in.Limit, consistent: in.ConsistentRead,
	}
	segment, total := uint64(opt.Val(in.Segment)), uint64(opt.Or(in.TotalSegments, 1))
	switch {
	case in.Segment != nil && in.TotalSegments == nil:
		return nil, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment == nil && in.TotalSegments != nil:
		return nil, invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case segment >= total:
		return nil, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", segment, total)
	}
	l, err := s.listingOf(ctx, rq, p)
	if err != nil {
		return nil, err
	}
	l.segment(segment, total)
	if err := l.resume(in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	page, err := s.list(ctx, l)
	if err != nil {
		return nil, err
	}
	return &api.ScanOutput{
		Items: page.items, Count: &page.count, ScannedCount: &page.scanned, LastEvaluatedKey: page.last,
		ConsumedCapacity: page.used(l, *in.TableName).answer(l.t, in.ReturnConsumedCapacity),
	}, nil
}
