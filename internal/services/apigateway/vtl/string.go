package vtl

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// units returns a string's UTF-16 code units, which Java counts.
func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func length(s string) int {
	n := 0
	for _, c := range s {
		n++
		if c > 0xFFFF {
			n++
		}
	}
	return n
}

// substring is Java's, in UTF-16 code units.
func substring(s string, from, to int) (string, error) {
	n := length(s)
	if from < 0 || to > n || from > to {
		return "", fmt.Errorf("substring: %d to %d is out of bounds for a length of %d", from, to, n)
	}
	if n == len(s) && ascii(s) {
		return s[from:to], nil
	}
	return string(utf16.Decode(units(s)[from:to])), nil
}

// position turns an index of bytes into one of code units.
func position(s string, i int) int64 {
	if i < 0 {
		return -1
	}
	return int64(length(s[:i]))
}

func (r *run) stringMethod(s, name string, args []any) (any, error) {
	// Going over a long string takes more than a node's time.
	if err := r.spend(len(s) / 4); err != nil {
		return nil, err
	}
	var v any
	var err error
	switch {
	case (name == "format" || name == "join") && len(args) > 0:
		v, err = r.stringStatic(name, args)
	case len(args) > 2:
		v, err = regionMatches(s, name, args)
	}
	switch len(args) {
	case 0:
		v = stringMethod0(s, name)
	case 1:
		if v == nil && err == nil {
			v, err = r.stringMethod1(s, name, args[0])
		}
	case 2:
		if v == nil && err == nil {
			v, err = r.stringMethod2(s, name, args[0], args[1])
		}
	}
	switch v := v.(type) {
	case string:
		if err == nil {
			err = r.spend(len(v))
		}
	case *List:
		if err == nil {
			err = r.spend(16 * len(v.Items))
		}
	}
	return v, err
}

func stringMethod0(s, name string) any {
	switch name {
	case "length":
		return int64(length(s))
	case "isEmpty":
		return s == ""
	case "isBlank":
		return strings.TrimSpace(s) == ""
	case "toUpperCase":
		return strings.ToUpper(s)
	case "toLowerCase":
		return strings.ToLower(s)
	case "trim":
		return strings.TrimFunc(s, func(c rune) bool { return c <= ' ' })
	case "strip":
		return strings.TrimFunc(s, unicode.IsSpace)
	case "stripLeading":
		return strings.TrimLeftFunc(s, unicode.IsSpace)
	case "stripTrailing":
		return strings.TrimRightFunc(s, unicode.IsSpace)
	case "intern":
		return s
	case "toCharArray":
		return chars(s)
	case "getBytes":
		l := &List{fixed: true}
		for i := 0; i < len(s); i++ {
			l.Items = append(l.Items, int64(int8(s[i])))
		}
		return l
	}
	return nil
}

// toInt tells whether v is an Integer.
func toInt(v any) (int64, bool) {
	n, ok := v.(int64)
	return n, ok && n == int64(int32(n))
}

