package faulty

import (
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Disk is a disk in memory. What was written to it but not synced may be lost when
// it crashes, and its writes and syncs can be made to fail.
type Disk struct {
	mem *vfs.MemFS

	mu     sync.Mutex
	rand   *rand.Rand
	rate   float64
	suffix string
	faults int
}

// NewDisk returns an empty disk. The seed decides what a crash loses and which
// operations fail.
func NewDisk(seed uint64) *Disk {
	return &Disk{mem: vfs.NewCrashableMem(), rand: rand.New(rand.NewPCG(seed, 0))}
}

// FS returns the file system, for pebble.Options.
func (d *Disk) FS() vfs.FS { return errorfs.Wrap(d.mem, errorfs.InjectorFunc(d.maybe)) }

// Fail makes writes, syncs and creations of files whose names end with suffix fail at the
// given rate (0 to 1) from now on. The engine's log files end with ".log", its
// tables with ".sst". Whether a sync that failed has written anything is left open.
func (d *Disk) Fail(rate float64, suffix string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rate, d.suffix = rate, suffix
}

// Faults returns how many operations were made to fail.
func (d *Disk) Faults() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faults
}

// Crash returns the disk as it is found after a power failure at this moment: what
// was synced is there; of what was not, keep percent of the blocks and names,
// chosen at random. This disk is left as it is, so that whoever uses it need not stop.
func (d *Disk) Crash(keep int) *Disk {
	d.mu.Lock()
	seed := d.rand.Uint64()
	d.mu.Unlock()
	after := NewDisk(seed)
	after.mem = d.mem.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: keep,
		RNG:                 rand.New(rand.NewPCG(seed, 1)),
	})
	return after
}

func (d *Disk) maybe(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpCreate:
	default:
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rate == 0 || !strings.HasSuffix(op.Path, d.suffix) || d.rand.Float64() >= d.rate {
		return nil
	}
	d.faults++
	return ErrInjected
}
