package main

import (
	"cmp"
	"context"
	"encoding/json"
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
	"github.com/tierra-cloud/tierra/internal/dev/cdk"
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
	debug               string
	debugPort           uint16
}

func upCommand() *cobra.Command {
	var u upCmd
	var parameters []string // whole: a value may have commas
	c := &cobra.Command{
		Use: "up [DIR|TEMPLATE]", Short: "Serve, build, deploy and watch an application", Args: cobra.MaximumNArgs(1),
		Long: `Serve (or use the server that has the data folder already), build what the
template's functions need, deploy through CloudFormation, print the outputs and
follow the functions' logs until Ctrl-C. A source that changes rebuilds and swaps
its function; a template that changes is deployed anew, through a change set that
is shown. A folder with a cdk.json is synthesized by its own command, and its
stacks are deployed in order.`,
		Example: "  tierra up examples/tickets\n  tierra up app/template.yaml --stack shop --parameter Stage=dev\n  tierra up my-cdk-app --parameter Orders:Stage=dev",
		RunE: func(c *cobra.Command, args []string) error {
			u.path = "."
			if len(args) == 1 {
				u.path = args[0]
			}
			u.strictNetwork = c.Flags().Changed("network")
			u.parameters = map[string]string{}
			for _, p := range parameters {
				name, value, ok := strings.Cut(p, "=")
				if !ok || name == "" {
					return fmt.Errorf("--parameter %s is not K=V", p)
				}
				u.parameters[name] = value
			}
			return u.run(c.Context())
		},
	}
	u.add(c.Flags(), "warn", "host")
	c.Flags().StringVar(&u.stack, "stack", "", "name of the stack (default that of samconfig.toml, or the folder's name)")
	c.Flags().StringVar(&u.config, "config-env", "", "environment of samconfig.toml whose stack name, region and parameters are used (default \"default\")")
	c.Flags().StringArrayVar(&parameters, "parameter", nil, "value of a template parameter, as `K=V`; may be repeated")
	c.Flags().StringVar(&u.debug, "debug", "", "`function` to debug, by its id in the template or its name: it is started with the inspector of Node.js, with debugpy or with Delve (Go), alone, and its deadline is suspended")
	c.Flags().Uint16Var(&u.debugPort, "debug-port", 0, "port of the debugger (default 5858 for Node.js, 5678 for Python, 2345 for Go)")
	c.Flags().BoolVar(&u.noWatch, "no-watch", false, "do not watch the sources")
	return c
}

// application is what can be brought up: a template, or an application of the CDK.
type application interface {
	// Watch acts on changes until ctx ends, and calls watching once it misses none.
	Watch(ctx context.Context, watching func()) error
	// Tail passes the functions' logs on until ctx ends.
	Tail(ctx context.Context, since time.Time) error
	// Functions returns the functions' names by the ids that people know them by.
	Functions(ctx context.Context) (map[string]string, error)
}

