package call

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Op names an operation together with the Go types of its input and output.
// Values are generated.
type Op[I, O any] struct {
	Service *model.Service
	Index   int // into Service.Operations
}

// Operation returns the operation's facts.
func (o Op[I, O]) Operation() *model.Operation { return &o.Service.Operations[o.Index] }

// None is the input or output of operations that have none.
type None struct{}

// Handler carries an operation out.
type Handler[I, O any] func(ctx context.Context, rq *Authorized, in *I) (*O, error)

// Binding ties an operation to its access rule and its handler.
type Binding struct {
	Service *model.Service
	Op      *model.Operation
	// Actions are the IAM actions that the access rule may ask for, "s3:GetObject";
	// empty for an operation that takes no permission.
	Actions []string
	// Why says why an operation takes no permission.
	Why string
	// RawValidation words the violations of the model's constraints; nil means
	// AWS's common wording in a ValidationException.
	RawValidation func(op *model.Operation, bad []constraint.Violation) *fault.Fault

	newInput func() any
	needs    func(context.Context, *Decoded, any) ([]Need, error)
	handle   func(context.Context, *Authorized, any) (any, error)
}

// Bind makes a binding. It panics on a rule or handler that is missing, because
// that is a mistake in the program's text: no access rule, no binding.
func Bind[I, O any](op Op[I, O], access Access[I], h Handler[I, O]) Binding {
	if h == nil || access.needs == nil {
		panic("call: " + op.Operation().Name + " is bound without an access rule or a handler")
	}
	return Binding{
		Service: op.Service, Op: op.Operation(), Actions: access.actions, Why: access.why,
		newInput: func() any { return new(I) },
		needs: func(ctx context.Context, d *Decoded, in any) ([]Need, error) {
			return access.needs(ctx, d, in.(*I))
		},
		handle: func(ctx context.Context, rq *Authorized, in any) (any, error) {
			out, err := h(ctx, rq, in.(*I))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// NewInput returns a pointer to a zero value of the input's Go type.
func (b *Binding) NewInput() any { return b.newInput() }

func (b *Binding) invalid(bad []constraint.Violation) *fault.Fault {
	if b.RawValidation != nil {
		return b.RawValidation(b.Op, bad)
	}
	return invalidDefault(constraint.Message(bad))
}
