package call

import "context"

// WireRequest is a request to a service in the form in which its clients send
// it, but without a connection or a signature.
type WireRequest struct {
	// Service is the first label of the service's host name, or its room's name:
	// "dynamodb".
	Service string
	Method  string
	Path    string // escaped, beginning with "/"
	Query   string
	// Action is the operation, for services whose requests name it; "" if Path,
	// Query, Header or Body tell it.
	Action string
	Header map[string][]string // canonical names
	Body   []byte
}

// WireResponse is the answer to a WireRequest. Faults are answers, too.
type WireResponse struct {
	Status int
	Header map[string][]string
	Body   []byte
}

// Wire carries out requests in wire form from within: decoded by the service's
// own protocol, then authorised and recorded as Caller's calls are.
type Wire interface {
	// Send fails if there is no such service or operation; what the service
	// answers, be it a fault, is a response.
	Send(ctx context.Context, as As, rq *WireRequest) (*WireResponse, error)
}
