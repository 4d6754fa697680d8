package constraint

import (
	"regexp"
	"strings"
	"sync"
)

// compiled caches patterns: a process meets a fixed set of them, those of the
// models, so this is a memo of pure results and not state.
var compiled sync.Map // pattern -> *regexp.Regexp, nil where Go cannot express it

// matches reports whether s as a whole matches a Java regular expression. What
// Go's engine cannot express (look-around) is left to the room's own rules.
func matches(pattern, s string) bool {
	v, ok := compiled.Load(pattern)
	if !ok {
		re, err := regexp.Compile(`\A(?:` + toGo(pattern) + `)\z`)
		if err != nil {
			re = nil
		}
		v, _ = compiled.LoadOrStore(pattern, re)
	}
	re := v.(*regexp.Regexp)
	return re == nil || re.MatchString(s)
}

// toGo rewrites what Java spells differently. Java's character classes may nest
// a \u escape and its possessive quantifiers match the same strings as greedy
// ones wherever AWS uses them.
func toGo(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '\\' && i+1 < len(p) {
			if p[i+1] == 'u' && i+5 < len(p) {
				b.WriteString(`\x{` + p[i+2:i+6] + `}`)
				i += 5
				continue
			}
			b.WriteByte(p[i])
			i++
			b.WriteByte(p[i])
			continue
		}
		b.WriteByte(p[i])
	}
	return b.String()
}
