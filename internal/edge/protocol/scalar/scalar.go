// Package scalar reads and writes scalars as text, the way they stand in
// headers, paths, query strings, forms and XML.
package scalar

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Error says what a text should have been and is not.
type Error struct {
	Text string
	Want model.Kind
}

// Error implements error in the words of AWS's services.
func (e *Error) Error() string { return "STRING_VALUE can not be converted to " + Noun(e.Want) }

// Noun names a kind in error messages.
func Noun(k model.Kind) string {
	switch k {
	case model.Integer:
		return "an Integer"
	case model.Long:
		return "a Long"
	case model.Float:
		return "a Float"
	case model.Double:
		return "a Double"
	case model.Boolean:
		return "a Boolean"
	case model.Blob:
		return "a Blob"
	case model.Timestamp:
		return "a Timestamp"
	case model.String:
		return "a String"
	}
	return "a value"
}

// Parse sets dst, of shape sh, to what the text says. It returns an *Error if
// the text does not fit.
func Parse(dst reflect.Value, sh *model.Shape, f model.TimeFormat, text string) error {
	bad := &Error{Text: text, Want: sh.Kind}
	switch sh.Kind {
	case model.String:
		value.SetString(dst, text)
	case model.Integer, model.Long:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !value.SetInt(dst, sh.Kind, n) {
			return bad
		}
	case model.Float, model.Double:
		n, err := Float(text)
		if err != nil {
			return bad
		}
		value.SetFloat(dst, sh.Kind, n)
	case model.Boolean:
		switch text {
		case "true", "True", "TRUE":
			value.SetBool(dst, true)
		case "false", "False", "FALSE":
			value.SetBool(dst, false)
		default:
			return bad
		}
	case model.Timestamp:
		t, err := stamp.Parse(text, f)
		if err != nil {
			return bad
		}
		value.SetTime(dst, t)
	case model.Blob:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return bad
		}
		value.SetBytes(dst, b)
	default:
		return fmt.Errorf("scalar: shape %s is not a scalar", sh.Name)
	}
	return nil
}

var errFloat = errors.New("not a number")

// Float reads a floating-point number; of the many spellings that Go takes for
// those that are no number, only the three of the specification are right.
func Float(text string) (float64, error) {
	switch text {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, errFloat
	}
	return f, nil
}

// Append writes v, of shape sh, as text.
func Append(b []byte, v reflect.Value, sh *model.Shape, f model.TimeFormat) ([]byte, error) {
	if err := value.Check(v, sh); err != nil {
		return b, err
	}
	switch sh.Kind {
	case model.String:
		return append(b, v.String()...), nil
	case model.Integer, model.Long:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case model.Float, model.Double:
		return AppendFloat(b, v.Float(), sh.Kind), nil
	case model.Boolean:
		return strconv.AppendBool(b, v.Bool()), nil
	case model.Timestamp:
		return stamp.Append(b, value.Time(v), f), nil
	case model.Blob:
		return base64.StdEncoding.AppendEncode(b, v.Bytes()), nil
	}
	return b, fmt.Errorf("scalar: shape %s is not a scalar", sh.Name)
}

// AppendFloat writes a number as AWS's services do: always with a fraction, so
// that clients in dynamic languages read a float.
func AppendFloat(b []byte, f float64, k model.Kind) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	bits := 64
	if k == model.Float {
		bits = 32
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.AppendFloat(b, f, 'E', -1, bits)
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, bits)
	for _, c := range b[n:] {
		if c == '.' {
			return b
		}
	}
	return append(b, '.', '0')
}
