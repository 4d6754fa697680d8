package call

import (
	"context"
	"net/http"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Service is a room as the platform sees it. A room may also be a Worker, have a
// Face, or provide resource types (call/resource.Provider).
type Service interface {
	// Model returns the facts of the service that the room implements.
	Model() *model.Service
	// Bindings returns the operations that the room carries out. What is not
	// among them is answered with a not-implemented fault.
	Bindings() []Binding
}

// Worker is a room that works in the background.
type Worker interface {
	// Start begins the work; it returns once the room can take requests. The
	// work ends with Stop, not with ctx.
	Start(ctx context.Context) error
	// Stop ends the work, waiting for what is under way until ctx ends.
	Stop(ctx context.Context) error
}

// Face is a room with a public face: an API's URL, a function URL, a website.
type Face interface {
	// Kinds returns the kinds of address that the room serves: "execute-api".
	Kinds() []string
	// View answers a request to such an address.
	View(w http.ResponseWriter, r *http.Request, at Address)
}

// Address is a public address taken apart. The form in which it came (by host or
// by path) no longer matters.
type Address struct {
	Kind string // "execute-api", "s3-website", "lambda-url"
	ID   string // the API's id, the bucket's name, the URL's id; "" with a Domain
	// Domain is the custom domain name that the request came by, as it was called.
	Domain string
	Region string // as far as the address names one
	Path   string // escaped path below the address, beginning with "/"
	// Base is what the caller puts before Path to reach it, without a final
	// slash: "http://abc.execute-api.localhost:4566" or
	// "http://localhost:4566/_aws/execute-api/abc".
	Base string
	// In is the request as observed at the door; its id is answered to the caller.
	In Incoming
	// Caller finds out who signed the request, whose body is given: somebody
	// Anonymous if nobody did, and the fault to answer if the signature is not
	// valid or not for the service named like Kind. Nil where nobody can sign.
	Caller func(ctx context.Context, body []byte) (Identity, error)
}

// AddressOf forms the public address of a resource as seen by a caller that
// reached the server at scheme://host. It is the inverse of what the edge parses.
func AddressOf(in Incoming, kind, id string) string {
	return in.Scheme + "://" + id + "." + kind + "." + PublicHost(in.Host)
}

// PublicHost returns the host below which public addresses stand, for a caller
// that used host: names of our own and addresses become localhost with the same
// port, because a label cannot stand before an IP address.
func PublicHost(host string) string {
	name, port := host, ""
	for i := len(host) - 1; i >= 0 && host[i] != ']'; i-- {
		if host[i] == ':' {
			name, port = host[:i], host[i:]
			break
		}
	}
	const compat = "localhost.localstack.cloud"
	if len(name) >= len(compat) && name[len(name)-len(compat):] == compat {
		return compat + port
	}
	return "localhost" + port
}
