package vtl

import (
	"fmt"
	"strings"
)

// classes are Java's names of character classes that Go spells otherwise.
var classes = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": `\x00-\x7F`, "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`, "XDigit": "0-9a-fA-F", "Space": ` \t\n\x0B\f\r`,
	"javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`, "IsAlphabetic": `\p{L}`, "IsLetter": `\p{L}`, "IsDigit": `\p{Nd}`,
}

// Pattern turns a Java regular expression into one of Go. What Go's linear
// engine does not have (look-around, back references, possessive quantifiers,
// atomic groups, intersections) is an error that names it.
func Pattern(java string) (string, error) {
	var b strings.Builder
	depth := 0 // of character classes
	for i := 0; i < len(java); i++ {
		c := java[i]
		switch {
		case c == '\\':
			if i++; i == len(java) {
				return "", fmt.Errorf("the regular expression %q ends in a backslash", java)
			}
			n, err := escaped(&b, java[i:], depth > 0)
			if err != nil {
				return "", fmt.Errorf("the regular expression %q: %w", java, err)
			}
			i += n - 1
		case c == '[':
			depth++
			if depth > 1 {
				return "", fmt.Errorf("the regular expression %q: a union of character classes is not supported", java)
			}
			b.WriteByte(c)
			if strings.HasPrefix(java[i+1:], "^") {
				b.WriteByte('^')
				i++
			}
			if strings.HasPrefix(java[i+1:], "]") {
				b.WriteString(`\]`)
				i++
			}
		case c == ']' && depth > 0:
			depth--
			b.WriteByte(c)
		case depth > 0 && c == '&' && strings.HasPrefix(java[i:], "&&"):
			return "", fmt.Errorf("the regular expression %q: an intersection of character classes is not supported", java)
		case depth == 0 && c == '(' && strings.HasPrefix(java[i:], "(?"):
			for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>"} {
				if strings.HasPrefix(java[i:], look) {
					return "", fmt.Errorf("the regular expression %q: %s is not supported", java, look)
				}
			}
			b.WriteByte(c)
		case depth == 0 && c == '+' && i > 0 && strings.IndexByte("*+?}", java[i-1]) >= 0 && (i < 2 || java[i-2] != '\\'):
			return "", fmt.Errorf("the regular expression %q: a possessive quantifier is not supported", java)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// escaped writes the escape that s begins with and returns its length.
func escaped(b *strings.Builder, s string, inClass bool) (int, error) {
	class := func(set string) {
		if inClass {
			b.WriteString(set)
		} else {
			b.WriteString("[" + set + "]")
		}
	}
	switch c := s[0]; {
	case c >= '1' && c <= '9' || c == 'k':
		return 0, fmt.Errorf("the back reference \\%c is not supported", c)
	case c == 'Q':
		end := strings.Index(s, `\E`)
		if end < 0 {
			b.WriteString(`\Q` + s[1:] + `\E`)
			return len(s), nil
		}
		b.WriteString(`\Q` + s[1:end] + `\E`)
		return end + 2, nil
	case c == 'u' && len(s) >= 5:
		b.WriteString(`\x{` + s[1:5] + `}`)
		return 5, nil
	case c == 'Z':
		b.WriteString(`(?:\r?\n)?\z`)
		return 1, nil
	case c == 'h':
		class(` \t\x{A0}`)
		return 1, nil
	case c == 'R':
		b.WriteString(`(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])`)
		return 1, nil
	case c == 'e':
		b.WriteString(`\x1B`)
		return 1, nil
	case c == 's': // Java's has the vertical tab
		class(` \t\n\x0B\f\r`)
		return 1, nil
	case c == 'G' || c == 'X':
		return 0, fmt.Errorf("\\%c is not supported", c)
	case (c == 'p' || c == 'P') && len(s) > 1 && s[1] == '{':
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, fmt.Errorf("\\%c{ has no end", c)
		}
		name := s[2:end]
		set, ok := classes[name]
		switch {
		case !ok:
			b.WriteString(`\` + s[:2] + strings.TrimPrefix(name, "Is") + "}")
		case c == 'p':
			class(set)
		case inClass:
			return 0, fmt.Errorf("\\P{%s} within a class is not supported", name)
		default:
			b.WriteString("[^" + set + "]")
		}
		return end + 1, nil
	default:
		letterOrDigit := letter(c) || digit(c)
		if !letterOrDigit && c < 0x80 || strings.IndexByte("AbBdDfnrStvwWxz0a", c) >= 0 {
			b.WriteString(`\` + string(c))
			return 1, nil
		}
		if c >= 0x80 {
			b.WriteByte(c)
			return 1, nil
		}
		return 0, fmt.Errorf("the escape \\%c is not known", c)
	}
}
