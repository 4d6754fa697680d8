package runtime

import (
	"path"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Image is a function whose program and files are a container image. It speaks the
// Runtime API over HTTP.
// https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
type Image struct {
	// Root is the image's file system.
	Root *sandbox.Root
	// Argv is the entry point with its command. The first may be named without a
	// folder; then it is looked for along PATH.
	Argv []string
	// Dir is the working folder; "/" when empty.
	Dir string
	// Env are the image's variables, as KEY=VALUE, which the function's override.
	Env []string
}

// ImageChoice is the choice for a function that is an image.
func ImageChoice(img Image) Choice {
	return Choice{Runtime: "image", Family: "image", Exact: true, env: img.Env, image: &img}
}

// apply puts the image into a sandbox's specification.
func (img *Image) apply(spec *sandbox.Spec) {
	if img != nil {
		spec.Root, spec.Dir, spec.Mounts = img.Root, path.Join("/", img.Dir), nil
	}
}
