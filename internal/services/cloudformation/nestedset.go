package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// nestedName is the type of nested stacks.
const nestedName = "AWS::CloudFormation::Stack"

// nestSets makes the change sets of the stacks that parent's changes make or update,
// and of those nested in them, and notes them in the changes. They say what would
// happen; it is their root that is executed. A stack whose parameters are not known
// before others exist has a change set as far as what is known allows one.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/change-sets-for-nested-stacks.html
func (s *Service) nestSets(ctx context.Context, rq *call.Authorized, parent *changeSetRecord, w wanted) (all []*changeSetRecord, err error) {
	sc := scopeOf(rq.Decoded)
	for i := range parent.Changes {
		ch := &parent.Changes[i]
		if ch.Type != nestedName || ch.Action == api.ChangeActionRemove {
			continue
		}
		var after struct {
			Properties struct {
				TemplateURL string
				Parameters  map[string]any
			}
		}
		if err := json.Unmarshal([]byte(asContext(ch.becomes)), &after); err != nil {
			return nil, fmt.Errorf("cloudformation: read the change of %s: %w", ch.Logical, err)
		}
		if strings.Contains(after.Properties.TemplateURL, afterwards) {
			continue
		}
		id, name := ch.Physical, stackNameOf(ch.Physical)
		var prior *specRecord
		var recs map[string]*resourceRecord
		if id == "" {
			name = parent.StackName + "-" + ch.Logical
			id = stackARN(sc, name, s.d.IDs.UUID())
		} else if _, prior, recs, err = s.present(ctx, sc, id); err != nil {
			return nil, err
		}
		inner := w
		inner.body, inner.previous, inner.resourceTypes = nil, false, nil
		inner.url, inner.params = &after.Properties.TemplateURL, nil
		open := false
		for _, k := range slices.Sorted(maps.Keys(after.Properties.Parameters)) {
			v, _ := template.Text(after.Properties.Parameters[k])
			if strings.Contains(v, afterwards) {
				open = true
				if prior == nil {
					continue // its default, if it has one
				}
				v = prior.Params[k]
			}
			inner.params = append(inner.params, api.Parameter{ParameterKey: new(k), ParameterValue: new(v)})
		}
		spec, p, err := s.prepare(ctx, rq, inner, prior, name, id)
		if err != nil {
			f := fault.As(err)
			switch {
			case f == nil:
				return nil, err
			case open:
				continue // what is not known may be what is wrong
			}
			return nil, fault.Of(fault.Validation, "Nested change set of %s was not successfully created: %s", ch.Logical, f.Message)
		}
		set := parent.Name + "-" + ch.Logical
		c := &changeSetRecord{
			V: version, ID: arn.Make("cloudformation", sc.Region, sc.Account, "changeSet/"+set+"/"+s.d.IDs.UUID()), Name: set, Stack: id, StackName: name,
			Type: parent.Type, OnFailure: parent.OnFailure, Status: api.ChangeSetStatusCreateComplete, Execute: api.ExecutionStatusAvailable, Created: parent.Created,
			Spec: *spec, Template: p.tmpl.Description, Nests: true, Parent: parent.ID, Root: parent.ID,
		}
		if parent.Root != "" {
			c.Root = parent.Root
		}
		if c.Changes, err = p.compare(recs, prior, spec); err != nil {
			return nil, err
		}
		below, err := s.nestSets(ctx, rq, c, w)
		if err != nil {
			return nil, err
		}
		ch.Set = c.ID
		all = append(append(all, c), below...)
	}
	return all, nil
}

// dropNested deletes the change sets that belong to a root. It is called when the root
// has been executed or is deleted.
func (sc scope) dropNested(tx data.Txn, root *changeSetRecord) error {
	if !root.Nests {
		return nil
	}
	all, err := list[changeSetRecord](tx, sc.key("changeset"))
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Root != root.ID {
			continue
		}
		if err := tx.Delete(sc.changeSetKey(c.Stack, c.Name)); err != nil {
			return err
		}
	}
	return nil
}

// ofRoot refuses what can only be done with a root.
func (c *changeSetRecord) ofRoot(what string) error {
	if c.Root == "" {
		return nil
	}
	return fault.Of(fault.Validation, "ChangeSet [%s] is a nested change set. Only its root change set [%s] can be %s.", c.ID, c.Root, what)
}
