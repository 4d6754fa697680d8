// Package problem words what is wrong with an API, in the words in which AWS
// answers it, for the pure packages that know no faults.
package problem

import "fmt"

// Problem says what is wrong. It goes out as the message of a fault.
type Problem struct {
	Text string
	// Conflict says that something stands in the way that is there already.
	Conflict bool
}

// Error implements error.
func (p *Problem) Error() string { return p.Text }

// New words a problem.
func New(format string, args ...any) error { return &Problem{Text: fmt.Sprintf(format, args...)} }

// Conflict words a conflict.
func Conflict(format string, args ...any) error {
	return &Problem{Text: fmt.Sprintf(format, args...), Conflict: true}
}

// Unsupported words that a setting is not honoured by this version.
func Unsupported(setting string) error {
	return New("Tierra does not support %s yet; it refuses what it would not honour.", setting)
}
