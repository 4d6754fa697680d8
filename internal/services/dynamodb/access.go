package dynamodb

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// The resources and condition keys of DynamoDB:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html

// refOf reads a TableName, which may be a table's ARN.
func refOf(rq *call.Decoded, name string) (ref, error) {
	here := place{rq.Account(), rq.Region()}
	if arn.Is(name) {
		a, ok := arn.Parse(name)
		table, isTable := strings.CutPrefix(a.Resource, "table/")
		if !ok || a.Service != "dynamodb" || !isTable || strings.Contains(table, "/") {
			return ref{}, invalid("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
		}
		if a.Region != here.region {
			return ref{}, invalid("The region of the table's ARN, %s, is not the region of the request, %s", a.Region, here.region)
		}
		here.account, name = a.Account, table
	}
	if err := checkName("TableName", "tableName", name); err != nil {
		return ref{}, err
	}
	return ref{here, name}, nil
}

func checkName(member, path, name string) error {
	if name == "" || len(name) > 255 {
		return invalid("%s must be at least 1 characters long and at most 255 characters long", member)
	}
	if !plainName(name) {
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", name, path)
	}
	return nil
}

func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return name != ""
}

// onTable is the rule of operations on one table as a whole.
func onTable[I any](action string, name func(*I) *string) call.Access[I] {
	return call.Rule(func(_ context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		r, err := refOf(rq, opt.Val(name(in)))
		if err != nil {
			return nil, err
		}
		return []call.Need{{Action: action, Resource: r.arn(), Owner: r.account}}, nil
	}, action)
}

// onARN is the rule of operations that name their table by its ARN.
func onARN[I any](action string, resource func(*I) *string) call.Access[I] {
	return onTable(action, resource)
}

// touched is what a request reads or writes of a table, for its condition keys.
type touched struct {
	table, index string
	keys         []expr.Item // keys or items
	attributes   []string    // besides those of keys
	expressions  []string
	names        map[string]string
	more         map[string][]string
}

// names are distinct.
type names []string

func (n *names) add(name string) {
	if !slices.Contains(*n, name) {
		*n = append(*n, name)
	}
}

// need makes the permission for action on what is touched.
func (s *Service) need(ctx context.Context, rq *call.Decoded, action string, w touched) (call.Need, error) {
	r, err := refOf(rq, w.table)
	if err != nil {
		return call.Need{}, err
	}
	n := call.Need{Action: action, Resource: r.arn(), Owner: r.account, Keys: map[string][]string{}}
	t, err := s.lookup(ctx, r)
	if err != nil {
		return n, err
	}
	if w.index != "" {
		n.Resource += "/index/" + w.index
	}
	attributes := make(names, 0, 8)
	for _, name := range w.attributes {
		attributes.add(name)
	}
	var leading names
	for i, k := range w.keys {
		for name := range k {
			if i == 0 && len(w.attributes) == 0 {
				attributes = append(attributes, name) // nothing there that it could repeat
			} else {
				attributes.add(name)
			}
		}
		if t == nil {
			continue
		}
		if v, ok := k[t.hash.name]; ok {
			if text, ok := keyText(&v); ok {
				leading.add(text)
			}
		}
	}
	for _, e := range w.expressions {
		if e != "" {
			for _, name := range expr.Tops(e, w.names) {
				attributes.add(name)
			}
		}
	}
	if len(leading) > 0 {
		n.Keys["dynamodb:leadingkeys"] = leading
	}
	if len(attributes) > 0 {
		n.Keys["dynamodb:attributes"] = attributes
	}
	for k, v := range w.more {
		if len(v) > 0 && v[0] != "" {
			n.Keys[k] = v
		}
	}
	return n, nil
}

// keyText is a key's value as the condition key dynamodb:LeadingKeys has it.
func keyText(v *api.AttributeValue) (string, bool) {
	switch {
	case v.S != nil:
		return *v.S, true
	case v.N != nil:
		return *v.N, true
	case v.B != nil:
		return string(v.B), true
	}
	return "", false
}

// onItems is the rule of operations on items.
func onItems[I any](s *Service, action string, what func(*I) touched) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		n, err := s.need(ctx, rq, action, what(in))
		return []call.Need{n}, err
	}, action)
}
