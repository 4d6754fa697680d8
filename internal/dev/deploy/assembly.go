package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/dev/cdk"
	"github.com/tierra-cloud/tierra/internal/dev/client"
)

// CDK is an application of the AWS Cloud Development Kit on its way. It does what
// `cdk deploy` and `cdk watch` do, with the key that the client signs with instead
// of the roles of the bootstrap stack.
type CDK struct {
	// Client makes a client for a region.
	Client func(region string) *client.Client
	Run    cdk.Run
	Report Reporter
	Dir    string // that holds cdk.json
	// Only names the one stack to deploy, with those that it needs; "" means all.
	Only string
	// Parameters are values of parameters, by name or as STACK:NAME.
	Parameters      map[string]string
	Account, Region string
	Path            string // the variable PATH

	app    *cdk.App
	mu     sync.Mutex
	stacks []*cdk.Stack // as they are deployed
	ready  map[string]bool
}

// Deploy makes the assembly and deploys its stacks.
func (c *CDK) Deploy(ctx context.Context) ([]*client.Stack, error) {
	app, err := cdk.Load(c.Dir)
	if err != nil {
		return nil, err
	}
	c.app = app
	for _, name := range app.Unused {
		c.Report.Problem(fmt.Errorf("%s: the setting %s is not one that tierra up acts on", cdk.File, name))
	}
	stacks, err := c.synth(ctx)
	if err != nil {
		return nil, err
	}
	var out []*client.Stack
	for _, s := range stacks {
		done, err := c.deploy(ctx, s)
		if err != nil {
			return out, err
		}
		out = append(out, done)
	}
	c.mu.Lock()
	c.stacks = stacks
	c.mu.Unlock()
	return out, nil
}

// synth makes the assembly and chooses its stacks.
func (c *CDK) synth(ctx context.Context) ([]*cdk.Stack, error) {
	c.Report.Step("Synthesizing the application")
	began := time.Now()
	a, err := c.app.Synth(ctx, c.Run, c.Path, c.Account, c.Region)
	if err != nil {
		return nil, err
	}
	stacks := a.Stacks
	if c.Only != "" {
		needed := map[string]bool{}
		for _, s := range slices.Backward(stacks) { // those that are needed stand before
			if s.Name == c.Only || s.ID == c.Only || needed[s.ID] {
				needed[s.ID] = true
				for _, n := range s.Needs {
					needed[n] = true
				}
			}
		}
		stacks = slices.DeleteFunc(stacks, func(s *cdk.Stack) bool { return !needed[s.ID] })
	}
	if len(stacks) == 0 {
		return nil, fmt.Errorf("the application has no stack %s", c.Only)
	}
	c.Report.Done(fmt.Sprintf("Synthesized %d stacks in %s", len(stacks), round(time.Since(began))))
	return stacks, nil
}

// deploy publishes what a stack needs and deploys it.
func (c *CDK) deploy(ctx context.Context, s *cdk.Stack) (*client.Stack, error) {
	if err := c.publish(ctx, s); err != nil {
		return nil, err
	}
	d := client.Deployment{Stack: s.Name, Template: s.Template, Parameters: maps.Clone(s.Parameters), Tags: s.Tags, Protect: s.Protect, Changes: c.Report.Changes}
	if d.Parameters == nil {
		d.Parameters = map[string]string{}
	}
	var t struct {
		Parameters map[string]any
	}
	if err := json.Unmarshal([]byte(s.Template), &t); err != nil {
		return nil, fmt.Errorf("the template of %s: %w", s.ID, err)
	}
	for name := range t.Parameters {
		for _, key := range []string{name, s.Name + ":" + name} {
			if v, ok := c.Parameters[key]; ok {
				d.Parameters[name] = v
			}
		}
	}
	at := c.Client(s.Region)
	if len(s.Template) > client.MaxTemplateBody {
		for _, a := range s.Assets {
			if text, err := os.ReadFile(a.Path); err == nil && string(text) == s.Template {
				d.TemplateURL = at.Endpoint + "/" + a.Bucket + "/" + a.Key
			}
		}
	}
	c.Report.Step("Deploying the stack " + s.Name)
	began := time.Now()
	done, err := at.Deploy(ctx, d, c.Report.Event)
	switch {
	case errors.Is(err, client.ErrNoChange):
		c.Report.Done("The stack " + s.Name + " is up to date")
	case err != nil:
		return nil, err
	default:
		c.Report.Done(fmt.Sprintf("Deployed the stack %s in %s", s.Name, round(time.Since(began))))
	}
	return done, nil
}

