package memblob_test

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/blobtest"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
)

func TestContract(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Store { return memblob.New() })
}
