package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// caller returns how a room finds out who signed a request to its public face,
// in the header or in the query. Rooms ask only where it decides something, so
// that other requests may carry what looks like a signature and is none.
func (p *Pipeline) caller(r *http.Request, service string, in call.Incoming) func(context.Context, []byte) (call.Identity, error) {
	return func(ctx context.Context, body []byte) (call.Identity, error) {
		x := &exchange{p: p, r: r, in: in}
		x.rq.Body = whole{bytes.NewReader(body), body}
		var err error
		x.sig, err = sigv4.Find(x.signed())
		switch {
		case p.Board.Gate.Mode == call.Off:
			return x.anyone(), nil
		case err != nil:
			return call.Identity{}, err
		case x.sig == nil:
			return call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}, nil
		case x.sig.Service != service:
			return call.Identity{}, fault.Of(fault.SignatureDoesNotMatch, "Credential should be scoped to correct service: '%s'.", service)
		}
		id, secret, err := p.Board.Gate.Identities.Key(ctx, x.sig.AccessKey, x.sig.Token)
		if err != nil {
			return call.Identity{}, err
		}
		sum := sha256.Sum256(body)
		computed, hash := hex.EncodeToString(sum[:]), x.sig.PayloadHash
		if hash == "" {
			hash = computed
		}
		if err := p.keys.Verify(x.signed(), x.sig, secret, hash, sigv4.StyleOf(service), in.Time); err != nil {
			return call.Identity{}, err
		}
		if hash != computed && hash != sigv4.Unsigned {
			return call.Identity{}, fault.Of(fault.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided: x-amz-content-sha256 is not that of the body.")
		}
		return id, nil
	}
}
