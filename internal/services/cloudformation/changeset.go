package cloudformation

import (
	"context"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) changeSetBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateChangeSet, onStack(s, "cloudformation:CreateChangeSet", func(in *api.CreateChangeSetInput) *string { return in.StackName },
			func(in *api.CreateChangeSetInput) (map[string][]string, string) {
				k := conditionKeys(in.TemplateURL, in.RoleARN, in.Tags, in.ResourceTypes)
				k["cloudformation:changesetname"] = []string{opt.Val(in.ChangeSetName)}
				return k, opt.Val(in.RoleARN)
			}), s.createChangeSet),
		call.Bind(api.DescribeChangeSet, onChangeSet(s, "cloudformation:DescribeChangeSet", func(in *api.DescribeChangeSetInput) (_, _ *string) { return in.ChangeSetName, in.StackName }), s.describeChangeSet),
		call.Bind(api.DescribeChangeSetHooks, onChangeSet(s, "cloudformation:DescribeChangeSetHooks", func(in *api.DescribeChangeSetHooksInput) (_, _ *string) { return in.ChangeSetName, in.StackName }), s.describeChangeSetHooks),
		call.Bind(api.ExecuteChangeSet, onChangeSet(s, "cloudformation:ExecuteChangeSet", func(in *api.ExecuteChangeSetInput) (_, _ *string) { return in.ChangeSetName, in.StackName }), s.executeChangeSet),
		call.Bind(api.DeleteChangeSet, onChangeSet(s, "cloudformation:DeleteChangeSet", func(in *api.DeleteChangeSetInput) (_, _ *string) { return in.ChangeSetName, in.StackName }), s.deleteChangeSet),
		call.Bind(api.ListChangeSets, onStack(s, "cloudformation:ListChangeSets", func(in *api.ListChangeSetsInput) *string { return in.StackName }, nil), s.listChangeSets),
	}
}

// onChangeSet is the rule of operations on one change set: the resource is its
// stack, the change set's name a condition key.
func onChangeSet[I any](s *Service, action string, names func(*I) (set, stack *string)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		set, stack := names(in)
		sc := scopeOf(rq)
		keys := map[string][]string{"cloudformation:changesetname": {changeSetName(opt.Val(set))}}
		if stack == nil {
			// Only the change set's id is given; it does not name its stack.
			c, err := s.changeSet(ctx, sc, opt.Val(set), "")
			if err != nil || c == nil {
				return []call.Need{{Action: action, Resource: arn.Make("cloudformation", sc.Region, sc.Account, "stack/*/*"), Keys: keys}}, err
			}
			return []call.Need{{Action: action, Resource: c.Stack, Keys: keys}}, nil
		}
		r, err := s.stackResource(ctx, rq, *stack)
		return []call.Need{{Action: action, Resource: r, Keys: keys}}, err
	}, action)
}

// changeSetName returns the name in a change set's id, or a name as it is.
func changeSetName(nameOrID string) string {
	if i := strings.Index(nameOrID, ":changeSet/"); i >= 0 && isChangeSetID(nameOrID) {
		name, _, _ := strings.Cut(nameOrID[i+len(":changeSet/"):], "/")
		return name
	}
	return nameOrID
}

// changeSet finds a change set by its id, or by its name and its stack; nil if
// there is none.
func (s *Service) changeSet(ctx context.Context, sc scope, nameOrID, stack string) (c *changeSetRecord, err error) {
	name := changeSetName(nameOrID)
	err = s.view(ctx, func(rd data.Reader) error {
		if stack != "" {
			st, err := sc.find(rd, stack)
			if err != nil {
				return err
			}
			if st == nil && isChangeSetID(nameOrID) { // of a nested stack that is to be made
				return sc.changeSetByID(rd, nameOrID, &c)
			}
			if st == nil {
				return fault.Of(fault.Validation, "Stack [%s] does not exist", stack)
			}
			c, err = get[changeSetRecord](rd, sc.changeSetKey(st.ID, name))
			if c != nil && isChangeSetID(nameOrID) && c.ID != nameOrID {
				c = nil
			}
			return err
		}
		if !isChangeSetID(nameOrID) {
			return fault.Of(fault.Validation, "StackName must be specified if ChangeSetName is not specified as an ARN.")
		}
		return sc.changeSetByID(rd, nameOrID, &c)
	})
	return c, err
}

