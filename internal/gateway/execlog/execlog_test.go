package execlog

import (
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func fill(l *Log) {
	l.Info("Starting execution for request: %s", "r")
	l.Trace("Method request headers: %s", Pairs([]Pair{{"b", "2"}, {"Authorization", "Bearer abcdefghijkl"}, {"x-api-key", "short"}}))
	l.Last("Method completed with status: %d", 200)
}

func TestLevels(t *testing.T) {
	k := clock.NewFake(start)
	for _, c := range []struct {
		level  string
		data   bool
		failed bool
		want   []string
	}{
		{"OFF", true, true, nil},
		{"ERROR", true, false, nil},
		{"ERROR", false, true, []string{"(r) it failed", "(r) Method completed with status: 200"}},
		{"INFO", false, false, []string{"(r) Starting execution for request: r", "(r) Method completed with status: 200"}},
		{"INFO", true, false, []string{
			"(r) Starting execution for request: r", "(r) Method request headers: {Authorization=*************ghijkl, b=2, x-api-key=*****}", "(r) Method completed with status: 200",
		}},
	} {
		level, ok := ParseLevel(c.level)
		if !ok {
			t.Fatal(c.level)
		}
		l := New(k, level, c.data, "r")
		if c.failed {
			l.Error("it failed")
		}
		fill(l)
		var got []string
		for _, e := range l.Events() {
			got = append(got, e.Text)
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s, data %v:\n got %q\nwant %q", c.level, c.data, got, c.want)
		}
	}
	if _, ok := ParseLevel("DEBUG"); ok {
		t.Error("DEBUG is a level")
	}
}

func TestText(t *testing.T) {
	l := New(clock.NewFake(start), Info, true, "r")
	l.Info("one")
	l.Trace("two: %s", strings.Repeat("ü", MaxEvent))
	lines := strings.Split(l.String(), "\n")
	if lines[0] != "Execution log for request r" || lines[1] != "Sun Nov 01 12:00:00 UTC 2026 : one" {
		t.Errorf("%q", lines[:2])
	}
	for _, e := range l.Events() {
		if len(e.Text) > MaxEvent {
			t.Errorf("%d bytes", len(e.Text))
		}
	}
	if text := l.Events()[1].Text; !strings.HasSuffix(text, "ü [TRUNCATED]") {
		t.Errorf("%q", text[len(text)-30:])
	}
}
