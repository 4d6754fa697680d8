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
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
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

// Closed tells that the registry wants to know who asks, or does not let it in.
func (e *RefusedError) Closed() bool {
	var t *transport.Error
	return errors.As(e.Err, &t) && (t.StatusCode == http.StatusUnauthorized || t.StatusCode == http.StatusForbidden)
}

// Unwrap returns what the registry said.
func (e *RefusedError) Unwrap() error { return e.Err }

// Puller fetches images from registries.
type Puller struct {
	// Content takes the layers.
	Content *Content
	// Transport reaches the registries.
	Transport http.RoundTripper
	// Logins says, at every pull, what registries are logged in to with; nil: all
	// are asked as anybody.
	Logins func() (*Logins, error)
}

// Pull fetches the image that a reference ("docker.io/library/alpine:3") means for
// a platform. Its layers are pinned until release is called. The error is a
// *RefusedError if the registry is at fault.
func (p *Puller) Pull(ctx context.Context, reference string, platform Platform) (img *Image, release func(), err error) {
	refused := func(err error) error { return &RefusedError{reference, err} }
	var logins *Logins
	if p.Logins != nil {
		if logins, err = p.Logins(); err != nil {
			return nil, nil, fmt.Errorf("read the logins of registries: %w", err)
		}
	}
	ref, err := refs.ParseReference(reference)
	if err != nil {
		return nil, nil, refused(err)
	}
	r, err := remote.Image(ref, remote.WithContext(ctx), remote.WithTransport(p.Transport), remote.WithAuthFromKeychain(logins),
		remote.WithPlatform(v1.Platform{OS: platform.OS, Architecture: platform.Architecture}))
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
	size := int64(0)
	for _, l := range m.Layers {
		size += l.Size
	}
	if size > MaxUnpacked {
		return nil, nil, ErrTooBig
	}
	if m.Config == nil || m.Config.Size > MaxManifest {
		return nil, nil, refused(fmt.Errorf("%w: its configuration is too large", ErrManifest))
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
		done, err := p.layer(ctx, l, m.Layers[i].Digest, refused)
		if err != nil {
			return nil, nil, err
		}
		releases = append(releases, done)
	}
	if img, err = Assemble(DigestOf(text), m, config); err != nil {
		return nil, nil, refused(err)
	}
	return img, release, nil
}

// layer fetches one layer, unless it is there. What the registry has done wrong is
// told by refused.
func (p *Puller) layer(ctx context.Context, l v1.Layer, d Digest, refused func(error) error) (release func(), err error) {
	if release, err = p.Content.Pin(ctx, d); !errors.Is(err, ErrNotFound) {
		return release, err
	}
	r, err := l.Compressed()
	if err != nil {
		return nil, refused(err)
	}
	defer r.Close()
	w, err := p.Content.Create(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if _, err := io.Copy(w, reading{r, refused}); err != nil {
		return nil, err
	}
	release, err = w.Commit(d)
	if errors.Is(err, ErrDigest) {
		err = refused(err)
	}
	return release, err
}

// reading tells errors of reading from those of writing.
type reading struct {
	io.Reader
	tell func(error) error
}

func (r reading) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = r.tell(err)
	}
	return n, err
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