func (sc scope) changeSetByID(rd data.Reader, id string, into **changeSetRecord) error {
	all, err := list[changeSetRecord](rd, sc.key("changeset"))
	for _, x := range all {
		if x.ID == id {
			*into = x
		}
	}
	return err
}

func (s *Service) namedChangeSet(ctx context.Context, rq *call.Authorized, set, stack *string) (*changeSetRecord, error) {
	c, err := s.changeSet(ctx, scopeOf(rq.Decoded), opt.Val(set), opt.Val(stack))
	if err == nil && c == nil {
		err = api.ChangeSetNotFoundException("ChangeSet [%s] does not exist", opt.Val(set))
	}
	return c, err
}

// noChanges is the reason of a change set that would change nothing. Clients look
// for it.
const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

func (s *Service) createChangeSet(ctx context.Context, rq *call.Authorized, in *api.CreateChangeSetInput) (*api.CreateChangeSetOutput, error) {
	sc, name, set := scopeOf(rq.Decoded), opt.Val(in.StackName), opt.Val(in.ChangeSetName)
	kind := opt.Or(in.ChangeSetType, api.ChangeSetTypeUpdate)
	switch {
	case kind != api.ChangeSetTypeImport && len(in.ResourcesToImport) > 0:
		return nil, fault.Of(fault.Validation, "ResourcesToImport can only be specified for change sets of the type IMPORT")
	case kind == api.ChangeSetTypeImport && opt.Val(in.ImportExistingResources):
		return nil, fault.Of(fault.Validation, "ImportExistingResources cannot be specified for change sets of the type IMPORT")
	case in.DeploymentMode != nil:
		return nil, fault.Of(fault.Validation, "DeploymentMode %s is not supported yet", *in.DeploymentMode)
	}
	st, prior, recs, err := s.present(ctx, sc, name)
	if err != nil {
		return nil, err
	}
	if st != nil && st.Status == api.StackStatusDeleteComplete {
		st = nil
	}
	id := ""
	switch {
	case kind != api.ChangeSetTypeUpdate && st == nil && !isStackID(name):
		if err := checkStackName(name); err != nil {
			return nil, err
		}
		id = stackARN(sc, name, s.d.IDs.UUID())
	case st == nil:
		return nil, fault.Of(fault.Validation, "Stack [%s] does not exist", name)
	case kind == api.ChangeSetTypeCreate && st.Status != api.StackStatusReviewInProgress:
		return nil, fault.Of(fault.Validation, "Stack [%s] already exists and cannot be created again with the changeSet [%s].", st.Name, set)
	case kind == api.ChangeSetTypeImport && st.Status == api.StackStatusReviewInProgress:
		id, name = st.ID, st.Name
	case kind != api.ChangeSetTypeCreate && !updatable(st.Status):
		return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
	default:
		id, name = st.ID, st.Name
	}
	if kind == api.ChangeSetTypeCreate {
		prior, recs = nil, nil
	}
	w := wanted{
		body: in.TemplateBody, url: in.TemplateURL, previous: opt.Val(in.UsePreviousTemplate), params: in.Parameters, capabilities: in.Capabilities,
		resourceTypes: in.ResourceTypes, tags: in.Tags, role: in.RoleARN, rollback: in.RollbackConfiguration, notifications: in.NotificationARNs,
	}
	spec, p, err := s.prepare(ctx, rq, w, prior, name, id)
	if err != nil {
		return nil, err
	}
	c := &changeSetRecord{
		V: version, ID: arn.Make("cloudformation", sc.Region, sc.Account, "changeSet/"+set+"/"+s.d.IDs.UUID()), Name: set,
		Stack: id, StackName: name, Description: opt.Val(in.Description), Type: kind, OnFailure: opt.Val(in.OnStackFailure),
		Status: api.ChangeSetStatusCreateComplete, Execute: api.ExecutionStatusAvailable, Created: s.d.Clock.Now(),
		Spec: *spec, Template: p.tmpl.Description, Token: opt.Val(in.ClientToken),
		Nests: opt.Val(in.IncludeNestedStacks), Adopts: opt.Val(in.ImportExistingResources),
	}
	if c.Changes, err = p.compare(recs, prior, spec); err != nil {
		return nil, err
	}
	if kind == api.ChangeSetTypeImport {
		if c.Import, err = p.toImport(in.ResourcesToImport, recs); err != nil {
			return nil, err
		}
		if c.Changes, err = imports(c.Changes, c.Import); err != nil {
			return nil, err
		}
	}
	if opt.Val(in.ImportExistingResources) {
		if c.Import, err = s.adopt(ctx, rq, st, c, p); err != nil {
			return nil, err
		}
	}
	if kind == api.ChangeSetTypeUpdate && len(c.Changes) == 0 && finishedWell(st.Status) && !p.outputsChanged(recs, st.Outputs) {
		c.Status, c.Reason, c.Execute = api.ChangeSetStatusFailed, noChanges, api.ExecutionStatusUnavailable
	}
	var nested []*changeSetRecord
	if c.Nests && c.Status == api.ChangeSetStatusCreateComplete {
		if nested, err = s.nestSets(ctx, rq, c, w); err != nil {
			return nil, err
		}
	}
	if same, err := s.storeChangeSet(ctx, rq, sc, st, c, nested); err != nil || same != nil {
		return same, err
	}
	return &api.CreateChangeSetOutput{Id: new(c.ID), StackId: new(id)}, nil
}

