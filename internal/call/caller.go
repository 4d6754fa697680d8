package call

import (
	"context"
	"fmt"
	"slices"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Caller is how rooms call each other: typed in, typed out, authorised by the
// same rules and recorded like a request from the wire, without HTTP. Use Do.
type Caller interface {
	Call(ctx context.Context, as As, service *model.Service, op *model.Operation, in any) (out any, err error)
}

// Do calls op as the given principal.
func Do[I, O any](ctx context.Context, c Caller, as As, op Op[I, O], in *I) (*O, error) {
	out, err := c.Call(ctx, as, op.Service, op.Operation(), in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("call %s: the room answered %T", op.Operation().Name, out)
	}
	return o, nil
}

// As says who calls from room to room. Make it with AsService, AsRole or
// Authenticated.As.
type As struct {
	in    Incoming
	id    Identity
	known bool // id is complete

	role, session, service string
}

// AsService calls as a service principal ("apigateway.amazonaws.com") on behalf
// of a resource, which only that resource's and the callee's policies allow.
func AsService(service, sourceARN, account, region string) As {
	return As{known: true, in: Incoming{Region: region}, id: Identity{
		Principal: policy.Principal{Kind: policy.Service, Account: account, Service: service},
		SourceARN: sourceARN, SourceAccount: account,
	}}
}

// AsRole calls as a role that a service assumes: the role must trust the service.
func AsRole(role, session, service, region string) As {
	return As{in: Incoming{Region: region}, role: role, session: session, service: service}
}

// AsIdentity calls as an identity that was captured from an earlier request,
// such as the one that began a long operation.
func AsIdentity(id Identity, region string) As {
	return As{known: true, in: Incoming{Region: region}, id: id}
}

// From returns as with the origin (addresses, source IP, trace) of a request.
func (as As) From(in Incoming) As {
	region := as.in.Region
	as.in = in
	if region != "" {
		as.in.Region = region
	}
	return as
}

// Via returns as with a service that forwards the caller's request to the next
// one: aws:ViaAWSService, aws:CalledVia and keys such as kms:ViaService follow it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
func (as As) Via(service string) As {
	as.in.Via = append(slices.Clip(as.in.Via), service)
	return as
}

// In returns as with another region to make the call in.
func (as As) In(region string) As {
	as.in.Region = region
	return as
}

// Region returns the region in which the call is made.
func (as As) Region() string { return as.in.Region }

// Origin returns where the call comes from.
func (as As) Origin() Incoming { return as.in }

// Identify finds out who as is.
func (as As) Identify(ctx context.Context, ids Identities) (Identity, error) {
	if as.known {
		return as.id, nil
	}
	return ids.Assume(ctx, as.role, as.session, as.service)
}

// CallDecoded enters the spine with an input that is already typed; the platform
// uses it to implement Caller.
func (a *Authenticated) CallDecoded(b *Binding, in any) (*Decoded, error) { return a.decoded(b, in) }
