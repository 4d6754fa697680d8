package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/graph"
)

// Stack policies say which resources an update may change, replace or delete.
// Once a stack has one, what it does not allow is denied, and it cannot be taken
// away again, only replaced.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html

func (s *Service) stackPolicyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.SetStackPolicy, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.SetStackPolicyInput) ([]call.Need, error) {
			r, err := s.stackResource(ctx, rq, opt.Val(in.StackName))
			return []call.Need{{Action: "cloudformation:SetStackPolicy", Resource: r, Keys: withPolicyURL(map[string][]string{}, in.StackPolicyURL)}}, err
		}, "cloudformation:SetStackPolicy"), s.setStackPolicy),
		call.Bind(api.GetStackPolicy, onStack(s, "cloudformation:GetStackPolicy", func(in *api.GetStackPolicyInput) *string { return in.StackName }, nil), s.getStackPolicy),
	}
}

// withPolicyURL adds the condition key of a stack policy's address.
func withPolicyURL(keys map[string][]string, url *string) map[string][]string {
	if url != nil {
		keys["cloudformation:stackpolicyurl"] = []string{*url}
	}
	return keys
}

// maxStackPolicy is the longest a stack policy may be, in bytes.
const maxStackPolicy = 16_384

// What a stack policy may allow.
const (
	updateModify  = "Update:Modify"
	updateReplace = "Update:Replace"
	updateDelete  = "Update:Delete"
)

type stackPolicy struct {
	Statement []policyStatement
}

type policyStatement struct {
	Effect                string
	Principal             any
	Action, NotAction     stringList
	Resource, NotResource stringList
	Condition             map[string]map[string]stringList
}

// stringList is one string, or a list of some.
type stringList []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *stringList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = stringList{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// parseStackPolicy reads a policy and checks its form.
func parseStackPolicy(text string) (*stackPolicy, error) {
	wrong := func(format string, args ...any) error {
		return fault.Of(fault.Validation, "Error validating stack policy: "+format, args...)
	}
	var doc struct {
		Version, ID any
		Statement   json.RawMessage
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil || dec.More() {
		return nil, wrong("Invalid stack policy")
	}
	p := &stackPolicy{}
	read := func(into any) error {
		d := json.NewDecoder(strings.NewReader(string(doc.Statement)))
		d.DisallowUnknownFields()
		return d.Decode(into)
	}
	if len(doc.Statement) > 0 && doc.Statement[0] == '{' {
		p.Statement = make([]policyStatement, 1)
		if err := read(&p.Statement[0]); err != nil {
			return nil, wrong("Invalid stack policy: %v", err)
		}
	} else if err := read(&p.Statement); err != nil {
		return nil, wrong("Invalid stack policy: %v", err)
	}
	for _, st := range p.Statement {
		if st.Effect != "Allow" && st.Effect != "Deny" {
			return nil, wrong("Unknown effect: %s", st.Effect)
		}
		principal := st.Principal
		if m, ok := principal.(map[string]any); ok && len(m) == 1 {
			principal = m["AWS"]
		}
		if principal != "*" {
			return nil, wrong("Principal must be \"*\"")
		}
		if (len(st.Action) == 0) == (len(st.NotAction) == 0) {
			return nil, wrong("A statement must have either Action or NotAction")
		}
		for _, a := range append(append(stringList{}, st.Action...), st.NotAction...) {
			if a != "*" && a != "Update:*" && a != updateModify && a != updateReplace && a != updateDelete {
				return nil, wrong("Unknown action: %s", a)
			}
		}
		if (len(st.Resource) == 0) == (len(st.NotResource) == 0) {
			return nil, wrong("A statement must have either Resource or NotResource")
		}
		for _, r := range append(append(stringList{}, st.Resource...), st.NotResource...) {
			if r != "*" && !strings.HasPrefix(r, "LogicalResourceId/") {
				return nil, wrong("Unknown resource: %s. Resources are named LogicalResourceId/ID", r)
			}
		}
		for op, keys := range st.Condition {
			if op != "StringEquals" && op != "StringLike" {
				return nil, wrong("Unsupported condition operator: %s", op)
			}
			for k := range keys {
				if k != "ResourceType" {
					return nil, wrong("Unsupported condition key: %s", k)
				}
			}
		}
	}
	return p, nil
}

// wildcard matches * and ? in a pattern.
func wildcard(pattern, s string) bool {
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '*':
			for j := 0; j <= len(s); j++ {
				if wildcard(pattern[i+1:], s[j:]) {
					return true
				}
			}
			return false
		case s == "" || pattern[i] != '?' && pattern[i] != s[0]:
			return false
		}
		s = s[1:]
	}
	return s == ""
}

func (t stringList) matches(s string) bool {
	for _, x := range t {
		if wildcard(x, s) {
			return true
		}
	}
	return false
}