// publish brings a stack's assets where its template looks for them.
func (c *CDK) publish(ctx context.Context, s *cdk.Stack) error {
	for _, a := range s.Assets {
		region := a.Region
		if region == "" {
			region = s.Region
		}
		at := c.Client(region)
		if key := region + "/" + a.Bucket; !c.ready[key] {
			if err := c.bootstrap(ctx, at, s, a.Bucket); err != nil {
				return err
			}
			if c.ready == nil {
				c.ready = map[string]bool{}
			}
			c.ready[key] = true
		}
		there, err := at.HasObject(ctx, a.Bucket, a.Key)
		if err != nil {
			return fmt.Errorf("look for the asset %s: %w", a.Name, err)
		}
		if there { // its name is its content's hash
			continue
		}
		body, err := content(a)
		if err != nil {
			return fmt.Errorf("the asset %s: %w", a.Name, err)
		}
		if err := at.PutObject(ctx, a.Bucket, a.Key, "", body); err != nil {
			return fmt.Errorf("upload the asset %s: %w", a.Name, err)
		}
	}
	return nil
}

func content(a cdk.Asset) ([]byte, error) {
	if a.Zip {
		return build.Zip(a.Path)
	}
	return os.ReadFile(a.Path)
}

// toolkit is what `cdk bootstrap` makes, as far as deploying with a key of one's
// own goes: `cdk bootstrap` updates this stack to its own template, with roles.
const toolkit = `{
  "Description": "The bucket that applications of the AWS CDK are deployed from, and the version of the bootstrap resources",
  "Parameters": {"FileAssetsBucketName": {"Type": "String"}, "VersionParameter": {"Type": "String"}, "Version": {"Type": "String"}},
  "Resources": {
    "StagingBucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"BucketName": {"Ref": "FileAssetsBucketName"}}},
    "CdkBootstrapVersion": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": {"Ref": "VersionParameter"}, "Value": {"Ref": "Version"}}}
  },
  "Outputs": {
    "BucketName": {"Value": {"Ref": "StagingBucket"}},
    "BucketDomainName": {"Value": {"Fn::GetAtt": ["StagingBucket", "RegionalDomainName"]}},
    "BootstrapVersion": {"Value": {"Fn::GetAtt": ["CdkBootstrapVersion", "Value"]}}
  }
}`

// bootstrap makes the stack of the bootstrap resources, unless the bucket that it
// is for is there.
func (c *CDK) bootstrap(ctx context.Context, at *client.Client, s *cdk.Stack, bucket string) error {
	there, err := at.HasBucket(ctx, bucket)
	if err != nil || there {
		return err
	}
	old, err := at.Stack(ctx, c.app.Toolkit)
	if err != nil {
		return err
	}
	if old != nil {
		return fmt.Errorf("there is no bucket %s, which the assets of the stack %s go to; the bootstrap stack %s has another", bucket, s.Name, c.app.Toolkit)
	}
	parameter := s.VersionParameter
	if parameter == "" {
		parameter = "/cdk-bootstrap/hnb659fds/version"
	}
	c.Report.Step("Bootstrapping " + at.Region)
	_, err = at.Deploy(ctx, client.Deployment{Stack: c.app.Toolkit, Template: toolkit, Parameters: map[string]string{
		"FileAssetsBucketName": bucket, "VersionParameter": parameter, "Version": fmt.Sprint(max(s.Bootstrap, 6)),
	}}, func(client.Event) {})
	if err != nil {
		return fmt.Errorf("bootstrap %s: %w", at.Region, err)
	}
	c.Report.Done("Bootstrapped " + at.Region + ": the stack " + c.app.Toolkit)
	return nil
}

// Tail passes the functions' logs on until ctx ends.
func (c *CDK) Tail(ctx context.Context, since time.Time) error {
	var wg sync.WaitGroup
	for _, s := range c.stacks {
		u := &Up{Client: c.Client(s.Region), Report: c.Report, Stack: s.Name}
		wg.Go(func() {
			if err := u.Tail(ctx, since); err != nil && ctx.Err() == nil {
				c.Report.Problem(err)
			}
		})
	}
	wg.Wait()
	return nil
}

// Functions returns the physical names of the functions of all stacks by logical
// id, and by the ids of their constructs where these are known.
func (c *CDK) Functions(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	for _, s := range c.stacks {
		found, err := (&Up{Client: c.Client(s.Region), Stack: s.Name}).Functions(ctx)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
		var t struct {
			Resources map[string]struct {
				Metadata map[string]any
			}
		}
		if err := json.Unmarshal([]byte(s.Template), &t); err != nil {
			return nil, err
		}
		for id, name := range found {
			path, _ := t.Resources[id].Metadata["aws:cdk:path"].(string) // Stack/Construct/Resource
			if construct, ok := strings.CutSuffix(path, "/Resource"); ok {
				all[construct] = name
				all[construct[strings.LastIndexByte(construct, '/')+1:]] = name
			}
		}
	}
	return all, nil
}