// storeChangeSet stores a change set, and the stack that it is to create.
func (s *Service) storeChangeSet(ctx context.Context, rq *call.Authorized, sc scope, st *stackRecord, c *changeSetRecord, nested []*changeSetRecord) (same *api.CreateChangeSetOutput, err error) {
	store := func(tx data.Txn) error {
		for _, n := range nested {
			if err := put(tx, sc.changeSetKey(n.Stack, n.Name), n); err != nil {
				return err
			}
		}
		return put(tx, sc.changeSetKey(c.Stack, c.Name), c)
	}
	also := func(tx data.Txn) error {
		old, err := get[changeSetRecord](tx, sc.changeSetKey(c.Stack, c.Name))
		if err != nil {
			return err
		}
		if old != nil {
			if c.Token != "" && c.Token == old.Token {
				same = &api.CreateChangeSetOutput{Id: new(old.ID), StackId: new(old.Stack)}
				return nil
			}
			// The name of one that was executed is free again: the AWS CLI names
			// its change sets by the second.
			if old.Execute == api.ExecutionStatusExecuteComplete {
				return store(tx)
			}
			return api.AlreadyExistsException("ChangeSet %s cannot be created because a changeSet with the same name already exists", c.Name)
		}
		return store(tx)
	}
	if st != nil {
		return same, s.d.Store.Update(ctx, func(tx data.Txn) error { same = nil; return also(tx) })
	}
	now := s.d.Clock.Now()
	fresh := &stackRecord{
		V: version, scope: sc, ID: c.Stack, Name: c.StackName, Status: api.StackStatusReviewInProgress, Reason: "User Initiated",
		Created: now, Spec: s.d.IDs.UUID(), OnFailure: api.OnFailureRollback, Description: c.Template,
		Op: operation{ID: s.d.IDs.UUID(), Kind: "review", Started: now, Caller: caller(rq, c.Spec.Role)},
	}
	return nil, s.begin(ctx, rq, fresh, nil, true, also)
}

// changesPerPage is how many changes one answer has at most.
const changesPerPage = 100

