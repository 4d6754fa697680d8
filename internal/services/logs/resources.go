package logs

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
type groupProperties struct {
	LogGroupName              *string       `cfn:"LogGroupName,replace"`
	RetentionInDays           *int32        `cfn:"RetentionInDays"`
	Tags                      []tagProperty `cfn:"Tags"`
	LogGroupClass             *string       `cfn:"LogGroupClass,replace"`
	DeletionProtectionEnabled *bool         `cfn:"DeletionProtectionEnabled"`

	_ any `cfn:"BearerTokenAuthenticationEnabled,refused"`
	_ any `cfn:"DataProtectionPolicy,refused"`
	_ any `cfn:"FieldIndexPolicies,refused"`
	_ any `cfn:"KmsKeyId,refused"`
	_ any `cfn:"ResourcePolicyDocument,refused"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-logstream.html
type streamProperties struct {
	LogGroupName  string  `cfn:"LogGroupName,required,replace"`
	LogStreamName *string `cfn:"LogStreamName,replace"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::Logs::LogGroup", resource.Handlers[groupProperties]{
			Identifier: []string{"LogGroupName"}, Read: readGroup, List: listGroups,
			Create: createGroup, Find: leftGroup, Update: updateGroup, Delete: deleteGroup, Attributes: []string{"Arn"},
			Check: func(p *groupProperties) []resource.Problem {
				if p.RetentionInDays == nil || checkRetention(*p.RetentionInDays) == nil {
					return nil
				}
				return []resource.Problem{{Path: []string{"RetentionInDays"}, Text: "is not among the days that CloudWatch Logs knows"}}
			},
		}),
		resource.Define("AWS::Logs::LogStream", resource.Handlers[streamProperties]{
			Create: createStream, Find: leftStream, Delete: deleteStream,
			Identifier: []string{"LogGroupName", "LogStreamName"}, Read: readStream, List: listStreams,
		}),
	}
}

func (p *groupProperties) tags(rq *resource.Request) map[string]string {
	t := map[string]string{}
	for k, v := range rq.StackTags {
		t[k] = v
	}
	for _, x := range p.Tags {
		t[x.Key] = x.Value
	}
	if len(t) == 0 {
		return nil // an empty list is refused
	}
	return t
}

func groupState(rq *resource.Request, name string) resource.State {
	return resource.State{ID: name, Attributes: map[string]any{"Arn": groupARN(rq.Region, rq.Account, name) + ":*"}}
}

func createGroup(ctx context.Context, rq *resource.Request, p *groupProperties) (resource.State, error) {
	name := opt.Val(p.LogGroupName)
	if name == "" {
		name = rq.Name(512)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateLogGroup, &api.CreateLogGroupRequest{
		LogGroupName: &name, Tags: p.tags(rq), LogGroupClass: p.LogGroupClass, DeletionProtectionEnabled: p.DeletionProtectionEnabled,
	})
	if err != nil {
		return resource.State{}, err
	}
	return groupState(rq, name), setRetention(ctx, rq, name, nil, p.RetentionInDays)
}

func setRetention(ctx context.Context, rq *resource.Request, name string, old, days *int32) error {
	if days != nil {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutRetentionPolicy, &api.PutRetentionPolicyRequest{LogGroupName: &name, RetentionInDays: days})
		return err
	}
	if old == nil {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteRetentionPolicy, &api.DeleteRetentionPolicyRequest{LogGroupName: &name})
	return err
}

func updateGroup(ctx context.Context, rq *resource.Request, name string, old, p *groupProperties) (resource.State, error) {
	if err := setRetention(ctx, rq, name, old.RetentionInDays, p.RetentionInDays); err != nil {
		return resource.State{}, err
	}
	if was, is := opt.Val(old.DeletionProtectionEnabled), opt.Val(p.DeletionProtectionEnabled); was != is {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutLogGroupDeletionProtection, &api.PutLogGroupDeletionProtectionRequest{LogGroupIdentifier: &name, DeletionProtectionEnabled: &is})
		if err != nil {
			return resource.State{}, err
		}
	}
	arn := groupARN(rq.Region, rq.Account, name)
	tags := p.tags(rq)
	var gone []string
	for k := range old.tags(rq) {
		if _, stays := tags[k]; !stays {
			gone = append(gone, k)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{ResourceArn: &arn, TagKeys: gone}); err != nil {
			return resource.State{}, err
		}
	}
	if len(tags) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{ResourceArn: &arn, Tags: tags}); err != nil {
			return resource.State{}, err
		}
	}
	return groupState(rq, name), nil
}

func deleteGroup(ctx context.Context, rq *resource.Request, name string, _ *groupProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteLogGroup, &api.DeleteLogGroupRequest{LogGroupName: &name})
	return unlessGone(err)
}

func createStream(ctx context.Context, rq *resource.Request, p *streamProperties) (resource.State, error) {
	name := opt.Val(p.LogStreamName)
	if name == "" {
		name = rq.Name(512)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateLogStream, &api.CreateLogStreamRequest{LogGroupName: &p.LogGroupName, LogStreamName: &name})
	if err != nil {
		return resource.State{}, err // nothing was made, so there is nothing to delete
	}
	return resource.State{ID: name}, nil
}

func deleteStream(ctx context.Context, rq *resource.Request, name string, p *streamProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteLogStream, &api.DeleteLogStreamRequest{LogGroupName: &p.LogGroupName, LogStreamName: &name})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if fault.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}