// run serves, deploys, watches and tails until it is told to stop.
func (c *upCmd) run(ctx context.Context) error {
	out := newReport(os.Stdout)
	path, dir := c.path, c.path
	isCDK := usesCDK(c.path)
	if !isCDK {
		var err error
		if path, err = deploy.Find(c.path); err != nil {
			return err
		}
		dir = filepath.Dir(path)
	}
	config, err := samconfig.Load(dir, c.config)
	if err != nil {
		return err
	}
	f, err := openFolder(c.data)
	if err != nil {
		return err
	}
	own, endpoint, err := c.serve(ctx, f, out)
	if err != nil {
		return err
	}
	var failed <-chan error
	if own != nil {
		defer own.Stop()
		failed = own.Failed()
	} else if c.debug != "" {
		return fmt.Errorf("--debug needs a server that tierra up starts itself: stop the one at %s, or give another data folder with --data", endpoint)
	}
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
	at := func(region string) *client.Client {
		return client.New(endpoint, region, sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret})
	}
	var app application
	if isCDK {
		u := &deploy.CDK{
			Client: at, Run: build.Command, Report: out, Dir: c.path, Only: c.stack, Parameters: c.parameters,
			Account: s.Account, Region: region, Path: os.Getenv("PATH"),
		}
		stacks, err := u.Deploy(ctx)
		if err != nil {
			return err
		}
		for _, stack := range stacks {
			if len(stacks) > 1 && stack != nil && len(stack.Outputs) > 0 {
				out.println("\n" + stack.Name)
			}
			printOutputs(out, stack)
		}
		app = u
	} else {
		u := &deploy.Up{
			Client: at(region),
			Builder: &build.Builder{
				Cache: filepath.Join(f.Dir, "build"), Run: build.Command,
				Note: func(id, step string) { out.Step("Building " + id + ": " + step) },
			},
			Report: out, Path: path, Stack: cmp.Or(c.stack, config.Stack, stackName(path)), Parameters: config.Parameters, Account: s.Account,
			Debug: c.debug, Tags: config.Tags, Role: config.Role,
		}
		stack, err := u.Deploy(ctx)
		if ctx.Err() != nil {
			return nil // it was told to stop meanwhile
		}
		if err != nil {
			return err
		}
		printOutputs(out, stack)
		app = u
	}
	if c.debug != "" {
		if err := c.attach(ctx, own, region, app, out); err != nil {
			return err
		}
	}
	if !c.noWatch {
		watching := make(chan struct{})
		go func() {
			if err := app.Watch(ctx, sync.OnceFunc(func() { close(watching) })); err != nil {
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
		if err := app.Tail(ctx, since); err != nil && ctx.Err() == nil {
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

// usesCDK reports whether path is a folder of the CDK: one with a cdk.json, and no
// template.
func usesCDK(path string) bool {
	if _, err := os.Stat(filepath.Join(path, cdk.File)); err != nil {
		return false
	}
	_, err := deploy.Find(path)
	return err != nil
}

// attach starts the debugger of a function and says how to attach an editor to it.
func (c *upCmd) attach(ctx context.Context, s *server.Server, region string, app application, out *report) error {
	functions, err := app.Functions(ctx)
	if err != nil {
		return err
	}
	name := cmp.Or(functions[c.debug], c.debug)
	d, err := s.Debug(ctx, region, name, c.debugPort)
	if err != nil {
		return fmt.Errorf("--debug %s: %w", c.debug, err)
	}
	root := "${workspaceFolder}"
	if u, ok := app.(*deploy.Up); ok {
		root = cmp.Or(u.Source(c.debug), root)
	}
	waits := ""
	if d.Kind == "go" {
		waits = ", it waits for one"
	}
	out.Done(fmt.Sprintf("Debugging %s at 127.0.0.1:%d; attach an editor with this configuration%s:", c.debug, d.Port, waits))
	config := map[string]any{"name": c.debug, "request": "attach", "type": d.Kind}
	switch d.Kind {
	case "node":
		config["address"], config["port"], config["localRoot"], config["remoteRoot"] = "127.0.0.1", d.Port, root, "/var/task"
	case "go": // which knows the folders that it was built in
		config["mode"], config["host"], config["port"] = "remote", "127.0.0.1", d.Port
	default:
		config["connect"] = map[string]any{"host": "127.0.0.1", "port": d.Port}
		config["pathMappings"] = []map[string]string{{"localRoot": root, "remoteRoot": "/var/task"}}
	}
	text, err := json.MarshalIndent(config, "  ", "  ")
	if err != nil {
		return err
	}
	out.println("  " + string(text))
	return nil
}

// serve starts a server, or finds the one that has the data folder already; then
// own is nil.
func (c *upCmd) serve(ctx context.Context, f server.Folder, out *report) (own *server.Server, endpoint string, err error) {
	s, err := c.start(ctx)
	if err == nil {
		out.Done(fmt.Sprintf("Serving at %s, data in %s, %s", s.Endpoint(), f.Dir, s.Isolation()))
		return s, s.Endpoint(), nil
	}
	var held *lease.HeldError
	if errors.As(err, &held) && held.Holder.Address != "" {
		out.Done(fmt.Sprintf("Using the server at %s (process %d)", held.Holder.Address, held.Holder.PID))
		return nil, held.Holder.Address, nil
	}
	return nil, "", err
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
