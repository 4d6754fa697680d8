package call

import (
	"context"
	"net/netip"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Incoming is what is known of a request before its caller is.
type Incoming struct {
	RequestID string
	Time      time.Time
	Region    string
	SourceIP  netip.Addr // of a request from the wire
	UserAgent string
	// Scheme and Host are how the caller addressed the server ("http",
	// "localhost:4566"). Addresses that a room returns follow them.
	Scheme, Host string
	// TraceHeader is X-Amzn-Trace-Id as received.
	TraceHeader string
	// Via are the services that forwarded the caller's request, in order; As.Via
	// adds to it.
	Via []string
}

// Secure says whether nobody could read the request on its way: it came over TLS,
// or never left the machine (over loopback, which is as good as TLS to browsers
// too, or from a room). It is aws:SecureTransport.
func (in *Incoming) Secure() bool {
	return in.Scheme == "https" || !in.SourceIP.IsValid() || in.SourceIP.Unmap().IsLoopback()
}

// Identity is a caller, known by a verified signature or vouched for by a room.
type Identity struct {
	Principal policy.Principal
	// AccessKey is the access key id that signed, if one did.
	AccessKey string
	// SourceARN and SourceAccount are the resource on whose behalf a service
	// principal calls; they are the keys aws:SourceArn and aws:SourceAccount.
	SourceARN, SourceAccount string
	// Session holds the policies that were passed when the session was made;
	// HasSession says that there were any.
	Session    []*policy.Policy
	HasSession bool
	// IssuedAt is when a session's credentials were made; zero for long-lived keys.
	IssuedAt time.Time
	// MFA says that the session was made with a second factor.
	MFA bool
	// Tags are the principal's tags: a user's, or a role's and its session's. They
	// belong to who made the identity: do not change them.
	Tags map[string]string
	// Transitive are the keys of the tags that further sessions, made from this
	// one, inherit.
	Transitive []string
	// SourceIdentity is who is behind the session, as set when it was made.
	SourceIdentity string
}

// Authenticated is a request whose caller is known.
type Authenticated struct {
	in Incoming
	id Identity
}

// Authenticate makes an Authenticated of what verify finds out about the caller.
func Authenticate(ctx context.Context, in Incoming, verify func(context.Context) (Identity, error)) (*Authenticated, error) {
	id, err := verify(ctx)
	if err != nil {
		return nil, err
	}
	return &Authenticated{in, id}, nil
}

// Incoming returns what was known before the caller was.
func (a *Authenticated) Incoming() Incoming { return a.in }

// Identity returns the caller.
func (a *Authenticated) Identity() Identity { return a.id }

// Principal returns the caller's principal.
func (a *Authenticated) Principal() policy.Principal { return a.id.Principal }

// Account returns the account in which the caller acts: 12 digits.
func (a *Authenticated) Account() string { return a.id.Principal.Account }

// Region returns the region that the request is for.
func (a *Authenticated) Region() string { return a.in.Region }

// RequestID returns the id that the caller is answered with.
func (a *Authenticated) RequestID() string { return a.in.RequestID }

// Time returns when the request came in.
func (a *Authenticated) Time() time.Time { return a.in.Time }

// Endpoint returns the scheme and authority with which the caller reached the
// server, "http://localhost:4566" say, without a final slash.
func (a *Authenticated) Endpoint() string { return a.in.Scheme + "://" + a.in.Host }

// As lets a room call on as the caller of the request that it is handling.
func (a *Authenticated) As() As { return As{in: a.in, id: a.id, known: true} }

// Decode reads the input of b's operation with read, which gets a pointer to a
// generated struct to fill, and checks it against the model's constraints.
func (a *Authenticated) Decode(b *Binding, read func(into any) error) (*Decoded, error) {
	in := b.newInput()
	if err := read(in); err != nil {
		return nil, err
	}
	return a.decoded(b, in)
}

func (a *Authenticated) decoded(b *Binding, in any) (*Decoded, error) {
	if b.Op.Input >= 0 {
		if bad := constraint.Check(b.Service, b.Op.Input, in); len(bad) > 0 {
			return nil, b.invalid(bad)
		}
	}
	return &Decoded{Authenticated: a, b: b, input: in}, nil
}

// Decoded is a request whose input is of the right form.
type Decoded struct {
	*Authenticated
	b     *Binding
	input any
}

// Binding returns the operation's binding.
func (d *Decoded) Binding() *Binding { return d.b }

// Authorize asks gate whether the caller may do what the binding's access rule
// says that it takes.
func (d *Decoded) Authorize(ctx context.Context, gate *Gate) (*Authorized, error) {
	needs, err := d.b.needs(ctx, d, d.input)
	if err != nil {
		return nil, err
	}
	if err := gate.allow(ctx, d, needs); err != nil {
		return nil, err
	}
	return &Authorized{Decoded: d, needs: needs}, nil
}

// Authorized is a request that may be carried out.
type Authorized struct {
	*Decoded
	needs []Need
}

// Needs returns what was asked of the caller's policies; observe records it.
func (a *Authorized) Needs() []Need { return a.needs }

// Handle carries the request out.
func (a *Authorized) Handle(ctx context.Context) (any, error) {
	out, err := a.b.handle(ctx, a, a.input)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Check asks whether the caller may also do need: for operations whose further
// permissions are known only while they run, such as iam:PassRole on a role that
// a stored setting names. It returns the fault to answer with.
func (a *Authorized) Check(ctx context.Context, gate *Gate, need Need) error {
	return gate.allow(ctx, a.Decoded, []Need{need})
}

func invalidDefault(message string) *fault.Fault { return fault.Of(fault.Validation, "%s", message) }
