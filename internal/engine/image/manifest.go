package image

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The media types of manifests.
const (
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// MaxManifest is the most bytes that a manifest has.
const MaxManifest = 4 << 20

// Manifest is what is read of a manifest or an index.
type Manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *Descriptor       `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Manifests     []Descriptor      `json:"manifests"`
	Subject       *Descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// Descriptor names bytes.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       Digest            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Platform is what an image of an index is for.
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// ErrManifest says that a manifest is not of a form that is known.
var ErrManifest = errors.New("image: not a manifest that is known")

// ParseManifest reads a manifest. mediaType is what its sender said; "" leaves it
// to the manifest itself. The result has its media type filled in.
func ParseManifest(b []byte, mediaType string) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrManifest, MaxManifest)
	}
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrManifest, err)
	}
	if m.MediaType == "" {
		m.MediaType = mediaType
	}
	if m.MediaType == "" && m.SchemaVersion == 2 {
		m.MediaType = OCIManifest
		if m.Manifests != nil {
			m.MediaType = OCIIndex
		}
	}
	switch {
	case mediaType != "" && mediaType != m.MediaType:
		return nil, fmt.Errorf("%w: it was sent as %.100q and says that it is %.100q", ErrManifest, mediaType, m.MediaType)
	case m.SchemaVersion != 2:
		return nil, fmt.Errorf("%w: it has the schema version %d, not 2", ErrManifest, m.SchemaVersion)
	case m.IsIndex():
		if m.Config != nil || m.Layers != nil {
			return nil, fmt.Errorf("%w: an index has no layers", ErrManifest)
		}
	case m.MediaType != OCIManifest && m.MediaType != DockerManifest:
		return nil, fmt.Errorf("%w: its media type is %.100q", ErrManifest, m.MediaType)
	case m.Config == nil || m.Manifests != nil:
		return nil, fmt.Errorf("%w: it has no config", ErrManifest)
	}
	for _, d := range m.all() {
		if _, err := ParseDigest(string(d.Digest)); err != nil || d.Size < 0 {
			return nil, fmt.Errorf("%w: it refers to the digest %.100q", ErrManifest, d.Digest)
		}
	}
	return m, nil
}

// IsIndex tells whether it lists manifests instead of layers.
func (m *Manifest) IsIndex() bool { return m.MediaType == OCIIndex || m.MediaType == DockerIndex }

func (m *Manifest) all() []Descriptor {
	all := append(m.Blobs(), m.Manifests...)
	if m.Subject != nil {
		all = append(all, *m.Subject)
	}
	return all
}

// Blobs are the configuration and the layers that a registry has to have: those
// that are fetched from elsewhere are not among them.
func (m *Manifest) Blobs() []Descriptor {
	var all []Descriptor
	if m.Config != nil {
		all = append(all, *m.Config)
	}
	for _, l := range m.Layers {
		if len(l.URLs) == 0 {
			all = append(all, l)
		}
	}
	return all
}

// Config is what is read of an image's configuration.
type Config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		Env        []string `json:"Env"`
		Entrypoint []string `json:"Entrypoint"`
		Cmd        []string `json:"Cmd"`
		WorkingDir string   `json:"WorkingDir"`
	} `json:"config"`
	RootFS struct {
		DiffIDs []Digest `json:"diff_ids"`
	} `json:"rootfs"`
}

// ParseConfig reads an image's configuration, which must name as many layers as
// its manifest has.
func ParseConfig(b []byte, layers int) (*Config, error) {
	c := &Config{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("image: the configuration cannot be read: %w", err)
	}
	if len(c.RootFS.DiffIDs) != layers {
		return nil, fmt.Errorf("image: the configuration names %d layers, the manifest %d", len(c.RootFS.DiffIDs), layers)
	}
	for _, d := range c.RootFS.DiffIDs {
		if _, err := ParseDigest(string(d)); err != nil {
			return nil, fmt.Errorf("image: the configuration names a layer wrongly: %w", err)
		}
	}
	return c, nil
}
