package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tierra-cloud/tierra/internal/data/lease"
	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/dev/client"
	"github.com/tierra-cloud/tierra/internal/dev/deploy"
	"github.com/tierra-cloud/tierra/internal/dev/samconfig"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/internal/server"
)

// upCmd is one run of `tierra up`.
type upCmd struct {
	serverFlags
	path, stack, config string
	parameters          map[string]string
	noWatch             bool
}

func upCommand() *cobra.Command {
	var u upCmd
	c := &cobra.Command{
		Use: "up [DIR|TEMPLATE]", Short: "Serve, build, deploy and watch an application", Args: cobra.MaximumNArgs(1),
		Long: `Serve (or use the server that has the data folder already), build what the
template's functions need, deploy through CloudFormation, print the outputs and
follow the functions' logs until Ctrl-C. A source that changes rebuilds and swaps
its function; a template that changes is deployed anew.`,
		Example: "  tierra up examples/tickets\n  tierra up app/template.yaml --stack shop --parameter Stage=dev",
		RunE: func(c *cobra.Command, args []string) error {
			u.path = "."
			if len(args) == 1 {
				u.path = args[0]
			}
			u.strictNetwork = c.Flags().Changed("network")
			return u.run(c.Context())
		},
	}
	u.add(c.Flags(), "warn", "host")
	c.Flags().StringVar(&u.stack, "stack", "", "name of the stack (default that of samconfig.toml, or the folder's name)")
	c.Flags().StringVar(&u.config, "config-env", "", "environment of samconfig.toml whose stack name, region and parameters are used (default \"default\")")
	c.Flags().StringToStringVar(&u.parameters, "parameter", nil, "value of a template parameter, as K=V; may be repeated")
	c.Flags().BoolVar(&u.noWatch, "no-watch", false, "do not watch the sources")
	return c
}

// run serves, deploys, watches and tails until it is told to stop.
func (c *upCmd) run(ctx context.Context) error {
	out := newReport(os.Stdout)
	path, err := deploy.Find(c.path)
	if err != nil {
		return err
	}
	config, err := samconfig.Load(filepath.Dir(path), c.config)
	if err != nil {
		return err
	}
	f, err := openFolder(c.data)
	if err != nil {
		return err
	}
	endpoint, stop, failed, err := c.serve(ctx, f, out)
	if err != nil {
		return err
	}
	defer stop()
	s, err := f.ReadSecrets()
	if err != nil {
		return err
	}
	since := time.Now()
	for _, name := range config.Unused {
		out.Problem(fmt.Errorf("%s: the setting %s is not one that tierra up acts on", config.Path, name))
	}
	maps.Copy(config.Parameters, c.parameters) // what is said now goes over what is written
	region := cmp.Or(config.Region, s.Region)
	u := &deploy.Up{
		Client: client.New(endpoint, region, sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret}),
		Builder: &build.Builder{
			Cache: filepath.Join(f.Dir, "build"), Run: build.Command,
			Note: func(id, step string) { out.Step("Building " + id + ": " + step) },
		},
		Report: out, Path: path, Stack: cmp.Or(c.stack, config.Stack, stackName(path)), Parameters: config.Parameters, Account: s.Account,
	}
	stack, err := u.Deploy(ctx)
	if err != nil {
		return err
	}
	printOutputs(out, stack)
	if !c.noWatch {
		watching := make(chan struct{})
		go func() {
			if err := u.Watch(ctx, sync.OnceFunc(func() { close(watching) })); err != nil {
				out.Problem(err)
			}
		}()
		select {
		case <-watching:
		case <-time.After(time.Second): // it could not begin, and said so
		}
	}
	out.println("Ready.")
	go func() {
		if err := u.Tail(ctx, since); err != nil && ctx.Err() == nil {
			out.Problem(err)
		}
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// serve starts a server, or finds the one that has the data folder already.
func (c *upCmd) serve(ctx context.Context, f server.Folder, out *report) (endpoint string, stop func(), failed <-chan error, err error) {
	s, err := c.start(ctx)
	if err == nil {
		out.Done(fmt.Sprintf("Serving at %s, data in %s, %s", s.Endpoint(), f.Dir, s.Isolation()))
		return s.Endpoint(), s.Stop, s.Failed(), nil
	}
	var held *lease.HeldError
	if errors.As(err, &held) && held.Holder.Address != "" {
		out.Done(fmt.Sprintf("Using the server at %s (process %d)", held.Holder.Address, held.Holder.PID))
		return held.Holder.Address, func() {}, nil, nil
	}
	return "", nil, nil, err
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9-]+`)

// stackName makes a stack's name of the folder's.
func stackName(template string) string {
	abs, err := filepath.Abs(template)
	if err != nil {
		abs = template
	}
	n := strings.Trim(notInNames.ReplaceAllString(filepath.Base(filepath.Dir(abs)), "-"), "-")
	if n == "" || n[0] >= '0' && n[0] <= '9' {
		n = "app-" + n
	}
	return strings.TrimSuffix(n, "-")
}

func printOutputs(out *report, s *client.Stack) {
	if s == nil || len(s.Outputs) == 0 {
		return
	}
	width := 0
	for _, o := range s.Outputs {
		width = max(width, len(o.Key))
	}
	out.println("")
	for _, o := range s.Outputs {
		v := o.Value
		if u, err := url.Parse(v); err == nil && u.Host != "" {
			v = out.colour(4, v)
		}
		out.println(fmt.Sprintf("  %-*s  %s", width, o.Key, v))
	}
	out.println("")
}
