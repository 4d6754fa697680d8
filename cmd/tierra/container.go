package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tierra-cloud/tierra/internal/dev/localstack"
	"github.com/tierra-cloud/tierra/internal/server"
)

// The data folders of a container: a volume of the other image's, and one that
// does not outlive a start.
const (
	keptData    = "/var/lib/localstack/tierra"
	passingData = "/run/tierra"
)

// everywhere is where a container listens.
const everywhere = "0.0.0.0:4566"

func containerCommand() *cobra.Command {
	var f serverFlags
	var hooks string
	c := &cobra.Command{
		Use: "container", Short: "Serve as the entry point of a container image", Args: cobra.ArbitraryArgs,
		Long: `Serve as "tierra serve" does, in the place of a container of LocalStack: at all
addresses, told by its variables (PERSISTENCE, SERVICES, DEBUG, GATEWAY_LISTEN,
ENFORCE_IAM, …) and with its init hooks. Flags, and their variables, go first.
Signatures and policies decide, as elsewhere: who has the key "test" says
--auth off (TIERRA_AUTH=off, or ENFORCE_IAM=0). Without PERSISTENCE=1 or --data
every start is with empty data. Arguments are left alone.`,
		RunE: func(c *cobra.Command, _ []string) error {
			f.strictNetwork = c.Flags().Changed("network")
			s, err := localstack.Read(os.Environ())
			if err != nil {
				return err
			}
			for _, name := range s.Unused {
				fmt.Fprintf(os.Stderr, "The variable %s means nothing here: %s.\n", name, localstack.Why(name))
			}
			given := c.Flags().Changed
			if !given("listen") {
				f.listen = cmp.Or(s.Listen, everywhere)
			}
			if !given("log") {
				f.log = cmp.Or(s.Log, f.log)
			}
			if !given("auth") {
				f.auth = cmp.Or(s.Auth, f.auth)
			}
			switch {
			case given("data"):
			case s.Persist:
				f.data = keptData
			default:
				f.data = passingData
				if err := os.RemoveAll(f.data); err != nil {
					return err
				}
			}
			h, err := localstack.Find(hooks, os.Stderr)
			if err != nil {
				return err
			}
			return contain(c.Context(), f, s.Services, h)
		},
	}
	f.add(c.Flags(), "info", "private")
	c.Flags().Lookup("listen").DefValue = everywhere // unless its variables say otherwise
	c.Flags().StringVar(&hooks, "init", "/etc/localstack/init", "folder with the init hooks: boot.d, start.d, ready.d and shutdown.d, with *.sh and *.py")
	return c
}

// contain serves with init hooks until it is told to stop.
func contain(ctx context.Context, f serverFlags, services []string, h *localstack.Hooks) error {
	h.Run(ctx, "BOOT", os.Environ())
	f.hooks = h.Report
	s, err := f.start(ctx)
	if err != nil {
		return err
	}
	defer s.Stop()
	for _, name := range services {
		if !slices.Contains(s.Services(), name) {
			return fmt.Errorf("SERVICES names %s, which Tierra has not; it has %s", name, strings.Join(s.Services(), ", "))
		}
	}
	env := hookEnv(s)
	h.Run(ctx, "START", env)
	h.Run(ctx, "READY", env)
	fmt.Fprintf(os.Stderr, "Tierra %s serves at %s, data in %s, %s, --auth %s.\n", version, s.Endpoint(), s.Folder().Dir, s.Isolation(), f.auth)
	fmt.Println("Ready.")
	settle()
	select {
	case <-ctx.Done():
	case err = <-s.Failed():
	}
	h.Run(context.WithoutCancel(ctx), "SHUTDOWN", env)
	return err
}

// hookEnv is the environment of init hooks, whose tools speak to the server as root.
func hookEnv(s *server.Server) []string {
	k := s.Secrets()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.Endpoint(), "http://"), ":")
	if i := strings.LastIndexByte(port, ':'); i >= 0 {
		port = port[i+1:]
	}
	return append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+k.AccessKey, "AWS_SECRET_ACCESS_KEY="+k.Secret, "AWS_DEFAULT_REGION="+k.Region, "AWS_REGION="+k.Region,
		"AWS_ENDPOINT_URL=http://127.0.0.1:"+port, "TIERRA_DATA="+filepath.Clean(s.Folder().Dir))
}
