package cloudcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudcontrol"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// The permissions of this service are CloudFormation's.
// https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/security.html
func access[I any](action string, role func(*I) *string) call.Access[I] {
	actions := []string{"cloudformation:" + action}
	if role != nil {
		actions = append(actions, "iam:PassRole")
	}
	return call.Rule(func(_ context.Context, _ *call.Decoded, in *I) ([]call.Need, error) {
		needs := []call.Need{{Action: actions[0], Resource: "*"}}
		if role != nil && role(in) != nil {
			needs = append(needs, call.Need{Action: "iam:PassRole", Resource: *role(in), Keys: map[string][]string{"iam:passedtoservice": {serviceName}}})
		}
		return needs, nil
	}, actions...)
}

// serviceName is the principal that the roles of requests trust.
const serviceName = "cloudformation.amazonaws.com"

func (s *Service) resourceBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateResource, access("CreateResource", func(in *api.CreateResourceInput) *string { return in.RoleArn }), s.createResource),
		call.Bind(api.UpdateResource, access("UpdateResource", func(in *api.UpdateResourceInput) *string { return in.RoleArn }), s.updateResource),
		call.Bind(api.DeleteResource, access("DeleteResource", func(in *api.DeleteResourceInput) *string { return in.RoleArn }), s.deleteResource),
		call.Bind(api.GetResource, access("GetResource", func(in *api.GetResourceInput) *string { return in.RoleArn }), s.getResource),
		call.Bind(api.ListResources, access("ListResources", func(in *api.ListResourcesInput) *string { return in.RoleArn }), s.listResources),
	}
}

// typeOf finds a type that can do what an action takes.
func (s *Service) typeOf(name, version *string, action string, can func(*resource.Type) bool) (*resource.Type, error) {
	if version != nil {
		return nil, api.InvalidRequestException("TypeVersionId is not supported: there are no private types")
	}
	t := s.types()[opt.Val(name)]
	if t == nil {
		return nil, api.TypeNotFoundException("The type '%s' cannot be found.", opt.Val(name))
	}
	if !can(t) {
		return nil, api.UnsupportedActionException("Resource type %s does not support %s action", t.Name, action)
	}
	return t, nil
}

// handled words an error of a handler as an operation's answer.
func handled(err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	switch handlerCode(f) {
	case api.HandlerErrorCodeAlreadyExists:
		return api.AlreadyExistsException("%s", f.Message)
	case api.HandlerErrorCodeNotFound:
		return api.ResourceNotFoundException("%s", f.Message)
	case api.HandlerErrorCodeThrottling:
		return api.ThrottlingException("%s", f.Message)
	case api.HandlerErrorCodeInvalidRequest:
		return api.InvalidRequestException("%s", f.Message)
	case api.HandlerErrorCodeServiceLimitExceeded:
		return api.ServiceLimitExceededException("%s", f.Message)
	}
	return api.GeneralServiceException("%s", f.Message)
}

// handlerCode sorts a fault into the codes of resource handlers.
// https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_ProgressEvent.html
func handlerCode(f *fault.Fault) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(f.Code, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("AccessDenied", "Unauthorized", "Forbidden"):
		return api.HandlerErrorCodeAccessDenied
	case has("AlreadyExists", "AlreadyOwned", "QueueNameExists"):
		return api.HandlerErrorCodeAlreadyExists
	case has("ResourceInUse", "Conflict"):
		return api.HandlerErrorCodeResourceConflict
	case has("NotFound", "NoSuch", "NotExist"):
		return api.HandlerErrorCodeNotFound
	case has("Throttl", "TooManyRequests"):
		return api.HandlerErrorCodeThrottling
	case has("LimitExceeded"):
		return api.HandlerErrorCodeServiceLimitExceeded
	case f.Status >= 500:
		return api.HandlerErrorCodeServiceInternalError
	}
	return api.HandlerErrorCodeInvalidRequest
}

// request is what a resource type is told of a request from the wire.
func (s *Service) request(rq *call.Authorized, role *string, kind string) *resource.Request {
	as := rq.As()
	if role != nil {
		as = call.AsRole(*role, "AWSCloudFormation", serviceName, rq.Region()).From(rq.Incoming())
	}
	return &resource.Request{
		Caller: s.d.Caller, As: as, Account: rq.Account(), Region: rq.Region(), Type: kind, LogicalID: logicalName(kind),
		Name: func(most int) string { return generatedName(kind, rq.RequestID(), most) },
	}
}

func notFound(kind, identifier string) error {
	return api.ResourceNotFoundException("Resource of type '%s' with identifier '%s' was not found.", kind, identifier)
}

