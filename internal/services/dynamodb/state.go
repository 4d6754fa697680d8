package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// The keys of the room. All begin with data.Key("dynamodb", account, region):
//
//	"table", name                          a table's record
//	"sequence"                             the last number given to a table or index
//	"item", table  + hash + sort key       an item
//	"entry", index + hash + sort key + …   an index's entry, see indexKey
//	"expiry", index + time + item          when an item with a time to live ends
//	"garbage", prefix                      a prefix whose keys are to be deleted
//	"token", token                         a transaction that was carried out
//	"forget", time + token                 when a token is to be forgotten
//
// Tables and indexes have numbers, never given twice, so that a table that is
// made anew never meets the items of the one before.
//
// hash is the first half of the SHA-256 of the partition key. It keeps keys short
// whatever their partition keys are, spreads partitions evenly (which parallel
// scans divide among themselves), and does not let anybody choose two partition
// keys that meet.
const (
	hashSize     = 16
	recordFormat = 1
)

func placeKey(account, region string, more ...string) []byte {
	return data.Key(append([]string{"dynamodb", account, region}, more...)...)
}

func tableKey(r ref) []byte             { return placeKey(r.account, r.region, "table", r.name) }
func sequenceKey(p place) []byte        { return placeKey(p.account, p.region, "sequence") }
func garbageKey(p place) []byte         { return placeKey(p.account, p.region, "garbage") }
func tokenKey(p place, t string) []byte { return placeKey(p.account, p.region, "token", t) }

func forgetKey(p place, at time.Time, token string) []byte {
	k := placeKey(p.account, p.region, "forget")
	k = binary.BigEndian.AppendUint64(k, uint64(at.Unix()))
	return append(k, token...)
}

// place is an account in a region.
type place struct{ account, region string }

// ref names a table.
type ref struct {
	place
	name string
}

func (r ref) arn() string { return arn.Make("dynamodb", r.region, r.account, "table/"+r.name) }

// record is a table as it is stored.
type record struct {
	V                  int
	Name               string
	ID                 string // a UUID, for callers
	Number             string // of its items' keys
	Created            time.Time
	Types              map[string]string // of the attributes that are keys
	Hash, Range        string
	Indexes            []indexRecord `json:",omitempty"`
	BillingMode        string        `json:",omitempty"` // "" if it was never named
	OnDemandSince      *time.Time    `json:",omitempty"`
	Throughput         throughput
	TableClass         string            `json:",omitempty"`
	DeletionProtection bool              `json:",omitempty"`
	Tags               map[string]string `json:",omitempty"`
	Expiry             *expiryRecord     `json:",omitempty"`
}

// throughput is provisioned capacity as it was asked for; see doc.go.
type throughput struct {
	Read, Write     int64      `json:",omitempty"`
	Raised, Lowered *time.Time `json:",omitempty"`
}

type indexRecord struct {
	Name        string
	Number      string // of its entries' keys
	Global      bool
	Hash, Range string
	Projection  string
	NonKey      []string `json:",omitempty"`
	Throughput  throughput
	// Filling says that the entries of items that were there before are still
	// being made: up to which key is not noted, because making one twice does no harm.
	Filling bool `json:",omitempty"`
}

type expiryRecord struct {
	Attribute string
	Number    string
	Filling   bool `json:",omitempty"`
}

// table is a table's record made ready for use. It never changes; a change of the
// table makes a new one.
type table struct {
	ref
	rec       record
	tableARN  string
	items     []byte // prefix of the items' keys
	hash, rng attribute
	indexes   []*index
	expiry    *expiry
	stats     *stats
}

// attribute is one that is a key; typ is "S", "N" or "B". No name: no attribute.
type attribute struct{ name, typ string }

type index struct {
	*indexRecord
	prefix    []byte
	hash, rng attribute
	keep      map[string]bool // the attributes that are projected; nil if all are
}

type expiry struct {
	*expiryRecord
	prefix []byte
}

func numbered(p place, kind, number string) []byte {
	return placeKey(p.account, p.region, kind, number)
}

