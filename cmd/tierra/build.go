package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/dev/deploy"
)

func buildCommand() *cobra.Command {
	var data, out string
	c := &cobra.Command{
		Use: "build [DIR|TEMPLATE]", Short: "Build an application's functions, as sam build does, without containers", Args: cobra.MaximumNArgs(1),
		Long: `Build the functions of a template into folders, and write a template that names
these folders, for "sam deploy" or "aws cloudformation package" to go on from.
Metadata.BuildMethod says how, else the runtime: go1.x, nodejs* (npm), esbuild
(which is in this program), python* (pip), python-uv, rust-cargolambda (cargo),
java* (Maven or Gradle) and makefile. The tools have to be on this machine.`,
		Example: "  tierra build app && sam deploy --guided\n  tierra build && aws cloudformation package --template-file .aws-sam/build/template.yaml --s3-bucket artifacts",
		RunE: func(c *cobra.Command, args []string) error {
			path := "."
			if len(args) == 1 {
				path = args[0]
			}
			path, err := deploy.Find(path)
			if err != nil {
				return err
			}
			if out == "" {
				out = filepath.Join(filepath.Dir(path), ".aws-sam", "build")
			}
			f, err := openFolder(data)
			if err != nil {
				return err
			}
			report := newReport(os.Stdout)
			u := &deploy.Up{Path: path, Report: report, Builder: &build.Builder{
				Cache: filepath.Join(f.Dir, "build"), Run: build.Command,
				Note: func(id, step string) { report.Step("Building " + id + ": " + step) },
			}}
			template, err := u.Artifacts(c.Context(), out)
			if err != nil {
				return err
			}
			report.Done("The built template is " + template)
			report.println(fmt.Sprintf("Deploy it with: sam deploy, or aws cloudformation package --template-file %s --s3-bucket BUCKET", template))
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", "", dataHelp+", whose cache keeps installed dependencies")
	c.Flags().StringVar(&out, "build-dir", "", "folder to build into (default .aws-sam/build beside the template)")
	return c
}
