// Package pebble keeps the store in a folder on disk, in Pebble, an embedded
// log-structured engine. Transactions and what they promise are package occ's
// part; this package sees to the disk: the format of the folder, commits that are
// in the log and synced before they are acknowledged (together, where several
// come at once), and little memory when idle.
//
// When the log cannot be written or synced, updates fail from then on, until the
// process is started anew: after a failed fsync nobody knows what the disk holds.
// While the engine cannot write its tables (a full disk), updates are refused, and
// go on when it can again. If the engine's own bookkeeping cannot be written the
// process panics.
package pebble

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/internal/occ"
)

// Sizes that keep the idle process small.
const (
	memTable      = 4 << 20 // bytes; grown into from 256 KiB
	memTables     = 4       // of them at most, then writers wait for the disk
	blockCache    = 8 << 20 // bytes
	openFiles     = 128
	manifestBytes = 4 << 20 // read at every opening, so kept short
)

// Options are what Open may be told; the zero value is right for a server.
type Options struct {
	// Log takes what goes wrong in the background; nil: nobody.
	Log *slog.Logger
	// FS is the file system; nil: the machine's.
	FS vfs.FS
}

// Open opens the store in the folder dir, which belongs to the store alone, and
// makes it if there is none. A folder of a newer version gives data.ErrFormat. A
// folder is open once at a time: package lease says so more kindly than the error
// that Open gives.
func Open(dir string, opts Options) (data.Store, error) {
	fs := opts.FS
	if fs == nil {
		fs = vfs.Default
	}
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := checkFormat(fs, dir); err != nil {
		return nil, err
	}
	e := &engine{log: log}
	db, err := pebble.Open(dir, e.options(fs))
	if err != nil {
		return nil, fmt.Errorf("data: open %s: %w", dir, err)
	}
	e.db = db
	return occ.New(e), nil
}

func (e *engine) options(fs vfs.FS) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          engineFormat,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: memTables,
		CacheSize:                   blockCache,
		MaxOpenFiles:                openFiles,
		MaxManifestFileSize:         manifestBytes,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      logger{e.log},
		EventListener: &pebble.EventListener{
			BackgroundError: e.background,
			FlushEnd:        func(info pebble.FlushInfo) { e.flushed(info.Err) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// logger passes on errors; what the engine tells of its daily work is nobody's interest.
type logger struct{ log *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("store: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: the engine calls it where going on would lose data.
func (l logger) Fatalf(format string, args ...any) {
	msg := "store: " + fmt.Sprintf(format, args...)
	l.log.Error(msg)
	panic(errors.New(msg))
}
