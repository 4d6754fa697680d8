// Command tierra is a serverless cloud on your own ground: it runs three-tier
// applications made for API Gateway and Lambda on this machine, and speaks AWS's
// wire protocols.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set by the release build.
var version = "0.1.0-dev"

const about = `A serverless cloud on your own ground.

  tierra up examples/tickets      serve an application and open its page
  eval "$(tierra env)"            then aws, sam and the SDKs talk to it
  tierra doctor                   what this machine can isolate and run`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends it at once
	if err := commands().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tierra: "+err.Error())
		stop()
		os.Exit(1)
	}
}

// commands is the command line.
func commands() *cobra.Command {
	root := &cobra.Command{
		Use: "tierra", Short: "A serverless cloud on your own ground", Long: about,
		SilenceErrors: true, SilenceUsage: true, CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(upCommand(), serveCommand(), containerCommand(), envCommand(), doctorCommand(), transformCommand(), buildCommand(), coverageCommand(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Println("tierra " + version)
			return nil
		},
	})
	// Not by a template of usage: text/template finds methods by name, so that the
	// linker would have to keep every method of every type.
	usage := root.UsageFunc()
	root.SetUsageFunc(func(c *cobra.Command) error {
		if err := usage(c); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStderr(), "\nEvery flag can be given as a variable: --listen is TIERRA_LISTEN, and so on.")
		return err
	})
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return fromEnvironment(c.Flags()) }
	return root
}

// fromEnvironment gives the flags that were not given the values of their
// variables: --listen that of TIERRA_LISTEN.
func fromEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "TIERRA_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok && !f.Changed && err == nil && f.Name != "help" {
			if serr := flags.Set(f.Name, v); serr != nil {
				err = fmt.Errorf("%s: %w", name, serr)
			}
		}
	})
	return err
}

// choice is a flag that takes one of a few values.
type choice struct {
	value *string
	of    []string
}

// String implements pflag.Value.
func (c choice) String() string { return *c.value }

// Type implements pflag.Value.
func (c choice) Type() string { return strings.Join(c.of, "|") }

// Set implements pflag.Value.
func (c choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf("%q is not one of %s", s, strings.Join(c.of, ", "))
	}
	*c.value = s
	return nil
}

func chooseVar(f *pflag.FlagSet, p *string, name, def, help string, of ...string) {
	*p = def
	f.Var(choice{p, of}, name, help)
}
