// Package faulty makes stores and disks that go wrong as a seed decides, for tests
// and simulations: Wrap makes any store rerun and fail, Disk is a file system in
// memory that forgets what was not synced and whose writes fail.
package faulty

import "errors"

// ErrInjected is the error of every fault made here.
var ErrInjected = errors.New("faulty: injected error")