func (r *run) stringMethod1(s, name string, a any) (any, error) {
	t, isString := a.(string)
	n, isInt := toInt(a)
	switch name {
	case "substring":
		if isInt {
			return substring(s, int(n), length(s))
		}
	case "charAt":
		if isInt {
			c, err := substring(s, int(n), int(n)+1)
			if err != nil {
				return nil, err
			}
			return char(units(c)[0]), nil
		}
	case "codePointAt":
		if u := units(s); isInt && n >= 0 && n < int64(len(u)) {
			if c := utf16.DecodeRune(rune(u[n]), rune(u[min(int(n)+1, len(u)-1)])); c != unicode.ReplacementChar {
				return int64(c), nil
			}
			return int64(u[n]), nil
		}
	case "valueOf":
		return r.str(a)
	case "repeat":
		if isInt {
			if n < 0 {
				return nil, fmt.Errorf("repeat: the count %d is negative", n)
			}
			if int64(len(s))*n > int64(r.left.Memory) || n > 1<<31 {
				return nil, r.spend(r.left.Memory + 1)
			}
			return strings.Repeat(s, int(n)), nil
		}
	}
	if name == "indexOf" || name == "lastIndexOf" {
		if isInt {
			t = string(rune(n))
		} else if !isString {
			return nil, nil
		}
		if name == "indexOf" {
			return position(s, strings.Index(s, t)), nil
		}
		return position(s, strings.LastIndex(s, t)), nil
	}
	if !isString {
		return nil, nil
	}
	switch name {
	case "concat":
		return s + t, nil
	case "contains":
		return strings.Contains(s, t), nil
	case "contentEquals":
		return s == t, nil
	case "equalsIgnoreCase":
		return strings.EqualFold(s, t), nil
	case "startsWith":
		return strings.HasPrefix(s, t), nil
	case "endsWith":
		return strings.HasSuffix(s, t), nil
	case "compareTo":
		return int64(compareUnits(units(s), units(t))), nil
	case "compareToIgnoreCase":
		return int64(compareUnits(units(strings.ToLower(s)), units(strings.ToLower(t)))), nil
	case "matches":
		re, err := r.t.pattern(t, true)
		if err != nil {
			return nil, err
		}
		return re.MatchString(s), nil
	case "split":
		return r.split(s, t, 0)
	case "getBytes":
		return stringMethod0(s, name), nil
	}
	return nil, nil
}

// stringStatic calls a static method of String that takes any number of arguments.
func (r *run) stringStatic(name string, args []any) (any, error) {
	first, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	rest := args[1:]
	if name == "format" {
		return r.format(first, rest)
	}
	if len(rest) == 1 {
		if l, ok := rest[0].(*List); ok {
			rest = items(l)
		}
	}
	var all []string
	for _, x := range rest {
		s, ok := x.(string)
		if !ok {
			return nil, fmt.Errorf("join: %s is no string", String(x))
		}
		if err := r.spend(len(s) + len(first)); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return strings.Join(all, first), nil
}

// regionMatches is the method of strings that takes most arguments: whether case
// does not count, which may be left out, an offset, a string, its offset and the
// length.
func regionMatches(s, name string, args []any) (any, error) {
	if name != "regionMatches" || len(args) < 4 || len(args) > 5 {
		return nil, nil
	}
	ignore := false
	if len(args) == 5 {
		ignore, _ = args[0].(bool)
		args = args[1:]
	}
	at, ok1 := args[0].(int64)
	t, ok2 := args[1].(string)
	from, ok3 := args[2].(int64)
	n, ok4 := args[3].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, nil
	}
	if n < 0 || at < 0 || from < 0 || at > int64(length(s))-n || from > int64(length(t))-n {
		return false, nil
	}
	a, err := substring(s, int(at), int(at+n))
	if err != nil {
		return nil, err
	}
	b, err := substring(t, int(from), int(from+n))
	return a == b || ignore && strings.EqualFold(a, b), err
}

func compareUnits(a, b []uint16) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

