package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/dev/client"
)

// report tells a person what happens: with colour and a line that is rewritten
// on a terminal, in plain lines otherwise.
type report struct {
	mu      sync.Mutex
	w       io.Writer
	tty     bool
	pending bool // a step's line is on the screen and not ended
	colours map[string]int
}

func newReport(f *os.File) *report {
	info, err := f.Stat()
	tty := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &report{w: f, tty: tty, colours: map[string]int{}}
}

func (r *report) colour(code int, s string) string {
	if !r.tty {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, s)
}

func (r *report) println(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending {
		fmt.Fprint(r.w, "\r\x1b[K")
		r.pending = false
	}
	fmt.Fprintln(r.w, s)
}

// Step implements deploy.Reporter.
func (r *report) Step(text string) {
	if !r.tty {
		r.println(text + " …")
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.w, "\r\x1b[K\x1b[36m•\x1b[0m %s …", text)
	r.pending = true
}

// Done implements deploy.Reporter.
func (r *report) Done(text string) { r.println(r.colour(32, "✓") + " " + text) }

// Changes implements deploy.Reporter: a line for each resource, those that are
// replaced marked, with the properties that change.
func (r *report) Changes(changes []client.Change) {
	for _, c := range changes {
		sign, colour := "~", 33
		switch c.Action {
		case "Add", "Import":
			sign, colour = "+", 32
		case "Remove":
			sign, colour = "-", 31
		}
		line := "  " + r.colour(colour, sign+" "+c.Action) + " " + c.LogicalID + " " + r.colour(2, c.Type)
		var what []string
		for _, d := range c.Details {
			name := d.Attribute
			if d.Name != "" {
				name = d.Name
			}
			if !slices.Contains(what, name) {
				what = append(what, name)
			}
		}
		if len(what) == 0 {
			what = c.Scope
		}
		if len(what) > 0 {
			line += ": " + strings.Join(what, ", ")
		}
		switch c.Replacement {
		case "True":
			line += " " + r.colour(31, "(replaced)")
		case "Conditional":
			line += " " + r.colour(33, "(may be replaced)")
		}
		r.println(line)
	}
}

// Event implements deploy.Reporter.
func (r *report) Event(e client.Event) {
	switch {
	case strings.HasSuffix(e.Status, "_FAILED"):
		r.println("  " + r.colour(31, e.Status) + " " + e.LogicalID + " " + e.Type + ": " + e.Reason)
	case strings.HasSuffix(e.Status, "_COMPLETE") && e.Type != "AWS::CloudFormation::Stack":
		line := "  " + r.colour(2, e.Status) + " " + e.LogicalID + " " + r.colour(2, e.Type)
		if e.Reason != "" {
			line += ": " + e.Reason
		}
		r.println(line)
	}
}

// Line implements deploy.Reporter.
func (r *report) Line(function, text string) {
	r.mu.Lock()
	c, ok := r.colours[function]
	if !ok {
		c = []int{36, 35, 33, 34, 32, 31}[len(r.colours)%6]
		r.colours[function] = c
	}
	r.mu.Unlock()
	r.println(r.colour(c, "["+function+"]") + " " + text)
}

// Problem implements deploy.Reporter.
func (r *report) Problem(err error) { r.println(r.colour(31, "✗") + " " + err.Error()) }
