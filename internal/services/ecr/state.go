package ecr

import (
	"iter"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// Keys, all below "ecr", account and region:
//
//	repository <name>                   repository
//	layer      <name> <digest>          layer: bytes that the repository has
//	use        <name> <layer> <image>   says that an image of the repository needs the layer
//	image      <name> <digest>          picture: what is known of an image
//	manifest   <name> <digest>          the image's manifest, as it was sent
//	tag        <name> <tag>             the digest that the tag means
//
// The bytes are in image.Content, held as "ecr/<account>/<region>/<name>".

const recordVersion = 1

// repository is the record of a repository.
type repository struct {
	V          int       `json:"v"`
	Name       string    `json:"name"`
	Created    time.Time `json:"created"`
	Mutability string    `json:"mutability"`
	// Exclusions are wildcards of tags to which the opposite applies.
	Exclusions  []string          `json:"exclusions,omitempty"`
	Policy      string            `json:"policy,omitempty"`
	Lifecycle   string            `json:"lifecycle,omitempty"`
	LifecycleAt time.Time         `json:"lifecycleAt,omitzero"` // when it acted
	Preview     string            `json:"preview,omitempty"`    // the lifecycle policy that is looked at
	Tags        map[string]string `json:"tags,omitempty"`
}

// layer is the record of bytes that a repository has.
type layer struct {
	V         int       `json:"v"`
	Size      int64     `json:"size"`
	MediaType string    `json:"mediaType,omitempty"` // as the last manifest said
	Pushed    time.Time `json:"pushed"`
}

// picture is the record of an image, or of an index of images.
type picture struct {
	V            int               `json:"v"`
	Digest       image.Digest      `json:"digest"`
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Config       string            `json:"config,omitempty"` // media type of the configuration
	Subject      image.Digest      `json:"subject,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Size         int64             `json:"size"`   // bytes of the blobs
	Length       int64             `json:"length"` // bytes of the manifest
	Pushed       time.Time         `json:"pushed"`
	Blobs        []image.Digest    `json:"blobs,omitempty"`
	Children     []image.Digest    `json:"children,omitempty"` // of an index
	Tags         []string          `json:"tags,omitempty"`     // sorted
}

// area forms the keys and ARNs of one account and region.
type area struct{ account, region string }

func (a area) key(parts ...string) []byte {
	return data.Key(append([]string{"ecr", a.account, a.region}, parts...)...)
}

func (a area) repositories() []byte          { return a.key("repository") }
func (a area) repository(name string) []byte { return a.key("repository", name) }
func (a area) layer(name string, d image.Digest) []byte {
	return a.key("layer", name, string(d))
}
func (a area) uses(name string, d image.Digest) []byte { return a.key("use", name, string(d)) }
func (a area) use(name string, d, by image.Digest) []byte {
	return a.key("use", name, string(d), string(by))
}
func (a area) images(name string) []byte { return a.key("image", name) }
func (a area) image(name string, d image.Digest) []byte {
	return a.key("image", name, string(d))
}
func (a area) manifest(name string, d image.Digest) []byte {
	return a.key("manifest", name, string(d))
}
func (a area) tagsOf(name string) []byte   { return a.key("tag", name) }
func (a area) tag(name, tag string) []byte { return a.key("tag", name, tag) }
func (a area) arn(name string) string {
	return arn.Make("ecr", a.region, a.account, "repository/"+name)
}
func (a area) holder(name string) string { return "ecr/" + a.account + "/" + a.region + "/" + name }
func everything() []byte                 { return data.Key("ecr") }
func areaOfKey(k []byte) (area, string, bool) {
	p, ok := data.Parts(k)
	if !ok || len(p) < 5 {
		return area{}, "", false
	}
	return area{p[1], p[2]}, p[3], true
}

// list yields the records below a prefix, from after on.
func list[T any](r data.Reader, prefix, from []byte) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if from == nil {
			from = prefix
		}
		for p, err := range r.Scan(from, data.PrefixEnd(prefix), false) {
			var v *T
			if err == nil {
				v, err = data.Decode[T](p)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
