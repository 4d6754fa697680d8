package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/server"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

func transformCommand() *cobra.Command {
	var parameters map[string]string
	var region string
	var asYAML bool
	c := &cobra.Command{
		Use: "transform TEMPLATE", Short: "Print what SAM makes of a template", Args: cobra.ExactArgs(1),
		Long: `Print the CloudFormation template that the transforms of a template
(AWS::Serverless-2016-10-31, AWS::LanguageExtensions) make of it, without a server.
TEMPLATE is a file, or - for the standard input.`,
		Example: "  tierra transform template.yaml\n  tierra transform template.yaml --parameter Stage=dev --yaml",
		RunE: func(c *cobra.Command, args []string) error {
			text, err := readTemplate(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			return transform(c.OutOrStdout(), text, parameters, region, asYAML)
		},
	}
	c.Flags().StringToStringVar(&parameters, "parameter", nil, "value of a template parameter, as K=V; may be repeated")
	c.Flags().StringVar(&region, "region", server.DefaultRegion, "region that the stack would be in")
	c.Flags().BoolVar(&asYAML, "yaml", false, "print YAML instead of JSON")
	return c
}

func readTemplate(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(path)
}

// transform prints the expanded template.
func transform(w io.Writer, text []byte, parameters map[string]string, region string, asYAML bool) error {
	doc, err := cloudformation.Expand(text, parameters, server.DefaultAccount, region)
	if f := fault.As(err); f != nil {
		return errors.New(f.Message)
	}
	if err != nil {
		return err
	}
	if asYAML {
		out, err := yaml.Marshal(doc)
		if err == nil {
			_, err = w.Write(out)
		}
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("print the template: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}
