package cloudformation_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
)

// BenchmarkDeploy makes and removes stacks over a store on disk: what the engine
// itself costs, the resources costing nothing.
func BenchmarkDeploy(b *testing.B) {
	for _, n := range []int{20, 200} {
		b.Run(fmt.Sprint(n, " resources"), func(b *testing.B) {
			store, err := pebble.Open(b.TempDir(), pebble.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			s := newShop()
			w, _ := world(store, s)
			var t strings.Builder
			t.WriteString("Resources:\n")
			for i := range n {
				fmt.Fprintf(&t, "  B%d:\n    Type: Test::Shop::Box\n    Properties: {Size: %d, Note: ", i, i%100)
				if i%5 > 0 {
					fmt.Fprintf(&t, "!GetAtt B%d.Arn}\n", i-1)
				} else {
					t.WriteString("x}\n")
				}
			}
			body := t.String()
			b.ResetTimer()
			for b.Loop() {
				calltest.Must(b, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: &body})
				calltest.Must(b, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
			}
		})
	}
}
