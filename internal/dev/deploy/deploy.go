// Package deploy brings an application from this disk to a server and keeps it
// in step with its sources: build, package, upload, deploy through CloudFormation,
// follow the logs, swap what changes.
package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/dev/client"
)

// Reporter is told what happens, for a person to follow.
type Reporter interface {
	// Step begins a step: "Building BookTicket: go build".
	Step(text string)
	// Done ends the present step with what came of it.
	Done(text string)
	// Changes is what an update of a stack will do.
	Changes([]client.Change)
	// Event is a step of the stack.
	Event(client.Event)
	// Line is a line of a function's log.
	Line(function, text string)
	// Problem is something that went wrong and does not end the work.
	Problem(err error)
}

// Up is an application on its way.
type Up struct {
	Client     *client.Client
	Builder    *build.Builder
	Report     Reporter
	Path       string // folder or template
	Text       string // the template itself, if it is not in a file; its paths start from the folder Path
	Stack      string
	Parameters map[string]string
	Tags       map[string]string // of the stack
	Role       string            // as whom CloudFormation acts; "": as the caller
	Account    string
	Debug      string // the function that is built for a debugger, by its logical id or its name

	mu       sync.Mutex
	app      *application
	packages map[string]*build.Package // by logical id
	physical map[string]string         // physical ids by logical id
	stack    *client.Stack
	bucket   bool // the artifact bucket exists
}

// Deploy builds and deploys once.
func (u *Up) Deploy(ctx context.Context) (*client.Stack, error) {
	app, err := u.read()
	if err != nil {
		return nil, err
	}
	packages, err := u.build(ctx, app.functions)
	if err != nil {
		return nil, err
	}
	places := map[string]location{}
	for id, p := range packages {
		if places[id], err = u.upload(ctx, p); err != nil {
			return nil, fmt.Errorf("upload the package of %s: %w", id, err)
		}
	}
	text, err := app.rewrite(places)
	if err != nil {
		return nil, err
	}
	u.Report.Step("Deploying the stack " + u.Stack)
	began := time.Now()
	d := client.Deployment{Stack: u.Stack, Template: text, Parameters: u.Parameters, Tags: u.Tags, Role: u.Role, Changes: u.Report.Changes}
	if len(text) > client.MaxTemplateBody {
		if d.TemplateURL, err = u.template(ctx, text); err != nil {
			return nil, fmt.Errorf("upload the template: %w", err)
		}
	}
	stack, err := u.Client.Deploy(ctx, d, u.Report.Event)
	unchanged := errors.Is(err, client.ErrNoChange)
	if err != nil && !unchanged {
		return nil, placed(app.path, err)
	}
	if unchanged {
		u.Report.Done("The stack " + u.Stack + " is up to date")
	} else {
		u.Report.Done(fmt.Sprintf("Deployed the stack %s in %s", u.Stack, round(time.Since(began))))
	}
	resources, err := u.Client.Resources(ctx, u.Stack)
	if err != nil {
		return nil, err
	}
	physical := map[string]string{}
	for _, r := range resources {
		physical[r.LogicalID] = r.PhysicalID
	}
	u.mu.Lock()
	u.app, u.packages, u.physical, u.stack = app, packages, physical, stack
	u.mu.Unlock()
	for _, s := range app.sites {
		if err := u.publish(ctx, s); err != nil {
			return nil, err
		}
	}
	return stack, nil
}

// placed is an error of a template with its place as editors follow it: path:line:column.
func placed(path string, err error) error {
	var line, column int
	_, at, ok := strings.Cut(err.Error(), "(line ")
	if !ok {
		return err
	}
	if _, serr := fmt.Sscanf(at, "%d, column %d)", &line, &column); serr != nil {
		return err // these words are of something else
	}
	return fmt.Errorf("%s:%d:%d: %w", path, line, column, err)
}

