package cloudformation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// Nested stacks.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html

type nestedProperties struct {
	TemplateURL      string            `cfn:"TemplateURL,required"`
	Parameters       map[string]string `cfn:"Parameters"`
	TimeoutInMinutes *int32            `cfn:"TimeoutInMinutes,replace"`
	Tags             []nestedTag       `cfn:"Tags"`

	_ any `cfn:"NotificationARNs,refused"`
}

type nestedTag struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

func (p *nestedProperties) parameters() (out []api.Parameter) {
	for _, k := range slices.Sorted(maps.Keys(p.Parameters)) {
		out = append(out, api.Parameter{ParameterKey: &k, ParameterValue: new(p.Parameters[k])})
	}
	return out
}

func (p *nestedProperties) tags(rq *resource.Request) []api.Tag {
	all := maps.Clone(rq.StackTags)
	if all == nil {
		all = map[string]string{}
	}
	for _, t := range p.Tags {
		all[t.Key] = t.Value
	}
	return tagList(all)
}

// maxStackName is the length of the longest name of a stack.
const maxStackName = 128

// parent reads the stack that a nested one belongs to, and its capabilities, which
// hold for the nested one too. One that is made by itself has none.
func (s *Service) parent(ctx context.Context, rq *resource.Request) (st *stackRecord, capabilities []string, err error) {
	sc := scope{rq.Account, rq.Region}
	if rq.StackID == "" {
		return &stackRecord{scope: sc}, nil, nil
	}
	err = s.view(ctx, func(rd data.Reader) error {
		if st, err = get[stackRecord](rd, sc.stackKey(rq.StackID)); err != nil || st == nil {
			return err
		}
		spec, err := get[specRecord](rd, sc.specKey(st.ID, st.Spec))
		if spec != nil {
			capabilities = spec.Capabilities
		}
		return err
	})
	if err == nil && st == nil {
		err = fmt.Errorf("cloudformation: the stack %s is gone", rq.StackID)
	}
	return st, capabilities, err
}

func (s *Service) createNested(ctx context.Context, rq *resource.Request, p *nestedProperties) (resource.State, error) {
	st, capabilities, err := s.parent(ctx, rq)
	if err != nil {
		return resource.State{}, err
	}
	name, sc := rq.Name(maxStackName), st.scope
	if st.ID != "" {
		err = s.d.Store.Update(ctx, func(tx data.Txn) error {
			return put(tx, sc.nestKey(name), &nestRecord{V: version, Parent: st.ID, Root: st.root()})
		})
		if err != nil {
			return resource.State{}, err
		}
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateStack, &api.CreateStackInput{
		StackName: &name, TemplateURL: &p.TemplateURL, Parameters: p.parameters(), Tags: p.tags(rq), Capabilities: capabilities,
		TimeoutInMinutes: p.TimeoutInMinutes, ClientRequestToken: &rq.Token,
	})
	if err != nil {
		return resource.State{}, err
	}
	return s.nested(ctx, sc, *out.StackId, "created", api.StackStatusCreateComplete)
}

func (s *Service) updateNested(ctx context.Context, rq *resource.Request, id string, _, p *nestedProperties) (resource.State, error) {
	st, capabilities, err := s.parent(ctx, rq)
	if err != nil {
		return resource.State{ID: id}, err
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateStack, &api.UpdateStackInput{
		StackName: &id, TemplateURL: &p.TemplateURL, Parameters: p.parameters(), Tags: p.tags(rq), Capabilities: capabilities, ClientRequestToken: &rq.Token,
	})
	if f := fault.As(err); f != nil && strings.HasPrefix(f.Message, "No updates are to be performed") {
		return s.nested(ctx, st.scope, id, "updated", api.StackStatusCreateComplete, api.StackStatusUpdateComplete, api.StackStatusUpdateRollbackComplete)
	}
	if err != nil {
		return resource.State{ID: id}, err
	}
	return s.nested(ctx, st.scope, id, "updated", api.StackStatusUpdateComplete)
}

// deleteNested deletes a nested stack; by force if its parent is, and if it cannot be
// deleted without.
func (s *Service) deleteNested(ctx context.Context, rq *resource.Request, id string, _ *nestedProperties) error {
	sc := scope{rq.Account, rq.Region}
	remove := func(token string, mode *string) error {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteStack, &api.DeleteStackInput{StackName: &id, ClientRequestToken: &token, DeletionMode: mode})
		if err == nil {
			_, err = s.nested(ctx, sc, id, "deleted", api.StackStatusDeleteComplete)
		}
		return err
	}
	failed := remove(rq.Token, nil)
	if failed == nil {
		return nil
	}
	st, _, err := s.parent(ctx, rq)
	if err != nil || !st.Op.Force {
		return failed
	}
	if inner, _, _, err := s.present(ctx, sc, id); err != nil || inner == nil || inner.Status != api.StackStatusDeleteFailed {
		return failed
	}
	return remove(rq.Token+"-force", new(api.DeletionModeForceDeleteStack))
}