func (s *Service) getResource(ctx context.Context, rq *call.Authorized, in *api.GetResourceInput) (*api.GetResourceOutput, error) {
	t, err := s.typeOf(in.TypeName, in.TypeVersionId, "READ", (*resource.Type).Reads)
	if err != nil {
		return nil, err
	}
	identifier := opt.Val(in.Identifier)
	props, st, err := s.read(ctx, s.request(rq, in.RoleArn, t.Name), t, identifier)
	if err != nil {
		return nil, handled(err)
	}
	if props == nil {
		return nil, notFound(t.Name, identifier)
	}
	return &api.GetResourceOutput{TypeName: new(t.Name), ResourceDescription: &api.ResourceDescription{
		Identifier: new(t.IdentifierOf(st, props)), Properties: new(modelOf(props, st)),
	}}, nil
}

// read returns a resource by its identifier; nil properties if there is none.
func (s *Service) read(ctx context.Context, rq *resource.Request, t *resource.Type, identifier string) (map[string]any, resource.State, error) {
	id, known, ok := t.Identified(identifierText(t, identifier))
	if !ok {
		return nil, resource.State{}, api.InvalidRequestException("Identifier %s is not valid for identifier [%s]", identifier, strings.Join(t.Identifier, ", "))
	}
	return t.Read(ctx, rq, id, known)
}

// identifierText reads an identifier that is written as JSON, with its names.
func identifierText(t *resource.Type, identifier string) string {
	var named map[string]string
	if !strings.HasPrefix(identifier, "{") || json.Unmarshal([]byte(identifier), &named) != nil {
		return identifier
	}
	parts := make([]string, len(t.Identifier))
	for i, name := range t.Identifier {
		parts[i] = named[name]
	}
	return strings.Join(parts, "|")
}

// modelOf is a resource as JSON: its properties, and what it gives besides.
func modelOf(props map[string]any, st resource.State) string {
	all := map[string]any{}
	for k, v := range st.Attributes {
		if !st.NoEcho && !strings.Contains(k, ".") {
			all[k] = v
		}
	}
	for k, v := range props {
		all[k] = v
	}
	b, err := json.Marshal(all)
	if err != nil {
		return "{}" // only values that were read from JSON or structs are printed
	}
	return string(b)
}

func (s *Service) listResources(ctx context.Context, rq *call.Authorized, in *api.ListResourcesInput) (*api.ListResourcesOutput, error) {
	t, err := s.typeOf(in.TypeName, in.TypeVersionId, "LIST", (*resource.Type).Lists)
	if err != nil {
		return nil, err
	}
	var known map[string]any
	if in.ResourceModel != nil {
		if known, err = object(*in.ResourceModel, "ResourceModel"); err != nil {
			return nil, err
		}
	}
	var missing []string
	for _, name := range t.Within() {
		if _, ok := known[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, api.InvalidRequestException("Missing or invalid ResourceModel property in %s list handler request input. Required property:  [%s]", t.Name, strings.Join(missing, ", "))
	}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, api.InvalidRequestException("Invalid NextToken")
	}
	ids, err := t.List(ctx, s.request(rq, in.RoleArn, t.Name), known)
	if err != nil {
		return nil, handled(err)
	}
	sort.Strings(ids)
	out := &api.ListResourcesOutput{TypeName: new(t.Name), ResourceDescriptions: []api.ResourceDescription{}}
	for _, identifier := range ids {
		if after != "" && identifier <= after {
			continue
		}
		if n := len(out.ResourceDescriptions); n == int(opt.Or(in.MaxResults, 100)) {
			out.NextToken = new(page.Token(*out.ResourceDescriptions[n-1].Identifier))
			break
		}
		parts, props := strings.Split(identifier, "|"), map[string]any{}
		if len(t.Identifier) == 1 {
			parts = []string{identifier}
		}
		for i, name := range t.Identifier {
			props[name] = parts[i]
		}
		out.ResourceDescriptions = append(out.ResourceDescriptions, api.ResourceDescription{
			Identifier: new(identifier), Properties: new(modelOf(props, resource.State{})),
		})
	}
	return out, nil
}

// object reads a JSON object.
func object(text, member string) (map[string]any, error) {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil || m == nil {
		return nil, api.InvalidRequestException("%s must be a JSON object", member)
	}
	return m, nil
}

// invalidModel words what is wrong with properties.
func invalidModel(bad []resource.Problem) error {
	lines := make([]string, len(bad))
	for i, b := range bad {
		lines[i] = strings.Join(append([]string{"#"}, b.Path...), "/") + ": " + b.Text
	}
	return errors.New("Model validation failed (" + strings.Join(lines, "; ") + ")")
}
