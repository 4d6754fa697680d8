package lambda

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (s *Service) permissionBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.AddPermission, on("lambda:AddPermission", func(in *api.AddPermissionRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.addPermission),
		call.Bind(api.RemovePermission, on("lambda:RemovePermission", func(in *api.RemovePermissionRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.removePermission),
		call.Bind(api.GetPolicy, on("lambda:GetPolicy", func(in *api.GetPolicyRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getPolicy),
	}
}

// maxPolicy is the greatest size of a resource policy, in bytes.
const maxPolicy = 20 << 10

// document is the whole policy as JSON.
func (p *resourcePolicy) document() ([]byte, error) {
	doc := struct {
		Version   string
		ID        string `json:"Id"`
		Statement []json.RawMessage
	}{Version: "2012-10-17", ID: "default"}
	for _, st := range p.Statements {
		doc.Statement = append(doc.Statement, st.Text)
	}
	return json.Marshal(doc)
}

func (p *resourcePolicy) parse() (*policy.Policy, error) {
	doc, err := p.document()
	if err != nil {
		return nil, err
	}
	return policy.Parse(doc)
}

// statementText is one statement in the order in which AWS writes it.
type statementText struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// condition adds a condition on a key, if there is a value for it.
func (x *statementText) condition(operator, key string, value *string) {
	if value == nil {
		return
	}
	if x.Condition == nil {
		x.Condition = map[string]map[string]string{}
	}
	if x.Condition[operator] == nil {
		x.Condition[operator] = map[string]string{}
	}
	x.Condition[operator][key] = *value
}

func (x statementText) statement() (statement, error) {
	raw, err := json.Marshal(x)
	return statement{x.Sid, raw}, err
}

// add appends a statement.
func (p *resourcePolicy) add(st statement, revision string) error {
	for _, old := range p.Statements {
		if old.ID == st.ID {
			return api.ResourceConflictException("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.ID).With("Type", "User")
		}
	}
	p.Revision, p.Statements = revision, append(p.Statements, st)
	doc, err := p.document()
	if err != nil {
		return err
	}
	if len(doc) > maxPolicy {
		return api.PolicyLengthExceededException("The final policy size (%d) is bigger than the limit (%d).", len(doc), maxPolicy).With("Type", "User")
	}
	if _, err := policy.Parse(doc); err != nil {
		return api.InvalidParameterValueException("The provided principal was invalid. Please check the principal and try again.")
	}
	return nil
}

// remove takes a statement away.
func (p *resourcePolicy) remove(id, revision string) error {
	i := slices.IndexFunc(p.Statements, func(st statement) bool { return st.ID == id })
	if i < 0 {
		return api.ResourceNotFoundException("Statement %s is not found in resource policy.", id).With("Type", "User")
	}
	p.Statements, p.Revision = slices.Delete(p.Statements, i, i+1), revision
	return nil
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// principalOf reads the Principal parameter: a service, an account, an ARN or *.
func principalOf(s, partition string) any {
	switch {
	case s == "*":
		return "*"
	case accountID.MatchString(s):
		return map[string]string{"AWS": "arn:" + partition + ":iam::" + s + ":root"}
	case arn.Is(s):
		return map[string]string{"AWS": s}
	}
	return map[string]string{"Service": s}
}

func (s *Service) addPermission(ctx context.Context, rq *call.Authorized, in *api.AddPermissionRequest) (*api.AddPermissionResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = refuse("AddPermission",
		setting{"EventSourceToken", in.EventSourceToken != nil}, setting{"PrincipalOrgID", in.PrincipalOrgID != nil},
	)
	if err != nil {
		return nil, err
	}
	if q == latest {
		return nil, api.InvalidParameterValueException("We currently do not support adding policies for $LATEST.")
	}
	text := statementText{
		Sid: *in.StatementId, Effect: "Allow", Principal: principalOf(*in.Principal, arn.Partition(k.region)), Action: *in.Action, Resource: k.arn(q),
	}
	if in.FunctionUrlAuthType != nil && text.Action != actionURL {
		return nil, api.InvalidParameterValueException("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
	}
	text.condition("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	text.condition("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
	text.condition("ArnLike", "AWS:SourceArn", in.SourceArn)
	if in.InvokedViaFunctionUrl != nil {
		text.condition("Bool", "lambda:InvokedViaFunctionUrl", new(strconv.FormatBool(*in.InvokedViaFunctionUrl)))
	}
	st, err := text.statement()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(text.Action, "lambda:") {
		return nil, api.InvalidParameterValueException("The action %s is not one of lambda.", text.Action)
	}
	revision := s.ids.UUID()
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		if err := f.has(q); err != nil {
			return err
		}
		p := f.rec.Policies[q]
		if p == nil {
			p = &resourcePolicy{}
		}
		if err := checkRevision(in.RevisionId, p.Revision); err != nil {
			return err
		}
		if err := p.add(st, revision); err != nil {
			return err
		}
		if f.rec.Policies == nil {
			f.rec.Policies = map[string]*resourcePolicy{}
		}
		f.rec.Policies[q] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionResponse{Statement: new(string(st.Text))}, nil
}

// has says whether there is a version or alias of that name; "" is the function.
func (f *function) has(qualifier string) error {
	if qualifier == "" || f.rec.Aliases[qualifier] != nil || f.versions[qualifier] != nil {
		return nil
	}
	return f.key.notFound(qualifier)
}

func noPolicy() error {
	return api.ResourceNotFoundException("No policy is associated with the given resource.").With("Type", "User")
}

func (s *Service) removePermission(ctx context.Context, rq *call.Authorized, in *api.RemovePermissionRequest) (*call.None, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	revision := s.ids.UUID()
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		p := f.rec.Policies[q]
		if p == nil {
			return noPolicy()
		}
		if err := checkRevision(in.RevisionId, p.Revision); err != nil {
			return err
		}
		if err := p.remove(*in.StatementId, revision); err != nil {
			return err
		}
		if len(p.Statements) == 0 {
			delete(f.rec.Policies, q)
		}
		return nil
	})
	return &call.None{}, err
}

func (s *Service) getPolicy(ctx context.Context, rq *call.Authorized, in *api.GetPolicyRequest) (*api.GetPolicyResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, q)
	if err != nil {
		return nil, err
	}
	p := f.rec.Policies[q]
	if p == nil {
		return nil, noPolicy()
	}
	doc, err := p.document()
	if err != nil {
		return nil, err
	}
	return &api.GetPolicyResponse{Policy: new(string(doc)), RevisionId: &p.Revision}, nil
}

// existing finds a function that has a qualifier.
func (s *Service) existing(ctx context.Context, k key, qualifier string) (*function, error) {
	f, err := s.find(ctx, k)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, k.notFound(qualifier)
	}
	return f, f.has(qualifier)
}

// checkRevision refuses a change that was made in view of another revision.
func checkRevision(given *string, actual string) error {
	if given != nil && opt.Val(given) != actual {
		return api.PreconditionFailedException("The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id").With("Type", "User")
	}
	return nil
}