// asResource is what a nested stack gives its parent.
func (st *stackRecord) asResource() resource.State {
	values := map[string]any{}
	for _, o := range st.Outputs {
		values[o.Key] = o.Value
	}
	return resource.State{ID: st.ID, Attributes: map[string]any{"Outputs": values, "StackId": st.ID}}
}

// readNested reads a nested stack. Of its parameters those are its own whose values
// are not the template's defaults, or that p sets.
func (s *Service) readNested(ctx context.Context, rq *resource.Request, id string, p *nestedProperties) (*nestedProperties, resource.State, error) {
	if _, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeStacks, &api.DescribeStacksInput{StackName: &id}); err != nil {
		if f := fault.As(err); f != nil && strings.HasSuffix(f.Message, "does not exist") {
			err = nil
		}
		return nil, resource.State{}, err
	}
	st, spec, _, err := s.present(ctx, scope{rq.Account, rq.Region}, id)
	if err != nil || st == nil || spec == nil || st.Status == api.StackStatusDeleteComplete {
		return nil, resource.State{}, err
	}
	out := &nestedProperties{TimeoutInMinutes: opt.NonZero(st.Timeout)}
	var doc struct {
		Parameters map[string]struct{ Default any }
	}
	if err := decode([]byte(spec.Processed), &doc); err != nil {
		return nil, resource.State{}, err
	}
	for k, v := range spec.Params {
		_, set := p.Parameters[k]
		if usual, ok := template.Text(doc.Parameters[k].Default); ok && usual == v && !set {
			continue
		}
		if contains(spec.Hidden, k) && v != p.Parameters[k] {
			v = hidden
		}
		if out.Parameters == nil {
			out.Parameters = map[string]string{}
		}
		out.Parameters[k] = v
	}
	for _, k := range slices.Sorted(maps.Keys(spec.Tags)) {
		out.Tags = append(out.Tags, nestedTag{k, spec.Tags[k]})
	}
	return out, st.asResource(), nil
}

// nest makes a stack that exists one that is nested in parent, or in none; what is
// nested in it gets the same root.
func (s *Service) nest(ctx context.Context, sc scope, id, parent, root string) error {
	return s.d.Store.Update(ctx, func(tx data.Txn) error {
		all, err := list[stackRecord](tx, sc.key("stack"))
		if err != nil {
			return err
		}
		for _, st := range all {
			switch {
			case st.ID == id && parent != "" && st.Parent != "" && st.Parent != parent:
				return &saidError{fmt.Sprintf("Stack [%s] is nested in another stack already", id)}
			case st.ID == id && !finished(st.Status):
				return &saidError{fmt.Sprintf("Stack:%s is in %s state and can not be imported.", id, st.Status)}
			case st.ID == id:
				st.Parent, st.Root = parent, root
			case st.Root == id && parent != "":
				st.Root = root
			default:
				continue
			}
			if err := put(tx, sc.stackKey(st.ID), st); err != nil {
				return err
			}
		}
		return nil
	})
}

func listNested(ctx context.Context, rq *resource.Request, _ *nestedProperties) (ids []string, err error) {
	in := &api.DescribeStacksInput{}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeStacks, in)
		if err != nil {
			return nil, err
		}
		for _, st := range out.Stacks {
			ids = append(ids, *st.StackId)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return ids, nil
		}
	}
}

// nestedLook is how often a nested stack is looked at whose operation another
// start of the server has not taken up yet.
const nestedLook = 20 * time.Millisecond

// nested waits for the end of a nested stack's operation, which must leave it in
// one of the statuses wanted.
func (s *Service) nested(ctx context.Context, sc scope, id, done string, wanted ...string) (resource.State, error) {
	out := resource.State{ID: id}
	for {
		// The job comes first: one that ends after this look has written what the
		// next one reads, and who looked the other way around would wait for the
		// clock after its end.
		s.plane.mu.Lock()
		job := s.plane.jobs[id]
		s.plane.mu.Unlock()
		var st *stackRecord
		err := s.view(ctx, func(rd data.Reader) (err error) {
			st, err = get[stackRecord](rd, sc.stackKey(id))
			return err
		})
		switch {
		case err != nil:
			return out, err
		case st == nil || st.Status == api.StackStatusDeleteComplete:
			if slices.Contains(wanted, api.StackStatusDeleteComplete) {
				return out, nil
			}
			return out, &saidError{fmt.Sprintf("Embedded stack %s was not successfully %s: it is deleted", id, done)}
		case slices.Contains(wanted, st.Status):
			return st.asResource(), nil
		case finished(st.Status):
			reason := st.Reason
			if len(st.Op.Failed) > 0 && reason == "" {
				slices.Sort(st.Op.Failed)
				reason = "The following resource(s) failed: [" + strings.Join(st.Op.Failed, ", ") + "]. "
			}
			if done == "updated" {
				return out, &saidError{fmt.Sprintf("Embedded stack %s was not successfully updated. Currently in %s with reason: %s", id, st.Status, reason)}
			}
			return out, &saidError{fmt.Sprintf("Embedded stack %s was not successfully %s: %s", id, done, reason)}
		}
		var later <-chan time.Time
		if job == nil {
			later = s.d.Clock.After(nestedLook)
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-job:
		case <-later:
		}
	}
}
