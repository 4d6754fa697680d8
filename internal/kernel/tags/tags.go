// Package tags holds the rules that AWS's resource tags share.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
package tags

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of AWS's resource tags.
const (
	MaxPerResource = 50
	MaxKey         = 128 // characters
	MaxValue       = 256 // characters
)

// Check says what is wrong with a set of tags; nil if nothing is.
func Check(t map[string]string) error {
	if len(t) > MaxPerResource {
		return fmt.Errorf("%d tags given, at most %d are allowed", len(t), MaxPerResource)
	}
	for k, v := range t {
		switch {
		case k == "":
			return fmt.Errorf("a tag key is empty")
		case utf8.RuneCountInString(k) > MaxKey:
			return fmt.Errorf("tag key %.20q… has more than %d characters", k, MaxKey)
		case utf8.RuneCountInString(v) > MaxValue:
			return fmt.Errorf("value of tag %q has more than %d characters", k, MaxValue)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return fmt.Errorf("tag key %q begins with aws:, which is reserved", k)
		}
	}
	return nil
}
