package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Say what this machine gives: isolation, interpreters, limits", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return doctor(c.Context()) },
	}
}

// doctor says what this machine gives, and what to do about what is missing.
func doctor(ctx context.Context) error {
	out := newReport(os.Stdout)
	mark := func(ok bool) string {
		if ok {
			return out.colour(32, "ok      ")
		}
		return out.colour(33, "missing ")
	}
	fmt.Printf("tierra %s, %s/%s, %d processors\n\nIsolation of functions\n", version, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	report, err := sandbox.Probe(ctx)
	if errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("no place to try it: %w; set TMPDIR to a folder that you may write to", err)
	}
	if err != nil {
		return err
	}
	for _, c := range report.Checks {
		fmt.Printf("  %s %s: %s\n", mark(c.OK), c.Name, c.Detail)
		if c.Fix != "" {
			fmt.Printf("           -> %s\n", c.Fix)
		}
	}
	fmt.Printf("  The tier is %q.\n", report.Tier.Name)
	for _, l := range slices.Concat(report.Tier.Lacks, report.Tier.LacksOnHost) {
		fmt.Printf("  It cannot hold: %s\n", l)
	}
	if report.Tier.PrivateNetwork {
		fmt.Println("  The network of functions is private with tierra serve (they reach the server, and what --egress says), and this machine's own with tierra up; --network private or host says otherwise.")
	} else {
		fmt.Println("  The network of functions is this machine's own; it gives no private ones.")
	}
	fmt.Println("\nRuntimes")
	dir, err := os.MkdirTemp("", "tierra-doctor-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	home, _ := os.UserHomeDir()
	catalog, err := engine.NewCatalog(engine.CatalogConfig{Dir: filepath.Join(dir, "runtimes"), Path: os.Getenv("PATH"), Home: home, NodePath: os.Getenv("NODE_PATH")})
	if err != nil {
		return err
	}
	for _, i := range catalog.Interpreters(ctx) {
		fmt.Printf("  %s %s at %s\n", mark(true), i.Version, i.Path)
		if i.Family == "nodejs" && !catalog.HasSDK(&i) {
			fmt.Printf("  %s the AWS SDK for JavaScript: functions have to bring it; npm install -g @aws-sdk/client-… gives it to all\n", mark(false))
		}
	}
	fmt.Printf("  %s provided.al2, provided.al2023: a bootstrap in the package\n", mark(true))
	for _, name := range []string{"nodejs24.x", "nodejs22.x", "nodejs20.x", "nodejs18.x", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"} {
		c, err := catalog.Resolve(ctx, name)
		switch {
		case err != nil:
			fmt.Printf("  %s %s\n", mark(false), strings.ReplaceAll(err.Error(), "\n", " "))
		case c.Notice != "":
			fmt.Printf("  %s %s: %s\n", mark(true), name, c.Notice)
		default:
			fmt.Printf("  %s %s: %s\n", mark(true), name, c.Path)
		}
	}
	return tlsReport()
}

// tlsReport says where the certificate authority is, and how to trust it.
func tlsReport() error {
	f, err := openFolder("")
	if err != nil {
		return err
	}
	fmt.Println("\nTLS")
	made := ", which is made when it is first needed"
	if _, err := os.Stat(f.Authority()); err == nil {
		made = ""
	}
	fmt.Printf("  The server speaks HTTPS at its port, too. Its certificates are signed by the authority in %s%s.\n", f.Authority(), made)
	fmt.Println("  Tools trust it after: eval \"$(tierra env --tls)\"")
	return nil
}
