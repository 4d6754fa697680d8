package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
)

// reference is what a path names an image by: a digest or a tag.
func reference(which string) *api.ImageIdentifier {
	if strings.Contains(which, ":") {
		return &api.ImageIdentifier{ImageDigest: &which}
	}
	return &api.ImageIdentifier{ImageTag: &which}
}

func (x *exchange) manifest(ctx context.Context, which string) error {
	actions := map[string]string{
		http.MethodGet: "ecr:BatchGetImage", http.MethodHead: "ecr:BatchGetImage", http.MethodPut: "ecr:PutImage", http.MethodDelete: "ecr:BatchDeleteImage",
	}
	action := actions[x.r.Method]
	if action == "" {
		return notAllowed()
	}
	if err := x.allow(ctx, x.area, x.name, action); err != nil {
		return err
	}
	switch x.r.Method {
	case http.MethodPut:
		return x.putManifest(ctx, which)
	case http.MethodDelete:
		return x.deleteManifest(ctx, which)
	}
	var pic *picture
	var text []byte
	err := x.s.d.Store.View(ctx, func(r data.Reader) (err error) {
		if _, err := x.area.find(r, x.name); err != nil {
			return err
		}
		var code, reason string
		if pic, code, reason, err = x.area.resolve(r, x.name, reference(which)); err != nil || code != "" {
			return x.failure(code, reason, err)
		}
		text, _, err = r.Get(x.area.manifest(x.name, pic.Digest))
		return err
	})
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", pic.MediaType)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Docker-Content-Digest", string(pic.Digest))
	h.Set("Etag", `"`+string(pic.Digest)+`"`)
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(text)
	}
	return nil
}

// failure is what an operation's failure code says here.
func (x *exchange) failure(code, reason string, err error) error {
	switch code {
	case "":
		return err
	case api.ImageFailureCodeInvalidImageDigest:
		return &registryError{http.StatusBadRequest, "DIGEST_INVALID", reason}
	case api.ImageFailureCodeInvalidImageTag:
		return &registryError{http.StatusNotFound, "MANIFEST_UNKNOWN", reason}
	case api.ImageFailureCodeImageReferencedByManifestList:
		return &registryError{http.StatusConflict, "DENIED", reason}
	}
	return &registryError{http.StatusNotFound, "MANIFEST_UNKNOWN", reason}
}

func (x *exchange) putManifest(ctx context.Context, which string) error {
	text, err := io.ReadAll(io.LimitReader(x.r.Body, image.MaxManifest+1))
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if len(text) > image.MaxManifest {
		return &registryError{http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", fmt.Sprintf("A manifest has at most %d bytes.", image.MaxManifest)}
	}
	p := &pushed{text: text}
	if t := x.r.Header.Get("Content-Type"); t != "" {
		if p.mediaType, _, err = mime.ParseMediaType(t); err != nil {
			return &registryError{http.StatusBadRequest, "MANIFEST_INVALID", fmt.Sprintf("The media type %q cannot be read.", t)}
		}
	}
	if id := reference(which); id.ImageDigest != nil {
		if p.digest, err = digestOf(which); err != nil {
			return err
		}
	} else {
		p.tag = which
	}
	if err := x.s.push(ctx, x.area, x.name, p); err != nil && !errors.Is(err, errSame) {
		return err
	}
	if p.manifest.Subject != nil {
		x.w.Header().Set("Oci-Subject", string(p.manifest.Subject.Digest))
	}
	x.created("/manifests/"+string(p.digest), p.digest)
	return nil
}

func (x *exchange) deleteManifest(ctx context.Context, which string) error {
	out, err := x.s.deleteImages(ctx, x.area, x.name, []api.ImageIdentifier{*reference(which)})
	if err != nil {
		return err
	}
	if len(out.Failures) > 0 {
		return x.failure(*out.Failures[0].FailureCode, *out.Failures[0].FailureReason, nil)
	}
	x.w.WriteHeader(http.StatusAccepted)
	return nil
}

// referrers lists what was pushed about an image, as an index.
func (x *exchange) referrers(ctx context.Context, which string) error {
	if x.r.Method != http.MethodGet {
		return notAllowed()
	}
	d, err := digestOf(which)
	if err != nil {
		return err
	}
	if err := x.allow(ctx, x.area, x.name, "ecr:ListImageReferrers"); err != nil {
		return err
	}
	type index struct {
		SchemaVersion int                `json:"schemaVersion"`
		MediaType     string             `json:"mediaType"`
		Manifests     []image.Descriptor `json:"manifests"`
	}
	out := index{2, image.OCIIndex, []image.Descriptor{}}
	wanted := x.r.URL.Query()["artifactType"]
	_, err = x.s.eachImage(ctx, x.area, x.name, nil, func(pic *picture) bool {
		if pic.Subject == d && (len(wanted) == 0 || slices.Contains(wanted, pic.artifact())) {
			out.Manifests = append(out.Manifests, image.Descriptor{
				MediaType: pic.MediaType, Digest: pic.Digest, Size: pic.Length, ArtifactType: pic.artifact(), Annotations: pic.Annotations,
			})
		}
		return true
	})
	if err != nil {
		return err
	}
	if len(wanted) > 0 {
		x.w.Header().Set("Oci-Filters-Applied", "artifactType")
	}
	x.json(http.StatusOK, image.OCIIndex, out)
	return nil
}
