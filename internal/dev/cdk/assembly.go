package cdk

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const manifestFile = "manifest.json"

// Assembly is what a CDK application comes to: stacks, and files that they need.
// https://docs.aws.amazon.com/cdk/v2/guide/deploy.html
type Assembly struct {
	// Stacks stand in an order in which they can be deployed.
	Stacks []*Stack
}

// Stack is a stack of an assembly.
type Stack struct {
	// ID is the stack's place among the application's constructs, Name that of the
	// stack in CloudFormation.
	ID, Name string
	Region   string
	Template string // its text
	// Parameters and Tags are those that the application gives.
	Parameters, Tags map[string]string
	Protect          bool // termination protection
	Assets           []Asset
	// Bootstrap is the least version of the bootstrap resources that it asks for, 0
	// for none, and VersionParameter the SSM parameter that tells theirs.
	Bootstrap        int
	VersionParameter string
	// Needs are the IDs of the stacks that have to be there before.
	Needs []string
}

// Asset is a file or folder that has to be in a bucket before a stack is deployed.
type Asset struct {
	Name        string
	Path        string // on this disk
	Zip         bool   // it is packed into a zip file
	Bucket, Key string
	Region      string // of the bucket; "" for the stack's
}

type manifest struct {
	Artifacts map[string]artifact `json:"artifacts"`
	Missing   []struct {
		Key      string `json:"key"`
		Provider string `json:"provider"`
	} `json:"missing"`
}

type artifact struct {
	Type         string   `json:"type"`
	Environment  string   `json:"environment"`
	DisplayName  string   `json:"displayName"`
	Dependencies []string `json:"dependencies"`
	Properties   struct {
		File                  string            `json:"file"`
		DirectoryName         string            `json:"directoryName"`
		TemplateFile          string            `json:"templateFile"`
		StackName             string            `json:"stackName"`
		Parameters            map[string]string `json:"parameters"`
		Tags                  map[string]string `json:"tags"`
		TerminationProtection bool              `json:"terminationProtection"`
		Bootstrap             int               `json:"requiresBootstrapStackVersion"`
		VersionParameter      string            `json:"bootstrapStackVersionSsmParameter"`
		NotificationARNs      []string          `json:"notificationArns"`
	} `json:"properties"`
}

// Read reads the assembly in a folder, for an account and a region, which stand
// for those that the application leaves open. What this server cannot do with an
// assembly is refused by name: container images, values to be looked up, and
// stacks of other accounts.
func Read(dir, account, region string) (*Assembly, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("the application made no assembly: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, manifestFile), err)
	}
	if len(m.Missing) > 0 {
		return nil, fmt.Errorf("the application looks up %s (%s) in an account: run cdk synth, which writes what it finds into cdk.context.json", m.Missing[0].Key, m.Missing[0].Provider)
	}
	out := &Assembly{}
	for _, id := range order(m.Artifacts) {
		switch a := m.Artifacts[id]; a.Type {
		case "aws:cloudformation:stack":
			s, err := stack(dir, id, a, m, account, region)
			if err != nil {
				return nil, fmt.Errorf("the stack %s: %w", id, err)
			}
			out.Stacks = append(out.Stacks, s)
		case "cdk:cloud-assembly":
			inner, err := Read(filepath.Join(dir, a.Properties.DirectoryName), account, region)
			if err != nil {
				return nil, err
			}
			out.Stacks = append(out.Stacks, inner.Stacks...)
		}
	}
	return out, nil
}

// order sorts artifacts by name, those that others depend on before these.
func order(all map[string]artifact) []string {
	var out []string
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		a, ok := all[id]
		if seen[id] || !ok {
			return
		}
		seen[id] = true
		for _, d := range slices.Sorted(slices.Values(a.Dependencies)) {
			visit(d)
		}
		out = append(out, id)
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		visit(id)
	}
	return out
}