func compile(r ref, rec record, st *stats) *table {
	t := &table{ref: r, rec: rec, tableARN: r.arn(), items: numbered(r.place, "item", rec.Number), stats: st}
	at := func(name string) attribute { return attribute{name, rec.Types[name]} }
	t.hash, t.rng = at(rec.Hash), at(rec.Range)
	for i := range rec.Indexes {
		ir := &t.rec.Indexes[i]
		x := &index{indexRecord: ir, prefix: numbered(r.place, "entry", ir.Number), hash: at(ir.Hash), rng: at(ir.Range)}
		if ir.Projection != api.ProjectionTypeAll {
			x.keep = map[string]bool{}
			for _, n := range append([]string{rec.Hash, rec.Range, ir.Hash, ir.Range}, ir.NonKey...) {
				if n != "" {
					x.keep[n] = true
				}
			}
		}
		t.indexes = append(t.indexes, x)
	}
	if rec.Expiry != nil {
		t.expiry = &expiry{rec.Expiry, numbered(r.place, "expiry", rec.Expiry.Number)}
	}
	return t
}

func (t *table) index(name string) *index {
	for _, x := range t.indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

func readRecord(r data.Reader, ref ref) (rec record, ok bool, err error) {
	b, ok, err := r.Get(tableKey(ref))
	if err != nil || !ok {
		return record{}, false, err
	}
	return parseRecord(b)
}

func parseRecord(b []byte) (rec record, ok bool, err error) {
	if err := json.Unmarshal(b, &rec); err != nil {
		return record{}, false, fmt.Errorf("dynamodb: a table's record: %w", err)
	}
	if rec.V != recordFormat {
		return record{}, false, fmt.Errorf("dynamodb: table %s has the record format %d, this binary knows %d: %w", rec.Name, rec.V, recordFormat, data.ErrFormat)
	}
	return rec, true, nil
}

func writeRecord(t data.Txn, ref ref, rec record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("dynamodb: a table's record: %w", err)
	}
	return t.Put(tableKey(ref), b)
}

// number takes the next number of a place.
func number(t data.Txn, p place) (string, error) {
	b, ok, err := t.Get(sequenceKey(p))
	if err != nil {
		return "", err
	}
	var n uint64
	if ok {
		n = binary.BigEndian.Uint64(b)
	}
	n++
	return fmt.Sprintf("%08x", n), t.Put(sequenceKey(p), binary.BigEndian.AppendUint64(nil, n))
}

// discard notes that everything below prefix is to be deleted, and returns the
// note's key.
func discard(t data.Txn, p place, prefix []byte) (key []byte, err error) {
	key = data.AppendPart(garbageKey(p), string(prefix))
	return key, t.Put(key, nil)
}

// garbage is the prefix that a key made by discard tells of.
func garbage(key []byte) []byte {
	parts, ok := data.Parts(key)
	if !ok || len(parts) != 5 {
		return nil
	}
	return []byte(parts[4])
}

// places lists the accounts and regions that have tables or what is left of them.
func places(r data.Reader) ([]place, error) {
	var out []place
	all := data.Key("dynamodb")
	for from, end := all, data.PrefixEnd(all); ; {
		found := false
		for p, err := range r.Scan(from, end, false) {
			if err != nil {
				return nil, err
			}
			found = true
			rest := string(p.Key[len(all):])
			account, rest, _ := strings.Cut(rest, "\x00\x01")
			region, _, _ := strings.Cut(rest, "\x00\x01")
			out = append(out, place{account, region})
			from = data.PrefixEnd(placeKey(account, region))
			break
		}
		if !found {
			return out, nil
		}
	}
}

// appendHash appends what stands for a partition key's value.
func appendHash(k []byte, v *api.AttributeValue) []byte {
	var sum [sha256.Size]byte
	switch {
	case v.S != nil:
		sum = sha256.Sum256([]byte(*v.S))
	case v.N != nil:
		sum = sha256.Sum256([]byte(*v.N))
	default:
		sum = sha256.Sum256(v.B)
	}
	return append(k, sum[:hashSize]...)
}

