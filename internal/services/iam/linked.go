package iam

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

const linkedPath = "/aws-service-role/"

func isLinked(path string) bool { return strings.HasPrefix(path, linkedPath) }

func (s *Service) linkedBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateServiceLinkedRole, call.Rule(s.createLinkedNeeds, "iam:CreateServiceLinkedRole"), s.createServiceLinkedRole),
		bind(s, api.DeleteServiceLinkedRole, roleKind, s.deleteServiceLinkedRole),
		call.Bind(api.GetServiceLinkedRoleDeletionStatus, call.Rule(s.deletionNeeds, "iam:GetServiceLinkedRoleDeletionStatus"), s.getServiceLinkedRoleDeletionStatus),
	}
}

// linkedName is the name of a service's linked role; "" for services that have
// none here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
func linkedName(service string) string {
	switch service {
	case "ops.apigateway.amazonaws.com":
		return "AWSServiceRoleForAPIGateway"
	case "replicator.lambda.amazonaws.com":
		return "AWSServiceRoleForLambdaReplicator"
	case "dynamodb.application-autoscaling.amazonaws.com":
		return "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
	case "lambda.application-autoscaling.amazonaws.com":
		return "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
	case "replication.dynamodb.amazonaws.com":
		return "AWSServiceRoleForDynamoDBReplication"
	case "logger.cloudfront.amazonaws.com":
		return "AWSServiceRoleForCloudFrontLogger"
	case "events.amazonaws.com":
		return "AWSServiceRoleForCloudWatchEvents"
	case "apidestinations.events.amazonaws.com":
		return "AWSServiceRoleForAmazonEventBridgeApiDestinations"
	case "email.cognito-idp.amazonaws.com":
		return "AWSServiceRoleForAmazonCognitoIdpEmailService"
	case "cognito-idp.amazonaws.com":
		return "AWSServiceRoleForAmazonCognitoIdp"
	}
	return ""
}

// notLinked refuses changes to a role that belongs to a service.
func notLinked(id *identity) error {
	if id.Service == "" {
		return nil
	}
	return api.UnmodifiableEntityException("Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", id.Name)
}

func (s *Service) createLinkedNeeds(_ context.Context, rq *call.Decoded, in *api.CreateServiceLinkedRoleRequest) ([]call.Need, error) {
	n := call.Need{
		Action: "iam:CreateServiceLinkedRole", Keys: map[string][]string{},
		Resource: arnOf(rq.Account(), roleKind, linkedPath+*in.AWSServiceName+"/", linkedName(*in.AWSServiceName)),
	}
	requested(n.Keys, inputOf(in))
	return []call.Need{n}, nil
}

func (s *Service) createServiceLinkedRole(ctx context.Context, rq *call.Authorized, in *api.CreateServiceLinkedRoleRequest) (*api.CreateServiceLinkedRoleResponse, error) {
	service := *in.AWSServiceName
	name := linkedName(service)
	switch {
	case name == "":
		return nil, api.InvalidInputException("No service-linked role is known for the service %s.", service)
	case in.CustomSuffix != nil:
		return nil, api.InvalidInputException("Custom suffix is not allowed for %s", service)
	}
	id := &identity{
		head:        s.newHead("AROA", linkedPath+service+"/", name, nil),
		Description: opt.Val(in.Description), MaxSession: defaultMaxSession, Service: service,
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["` + service + `"]},"Action":["sts:AssumeRole"]}]}`
	err := s.update(ctx, func(t data.Txn) error {
		taken, err := read[identity](t, thingKey(rq.Account(), roleKind, name))
		if err != nil {
			return err
		}
		if taken != nil {
			return api.InvalidInputException("Service role name %s has been taken in this account, please try a different suffix.", name)
		}
		if err := s.setTrust(t, rq.Account(), id, trust); err != nil {
			return err
		}
		return write(t, thingKey(rq.Account(), roleKind, name), id)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceLinkedRoleResponse{Role: roleOut(rq.Account(), id, id.Trust, true)}, nil
}

// deleteServiceLinkedRole deletes at once: no service here keeps resources that
// need its linked role.
func (s *Service) deleteServiceLinkedRole(ctx context.Context, rq *call.Authorized, in *api.DeleteServiceLinkedRoleRequest) (*api.DeleteServiceLinkedRoleResponse, error) {
	var task string
	err := s.update(ctx, func(t data.Txn) error {
		id, err := theIdentity(t, rq.Account(), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		if id.Service == "" {
			return api.InvalidInputException("The role %s is not a service-linked role.", id.Name)
		}
		task = "task" + id.Path + id.Name + "/" + s.d.IDs.UUID()
		return s.deleteIdentity(t, rq.Account(), roleKind, id)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteServiceLinkedRoleResponse{DeletionTaskId: &task}, nil
}

// taskRole takes the role out of task/aws-service-role/SERVICE/NAME/UUID.
func taskRole(task string) (path, name string, ok bool) {
	p := strings.Split(task, "/")
	if len(p) != 5 || p[0] != "task" || "/"+p[1]+"/" != linkedPath {
		return "", "", false
	}
	return linkedPath + p[2] + "/", p[3], true
}

func (s *Service) deletionNeeds(_ context.Context, rq *call.Decoded, in *api.GetServiceLinkedRoleDeletionStatusRequest) ([]call.Need, error) {
	path, name, _ := taskRole(*in.DeletionTaskId)
	if path == "" {
		path = linkedPath
	}
	return []call.Need{{Action: "iam:GetServiceLinkedRoleDeletionStatus", Resource: arnOf(rq.Account(), roleKind, path, name)}}, nil
}

// getServiceLinkedRoleDeletionStatus answers from the role itself: a deletion
// has no other state.
func (s *Service) getServiceLinkedRoleDeletionStatus(ctx context.Context, rq *call.Authorized, in *api.GetServiceLinkedRoleDeletionStatusRequest) (*api.GetServiceLinkedRoleDeletionStatusResponse, error) {
	_, name, ok := taskRole(*in.DeletionTaskId)
	if !ok || linkedName(strings.Split(*in.DeletionTaskId, "/")[2]) != name {
		return nil, api.NoSuchEntityException("The deletion task %s cannot be found.", *in.DeletionTaskId)
	}
	return &api.GetServiceLinkedRoleDeletionStatusResponse{Status: new("SUCCEEDED")}, nil
}