// applies reports whether a statement speaks of an action on a resource.
func (st *policyStatement) applies(action, id, kind string) bool {
	if len(st.Action) > 0 && !st.Action.matches(action) || len(st.NotAction) > 0 && st.NotAction.matches(action) {
		return false
	}
	what := "LogicalResourceId/" + id
	if len(st.Resource) > 0 && !st.Resource.matches(what) || len(st.NotResource) > 0 && st.NotResource.matches(what) {
		return false
	}
	for op, keys := range st.Condition {
		types := keys["ResourceType"]
		if op == "StringEquals" && !contains(types, kind) || op == "StringLike" && !types.matches(kind) {
			return false
		}
	}
	return true
}

// denies says why a policy does not let an action happen to a resource, "" if it does.
func (p *stackPolicy) denies(action, id, kind string) string {
	allowed := false
	for i, st := range p.Statement {
		if !st.applies(action, id, kind) {
			continue
		}
		if st.Effect == "Deny" {
			return fmt.Sprintf("Action denied by stack policy: Statement [#%d] does not allow [%s] for resource [%s];", i+1, action, "LogicalResourceId/"+id)
		}
		allowed = true
	}
	if allowed {
		return ""
	}
	return fmt.Sprintf("Action not allowed by stack policy: no statement allows [%s] for resource [%s]", action, "LogicalResourceId/"+id)
}

// stackPolicyText reads the policy that a request carries or points to; "" if none.
func (s *Service) stackPolicyText(ctx context.Context, rq *call.Authorized, body, url *string) (string, error) {
	var text string
	switch {
	case body != nil && url != nil:
		return "", fault.Of(fault.Validation, "You cannot specify both StackPolicyURL and StackPolicyBody")
	case body != nil:
		text = *body
	case url != nil:
		var err error
		if text, err = s.object(ctx, rq, *url, maxStackPolicy, "StackPolicyURL", "Stack policy"); err != nil {
			return "", err
		}
	default:
		return "", nil
	}
	if len(text) > maxStackPolicy {
		return "", fault.Of(fault.Validation, "1 validation error detected: Value at 'stackPolicyBody' failed to satisfy constraint: Member must have length less than or equal to %d", maxStackPolicy)
	}
	_, err := parseStackPolicy(text)
	return text, err
}

func (s *Service) setStackPolicy(ctx context.Context, rq *call.Authorized, in *api.SetStackPolicyInput) (*call.None, error) {
	sc := scopeOf(rq.Decoded)
	text, err := s.stackPolicyText(ctx, rq, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, fault.Of(fault.Validation, "Either StackPolicyBody or StackPolicyURL must be specified.")
	}
	return &call.None{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		st, err := sc.find(tx, opt.Val(in.StackName))
		if err != nil {
			return err
		}
		if st == nil || st.Status == api.StackStatusDeleteComplete {
			return fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
		}
		// A running operation holds the record in memory and would write over it.
		if !deletable(st.Status) {
			return fault.Of(fault.Validation, "Stack:%s is in %s state and its policy can not be set.", st.ID, st.Status)
		}
		st.Policy = text
		return put(tx, sc.stackKey(st.ID), st)
	})
}

func (s *Service) getStackPolicy(ctx context.Context, rq *call.Authorized, in *api.GetStackPolicyInput) (*api.GetStackPolicyOutput, error) {
	st, err := s.taken(ctx, scopeOf(rq.Decoded), opt.Val(in.StackName))
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, fault.Of(fault.Validation, "Stack [%s] does not exist", opt.Val(in.StackName))
	}
	return &api.GetStackPolicyOutput{StackPolicyBody: opt.NonZero(st.Policy)}, nil
}

// denied says why the stack's policy keeps the update from an action, "" if it
// does not.
func (r *run) denied(action, id, kind string) string {
	if r.st.Op.Kind != "update" || r.st.Op.Policy == "" {
		return ""
	}
	p, err := parseStackPolicy(r.st.Op.Policy)
	if err != nil {
		return "Action not allowed by stack policy: " + err.Error()
	}
	return p.denies(action, id, kind)
}

// removalsDenied fails the resources that the update would remove and the stack's
// policy keeps.
func (r *run) removalsDenied(ctx context.Context) error {
	if r.st.Op.Kind != "update" || r.st.Op.Policy == "" {
		return nil
	}
	var gone []string
	for id, rec := range r.recs {
		if !r.plan.active[id] && rec.Physical != "" && !contains(r.st.Op.Failed, id) {
			gone = append(gone, id)
		}
	}
	sort.Strings(gone)
	for _, id := range gone {
		rec := r.rec(id)
		why := r.denied(updateDelete, id, rec.Type)
		if why == "" {
			continue
		}
		rec.touch(&r.st.Op)
		rec.Status, rec.Reason = api.ResourceStatusUpdateFailed, why
		if _, err := r.fails(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// refused fails a resource's step if the stack's policy does not let it happen.
func (r *run) refused(ctx context.Context, rec *resourceRecord, action string) (refused bool, v graph.Verdict, err error) {
	why := r.denied(action, rec.ID, rec.Type)
	if why == "" {
		return false, v, nil
	}
	rec.Status, rec.Reason = api.ResourceStatusUpdateFailed, why
	v, err = r.fails(ctx, rec)
	return true, v, err
}
