package expr

import (
	"bytes"
	"slices"
	"strings"
)

// MaxDepth is how deep values may be nested, the attribute's own being the first.
const MaxDepth = 32

// The names of the types, as in the wire's members and in attribute_type.
const (
	typeS    = "S"
	typeN    = "N"
	typeB    = "B"
	typeSS   = "SS"
	typeNS   = "NS"
	typeBS   = "BS"
	typeM    = "M"
	typeL    = "L"
	typeNULL = "NULL"
	typeBOOL = "BOOL"
)

// TypeOf returns the name of v's type: "S", "N", … ; "" if v has none.
func TypeOf(v *Value) string {
	switch {
	case v.S != nil:
		return typeS
	case v.N != nil:
		return typeN
	case v.B != nil:
		return typeB
	case v.M != nil:
		return typeM
	case v.L != nil:
		return typeL
	case v.BOOL != nil:
		return typeBOOL
	case v.NULL != nil:
		return typeNULL
	case v.SS != nil:
		return typeSS
	case v.NS != nil:
		return typeNS
	case v.BS != nil:
		return typeBS
	}
	return ""
}

func membersSet(v *Value) (n int) {
	for _, set := range [...]bool{v.S != nil, v.N != nil, v.B != nil, v.SS != nil, v.NS != nil, v.BS != nil,
		v.M != nil, v.L != nil, v.NULL != nil, v.BOOL != nil} {
		if set {
			n++
		}
	}
	return n
}

// Normal checks v and returns it in normal form: numbers without superfluous
// zeros or exponents, sets in order. Equal values have equal normal forms.
func Normal(v Value) (Value, error) { return normal(v, 0) }

// NormalItem is Normal for every attribute of an item.
func NormalItem(item Item) (Item, error) {
	out := make(Item, len(item))
	for name, v := range item {
		n, err := normal(v, 0)
		if err != nil {
			return nil, err
		}
		out[name] = n
	}
	return out, nil
}

