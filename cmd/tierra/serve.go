package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/engine/egress"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/server"
)

// serverFlags are what `serve` and `up` share.
type serverFlags struct {
	issuers []string // ARN=URL

	apiRate int32

	data, listen, auth, metrics, log, network, egress string
	registryLogins                                    string
	templateMemory, functionMemory                    int64 // in MiB
	strictNetwork                                     bool  // the network was asked for
	changed                                           func(flag string) bool
	hooks                                             func(stage string) any // how init hooks went
}

const dataHelp = "data folder (default $XDG_DATA_HOME/tierra)"

func (f *serverFlags) add(to *pflag.FlagSet, level, network string) {
	to.StringVar(&f.data, "data", "", dataHelp)
	to.StringVar(&f.listen, "listen", "127.0.0.1:4566", "address to listen on")
	chooseVar(to, &f.auth, "auth", "enforce", "enforce: signatures and policies decide; audit: let through and record what would have been refused; off: accept any key", "enforce", "audit", "off")
	to.Int32Var(&f.apiRate, "api-rate", 10_000, "requests per second that an account may send to its APIs in a region, and half as many at once; more are throttled")
	to.StringVar(&f.metrics, "metrics", "", "serve Prometheus metrics at http://ADDR/metrics and Go's profiles at /debug/pprof/ (off unless given)")
	chooseVar(to, &f.log, "log", level, "how much to log", "debug", "info", "warn", "error")
	chooseVar(to, &f.network, "network", network, "network of functions; host: they share this machine's, so that a database on localhost is there; private: each has its own, see --egress", "host", "private")
	to.StringVar(&f.egress, "egress", "internet", "what functions in a private network reach besides the server, over TCP: none; internet: public addresses; ranges of IPv4 addresses, separated by commas (10.1.0.0/16,internet)")
	f.changed = to.Changed
	to.Int64Var(&f.functionMemory, "function-memory", defaultFunctionMemory(), "`MiB` that the environments of all functions may hold together: idle ones make room, then invocations are throttled; 0: no limit")
	to.StringArrayVar(&f.issuers, "issuer", nil, "`ARN=URL` of who issues the tokens of a Cognito user pool, for authorizers; the ARN may end in a star, the keys are at URL/.well-known/jwks.json; repeatable")
	to.StringVar(&f.registryLogins, "registry-logins", "", "`FILE` of logins, as docker login writes it, with which images of other registries are pulled, for whoever may make functions (by default they are pulled as anybody)")
	to.Int64Var(&f.templateMemory, "template-memory", 192, "`MiB` that interpreters started ahead of their functions may hold together; 0: start none ahead")
}

func (f serverFlags) mode() call.Mode {
	return map[string]call.Mode{"enforce": call.Enforce, "audit": call.Audit, "off": call.Off}[f.auth]
}

func (f serverFlags) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.log)) // the flag's enum holds only names of levels
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// start starts a server as the flags say.
func (f serverFlags) start(ctx context.Context) (*server.Server, error) {
	folder, err := openFolder(f.data)
	if err != nil {
		return nil, err
	}
	for name, n := range map[string]int64{"api-rate": int64(f.apiRate) - 1, "function-memory": f.functionMemory, "template-memory": f.templateMemory} {
		if n < 0 {
			return nil, fmt.Errorf("--%s: the number is too small; tierra serve --help says what it counts", name)
		}
	}
	policy, err := egress.Parse(f.egress)
	if err != nil {
		return nil, fmt.Errorf("--egress: %w", err)
	}
	issuers := map[string]string{}
	for _, i := range f.issuers {
		arn, address, ok := strings.Cut(i, "=")
		u, err := url.Parse(address)
		if !ok || arn == "" || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("--issuer %s is not ARN=URL", i)
		}
		issuers[arn] = strings.TrimSuffix(address, "/")
	}
	home, _ := os.UserHomeDir() // without a home there is no version manager to look into
	return server.Start(ctx, server.Config{
		APIRate: f.apiRate,
		Data:    folder.Dir, Listen: f.listen, Metrics: f.metrics, Mode: f.mode(), Network: sandbox.Network(f.network), Log: f.logger(),
		Issuers: issuers, Version: version, Init: f.hooks, Path: os.Getenv("PATH"), Home: home, NodePath: os.Getenv("NODE_PATH"), TemplateMemory: f.templateMemory << 20,
		RegistryLogins: f.registryLogins, Proxy: http.ProxyFromEnvironment,
		StrictNetwork: f.strictNetwork, Egress: policy, StrictEgress: f.changed("egress"), FunctionMemory: f.functionMemory << 20,
	})
}

func serveCommand() *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use: "serve", Short: "Run the server alone", Args: cobra.NoArgs,
		Long: "Run the server alone, until SIGTERM or Ctrl-C, which drain and stop it within two seconds.",
		RunE: func(c *cobra.Command, _ []string) error {
			f.strictNetwork = c.Flags().Changed("network")
			return serve(c.Context(), f)
		},
	}
	f.add(c.Flags(), "info", "private")
	return c
}

// defaultFunctionMemory is three quarters of the machine's memory, in MiB.
func defaultFunctionMemory() int64 { return sandbox.MachineMemory() >> 20 * 3 / 4 }

// serve serves until it is told to stop.
func serve(ctx context.Context, c serverFlags) error {
	s, err := c.start(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Tierra %s serves at %s, data in %s, %s.\n", version, s.Endpoint(), s.Folder().Dir, s.Isolation())
	if c.auth != "enforce" {
		fmt.Fprintf(os.Stderr, "--auth %s: %s\n", c.auth, map[string]string{
			"audit": "what policies refuse is let through and recorded.",
			"off":   "every key is accepted, and every caller may do everything.",
		}[c.auth])
	}
	if s.Metrics() != "" {
		fmt.Fprintf(os.Stderr, "Metrics at %s\n", s.Metrics())
	}
	fmt.Fprintf(os.Stderr, "Point AWS tools here with: eval \"$(tierra env%s)\"\nReady.\n", dataFlag(c.data))
	settle()
	select {
	case <-ctx.Done():
	case err = <-s.Failed():
	}
	s.Stop()
	return err
}

func dataFlag(dir string) string {
	if dir == "" {
		return ""
	}
	return " --data " + dir
}
