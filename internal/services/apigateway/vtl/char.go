package vtl

import (
	"strconv"
	"unicode"
	"unicode/utf16"
)

// char is a Java Character, a code unit of UTF-16: no string, though it prints as one.
type char uint16

func (c char) String() string { return string(utf16.Decode([]uint16{uint16(c)})) }

func chars(s string) *List {
	u := units(s)
	l := &List{Items: make([]any, len(u)), fixed: true}
	for i := range u {
		l.Items[i] = char(u[i])
	}
	return l
}

// charMethod calls a method of a character, or a static one of Character.
func charMethod(c char, name string, args []any) any {
	if len(args) == 0 {
		if name == "charValue" {
			return c
		}
		return nil
	}
	of, ok := args[0].(char)
	if !ok || len(args) > 1 {
		return nil
	}
	r := rune(of)
	switch name {
	case "compareTo":
		return int64(c) - int64(of)
	case "valueOf":
		return of
	case "toString":
		return of.String()
	case "isDigit":
		return unicode.IsDigit(r)
	case "isLetter":
		return unicode.IsLetter(r)
	case "isLetterOrDigit":
		return unicode.IsLetter(r) || unicode.IsDigit(r)
	case "isUpperCase":
		return unicode.IsUpper(r)
	case "isLowerCase":
		return unicode.IsLower(r)
	case "isWhitespace":
		return unicode.IsSpace(r) && r != 0xA0
	case "toUpperCase":
		return char(unicode.ToUpper(r))
	case "toLowerCase":
		return char(unicode.ToLower(r))
	case "getNumericValue":
		n, err := strconv.ParseInt(of.String(), 36, 64)
		if err != nil {
			return int64(-1)
		}
		return n
	}
	return nil
}