func normal(v Value, depth int) (Value, error) {
	switch membersSet(&v) {
	case 0:
		return v, errorf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case 1:
	default:
		return v, errorf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	switch {
	case v.N != nil:
		if shortInteger(*v.N) {
			return v, nil
		}
		n, err := ParseNumber(*v.N)
		if err != nil {
			return v, err
		}
		if s := n.String(); s != *v.N {
			v.N = &s
		}
	case v.NULL != nil:
		if !*v.NULL {
			return v, errorf("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	case v.SS != nil:
		if len(v.SS) == 0 {
			return v, errorf("One or more parameter values were invalid: An string set  may not be empty")
		}
		set := slices.Clone(v.SS)
		slices.Sort(set)
		if len(slices.Compact(slices.Clone(set))) != len(set) {
			return v, errorf("One or more parameter values were invalid: Input collection [%s] contains duplicates.", strings.Join(v.SS, ", "))
		}
		v.SS = set
	case v.NS != nil:
		return normalNumbers(v)
	case v.BS != nil:
		if len(v.BS) == 0 {
			return v, errorf("One or more parameter values were invalid: Binary sets should not be empty")
		}
		set := slices.Clone(v.BS)
		slices.SortFunc(set, bytes.Compare)
		for i := 1; i < len(set); i++ {
			if bytes.Equal(set[i-1], set[i]) {
				return v, errorf("One or more parameter values were invalid: Input collection of type BS contains duplicates.")
			}
		}
		v.BS = set
	case v.M != nil:
		if depth++; depth >= MaxDepth {
			return v, tooDeep()
		}
		m := make(map[string]Value, len(v.M))
		for k, e := range v.M {
			n, err := normal(e, depth)
			if err != nil {
				return v, err
			}
			m[k] = n
		}
		v.M = m
	case v.L != nil:
		if depth++; depth >= MaxDepth {
			return v, tooDeep()
		}
		l := make([]Value, len(v.L))
		for i, e := range v.L {
			n, err := normal(e, depth)
			if err != nil {
				return v, err
			}
			l[i] = n
		}
		v.L = l
	}
	return v, nil
}

func tooDeep() error {
	return errorf("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
}

// shortInteger recognises the numbers that most items hold and that are in
// normal form as they stand.
func shortInteger(s string) bool {
	if len(s) == 0 || len(s) > MaxDigits || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func normalNumbers(v Value) (Value, error) {
	if len(v.NS) == 0 {
		return v, errorf("One or more parameter values were invalid: An number set  may not be empty")
	}
	set := make([]Number, len(v.NS))
	for i, s := range v.NS {
		n, err := ParseNumber(s)
		if err != nil {
			return v, err
		}
		set[i] = n
	}
	slices.SortFunc(set, Number.Compare)
	for i := 1; i < len(set); i++ {
		if set[i-1] == set[i] {
			return v, errorf("Input collection contains duplicates")
		}
	}
	v.NS = numberTexts(set)
	return v, nil
}

func numberTexts(set []Number) []string {
	out := make([]string, len(set))
	for i, n := range set {
		out[i] = n.String()
	}
	return out
}

// Equal reports whether two values in normal form are the same.
func Equal(a, b *Value) bool {
	switch {
	case a.S != nil:
		return b.S != nil && *a.S == *b.S
	case a.N != nil:
		return b.N != nil && *a.N == *b.N
	case a.B != nil:
		return b.B != nil && bytes.Equal(a.B, b.B)
	case a.BOOL != nil:
		return b.BOOL != nil && *a.BOOL == *b.BOOL
	case a.NULL != nil:
		return b.NULL != nil
	case a.SS != nil:
		return slices.Equal(a.SS, b.SS)
	case a.NS != nil:
		return slices.Equal(a.NS, b.NS)
	case a.BS != nil:
		return slices.EqualFunc(a.BS, b.BS, bytes.Equal)
	case a.M != nil:
		return b.M != nil && EqualItems(a.M, b.M)
	case a.L != nil:
		return b.L != nil && slices.EqualFunc(a.L, b.L, func(x, y Value) bool { return Equal(&x, &y) })
	}
	return false
}

// EqualItems reports whether two items have the same attributes.
func EqualItems(a, b Item) bool {
	if len(a) != len(b) {
		return false
	}
	for k, x := range a {
		y, ok := b[k]
		if !ok || !Equal(&x, &y) {
			return false
		}
	}
	return true
}

// Compare orders two values in normal form of the same scalar type S, N or B;
// ok is false for any other pair.
func Compare(a, b *Value) (c int, ok bool) {
	switch {
	case a.S != nil && b.S != nil:
		return strings.Compare(*a.S, *b.S), true
	case a.B != nil && b.B != nil:
		return bytes.Compare(a.B, b.B), true
	case a.N != nil && b.N != nil:
		x, okX := scanNumber(*a.N)
		y, okY := scanNumber(*b.N)
		return x.Compare(y), okX && okY
	}
	return 0, false
}

// Size is the number of bytes that a value counts for in an item.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func Size(v *Value) int {
	switch {
	case v.S != nil:
		return len(*v.S)
	case v.N != nil:
		return numberSize(*v.N)
	case v.B != nil:
		return len(v.B)
	case v.BOOL != nil, v.NULL != nil:
		return 1
	case v.M != nil:
		return 3 + len(v.M) + ItemSize(v.M)
	case v.L != nil:
		n := 3 + len(v.L)
		for i := range v.L {
			n += Size(&v.L[i])
		}
		return n
	}
	n := 0
	for _, s := range v.SS {
		n += len(s)
	}
	for _, s := range v.NS {
		n += numberSize(s)
	}
	for _, b := range v.BS {
		n += len(b)
	}
	return n
}

func numberSize(s string) int {
	if shortInteger(s) {
		return 1 + (len(strings.TrimRight(s, "0"))+1)/2
	}
	n, _ := scanNumber(s)
	return n.Size()
}

// ItemSize is the number of bytes that an item counts for: names and values.
func ItemSize(item Item) int {
	n := 0
	for name, v := range item {
		n += len(name) + Size(&v)
	}
	return n
}
