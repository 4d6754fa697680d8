package cloudformation

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call/resource"
)

// cdkMetadata is what the CDK puts into every stack for its usage statistics.
type cdkMetadata struct {
	Analytics *string `cfn:"Analytics,meaningless"`
	Modules   *string `cfn:"Modules,meaningless"`
}

// ownTypes are the resource types of this room.
func (s *Service) ownTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CDK::Metadata", resource.Handlers[cdkMetadata]{
			Create: func(_ context.Context, rq *resource.Request, _ *cdkMetadata) (resource.State, error) {
				return resource.State{ID: rq.Token}, nil
			},
			Update: func(_ context.Context, _ *resource.Request, id string, _, _ *cdkMetadata) (resource.State, error) {
				return resource.State{ID: id}, nil
			},
			Delete: func(context.Context, *resource.Request, string, *cdkMetadata) error { return nil },
		}),
		s.customType(customName), s.macroType(), s.stackSetType(),
		resource.Define("AWS::CloudFormation::WaitConditionHandle", resource.Handlers[handleProperties]{
			Create: s.createHandle, Check: s.checkHandle,
			Update: func(_ context.Context, _ *resource.Request, id string, _, _ *handleProperties) (resource.State, error) {
				return resource.State{ID: id}, nil
			},
			Delete: func(context.Context, *resource.Request, string, *handleProperties) error { return nil },
		}),
		resource.Define("AWS::CloudFormation::WaitCondition", resource.Handlers[waitProperties]{
			Create: s.createWait, Update: updateWait, Check: checkWait, Attributes: []string{"Data"}, Waits: true,
			Delete: func(context.Context, *resource.Request, string, *waitProperties) error { return nil },
		}),
		resource.Define("AWS::CloudFormation::Stack", resource.Handlers[nestedProperties]{
			Create: s.createNested, Update: s.updateNested, Delete: s.deleteNested, Attributes: []string{"Outputs", "StackId"},
			Identifier: []string{"StackId"}, Read: s.readNested, List: listNested, WriteOnly: []string{"TemplateURL"},
		}),
	}
}

// catalog are the resource types by name.
type catalog map[string]*resource.Type

// of returns a type, nil if there is none. Types of custom resources may have any name.
func (c catalog) of(name string) *resource.Type {
	if customTypeName.MatchString(name) {
		return c[customName]
	}
	return c[name]
}
