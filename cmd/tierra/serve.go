package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
)

// serverFlags are what `serve` and `up` share.
type serverFlags struct {
	Data    string `help:"Data folder. Default: $XDG_DATA_HOME/tierra." type:"path" placeholder:"DIR"`
	Listen  string `help:"Address to listen on." default:"127.0.0.1:4566" placeholder:"ADDR"`
	Auth    string `help:"enforce: signatures and policies decide. audit: let through and record what would have been refused. off: accept any key." enum:"enforce,audit,off" default:"enforce"`
	Metrics string `help:"Serve Prometheus metrics at http://ADDR/metrics and Go's profiles at /debug/pprof/. Off unless given." placeholder:"ADDR"`
	Log     string `help:"How much to log: debug, info, warn, error." enum:"debug,info,warn,error" default:"${loglevel}"`
}

func (f serverFlags) mode() call.Mode {
	return map[string]call.Mode{"enforce": call.Enforce, "audit": call.Audit, "off": call.Off}[f.Auth]
}

func (f serverFlags) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.Log)) // the flag's enum holds only names of levels
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

type serveCmd struct {
	serverFlags
	Network string `help:"Network of functions. private: they reach the server and nothing else. host: they share this machine's network." enum:"private,host" default:"host"`
}

// stopTimeout is how long a server that was told to stop waits for what is under way.
const stopTimeout = 2 * time.Second

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context) error {
	s, err := startServer(ctx, c.serverFlags, c.Network, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Tierra %s serves at %s, data in %s, %s.\n", version, s.endpoint, s.folder.dir, s.tier)
	if c.Auth != "enforce" {
		fmt.Fprintf(os.Stderr, "--auth %s: %s\n", c.Auth, map[string]string{
			"audit": "what policies refuse is let through and recorded.",
			"off":   "every key is accepted, and every caller may do everything.",
		}[c.Auth])
	}
	fmt.Fprintf(os.Stderr, "Point AWS tools here with: eval \"$(tierra env%s)\"\nReady.\n", dataFlag(c.Data))
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	s.stop()
	return err
}

func dataFlag(dir string) string {
	if dir == "" {
		return ""
	}
	return " --data " + dir
}

// listenOn opens the address, or says who has it.
func listenOn(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; stop what listens there, or choose another address with --listen", addr, err)
	}
	return l, nil
}
