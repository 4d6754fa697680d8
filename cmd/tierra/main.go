// Command tierra is a serverless cloud on your own ground: it runs three-tier
// applications made for API Gateway and Lambda on this machine, and speaks AWS's
// wire protocols.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the release build.
var version = "0.1.0-dev"

type cli struct {
	Up      upCmd      `cmd:"" help:"Serve, build, deploy and watch an application."`
	Serve   serveCmd   `cmd:"" help:"Run the server alone."`
	Env     envCmd     `cmd:"" help:"Print the environment that points AWS tools at the server."`
	Doctor  doctorCmd  `cmd:"" help:"Say what this machine gives: isolation, interpreters, limits."`
	Version versionCmd `cmd:"" help:"Print the version."`

	Coverage coverageCmd `cmd:"" hidden:"" help:"Print docs/COVERAGE.md."`
}

const about = `A serverless cloud on your own ground.

  tierra up examples/tickets      serve an application and open its page
  eval "$(tierra env)"            then aws, sam, cdk and terraform talk to it
  tierra doctor                   what this machine can isolate and run

Every flag can be given as a variable: --listen is TIERRA_LISTEN, and so on.`

// errReported says that the problem has been told already.
var errReported = errors.New("reported")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser := kong.Must(&c, kong.Name("tierra"), kong.Description(about), kong.UsageOnError(),
		kong.DefaultEnvars("TIERRA"), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"loglevel": "warn"}, kong.BindTo(ctx, (*context.Context)(nil)))
	args, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := args.Run(); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "tierra: "+err.Error())
		}
		stop()
		os.Exit(1)
	}
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("tierra " + version)
	return nil
}
