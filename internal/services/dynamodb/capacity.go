package dynamodb

import (
	"context"
	"math"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// Capacity units, as they are answered to those who ask:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
const (
	readUnit  = 4 << 10 // bytes of a strongly consistent read
	writeUnit = 1 << 10 // bytes
	// transactional is how much more a transaction costs.
	transactional = 2
)

func writeUnits(size int) float64 { return math.Max(1, math.Ceil(float64(size)/writeUnit)) }

func readUnits(size int, consistent bool) float64 {
	units := math.Max(1, math.Ceil(float64(size)/readUnit))
	if !consistent {
		units /= 2
	}
	return units
}

// asked reports whether the caller wants to know the capacity that was consumed.
func asked(mode *string) bool {
	return mode != nil && *mode != api.ReturnConsumedCapacityNone
}

// used is what requests to a table consumed.
type used struct {
	name    string // as the caller named it
	table   float64
	indexes map[string]float64
}

func (u *used) answer(t *table, mode *string) *api.ConsumedCapacity {
	if !asked(mode) {
		return nil
	}
	total := u.table
	for _, units := range u.indexes {
		total += units
	}
	c := &api.ConsumedCapacity{TableName: &u.name, CapacityUnits: &total}
	if *mode != api.ReturnConsumedCapacityIndexes {
		return c
	}
	c.Table = &api.Capacity{CapacityUnits: &u.table}
	for name, units := range u.indexes {
		x := t.index(name)
		if x == nil {
			continue
		}
		into := &c.LocalSecondaryIndexes
		if x.Global {
			into = &c.GlobalSecondaryIndexes
		}
		if *into == nil {
			*into = map[string]api.Capacity{}
		}
		(*into)[name] = api.Capacity{CapacityUnits: &units}
	}
	return c
}

func (w written) used(name string) *used { return &used{name, w.table, w.indexes} }

// collection answers the size of an item's collection: all items of the table
// and of its local indexes that have the same partition key. Only tables with
// local indexes have any.
func (s *Service) collection(ctx context.Context, t *table, mode *string, key expr.Item) (*api.ItemCollectionMetrics, error) {
	if opt.Val(mode) != api.ReturnItemCollectionMetricsSize {
		return nil, nil
	}
	h := key[t.hash.name]
	var prefixes [][]byte
	for _, x := range t.indexes {
		if !x.Global {
			prefixes = append(prefixes, appendHash(append([]byte(nil), x.prefix...), &h))
		}
	}
	if prefixes == nil {
		return nil, nil
	}
	prefixes = append(prefixes, appendHash(append([]byte(nil), t.items...), &h))
	var bytes int64
	err := s.store.View(ctx, func(r data.Reader) error {
		bytes = 0
		for _, p := range prefixes {
			c, err := countRange(r, p)
			if err != nil {
				return err
			}
			bytes += c.bytes
		}
		return nil
	})
	low := math.Floor(float64(bytes) / (1 << 30))
	return &api.ItemCollectionMetrics{ItemCollectionKey: expr.Item{t.hash.name: h}, SizeEstimateRangeGB: []float64{low, low + 1}}, err
}
