package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	refs "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Image is an image whose layers are in the content.
type Image struct {
	// Digest is that of its manifest.
	Digest Digest
	Config *Config
	Layers []Layer
}

// RefusedError says that a registry did not hand an image out.
type RefusedError struct {
	Reference string
	Err       error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("image: %s cannot be pulled: %v", e.Reference, e.Err)
}

// Unwrap returns what the registry said.
func (e *RefusedError) Unwrap() error { return e.Err }

// Puller fetches images from registries, as anybody.
type Puller struct {
	// Content takes the layers.
	Content *Content
	// Transport reaches the registries.
	Transport http.RoundTripper
}

// Pull fetches the image that a reference ("docker.io/library/alpine:3") means for
// a platform. Its layers are pinned until release is called. The error is a
// *RefusedError if the registry is at fault.
func (p *Puller) Pull(ctx context.Context, reference string, platform Platform) (img *Image, release func(), err error) {
	refused := func(err error) error { return &RefusedError{reference, err} }
	ref, err := refs.ParseReference(reference)
	if err != nil {
		return nil, nil, refused(err)
	}
	r, err := remote.Image(ref, remote.WithContext(ctx), remote.WithTransport(p.Transport), remote.WithPlatform(v1.Platform{OS: platform.OS, Architecture: platform.Architecture}))
	if err != nil {
		return nil, nil, refused(err)
	}
	text, err := r.RawManifest()
	if err != nil {
		return nil, nil, refused(err)
	}
	m, err := ParseManifest(text, "")
	if err != nil {
		return nil, nil, refused(err)
	}
	config, err := r.RawConfigFile()
	if err != nil {
		return nil, nil, refused(err)
	}
	layers, err := r.Layers()
	if err != nil {
		return nil, nil, refused(err)
	}
	var releases []func()
	release = func() {
		for _, f := range releases {
			f()
		}
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	for i, l := range layers {
		done, err := p.layer(ctx, l, m.Layers[i].Digest)
		if err != nil {
			return nil, nil, refused(err)
		}
		releases = append(releases, done)
	}
	img, err = Assemble(DigestOf(text), m, config)
	return img, release, err
}

// layer fetches one layer, unless it is there.
func (p *Puller) layer(ctx context.Context, l v1.Layer, d Digest) (release func(), err error) {
	if release, err = p.Content.Pin(ctx, d); !errors.Is(err, ErrNotFound) {
		return release, err
	}
	r, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	w, err := p.Content.Create(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if _, err := io.Copy(w, r); err != nil {
		return nil, err
	}
	return w.Commit(d)
}

// Assemble makes an image of a manifest and the configuration that it names.
func Assemble(d Digest, m *Manifest, config []byte) (*Image, error) {
	if m.IsIndex() {
		return nil, fmt.Errorf("%w: it is an index", ErrManifest)
	}
	if DigestOf(config) != m.Config.Digest {
		return nil, fmt.Errorf("%w: it is that of the configuration", ErrDigest)
	}
	c, err := ParseConfig(bytes.TrimSpace(config), len(m.Layers))
	if err != nil {
		return nil, err
	}
	img := &Image{Digest: d, Config: c}
	for i, l := range m.Layers {
		img.Layers = append(img.Layers, Layer{l.Digest, c.RootFS.DiffIDs[i]})
	}
	return img, nil
}