func (s *Service) describeChangeSet(ctx context.Context, rq *call.Authorized, in *api.DescribeChangeSetInput) (*api.DescribeChangeSetOutput, error) {
	c, err := s.namedChangeSet(ctx, rq, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	from := 0
	if in.NextToken != nil {
		after, err := page.After(*in.NextToken)
		if from, _ = strconv.Atoi(after); err != nil || from <= 0 || from > len(c.Changes) {
			return nil, fault.Of(fault.Validation, "Invalid NextToken")
		}
	}
	to := min(from+changesPerPage, len(c.Changes))
	out := &api.DescribeChangeSetOutput{
		ChangeSetName: new(c.Name), ChangeSetId: new(c.ID), StackId: new(c.Stack), StackName: new(c.StackName), Description: opt.NonZero(c.Description),
		Parameters: shownParams(&c.Spec), CreationTime: new(c.Created), ExecutionStatus: new(c.Execute), Status: new(c.Status), StatusReason: opt.NonZero(c.Reason),
		NotificationARNs: []string{}, RollbackConfiguration: &api.RollbackConfiguration{}, Capabilities: c.Spec.Capabilities, Tags: tagList(c.Spec.Tags),
		Changes: []api.Change{}, IncludeNestedStacks: new(c.Nests), ImportExistingResources: new(c.Adopts), OnStackFailure: opt.NonZero(c.OnFailure),
		ParentChangeSetId: opt.NonZero(c.Parent), RootChangeSetId: opt.NonZero(c.Root),
	}
	for i := from; i < to; i++ {
		out.Changes = append(out.Changes, c.Changes[i].describe(opt.Val(in.IncludePropertyValues)))
	}
	if to < len(c.Changes) {
		out.NextToken = new(page.Token(strconv.Itoa(to)))
	}
	return out, nil
}

func (c *change) describe(values bool) api.Change {
	rc := &api.ResourceChange{
		Action: new(c.Action), LogicalResourceId: new(c.Logical), PhysicalResourceId: opt.NonZero(c.Physical), ResourceType: new(c.Type),
		Replacement: opt.NonZero(c.Replacement), PolicyAction: opt.NonZero(c.Policy), Scope: append([]string{}, c.Scope...), Details: []api.ResourceChangeDetail{},
		ChangeSetId: opt.NonZero(c.Set),
	}
	if values {
		rc.BeforeContext, rc.AfterContext = opt.NonZero(c.Before), opt.NonZero(c.After)
	}
	for _, d := range c.Details {
		t := &api.ResourceTargetDefinition{Attribute: new(d.Attribute), Name: opt.NonZero(d.Name), RequiresRecreation: new(opt.Or(opt.NonZero(d.Recreation), api.RequiresRecreationNever))}
		if d.Name != "" && values {
			t.Path, t.AttributeChangeType = new("/Properties/"+d.Name), opt.NonZero(d.Mutated)
			t.BeforeValue, t.AfterValue = opt.NonZero(d.Before), opt.NonZero(d.After)
		}
		rc.Details = append(rc.Details, api.ResourceChangeDetail{Target: t, Evaluation: new(d.Evaluation), ChangeSource: opt.NonZero(d.Source), CausingEntity: opt.NonZero(d.Cause)})
	}
	return api.Change{Type: new(api.ChangeTypeResource), ResourceChange: rc}
}

func (s *Service) executeChangeSet(ctx context.Context, rq *call.Authorized, in *api.ExecuteChangeSetInput) (*api.ExecuteChangeSetOutput, error) {
	sc := scopeOf(rq.Decoded)
	c, err := s.namedChangeSet(ctx, rq, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	if err := c.ofRoot("executed"); err != nil {
		return nil, err
	}
	st, err := s.taken(ctx, sc, c.Stack)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, api.ChangeSetNotFoundException("ChangeSet [%s] does not exist", c.ID)
	}
	token := opt.Val(in.ClientRequestToken)
	if token != "" && st.ChangeSet == c.ID && st.Op.Token == token {
		return &api.ExecuteChangeSetOutput{}, nil
	}
	if c.Execute != api.ExecutionStatusAvailable {
		return nil, api.InvalidChangeSetStatusException("ChangeSet [%s] cannot be executed in its current status of [%s]", c.ID, c.Status)
	}
	if in.DisableRollback != nil && c.OnFailure != "" {
		return nil, fault.Of(fault.Validation, "You may specify either OnStackFailure or DisableRollback, but not both.")
	}
	disable := opt.Val(in.DisableRollback) || c.OnFailure == api.OnStackFailureDoNothing
	if c.Type == api.ChangeSetTypeImport {
		if !updatable(st.Status) && st.Status != api.StackStatusReviewInProgress {
			return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
		}
		if st.Status == api.StackStatusReviewInProgress {
			st.Spec = "" // there is nothing to go back to
		}
		as := st.Spec
		s.update(st, rq, &c.Spec, token, false, false)
		st.Prior, st.Op.Since = as, nil // what failed before is not the import's to take back
		st.Status, st.Op.Kind = api.StackStatusImportInProgress, "import"
	} else if c.Type == api.ChangeSetTypeUpdate {
		if !updatable(st.Status) {
			return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
		}
		s.update(st, rq, &c.Spec, token, disable, opt.Val(in.RetainExceptOnCreate))
	} else {
		if st.Status != api.StackStatusReviewInProgress {
			return nil, fault.Of(fault.Validation, "Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
		}
		st.Status, st.Reason, st.Description = api.StackStatusCreateInProgress, "User Initiated", c.Template
		if st.OnFailure = opt.Or(opt.NonZero(c.OnFailure), api.OnFailureRollback); disable {
			st.OnFailure = api.OnFailureDoNothing
		}
		st.Op = operation{
			ID: s.d.IDs.UUID(), Kind: "create", Token: token, Started: s.d.Clock.Now(), Caller: caller(rq, c.Spec.Role),
			DeleteRetained: opt.Val(in.RetainExceptOnCreate),
		}
	}
	st.ChangeSet, st.Op.Import = c.ID, c.Import
	err = s.begin(ctx, rq, st, &c.Spec, false, func(tx data.Txn) error {
		// The others were made for the stack as it was.
		all, err := list[changeSetRecord](tx, sc.key("changeset", st.ID))
		if err != nil {
			return err
		}
		for _, x := range all {
			switch {
			case x.ID == c.ID && x.Execute != api.ExecutionStatusAvailable:
				return api.InvalidChangeSetStatusException("ChangeSet [%s] cannot be executed in its current status of [%s]", c.ID, x.Execute)
			case x.ID == c.ID:
				x.Execute = api.ExecutionStatusExecuteComplete
				if err := sc.dropNested(tx, x); err != nil {
					return err
				}
				err = put(tx, sc.changeSetKey(st.ID, x.Name), x)
			default:
				if err := sc.dropNested(tx, x); err != nil {
					return err
				}
				err = tx.Delete(sc.changeSetKey(st.ID, x.Name))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ExecuteChangeSetOutput{}, nil
}

func (s *Service) deleteChangeSet(ctx context.Context, rq *call.Authorized, in *api.DeleteChangeSetInput) (*api.DeleteChangeSetOutput, error) {
	sc := scopeOf(rq.Decoded)
	c, err := s.changeSet(ctx, sc, opt.Val(in.ChangeSetName), opt.Val(in.StackName))
	if err != nil || c == nil { // one that is gone already is fine
		return &api.DeleteChangeSetOutput{}, err
	}
	if err := c.ofRoot("deleted"); err != nil {
		return nil, err
	}
	return &api.DeleteChangeSetOutput{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		if err := sc.dropNested(tx, c); err != nil {
			return err
		}
		return tx.Delete(sc.changeSetKey(c.Stack, c.Name))
	})
}

func (s *Service) listChangeSets(ctx context.Context, rq *call.Authorized, in *api.ListChangeSetsInput) (*api.ListChangeSetsOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.ListChangeSetsOutput{Summaries: []api.ChangeSetSummary{}}
	err := s.view(ctx, func(rd data.Reader) error {
		st, err := sc.find(rd, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
		}
		all, next, err := pageOf[changeSetRecord](rd, sc.key("changeset", st.ID), in.NextToken, 100)
		for _, c := range all {
			out.Summaries = append(out.Summaries, api.ChangeSetSummary{
				StackId: new(c.Stack), StackName: new(c.StackName), ChangeSetId: new(c.ID), ChangeSetName: new(c.Name), ExecutionStatus: new(c.Execute),
				Status: new(c.Status), StatusReason: opt.NonZero(c.Reason), CreationTime: new(c.Created), Description: opt.NonZero(c.Description), IncludeNestedStacks: new(c.Nests),
				ParentChangeSetId: opt.NonZero(c.Parent), RootChangeSetId: opt.NonZero(c.Root),
			})
		}
		out.NextToken = next
		return err
	})
	return out, err
}
