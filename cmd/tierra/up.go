package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data/lease"
	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/dev/client"
	"github.com/tierra-cloud/tierra/internal/dev/deploy"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
)

type upCmd struct {
	serverFlags
	Path      string            `arg:"" optional:"" default:"." help:"Folder with a template, or the template." type:"path"`
	Stack     string            `help:"Name of the stack. Default: the folder's name." placeholder:"NAME"`
	Parameter map[string]string `help:"Value of a template parameter. May be repeated." placeholder:"K=V"`
	NoWatch   bool              `help:"Do not watch the sources."`
	Network   string            `help:"Network of functions. host: they share this machine's network, so that a database on localhost is there. private: they reach the server and nothing else." enum:"private,host" default:"host"`
}

// Run serves, deploys, watches and tails until it is told to stop.
func (c *upCmd) Run(ctx context.Context) error {
	out := newReport(os.Stdout)
	path, err := deploy.Find(c.Path)
	if err != nil {
		return err
	}
	f, err := openFolder(c.Data)
	if err != nil {
		return err
	}
	endpoint, stop, failed, err := c.server(ctx, f, out)
	if err != nil {
		return err
	}
	defer stop()
	s, err := f.readSecrets()
	if err != nil {
		return err
	}
	since := time.Now()
	u := &deploy.Up{
		Client: client.New(endpoint, s.Region, sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret}),
		Builder: &build.Builder{
			Cache: filepath.Join(f.dir, "build"), Run: run,
			Note: func(id, step string) { out.Step("Building " + id + ": " + step) },
		},
		Report: out, Path: path, Stack: c.stackName(path), Parameters: c.Parameter, Account: s.Account,
	}
	stack, err := u.Deploy(ctx)
	if err != nil {
		return err
	}
	printOutputs(out, stack)
	out.println("Ready.")
	if !c.NoWatch {
		go func() {
			if err := u.Watch(ctx); err != nil {
				out.Problem(err)
			}
		}()
	}
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

// server starts a server, or finds the one that has the data folder already.
func (c *upCmd) server(ctx context.Context, f folder, out *report) (endpoint string, stop func(), failed <-chan error, err error) {
	s, err := startServer(ctx, c.serverFlags, c.Network, nil)
	if err == nil {
		out.Done(fmt.Sprintf("Serving at %s, data in %s, %s", s.endpoint, f.dir, s.tier))
		return s.endpoint, s.stop, s.failed, nil
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
func (c *upCmd) stackName(template string) string {
	if c.Stack != "" {
		return c.Stack
	}
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

// run runs a build command with this process's environment.
func run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return text, fmt.Errorf("%s is not installed on this machine: %w", name, err)
	}
	return text, err
}
