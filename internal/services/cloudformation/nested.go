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
)

// Nested stacks.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html

type nestedProperties struct {
	TemplateURL      string            `cfn:"TemplateURL,required"`
	Parameters       map[string]string `cfn:"Parameters"`
	TimeoutInMinutes *int32            `cfn:"TimeoutInMinutes,replace"`
	Tags             []struct {
		Key   string `cfn:"Key,required"`
		Value string `cfn:"Value,required"`
	} `cfn:"Tags"`
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
// hold for the nested one too.
func (s *Service) parent(ctx context.Context, rq *resource.Request) (st *stackRecord, capabilities []string, err error) {
	sc := scope{rq.Account, rq.Region}
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
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		return put(tx, sc.nestKey(name), &nestRecord{V: version, Parent: st.ID, Root: st.root()})
	})
	if err != nil {
		return resource.State{}, err
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

func (s *Service) deleteNested(ctx context.Context, rq *resource.Request, id string, _ *nestedProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteStack, &api.DeleteStackInput{StackName: &id, ClientRequestToken: &rq.Token})
	if err != nil {
		return err
	}
	_, err = s.nested(ctx, scope{rq.Account, rq.Region}, id, "deleted", api.StackStatusDeleteComplete)
	return err
}

// nestedLook is how often a nested stack is looked at whose operation another
// start of the server has not taken up yet.
const nestedLook = 20 * time.Millisecond

// nested waits for the end of a nested stack's operation, which must leave it in
// one of the statuses wanted.
func (s *Service) nested(ctx context.Context, sc scope, id, done string, wanted ...string) (resource.State, error) {
	out := resource.State{ID: id}
	for {
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
			values := map[string]any{}
			for _, o := range st.Outputs {
				values[o.Key] = o.Value
			}
			out.Attributes = map[string]any{"Outputs": values}
			return out, nil
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
		s.plane.mu.Lock()
		job := s.plane.jobs[id]
		s.plane.mu.Unlock()
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