func (u *Up) read() (*application, error) {
	path, text := filepath.Join(u.Path, names[0]), []byte(u.Text)
	if u.Text == "" {
		var err error
		if path, err = Find(u.Path); err != nil {
			return nil, err
		}
		if text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	app, err := parse(path, text)
	if err != nil {
		return nil, placed(path, err)
	}
	for i := range app.functions {
		f := &app.functions[i]
		f.Debug = u.Debug != "" && (f.LogicalID == u.Debug || f.Name == u.Debug)
	}
	return app, nil
}

// build builds the functions, those of one source and method once.
func (u *Up) build(ctx context.Context, functions []build.Function) (map[string]*build.Package, error) {
	out := map[string]*build.Package{}
	shared := map[string]*build.Package{}
	for _, f := range functions {
		method := f.Method
		if method == "" {
			method = f.Runtime
		}
		props, err := json.Marshal(f.Properties)
		if err != nil {
			return nil, err
		}
		key := strings.Join([]string{f.Source, method, f.Architecture, string(props), fmt.Sprint(f.Layer, f.SkipBuild, f.Debug)}, "\x00")
		if method == "makefile" || strings.HasPrefix(f.Runtime, "provided") {
			key += f.LogicalID // a Makefile has a target for each
		} else if f.Runtime == "go1.x" {
			key += f.Handler
		}
		if shared[key] == nil {
			u.Report.Step("Building " + f.LogicalID)
			began := time.Now()
			p, err := u.Builder.Build(ctx, f)
			if err != nil {
				return nil, err
			}
			shared[key] = p
			u.Report.Done(fmt.Sprintf("Built %s in %s", f.LogicalID, round(time.Since(began))))
		}
		out[f.LogicalID] = shared[key]
	}
	return out, nil
}

func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// template puts a template into the bucket of artefacts and returns its address.
func (u *Up) template(ctx context.Context, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	at, err := u.put(ctx, hex.EncodeToString(sum[:])+".template", "text/plain", []byte(text))
	return u.Client.Endpoint + "/" + at.bucket + "/" + at.key, err
}

// upload puts a package into the bucket of artefacts under its hash.
func (u *Up) upload(ctx context.Context, p *build.Package) (location, error) {
	return u.put(ctx, p.Hash+".zip", "application/zip", p.Zip)
}

// put puts a file into the bucket of artefacts, unless there is one of that name.
func (u *Up) put(ctx context.Context, name, kind string, body []byte) (location, error) {
	at := location{bucket: "tierra-artifacts-" + u.Account + "-" + u.Client.Region, key: u.Stack + "/" + name}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.bucket {
		if err := u.Client.CreateBucket(ctx, at.bucket); err != nil {
			return at, err
		}
		u.bucket = true
	}
	there, err := u.Client.HasObject(ctx, at.bucket, at.key)
	if err != nil || there {
		return at, err
	}
	return at, u.Client.PutObject(ctx, at.bucket, at.key, kind, body)
}

// publish uploads a website's folder and, where asked, the stack's outputs.
func (u *Up) publish(ctx context.Context, s site) error {
	bucket := u.physical[s.LogicalID]
	err := filepath.WalkDir(s.Folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".DS_Store" {
			return err
		}
		rel, err := filepath.Rel(s.Folder, p)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		kind := mime.TypeByExtension(filepath.Ext(p))
		return u.Client.PutObject(ctx, bucket, filepath.ToSlash(rel), kind, body)
	})
	if err != nil {
		return fmt.Errorf("publish %s to %s: %w", s.Folder, s.LogicalID, err)
	}
	if s.Outputs == "" || u.stack == nil {
		return nil
	}
	outputs := map[string]string{}
	for _, o := range u.stack.Outputs {
		outputs[o.Key] = o.Value
	}
	body, err := json.MarshalIndent(outputs, "", "  ")
	if err != nil {
		return err
	}
	return u.Client.PutObject(ctx, bucket, s.Outputs, "application/json", body)
}

// Functions returns the physical names of the application's functions by
// logical id, those that the template makes without code of this disk included.
func (u *Up) Functions(ctx context.Context) (map[string]string, error) {
	resources, err := u.Client.Resources(ctx, u.Stack)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range resources {
		if r.Type == "AWS::Lambda::Function" {
			out[r.LogicalID] = r.PhysicalID
		}
	}
	return out, nil
}

// Source returns the folder that a function is built from, by its logical id, or
// "" if nothing of this disk is.
func (u *Up) Source(id string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, f := range u.app.functions {
		if f.LogicalID == id {
			return f.Source
		}
	}
	return ""
}

// Tail passes the functions' logs on until ctx ends.
func (u *Up) Tail(ctx context.Context, since time.Time) error {
	functions, err := u.Functions(ctx)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for id, name := range functions {
		wg.Go(func() {
			err := u.Client.Tail(ctx, "/aws/lambda/"+name, since, func(l client.Line) {
				u.Report.Line(id, strings.TrimRight(l.Message, "\n"))
			})
			if ctx.Err() == nil {
				u.Report.Problem(fmt.Errorf("the log of %s: %w", id, err))
			}
		})
	}
	wg.Wait()
	return nil
}

// swap rebuilds functions and puts their new code in the place of the old,
// without the stack: the next deployment of the template finds the same package.
func (u *Up) swap(ctx context.Context, functions []build.Function) {
	for _, f := range functions {
		began := time.Now()
		p, err := u.Builder.Build(ctx, f)
		if err != nil {
			u.Report.Problem(err)
			continue
		}
		u.mu.Lock()
		old, name := u.packages[f.LogicalID], u.physical[f.LogicalID]
		u.mu.Unlock()
		if old != nil && old.Hash == p.Hash {
			continue
		}
		at, err := u.upload(ctx, p)
		if err == nil {
			err = u.Client.REST(ctx, "lambda", "PUT", "/2015-03-31/functions/"+url.PathEscape(name)+"/code",
				map[string]any{"S3Bucket": at.bucket, "S3Key": at.key}, nil)
		}
		if err != nil {
			u.Report.Problem(fmt.Errorf("swap the code of %s: %w", f.LogicalID, err))
			continue
		}
		u.mu.Lock()
		u.packages[f.LogicalID] = p
		u.mu.Unlock()
		u.Report.Done(fmt.Sprintf("Swapped %s in %s", f.LogicalID, round(time.Since(began))))
	}
}
