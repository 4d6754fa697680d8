package vtl

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// numberMethod calls a method of a number, or a static one of its class: what has
// 32 bits is an Integer, what needs more a Long.
func numberMethod(v any, name string, args []any) (any, error) {
	if len(args) == 0 {
		return numberValue(v, name), nil
	}
	if name == "compareTo" && len(args) == 1 {
		c, ok := compare(v, args[0])
		_, f1 := v.(float64)
		if _, f2 := args[0].(float64); !ok || f1 != f2 {
			return nil, fmt.Errorf("compareTo: %s and %s are of different classes", String(v), String(args[0]))
		}
		return int64(c), nil
	}
	switch n := v.(type) {
	case float64:
		return doubleStatic(name, args)
	case int64:
		return wholeStatic(name, args, n == int64(int32(n)))
	}
	return nil, nil
}

func numberValue(v any, name string) any {
	f, isFloat := v.(float64)
	switch name {
	case "intValue":
		return intValue(v)
	case "longValue":
		return longValue(v)
	case "shortValue":
		return int64(int16(intValue(v)))
	case "byteValue":
		return int64(int8(intValue(v)))
	case "doubleValue", "floatValue":
		return toFloat(v)
	case "isNaN":
		if isFloat {
			return math.IsNaN(f)
		}
	case "isInfinite":
		if isFloat {
			return math.IsInf(f, 0)
		}
	}
	return nil
}

// longValue narrows a number as Java does: a fraction to the nearest that fits, a
// whole number to its low bits.
func longValue(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		switch {
		case v != v:
			return 0
		case v >= math.MaxInt64:
			return math.MaxInt64
		}
		return int64(max(math.MinInt64, v))
	}
	low := new(big.Int).And(toBig(v), new(big.Int).SetUint64(math.MaxUint64))
	return int64(low.Uint64()) //nolint:gosec // as Java narrows
}

// intValue is longValue for 32 bits.
func intValue(v any) int64 {
	n := longValue(v)
	if _, isFloat := v.(float64); isFloat {
		return max(math.MinInt32, min(math.MaxInt32, n))
	}
	return int64(int32(n))
}

// parseWhole is Integer.parseInt, or Long.parseLong.
func parseWhole(s string, base int64, short bool) (any, error) {
	bits := 64
	if short {
		bits = 32
	}
	if base < 2 || base > 36 || strings.Contains(s, "_") {
		return nil, fmt.Errorf("%w: %q", errNumber, s)
	}
	n, err := strconv.ParseInt(s, int(base), bits)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", errNumber, s)
	}
	return n, nil
}

// wholeStatic calls a static method of Integer (short) or Long.
func wholeStatic(name string, args []any, short bool) (any, error) {
	text, isText := args[0].(string)
	n, isNumber := args[0].(int64)
	if len(args) > 2 || !isText && !isNumber {
		return nil, nil
	}
	second, base := int64(0), int64(10)
	if len(args) == 2 {
		var ok bool
		if second, ok = args[1].(int64); !ok {
			return nil, nil
		}
		base = second
	}
	switch {
	case isText && (name == "valueOf" || name == "parseInt" && short || name == "parseLong" && !short):
		return parseWhole(text, base, short)
	case isText:
		return nil, nil
	}
	if len(args) == 2 {
		switch name {
		case "toString":
			if base < 2 || base > 36 {
				base = 10
			}
			return strconv.FormatInt(n, int(base)), nil
		case "max":
			return max(n, second), nil
		case "min":
			return min(n, second), nil
		case "sum":
			if short {
				return int64(int32(n + second)), nil
			}
			return n + second, nil
		case "compare":
			c, _ := compare(n, second)
			return int64(c), nil
		}
		return nil, nil
	}
	bits := uint64(n) //nolint:gosec // the bits are meant
	if short {
		bits = uint64(uint32(n)) //nolint:gosec // the bits are meant
	}
	switch name {
	case "valueOf":
		return n, nil
	case "toString":
		return strconv.FormatInt(n, 10), nil
	case "toHexString":
		return strconv.FormatUint(bits, 16), nil
	case "toOctalString":
		return strconv.FormatUint(bits, 8), nil
	case "toBinaryString":
		return strconv.FormatUint(bits, 2), nil
	case "signum":
		c, _ := compare(n, int64(0))
		return int64(c), nil
	}
	return nil, nil
}

// doubleStatic calls a static method of Double.
func doubleStatic(name string, args []any) (any, error) {
	if s, ok := args[0].(string); ok {
		if name != "valueOf" && name != "parseDouble" || len(args) != 1 {
			return nil, nil
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil && !math.IsInf(f, 0) || strings.ContainsAny(s, "_xXpP") {
			return nil, fmt.Errorf("%w: %q", errNumber, s)
		}
		return f, nil
	}
	for _, a := range args {
		if !number(a) {
			return nil, nil
		}
	}
	x := toFloat(args[0])
	if len(args) == 2 {
		y := toFloat(args[1])
		switch name {
		case "max":
			return max(x, y), nil
		case "min":
			return min(x, y), nil
		case "sum":
			return x + y, nil
		case "compare":
			c, _ := compare(x, y)
			return int64(c), nil
		}
		return nil, nil
	}
	if len(args) > 2 {
		return nil, nil
	}
	switch name {
	case "valueOf":
		return x, nil
	case "toString":
		return formatDouble(x), nil
	case "isNaN":
		return math.IsNaN(x), nil
	case "isInfinite":
		return math.IsInf(x, 0), nil
	}
	return nil, nil
}

// booleanMethod calls a method of a boolean, or a static one of Boolean.
func booleanMethod(v bool, name string, args []any) any {
	switch len(args) {
	case 0:
		if name == "booleanValue" {
			return v
		}
	case 1:
		switch a := args[0].(type) {
		case string:
			if name == "parseBoolean" || name == "valueOf" {
				return strings.EqualFold(a, "true")
			}
		case bool:
			switch name {
			case "compareTo":
				return int64(btoi(v) - btoi(a))
			case "valueOf":
				return a
			case "toString":
				return strconv.FormatBool(a)
			}
		}
	case 2:
		a, ok1 := args[0].(bool)
		b, ok2 := args[1].(bool)
		if !ok1 || !ok2 {
			return nil
		}
		switch name {
		case "logicalAnd":
			return a && b
		case "logicalOr":
			return a || b
		case "logicalXor":
			return a != b
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