func stack(dir, id string, a artifact, m manifest, account, region string) (*Stack, error) {
	p := a.Properties
	where := strings.Split(strings.TrimPrefix(a.Environment, "aws://"), "/")
	if len(where) != 2 {
		return nil, fmt.Errorf("its environment %q is not aws://ACCOUNT/REGION", a.Environment)
	}
	if where[0] != "unknown-account" && where[0] != account {
		return nil, fmt.Errorf("it is for the account %s, and the server's is %s; give it process.env.CDK_DEFAULT_ACCOUNT, or no environment", where[0], account)
	}
	if where[1] != "unknown-region" {
		region = where[1]
	}
	if len(p.NotificationARNs) > 0 {
		return nil, fmt.Errorf("notificationArns are not supported: there are no topics to notify")
	}
	text, err := os.ReadFile(filepath.Join(dir, p.TemplateFile))
	if err != nil {
		return nil, err
	}
	s := &Stack{
		ID: id, Name: p.StackName, Region: region, Template: string(text), Parameters: p.Parameters, Tags: p.Tags, Protect: p.TerminationProtection,
		Bootstrap: p.Bootstrap, VersionParameter: p.VersionParameter,
	}
	if a.DisplayName != "" {
		s.ID = a.DisplayName
	}
	if s.Name == "" {
		s.Name = id
	}
	for _, d := range a.Dependencies {
		switch other := m.Artifacts[d]; other.Type {
		case "aws:cloudformation:stack":
			if other.DisplayName != "" {
				d = other.DisplayName
			}
			s.Needs = append(s.Needs, d)
		case "cdk:asset-manifest":
			assets, err := assets(dir, other.Properties.File, account, region)
			if err != nil {
				return nil, err
			}
			s.Assets = append(s.Assets, assets...)
		}
	}
	return s, nil
}

// assets reads a manifest of assets.
func assets(dir, file, account, region string) ([]Asset, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	var doc struct {
		Files map[string]struct {
			DisplayName string `json:"displayName"`
			Source      struct {
				Path       string   `json:"path"`
				Packaging  string   `json:"packaging"`
				Executable []string `json:"executable"`
			} `json:"source"`
			Destinations map[string]struct {
				Bucket string `json:"bucketName"`
				Key    string `json:"objectKey"`
				Region string `json:"region"`
			} `json:"destinations"`
		} `json:"files"`
		Images map[string]struct {
			DisplayName string `json:"displayName"`
		} `json:"dockerImages"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, id := range slices.Sorted(maps.Keys(doc.Images)) {
		return nil, fmt.Errorf("the container image %s is not built: there is nothing here to build images with; push it to the registry with docker or buildah and name it with fromEcr", named(doc.Images[id].DisplayName, id))
	}
	places := strings.NewReplacer("${AWS::AccountId}", account, "${AWS::Region}", region, "${AWS::Partition}", "aws")
	var out []Asset
	for _, id := range slices.Sorted(maps.Keys(doc.Files)) {
		f := doc.Files[id]
		name := named(f.DisplayName, id)
		if len(f.Source.Executable) > 0 {
			return nil, fmt.Errorf("the asset %s is made by a command of its own, which is not supported", name)
		}
		if f.Source.Packaging != "zip" && f.Source.Packaging != "file" && f.Source.Packaging != "" {
			return nil, fmt.Errorf("the asset %s has the packaging %q, which is neither zip nor file", name, f.Source.Packaging)
		}
		path := f.Source.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		for _, d := range slices.Sorted(maps.Keys(f.Destinations)) {
			to := f.Destinations[d]
			out = append(out, Asset{
				Name: name, Path: path, Zip: f.Source.Packaging == "zip",
				Bucket: places.Replace(to.Bucket), Key: places.Replace(to.Key), Region: places.Replace(to.Region),
			})
		}
	}
	return out, nil
}

func named(name, id string) string {
	if name == "" {
		return id
	}
	return name
}
