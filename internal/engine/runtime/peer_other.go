//go:build !linux

package runtime

import (
	"net"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// peerCheck lets everybody in where sandboxes have no user of their own.
type peerCheck struct{}

func newPeerCheck(sandbox.Process) peerCheck { return peerCheck{} }

func (peerCheck) allows(net.Conn) bool { return true }
