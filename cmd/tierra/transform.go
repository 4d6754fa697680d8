package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/server"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

func transformCommand() *cobra.Command {
	var parameters []string
	var region string
	var asYAML bool
	c := &cobra.Command{
		Use: "transform TEMPLATE", Short: "Print what SAM makes of a template",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give one TEMPLATE: a file, or - for the standard input")
			}
			return nil
		},
		Long: `Print the CloudFormation template that the transforms of a template
(AWS::Serverless-2016-10-31, AWS::LanguageExtensions) make of it, without a server.
TEMPLATE is a file, or - for the standard input. A parameter that has no default
and is given no value stays a reference; paths of this disk stay as they are.`,
		Example: "  tierra transform template.yaml\n  tierra transform template.yaml --parameter Stage=dev --parameter Zones=a,b --yaml",
		RunE: func(c *cobra.Command, args []string) error {
			values, err := assignments(parameters)
			if err != nil {
				return err
			}
			text, err := readTemplate(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			return inFile(args[0], transform(c.OutOrStdout(), text, values, region, asYAML))
		},
	}
	c.Flags().StringArrayVar(&parameters, "parameter", nil, "value of a template parameter, as `K=V`; may be repeated")
	c.Flags().StringVar(&region, "region", server.DefaultRegion, "region that the stack would be in")
	c.Flags().BoolVar(&asYAML, "yaml", false, "print YAML instead of JSON")
	return c
}

// assignments reads the values of parameters. A value may have commas, as lists do,
// and equals signs.
func assignments(given []string) (map[string]string, error) {
	out := map[string]string{}
	for _, one := range given {
		k, v, ok := strings.Cut(one, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("--parameter %s: give it as K=V", one)
		}
		out[k] = v
	}
	return out, nil
}

// inFile names the file in the places that an error tells, in the form that editors
// and terminals open.
func inFile(path string, err error) error {
	if err == nil || path == "-" {
		return err
	}
	place := regexp.MustCompile(`\(line (\d+), column (\d+)\)`)
	text := place.ReplaceAllStringFunc(err.Error(), func(at string) string {
		n := place.FindStringSubmatch(at)
		return "(" + path + ":" + n[1] + ":" + n[2] + ")"
	})
	if text == err.Error() {
		return fmt.Errorf("%s: %w", path, err)
	}
	return errors.New(text)
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
