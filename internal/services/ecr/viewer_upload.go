package ecr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/image"
)

// uploads carries out what begins or goes on with an upload.
func (x *exchange) uploads(ctx context.Context, id string) error {
	if id == "" {
		if x.r.Method != http.MethodPost {
			return notAllowed()
		}
		return x.beginUpload(ctx)
	}
	action := "ecr:UploadLayerPart"
	if x.r.Method == http.MethodPut {
		action = "ecr:CompleteLayerUpload"
	}
	if err := x.allow(ctx, x.area, x.name, action); err != nil {
		return err
	}
	u, err := x.s.uploads.find(x.area, x.name, id)
	if err != nil {
		return err
	}
	switch x.r.Method {
	case http.MethodGet:
		x.progress(u, u.size(), http.StatusNoContent)
	case http.MethodPatch:
		if err := x.chunk(u); err != nil {
			return err
		}
		x.progress(u, u.size(), http.StatusAccepted)
	case http.MethodPut:
		d, err := digestOf(x.r.URL.Query().Get("digest"))
		if err != nil {
			return err
		}
		if err := x.checkRange(u); err != nil {
			return err
		}
		return x.finish(ctx, u, d)
	case http.MethodDelete:
		x.s.uploads.abort(func(y *upload) bool { return y == u })
		x.w.WriteHeader(http.StatusNoContent)
	default:
		return notAllowed()
	}
	return nil
}

// beginUpload begins an upload, completes one in a single request, or mounts a
// layer that another repository has.
func (x *exchange) beginUpload(ctx context.Context) error {
	q := x.r.URL.Query()
	if from := q.Get("from"); q.Get("mount") != "" && checkRepositoryName(from) {
		d, err := digestOf(q.Get("mount"))
		if err != nil {
			return err
		}
		done, err := x.mount(ctx, from, d)
		if done || err != nil {
			return err
		}
	}
	if err := x.allow(ctx, x.area, x.name, "ecr:InitiateLayerUpload"); err != nil {
		return err
	}
	u, err := x.s.begin(ctx, x.area, x.name)
	if err != nil {
		return err
	}
	if text := q.Get("digest"); text != "" {
		d, err := digestOf(text)
		if err == nil {
			err = x.allow(ctx, x.area, x.name, "ecr:CompleteLayerUpload")
		}
		if err == nil {
			err = x.finish(ctx, u, d)
		}
		if err != nil {
			x.s.uploads.abort(func(y *upload) bool { return y == u })
		}
		return err
	}
	x.progress(u, 0, http.StatusAccepted)
	return nil
}

// mount takes over another repository's layer, if the caller may get it there.
func (x *exchange) mount(ctx context.Context, from string, d image.Digest) (bool, error) {
	for _, n := range [...]struct{ name, action string }{
		{from, "ecr:GetDownloadUrlForLayer"}, {x.name, "ecr:InitiateLayerUpload"}, {x.name, "ecr:CompleteLayerUpload"},
	} {
		if x.allow(ctx, x.area, n.name, n.action) != nil {
			return false, nil // the client uploads it instead
		}
	}
	done, err := x.s.mount(ctx, x.area, from, x.area, x.name, d)
	if done && err == nil {
		x.created("/blobs/"+string(d), d)
	}
	return done, err
}

// created answers with where a thing is now.
func (x *exchange) created(path string, d image.Digest) {
	h := x.w.Header()
	h.Set("Location", "/v2/"+x.name+path)
	h.Set("Docker-Content-Digest", string(d))
	h.Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusCreated)
}

// progress answers with how far an upload is.
func (x *exchange) progress(u *upload, size int64, status int) {
	h := x.w.Header()
	h.Set("Location", "/v2/"+x.name+"/blobs/uploads/"+u.id)
	h.Set("Docker-Upload-Uuid", u.id)
	h.Set("Range", fmt.Sprintf("0-%d", max(0, size-1)))
	if status != http.StatusNoContent {
		h.Set("Content-Length", "0")
	}
	x.w.WriteHeader(status)
}

// checkRange refuses a part that does not begin where the last has ended.
func (x *exchange) checkRange(u *upload) error {
	text := x.r.Header.Get("Content-Range")
	if text == "" {
		return nil
	}
	first, last, ok := strings.Cut(strings.TrimPrefix(text, "bytes "), "-")
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	have := u.size()
	if ok && err == nil && err2 == nil && from == have && (x.r.ContentLength < 0 || x.r.ContentLength == to-from+1) {
		return nil
	}
	x.w.Header().Set("Range", fmt.Sprintf("0-%d", max(0, have-1)))
	x.w.Header().Set("Location", "/v2/"+x.name+"/blobs/uploads/"+u.id)
	return &registryError{http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", fmt.Sprintf("The part %q does not follow the %d bytes that were received.", text, have)}
}

func (x *exchange) chunk(u *upload) error {
	if err := x.checkRange(u); err != nil {
		return err
	}
	err := u.take(x.r.Body, x.s.d.Clock.Now)
	if errors.Is(err, errOver) {
		err = x.s.gone(x.area, x.name, u.id)
	}
	return err
}

// finish completes an upload with the request's body.
func (x *exchange) finish(ctx context.Context, u *upload, d image.Digest) error {
	_, err := x.s.complete(ctx, u, x.r.Body, d)
	if errors.Is(err, errOver) {
		err = x.s.gone(x.area, x.name, u.id)
	}
	if err != nil {
		return err
	}
	x.created("/blobs/"+string(d), d)
	return nil
}
