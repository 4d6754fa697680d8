package pebble_test

import (
	"fmt"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
)

// BenchmarkOpen measures opening and closing a new folder, and one with some
// 100 MB in it, of which a part is in the log only.
func BenchmarkOpen(b *testing.B) {
	cycle := func(b *testing.B, dir string) {
		s, err := pebble.Open(dir, pebble.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Update(bg, func(tx data.Txn) error { return tx.Put([]byte("k"), make([]byte, 100)) }); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			cycle(b, b.TempDir())
		}
	})
	b.Run("Used", func(b *testing.B) {
		dir := b.TempDir()
		fill(b, dir, 100_000)
		for b.Loop() {
			cycle(b, dir)
		}
	})
	b.Run("LongLog", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			dir := b.TempDir()
			fill(b, dir, 3_000)
			b.StartTimer()
			cycle(b, dir)
		}
	})
}

// fill puts n values of 1,000 bytes.
func fill(b testing.TB, dir string, n int) {
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; {
		if err := s.Update(bg, func(tx data.Txn) error {
			for range 1000 {
				if err := tx.Put(fmt.Appendf(nil, "%09d", i*7919%n), make([]byte, 1000)); err != nil {
					return err
				}
				i++
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
