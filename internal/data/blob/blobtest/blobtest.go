// Package blobtest is what every blob.Store must pass.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/tierra-cloud/tierra/internal/data/blob"
)

// Run tests the contract of package blob against stores that open returns, each
// new and empty.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, blob.Store)
	}{
		{"Bytes", testBytes},
		{"Names", testNames},
		{"BadNames", testBadNames},
		{"Missing", testMissing},
		{"Abort", testAbort},
		{"Replace", testReplace},
		{"Delete", testDelete},
		{"Ended", testEnded},
		{"Contexts", testContexts},
		{"Together", testTogether},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var bg = context.Background()

// GoodNames are names that are allowed and apt to be mixed up.
func GoodNames() []string {
	return []string{
		"a", "A", "b", "ab", "Ab", "aB", "AB", "a/b", "a/B", "A/b", "a/b/c", "a.b", "a-b", "a_b", "a..b", "...", ".hidden", "a/.b",
		"tmp", "blobs", "FORMAT", "con", "0", "-", "_",
		strings.Repeat("x", 200), strings.Repeat("X", 200), strings.Repeat("x", 199) + "X", "X" + strings.Repeat("x", 199),
		strings.Repeat("X", 199), strings.Repeat("X", 100), strings.Repeat("X", 101), strings.Repeat("a/", 99) + "ab",
	}
}

func badNames() []string {
	return []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a/..", "./a",
		strings.Repeat("x", 201), "a b", "a\x00", "a\n", "a\\b", "é", "a,b", "a=b", "a+b", "~", "a:b",
	}
}

func write(t *testing.T, s blob.Store, name, text string) {
	t.Helper()
	w, err := s.Create(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(name); err != nil {
		t.Fatalf("Commit(%q): %v", name, err)
	}
}

// read returns a blob's bytes, "-" if there is none.
func read(t *testing.T, s blob.Store, name string) string {
	t.Helper()
	r, err := s.Open(bg, name)
	if errors.Is(err, blob.ErrNotFound) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := s.Stat(bg, name); err != nil || size != int64(len(b)) || r.Size() != size {
		t.Errorf("%q: Stat = %d, %v, Size = %d, read %d bytes", name, size, err, r.Size(), len(b))
	}
	return string(b)
}

func names(t *testing.T, s blob.Store, prefix string) []string {
	t.Helper()
	list, err := s.Names(bg, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func testBytes(t *testing.T, s blob.Store) {
	for _, n := range []int{0, 1, 4096, 300_000} {
		content := bytes.Repeat([]byte{1, 2, 3, 0, 255}, n/5+1)[:n]
		w, err := s.Create(bg)
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(content, 10_000) {
			buf := bytes.Clone(part)
			if k, err := w.Write(buf); k != len(buf) || err != nil {
				t.Fatalf("Write = %d, %v", k, err)
			}
			clear(buf) // the writer must not have kept it
		}
		if err := w.Commit("x"); err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(bg, "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, content); err != nil { // Read, ReadAt and Seek
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func testNames(t *testing.T, s blob.Store) {
	all := GoodNames()
	for _, name := range all {
		write(t, s, name, "content of "+name)
	}
	for _, name := range all {
		if got := read(t, s, name); got != "content of "+name {
			t.Errorf("%q holds %q", name, got)
		}
	}
	slices.Sort(all)
	for _, prefix := range []string{"", "a", "A", "a/", "a/b", "zz", "XXXX", "../"} {
		var want []string
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if got := names(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("Names(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func testBadNames(t *testing.T, s blob.Store) {
	for _, name := range badNames() {
		w, err := s.Create(bg)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(name); !errors.Is(err, blob.ErrName) {
			t.Errorf("Commit(%q) = %v", name, err)
		}
		w.Abort()
		if got := read(t, s, name); got != "-" {
			t.Errorf("%q holds %q", name, got)
		}
		if err := s.Delete(bg, name); err != nil {
			t.Errorf("Delete(%q) = %v", name, err)
		}
	}
	if got := names(t, s, ""); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

func testMissing(t *testing.T, s blob.Store) {
	if _, err := s.Open(bg, "none"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Open = %v", err)
	}
	if _, err := s.Stat(bg, "none/of/it"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Stat = %v", err)
	}
	if err := s.Delete(bg, "none"); err != nil {
		t.Errorf("Delete = %v", err)
	}
	if got := names(t, s, ""); len(got) != 0 {
		t.Errorf("Names = %q", got)
	}
}

func testAbort(t *testing.T, s blob.Store) {
	write(t, s, "kept", "1")
	w, err := s.Create(bg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "2"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("before the commit: %q", got)
	}
	w.Abort()
	w.Abort()
	if err := w.Commit("kept"); err == nil {
		t.Error("Commit after Abort gives no error")
	}
	if got := read(t, s, "kept"); got != "1" {
		t.Errorf("kept holds %q", got)
	}
}

func testReplace(t *testing.T, s blob.Store) {
	write(t, s, "x", "old and long")
	r, err := s.Open(bg, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	write(t, s, "x", "new")
	if got := read(t, s, "x"); got != "new" {
		t.Errorf("holds %q", got)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "old and long" {
		t.Errorf("the reader from before reads %q, %v", b, err)
	}
}

func testDelete(t *testing.T, s blob.Store) {
	write(t, s, "x", "text")
	write(t, s, "x/y", "other")
	r, err := s.Open(bg, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		if err := s.Delete(bg, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, s, "x"); got != "-" {
		t.Errorf("holds %q", got)
	}
	if got := read(t, s, "x/y"); got != "other" {
		t.Errorf("x/y holds %q", got)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "text" {
		t.Errorf("the reader from before reads %q, %v", b, err)
	}
	write(t, s, "x", "again")
	if got := read(t, s, "x"); got != "again" {
		t.Errorf("holds %q", got)
	}
}

func testEnded(t *testing.T, s blob.Store) {
	w, err := s.Create(bg)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("Write after Commit gives no error")
	}
	if err := w.Commit("y"); err == nil {
		t.Error("a second Commit gives no error")
	}
	w.Abort()
	if got := names(t, s, ""); !slices.Equal(got, []string{"x"}) {
		t.Errorf("left %q", got)
	}
}

func testContexts(t *testing.T, s blob.Store) {
	write(t, s, "x", "1")
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, create := s.Create(ctx)
	_, open := s.Open(ctx, "x")
	_, stat := s.Stat(ctx, "x")
	_, list := s.Names(ctx, "")
	for name, err := range map[string]error{"Create": create, "Open": open, "Stat": stat, "Names": list, "Delete": s.Delete(ctx, "x")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v", name, err)
		}
	}
	if got := read(t, s, "x"); got != "1" {
		t.Errorf("holds %q", got)
	}
}

func testTogether(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				text := strings.Repeat(fmt.Sprint(w), 1000)
				write(t, s, fmt.Sprintf("%d/%d", w, i), text)
				write(t, s, "all", text)
				if got := read(t, s, fmt.Sprintf("%d/%d", w, i)); got != text {
					t.Errorf("%d/%d holds %.10q...", w, i, got)
				}
				if got := read(t, s, "all"); len(got) != 1000 || strings.Trim(got, got[:1]) != "" {
					t.Errorf("all holds a mixture: %.20q...", got)
				}
			}
		})
	}
	wg.Wait()
	if got := len(names(t, s, "")); got != 81 {
		t.Errorf("%d names, want 81", got)
	}
}