func (r *run) stringMethod2(s, name string, a, b any) (any, error) {
	t, isString := a.(string)
	n, isInt := toInt(a)
	m, secondInt := toInt(b)
	u, secondString := b.(string)
	switch name {
	case "substring", "subSequence":
		if isInt && secondInt {
			return substring(s, int(n), int(m))
		}
	case "indexOf":
		if isInt && secondInt {
			t, isString = string(rune(n)), true
		}
		if isString && secondInt {
			from := int(max(0, min(m, int64(length(s)))))
			rest, err := substring(s, from, length(s))
			if i := strings.Index(rest, t); i >= 0 && err == nil {
				return int64(from) + position(rest, i), nil
			}
			return int64(-1), err
		}
	case "lastIndexOf":
		if isInt && secondInt {
			t, isString = string(rune(n)), true
		}
		if isString && secondInt {
			if m < 0 {
				return int64(-1), nil
			}
			to := int(min(m+int64(length(t)), int64(length(s))))
			head, err := substring(s, 0, to)
			return position(head, strings.LastIndex(head, t)), err
		}
	case "startsWith":
		if isString && secondInt && m >= 0 && m <= int64(length(s)) {
			rest, err := substring(s, int(m), length(s))
			return strings.HasPrefix(rest, t), err
		}
		return false, nil
	case "replace":
		if c, ok := a.(char); ok {
			if d, ok := b.(char); ok {
				t, u, isString, secondString = c.String(), d.String(), true, true
			}
		}
		if !isString || !secondString {
			return nil, nil
		}
		if err := r.spend(strings.Count(s, t) * len(u)); err != nil {
			return nil, err
		}
		return strings.ReplaceAll(s, t, u), nil
	case "replaceAll", "replaceFirst":
		if isString && secondString {
			re, err := r.t.pattern(t, false)
			if err != nil {
				return nil, err
			}
			return r.replace(re, s, u, name == "replaceFirst")
		}
	case "split":
		if isString && secondInt {
			return r.split(s, t, int(m))
		}
	}
	return nil, nil
}

// replace replaces matches as Java's Matcher does: $1 and ${name} in the
// replacement are groups, a backslash makes the next character literal.
func (r *run) replace(re *regexp.Regexp, s, by string, once bool) (string, error) {
	var out []byte
	at := 0
	n := -1
	if once {
		n = 1
	}
	for _, m := range re.FindAllStringSubmatchIndex(s, n) {
		out = append(out, s[at:m[0]]...)
		at = m[1]
		before := len(out)
		for i := 0; i < len(by); i++ {
			switch by[i] {
			case '\\':
				if i++; i == len(by) {
					return "", fmt.Errorf("the replacement %q ends in a backslash", by)
				}
				out = append(out, by[i])
			case '$':
				group := -1
				if i+1 < len(by) && digit(by[i+1]) {
					i++
					group = int(by[i] - '0')
					for i+1 < len(by) && digit(by[i+1]) && group*10+int(by[i+1]-'0') <= re.NumSubexp() {
						i++
						group = group*10 + int(by[i]-'0')
					}
				} else if end := strings.IndexByte(by[i:], '}'); i+1 < len(by) && by[i+1] == '{' && end > 0 {
					group = re.SubexpIndex(by[i+2 : i+end])
					i += end
				}
				if group < 0 || group > re.NumSubexp() {
					return "", fmt.Errorf("the replacement %q names a group that is not there", by)
				}
				if m[2*group] >= 0 {
					out = append(out, s[m[2*group]:m[2*group+1]]...)
				}
			default:
				out = append(out, by[i])
			}
		}
		if err := r.spend(len(out) - before + 16); err != nil {
			return "", err
		}
	}
	return string(append(out, s[at:]...)), nil
}

// split is Java's: a limit of 0 drops empty strings at the end, and an empty
// match at the beginning splits off nothing.
func (r *run) split(s, pattern string, limit int) (any, error) {
	re, err := r.t.pattern(pattern, false)
	if err != nil {
		return nil, err
	}
	l := &List{fixed: true}
	at := 0
	for _, m := range re.FindAllStringIndex(s, -1) {
		if limit > 0 && len(l.Items) == limit-1 {
			break
		}
		if m[1] == 0 || m[0] == m[1] && m[0] == len(s) {
			continue
		}
		l.Items = append(l.Items, s[at:m[0]])
		at = m[1]
	}
	l.Items = append(l.Items, s[at:])
	if limit == 0 {
		for len(l.Items) > 1 && l.Items[len(l.Items)-1] == "" {
			l.Items = l.Items[:len(l.Items)-1]
		}
		if len(l.Items) == 1 && l.Items[0] == "" && s != "" {
			l.Items = nil
		}
	}
	return l, r.spend(16*len(l.Items) + len(s))
}
