package template

import (
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
)

// Pattern is a regular expression of a template, which a whole value matches. It is of
// Java's dialect: what is regular is matched in linear time, and what looks ahead, looks
// behind or refers back is matched for patience at most.
type Pattern struct {
	plain *regexp.Regexp
	rich  *regexp2.Regexp
}

// patience is how long one value may take that a pattern is matched against.
const patience = time.Second

func compile(text string) (*Pattern, error) {
	whole := `^(?:` + text + `)$`
	if re, err := regexp.Compile(whole); err == nil {
		return &Pattern{plain: re}, nil
	}
	re, err := regexp2.Compile(`\A(?:`+text+`)\z`, regexp2.None)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = patience
	return &Pattern{rich: re}, nil
}

// MatchString reports whether a value matches. One that takes too long does not.
func (p *Pattern) MatchString(value string) bool {
	if p.plain != nil {
		return p.plain.MatchString(value)
	}
	ok, err := p.rich.MatchString(value)
	return ok && err == nil
}
