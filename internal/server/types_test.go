package server

import (
	"context"
	"testing"
)

// TestTypesRead: every resource type of every room can be read back, so that drift,
// imports and Cloud Control work for it. The engine's own types, of which custom
// resources and wait conditions have nothing to read, are not among a room's.
func TestTypesRead(t *testing.T) {
	s, err := Unstarted(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	for _, typ := range s.resourceTypes() {
		if !typ.Reads() || len(typ.Identifier) == 0 {
			t.Errorf("%s cannot be read", typ.Name)
		}
	}
}
