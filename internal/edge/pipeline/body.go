package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/edge/identify"
	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func parseForm(body []byte) (url.Values, error) { return url.ParseQuery(string(body)) }

// limit is the largest body that the service takes.
func limit(s *model.Service) int64 {
	switch s.Name {
	case "lambda":
		return maxLambdaBody
	case "s3":
		return maxObject
	}
	return maxBody
}

// authenticate verifies the signature and returns who signed, and the secret
// that verifies the chunks of a body.
func (x *exchange) authenticate(ctx context.Context) (call.Identity, string, error) {
	p := x.p
	if p.Board.Gate.Mode == call.Off {
		return x.anyone(), "", x.readBody()
	}
	if x.sig == nil {
		return call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}, "", x.readBody()
	}
	if x.sig.Service != x.t.Service.SigningName {
		return call.Identity{}, "", fault.Of(fault.SignatureDoesNotMatch, "Credential should be scoped to correct service: '%s'.", x.t.Service.SigningName)
	}
	id, secret, err := p.Board.Gate.Identities.Key(ctx, x.sig.AccessKey, x.sig.Token)
	if err != nil {
		return call.Identity{}, "", x.unknownKey(err)
	}
	if err := x.readBody(); err != nil {
		return call.Identity{}, "", err
	}
	hash := x.sig.PayloadHash
	if hash == "" && !(x.sig.Presigned && protocol.IsS3(x.t.Service)) {
		hash = x.bodyHash()
	}
	if err := p.keys.Verify(x.signed(), x.sig, secret, hash, sigv4.StyleOf(x.sig.Service), x.in.Time); err != nil {
		return call.Identity{}, "", err
	}
	if !protocol.IsS3(x.t.Service) && len(hash) == 64 && hash != x.bodyHash() {
		return call.Identity{}, "", fault.New("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return id, secret, nil
}

// unknownKey puts the refusal of a key into S3's words, which differ from those
// of every other service.
func (x *exchange) unknownKey(err error) error {
	f := fault.As(err)
	if f == nil || f.Common != fault.InvalidClientTokenID || !protocol.IsS3(x.t.Service) {
		return err
	}
	if x.sig.Token != "" {
		return fault.New("InvalidToken", http.StatusBadRequest, "The provided token is malformed or otherwise invalid.").With("Token-0", x.sig.Token)
	}
	return fault.New("InvalidAccessKeyId", http.StatusForbidden, "The AWS Access Key Id you provided does not exist in our records.").With("AWSAccessKeyId", x.sig.AccessKey)
}

// anyone is the caller when nobody is asked: the root of the account that a
// 12-digit access key id names, or of the default account.
func (x *exchange) anyone() call.Identity {
	account, key := x.p.Account, ""
	if x.sig != nil {
		key = x.sig.AccessKey
		if len(key) == 12 && strings.Trim(key, "0123456789") == "" {
			account = key
		}
	}
	return call.Identity{AccessKey: key, Principal: policy.Principal{
		Kind: policy.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account,
	}}
}

// whole is a body that was read whole.
type whole struct {
	*bytes.Reader
	b []byte
}

// Whole implements protocol.Whole.
func (w whole) Whole() []byte { return w.b }

// Close implements io.Closer.
func (whole) Close() error { return nil }

// readBody reads the body of a service whose operations do not stream theirs.
func (x *exchange) readBody() error {
	if protocol.IsS3(x.t.Service) {
		return nil
	}
	max := limit(x.t.Service)
	if x.r.ContentLength > max {
		return tooLarge(max)
	}
	var buf bytes.Buffer
	if n := x.r.ContentLength; n > 0 {
		buf.Grow(int(n) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(x.r.Body, max+1))
	if err != nil {
		return fault.Of(fault.Serialization, "The request body could not be read: it ended before its announced length.")
	}
	if n > max {
		return tooLarge(max)
	}
	x.rq.Body = whole{bytes.NewReader(buf.Bytes()), buf.Bytes()}
	return nil
}

func tooLarge(max int64) error {
	return fault.Of(fault.RequestTooLarge, "The request body is larger than the limit of %d bytes.", max)
}

func (x *exchange) bodyHash() string {
	w, ok := x.rq.Body.(whole)
	if !ok {
		return sigv4.EmptyHash
	}
	sum := sha256.Sum256(w.b)
	return hex.EncodeToString(sum[:])
}

// openBody prepares an S3 body: unwraps chunks, verifies hashes as it is read,
// and bounds it.
func (x *exchange) openBody(secret string) error {
	if !protocol.IsS3(x.t.Service) {
		return nil
	}
	h := x.r.Header
	length := x.r.ContentLength
	body := io.Reader(x.r.Body)
	hash := h.Get("X-Amz-Content-Sha256")
	if x.sig != nil && x.sig.PayloadHash != "" {
		hash = x.sig.PayloadHash
	}
	switch {
	case strings.HasPrefix(hash, "STREAMING-"):
		decoded, err := strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || decoded < 0 {
			return fault.New("MissingContentLength", http.StatusLengthRequired, "You must provide the x-amz-decoded-content-length HTTP header.")
		}
		if x.sig == nil || x.p.Board.Gate.Mode == call.Off {
			c := x.p.keys.NewUnverified(body, decoded)
			c.OnTrailer = x.trailer
			body, length = c, decoded
			break
		}
		c, err := x.p.keys.NewChunked(body, x.sig, secret, decoded)
		if err != nil {
			return err
		}
		c.OnTrailer = x.trailer
		body, length = c, decoded
	case len(hash) == 64:
		body = sigv4.HashReader(body, hash)
	}
	if enc := h.Get("Content-Encoding"); enc != "" {
		var keep []string
		for _, e := range strings.Split(enc, ",") {
			if e = strings.TrimSpace(e); e != "aws-chunked" && e != "" {
				keep = append(keep, e)
			}
		}
		if h.Del("Content-Encoding"); keep != nil {
			h.Set("Content-Encoding", strings.Join(keep, ","))
		}
	}
	if length > maxObject {
		return fault.New("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size.").With("MaxSizeAllowed", fmt.Sprint(maxObject))
	}
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
		x.r.ContentLength = length
	}
	x.rq.Body = struct {
		io.Reader
		io.Closer
	}{body, x.r.Body}
	return nil
}

// trailer puts a header that came behind the body into the input's member.
func (x *exchange) trailer(name, value string) {
	if x.into == nil || x.rq.Op.Input < 0 {
		return
	}
	sh := x.t.Service.Shape(x.rq.Op.Input)
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Location == model.Header && strings.EqualFold(m.WireName(), name) {
			f := reflect.ValueOf(x.into).Elem().Field(i)
			if f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String {
				f.Set(reflect.ValueOf(&value))
			}
		}
	}
}

// preflight answers a browser's question whether it may call across origins.
func (p *Pipeline) preflight(w http.ResponseWriter, r *http.Request, t identify.Target) {
	bucket := t.Bucket
	if bucket == "" {
		bucket, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	}
	x := &exchange{p: p, r: r, t: identify.Target{Protocol: model.RestXML}, in: p.incoming(r, "")}
	for _, s := range p.Services {
		if s.Name == "s3" {
			x.t.Service = s
		}
	}
	if p.cors == nil {
		x.fail(w, fault.New("AccessForbidden", http.StatusForbidden, "CORSResponse: CORS is not enabled for this bucket."))
		return
	}
	var asked []string
	for _, h := range strings.Split(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if h = strings.TrimSpace(h); h != "" {
			asked = append(asked, h)
		}
	}
	h, err := p.cors.Preflight(r.Context(), bucket, r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method"), asked)
	if err != nil {
		var f *fault.Fault
		if !errors.As(err, &f) {
			p.Log.Error("preflight", "error", err)
		}
		x.fail(w, err)
		return
	}
	for k, v := range h {
		w.Header()[k] = v
	}
	w.WriteHeader(http.StatusOK)
}
