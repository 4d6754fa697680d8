package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// faceKind is the kind of address at which the registry protocol is spoken.
const faceKind = "ecr"

// Kinds implements call.Face.
func (s *Service) Kinds() []string { return []string{faceKind} }

// exchange is one request of the registry protocol.
type exchange struct {
	s    *Service
	w    http.ResponseWriter
	r    *http.Request
	at   call.Address
	id   call.Identity
	area area
	name string // of the repository
}

// View implements call.Face: the OCI distribution protocol.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
func (s *Service) View(w http.ResponseWriter, r *http.Request, at call.Address) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	x := &exchange{s: s, w: w, r: r, at: at}
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// registryError is an error as the protocol writes it.
type registryError struct {
	status        int
	code, message string
}

func (e *registryError) Error() string { return e.code + ": " + e.message }

func notKnown() error {
	return &registryError{http.StatusNotFound, "UNSUPPORTED", "The registry has no such address."}
}

func notAllowed() error {
	return &registryError{http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."}
}

// errorCodes say how faults are answered.
var errorCodes = map[string]registryError{
	"RepositoryNotFoundException":         {http.StatusNotFound, "NAME_UNKNOWN", ""},
	"ImageNotFoundException":              {http.StatusNotFound, "MANIFEST_UNKNOWN", ""},
	"LayersNotFoundException":             {http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", ""},
	"ReferencedImagesNotFoundException":   {http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", ""},
	"UploadNotFoundException":             {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", ""},
	"InvalidLayerException":               {http.StatusBadRequest, "DIGEST_INVALID", ""},
	"ImageDigestDoesNotMatchException":    {http.StatusBadRequest, "DIGEST_INVALID", ""},
	"ImageTagAlreadyExistsException":      {http.StatusBadRequest, "TAG_INVALID", ""},
	"InvalidParameterException":           {http.StatusBadRequest, "MANIFEST_INVALID", ""},
	"LimitExceededException":              {http.StatusTooManyRequests, "TOOMANYREQUESTS", ""},
	"AccessDeniedException":               {http.StatusForbidden, "DENIED", ""},
	"MissingAuthenticationTokenException": {http.StatusUnauthorized, "UNAUTHORIZED", ""},
}

func (x *exchange) fail(err error) {
	var e *registryError
	if !errors.As(err, &e) {
		e = &registryError{http.StatusInternalServerError, "UNKNOWN", "The request failed for a reason within the server."}
		if f := fault.As(err); f != nil {
			known, ok := errorCodes[f.Code]
			if !ok {
				known = registryError{http.StatusBadRequest, "UNSUPPORTED", ""}
			}
			e = &registryError{known.status, known.code, f.Message}
		} else if errors.Is(err, io.ErrUnexpectedEOF) {
			return // the client went away
		}
	}
	if e.status == http.StatusUnauthorized {
		x.w.Header().Set("Www-Authenticate", fmt.Sprintf(`Basic realm="%s://%s/",service="ecr.amazonaws.com"`, x.at.In.Scheme, x.at.In.Host))
	}
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	x.json(e.status, "application/json", struct {
		Errors []one `json:"errors"`
	}{[]one{{e.code, e.message}}})
}

func (x *exchange) json(status int, mediaType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs
	}
	x.w.Header().Set("Content-Type", mediaType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(b) // a caller that has gone does not want to know
	}
}

// identify finds out who asks, and whose registry is meant.
func (x *exchange) identify(ctx context.Context) error {
	user, password, ok := x.r.BasicAuth()
	if ok {
		p, err := x.s.admit(ctx, user, password)
		if err == nil {
			x.id, x.area = p.Identity, area{p.Account, p.Region}
		} else if x.s.d.Gate.Mode == call.Enforce {
			return err
		} else {
			ok = false
		}
	}
	if !ok {
		if x.s.d.Gate.Mode == call.Enforce || x.at.Caller == nil {
			return badPassword()
		}
		// Nobody is refused in the other modes, and so no password is needed.
		var err error
		if x.id, err = x.at.Caller(ctx, nil); err != nil {
			return err
		}
		x.area = area{x.id.Principal.Account, x.at.In.Region}
		if x.id.Principal.Kind == policy.Anonymous && x.at.ID == "" {
			return badPassword()
		}
	}
	if x.at.ID != "" {
		x.area = area{x.at.ID, x.at.Region}
	}
	return nil
}

// allow asks whether the caller may do action with the repository.
func (x *exchange) allow(ctx context.Context, a area, name, action string) error {
	n, err := x.s.need(ctx, a, name, action)
	if err != nil {
		return err
	}
	in := x.at.In
	in.Region = a.region
	return x.s.d.Gate.Ask(ctx, in, x.id, n)
}

// serve finds the operation by the path, from its end: repositories have slashes
// in their names.
func (x *exchange) serve() error {
	ctx := x.r.Context()
	path, err := url.PathUnescape(x.at.Path)
	if err != nil {
		return notKnown()
	}
	path = strings.TrimPrefix(path, "/v2")
	if done, err := x.download(ctx, path); done || err != nil {
		return err
	}
	if err := x.identify(ctx); err != nil {
		return err
	}
	if path == "" || path == "/" {
		x.json(http.StatusOK, "application/json", struct{}{})
		return nil
	}
	if path == "/_catalog" {
		return x.catalog(ctx)
	}
	name, kind, rest, ok := split(strings.TrimPrefix(path, "/"))
	if !ok {
		return notKnown()
	}
	x.name = name
	if !checkRepositoryName(name) {
		return &registryError{http.StatusBadRequest, "NAME_INVALID", fmt.Sprintf("The repository name %.300q is not valid.", name)}
	}
	switch kind {
	case "uploads":
		return x.uploads(ctx, rest)
	case "blobs":
		return x.blob(ctx, rest)
	case "manifests":
		return x.manifest(ctx, rest)
	case "tags":
		return x.tags(ctx)
	}
	return x.referrers(ctx, rest)
}

// split takes a path apart: the repository's name, the kind of thing, and which.
func split(path string) (name, kind, rest string, ok bool) {
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		return name, "tags", "", true
	}
	if name, ok := strings.CutSuffix(strings.TrimSuffix(path, "/"), "/blobs/uploads"); ok {
		return name, "uploads", "", true
	}
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", "", "", false
	}
	for _, kind := range [...]string{"uploads", "blobs", "manifests", "referrers"} {
		at := "/" + kind
		if kind == "uploads" {
			at = "/blobs/uploads"
		}
		if name, ok := strings.CutSuffix(path[:i], at); ok {
			return name, kind, path[i+1:], true
		}
	}
	return "", "", "", false
}

func digestOf(text string) (image.Digest, error) {
	d, err := image.ParseDigest(text)
	if err != nil {
		err = &registryError{http.StatusBadRequest, "DIGEST_INVALID", err.Error()}
	}
	return d, err
}

func (x *exchange) noBlob(d image.Digest) error {
	return &registryError{http.StatusNotFound, "BLOB_UNKNOWN", fmt.Sprintf("The layer with digest '%s' does not exist in the repository with name '%s'", d, x.name)}
}

// download serves a layer by an address that GetDownloadUrlForLayer has given.
func (x *exchange) download(ctx context.Context, path string) (bool, error) {
	text := x.r.URL.Query().Get(downloadParameter)
	name, kind, rest, ok := split(strings.TrimPrefix(path, "/"))
	if text == "" || !ok || kind != "blobs" || x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return false, nil
	}
	parts := strings.SplitN(text, ".", 3)
	d, err := digestOf(rest)
	if err != nil {
		return false, err
	}
	if len(parts) != 3 {
		return false, badPassword()
	}
	x.area, x.name = area{parts[0], parts[1]}, name
	if !x.s.downloadable(parts[2], x.area, name, d) {
		return false, badPassword()
	}
	return true, x.send(ctx, d)
}

func (x *exchange) blob(ctx context.Context, which string) error {
	d, err := digestOf(which)
	if err != nil {
		return err
	}
	action := "ecr:GetDownloadUrlForLayer"
	switch x.r.Method {
	case http.MethodGet:
	case http.MethodHead:
		action = "ecr:BatchCheckLayerAvailability"
	default:
		return notAllowed() // layers go with their images
	}
	if err := x.allow(ctx, x.area, x.name, action); err != nil {
		return err
	}
	return x.send(ctx, d)
}

// send answers with a layer, or with the part of it that was asked for.
func (x *exchange) send(ctx context.Context, d image.Digest) error {
	l, err := x.s.layerOf(ctx, x.area, x.name, d)
	if err != nil {
		return err
	}
	if l == nil {
		return x.noBlob(d)
	}
	b, err := x.s.d.Content.Open(ctx, d)
	if errors.Is(err, image.ErrNotFound) {
		return x.noBlob(d)
	}
	if err != nil {
		return err
	}
	defer b.Close()
	h := x.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", string(d))
	h.Set("Etag", `"`+string(d)+`"`)
	http.ServeContent(x.w, x.r, "", time.Time{}, b)
	return nil
}

var _ call.Face = (*Service)(nil)