// Watch acts on changes of the application's files until ctx ends: it makes the
// assembly anew, and swaps the code of functions where nothing else has changed,
// or deploys what has. It calls watching once no change can be missed any more.
func (c *CDK) Watch(ctx context.Context, watching func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the sources: %w", err)
	}
	defer w.Close()
	if err := c.arm(w); err != nil {
		return err
	}
	watching()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			c.Report.Problem(fmt.Errorf("watch the sources: %w", err))
		case e := <-w.Events:
			if e.Op != fsnotify.Chmod && !ignored(e.Name) && c.app.Watches(e.Name) {
				timer.Reset(quiet)
			}
		case <-timer.C:
			if err := c.again(ctx); err != nil && ctx.Err() == nil {
				c.Report.Problem(err)
			}
			if err := c.arm(w); err != nil {
				c.Report.Problem(err)
			}
		}
	}
}

// arm watches the application's folders.
func (c *CDK) arm(w *fsnotify.Watcher) error {
	return filepath.WalkDir(c.app.Dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return nil // it may have gone meanwhile
		case !c.app.Enters(p):
			return fs.SkipDir
		}
		return w.Add(p)
	})
}

// again makes the assembly anew and deploys what has changed.
func (c *CDK) again(ctx context.Context) error {
	app, err := cdk.Load(c.Dir)
	if err != nil {
		return err
	}
	c.app = app
	stacks, err := c.synth(ctx)
	if err != nil {
		return err
	}
	for i, s := range stacks {
		var old *cdk.Stack
		if j := slices.IndexFunc(c.stacks, func(o *cdk.Stack) bool { return o.Name == s.Name && o.Region == s.Region }); j >= 0 {
			old = c.stacks[j]
		}
		switch codes, only := changedCode(old, s); {
		case only && len(codes) == 0:
		case only:
			err = c.swap(ctx, s, codes)
		default:
			_, err = c.deploy(ctx, s)
		}
		if err != nil {
			// What comes after it is as it was, and so is it: the next change tries again.
			for k := i; k < len(stacks); k++ {
				j := slices.IndexFunc(c.stacks, func(o *cdk.Stack) bool { return o.Name == stacks[k].Name && o.Region == stacks[k].Region })
				if j >= 0 {
					stacks[k] = c.stacks[j]
				}
			}
			break
		}
	}
	c.mu.Lock()
	c.stacks = stacks
	c.mu.Unlock()
	return err
}

// code is where the code of a function is.
type code struct{ bucket, key string }

// changedCode returns the functions whose code is another than before, by logical
// id, and whether that is all that has changed.
func changedCode(old, new *cdk.Stack) (map[string]code, bool) {
	if old == nil || !maps.Equal(old.Tags, new.Tags) || !maps.Equal(old.Parameters, new.Parameters) || old.Protect != new.Protect {
		return nil, false
	}
	var a, b map[string]any
	if json.Unmarshal([]byte(old.Template), &a) != nil || json.Unmarshal([]byte(new.Template), &b) != nil {
		return nil, false
	}
	before, after := takeCode(a), takeCode(b)
	if !reflect.DeepEqual(a, b) {
		return nil, false
	}
	out := map[string]code{}
	for id, key := range after {
		if before[id] == key {
			continue
		}
		i := slices.IndexFunc(new.Assets, func(x cdk.Asset) bool { return x.Key == key })
		if i < 0 {
			return nil, false
		}
		out[id] = code{new.Assets[i].Bucket, key}
	}
	return out, true
}

// takeCode takes the keys of the functions' code out of a template, and what goes
// with them.
func takeCode(template map[string]any) map[string]string {
	out := map[string]string{}
	for id, v := range object(template["Resources"]) {
		r := object(v)
		if r["Type"] != "AWS::Lambda::Function" {
			continue
		}
		at := object(object(r["Properties"])["Code"])
		if key, ok := at["S3Key"].(string); ok {
			out[id] = key
			delete(at, "S3Key")
			delete(object(r["Metadata"]), "aws:asset:path")
		}
	}
	return out
}

// swap puts new code in the place of the old, without the stack: its next
// deployment brings its template up to date.
func (c *CDK) swap(ctx context.Context, s *cdk.Stack, codes map[string]code) error {
	began := time.Now()
	if err := c.publish(ctx, s); err != nil {
		return err
	}
	at := c.Client(s.Region)
	names, err := (&Up{Client: at, Stack: s.Name}).Functions(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(codes)) {
		err := at.REST(ctx, "lambda", "PUT", "/2015-03-31/functions/"+url.PathEscape(names[id])+"/code",
			map[string]any{"S3Bucket": codes[id].bucket, "S3Key": codes[id].key}, nil)
		if err != nil {
			return fmt.Errorf("swap the code of %s: %w", id, err)
		}
		c.Report.Done(fmt.Sprintf("Swapped %s in %s", id, round(time.Since(began))))
	}
	return nil
}
