package datatest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Bench measures a store: point reads, and durable updates by 1 and by 16 goroutines.
func Bench(b *testing.B, open func(t testing.TB) data.Store) {
	const keys = 10_000
	key := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("bench"), n%keys) }
	value := make([]byte, 200)
	b.Run("Get", func(b *testing.B) {
		s := open(b)
		defer s.Close()
		must(b, s.Update(bg, func(tx data.Txn) error {
			for i := range uint64(keys) {
				if err := tx.Put(key(i), value); err != nil {
					return err
				}
			}
			return nil
		}))
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for i := uint64(0); pb.Next(); i += 7919 {
				if err := s.View(bg, func(r data.Reader) error {
					_, _, err := r.Get(key(i))
					return err
				}); err != nil {
					b.Error(err)
				}
			}
		})
	})
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("Update/%d", n), func(b *testing.B) {
			s := open(b)
			defer s.Close()
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			together(n, func(int) {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					if err := s.Update(bg, func(tx data.Txn) error {
						k := key(uint64(i))
						if _, _, err := tx.Get(k); err != nil {
							return err
						}
						return tx.Put(k, value)
					}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