// appendSort appends a sort key so that the order of bytes is that of values. At
// the end of a key it stands as it is; otherwise it is ended so that none is a
// prefix of another.
func appendSort(k []byte, v *api.AttributeValue, last bool) []byte {
	var text string
	switch {
	case v.N != nil:
		n, _ := expr.ParseNumber(*v.N)
		return n.AppendKey(k)
	case v.S != nil:
		text = *v.S
	default:
		text = string(v.B)
	}
	if last {
		return append(k, text...)
	}
	return data.AppendPart(k, text)
}

// itemKey is the store's key of an item with the given key attributes, which
// have been checked.
func (t *table) itemKey(item expr.Item) []byte {
	k := make([]byte, len(t.items), len(t.items)+hashSize+32)
	copy(k, t.items)
	return t.appendItem(k, item)
}

// appendItem appends what distinguishes an item within its table.
func (t *table) appendItem(k []byte, item expr.Item) []byte {
	h := item[t.hash.name]
	k = appendHash(k, &h)
	if t.rng.name != "" {
		r := item[t.rng.name]
		k = appendSort(k, &r, true)
	}
	return k
}

// indexKey is the key of an item's entry in an index: the index's own key, then
// what distinguishes the item. ok is false if the item has none there, because it
// lacks a key attribute, or has held a value that is no key since before the
// index was made.
func (t *table) indexKey(x *index, item expr.Item) (k []byte, ok bool) {
	h, ok := item[x.hash.name]
	if !ok || !x.hash.fits(&h, maxHashKey) {
		return nil, false
	}
	k = append(make([]byte, 0, len(x.prefix)+2*hashSize+64), x.prefix...)
	k = appendHash(k, &h)
	if x.rng.name != "" {
		r, ok := item[x.rng.name]
		if !ok || !x.rng.fits(&r, maxRangeKey) {
			return nil, false
		}
		k = appendSort(k, &r, false)
	}
	return t.appendItem(k, item), true
}

// expiryKey is the key under which an item waits for its end; ok is false if it
// has none.
func (t *table) expiryKey(item expr.Item) (k []byte, ok bool) {
	v, ok := item[t.expiry.Attribute]
	if !ok || v.N == nil {
		return nil, false
	}
	n, err := expr.ParseNumber(*v.N)
	if err != nil {
		return nil, false
	}
	at, ok := n.Int64()
	if !ok || at <= 0 {
		return nil, false
	}
	k = append([]byte(nil), t.expiry.prefix...)
	k = binary.BigEndian.AppendUint64(k, uint64(at))
	return t.appendItem(k, item), true
}

// expiryParts takes an expiry key apart: when, and the key of the item.
func (t *table) expiryParts(k []byte) (at int64, item []byte) {
	k = k[len(t.expiry.prefix):]
	return int64(binary.BigEndian.Uint64(k)), append(append([]byte(nil), t.items...), k[8:]...)
}

// expiryRange is the range of expiry keys whose time t is from <= t < to.
func (t *table) expiryRange(from, to time.Time) (low, high []byte) {
	at := func(x time.Time) []byte {
		return binary.BigEndian.AppendUint64(append([]byte(nil), t.expiry.prefix...), uint64(max(0, x.Unix())))
	}
	return at(from), at(to)
}

// eachTable calls f with a place's tables in the order of their names, beginning
// after the given name, until f returns false.
func eachTable(r data.Reader, p place, after string, f func(record) bool) error {
	all := placeKey(p.account, p.region, "table")
	from := all
	if after != "" {
		from = data.PrefixEnd(tableKey(ref{p, after}))
	}
	for pair, err := range r.Scan(from, data.PrefixEnd(all), false) {
		if err != nil {
			return err
		}
		rec, _, err := parseRecord(pair.Value)
		if err != nil {
			return err
		}
		if !f(rec) {
			return nil
		}
	}
	return nil
}

// clone returns a record that can be changed without changing rec.
func (rec record) clone() record {
	rec.Indexes = slices.Clone(rec.Indexes)
	rec.Types = maps.Clone(rec.Types)
	rec.Tags = maps.Clone(rec.Tags)
	if rec.Expiry != nil {
		e := *rec.Expiry
		rec.Expiry = &e
	}
	return rec
}
