package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Functions that are container images.
// https://docs.aws.amazon.com/lambda/latest/dg/images-create.html

// imageUse is the image that a version runs.
type imageUse struct {
	URI      string        `json:"uri"`      // as it was given
	Resolved string        `json:"resolved"` // with the digest in the tag's place
	Layers   []image.Layer `json:"layers"`   // the lowest first
	// The image's own settings.
	Env        []string `json:"env,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	Command    []string `json:"command,omitempty"`
	Dir        string   `json:"dir,omitempty"`
}

// imageConfig takes the place of the image's own settings, as far as it is set.
type imageConfig struct {
	EntryPoint []string `json:"entryPoint,omitempty"`
	Command    []string `json:"command,omitempty"`
	Dir        string   `json:"dir,omitempty"`
}

func newImageConfig(c *api.ImageConfig) *imageConfig {
	if c == nil || len(c.EntryPoint) == 0 && len(c.Command) == 0 && opt.Val(c.WorkingDirectory) == "" {
		return nil
	}
	return &imageConfig{c.EntryPoint, c.Command, opt.Val(c.WorkingDirectory)}
}

// into makes what was received the code of v.
func (p *pack) into(v *version) {
	v.Hash, v.CodeSize, v.Unzipped, v.Image = p.hash, p.size, p.unzipped, p.image
}

// sum is the version's CodeSha256: of an image its digest, of a package as AWS
// writes it.
func (v *version) sum() string {
	if v.Image != nil {
		return v.Hash
	}
	return sum(v.Hash)
}

// handler is what the variable _HANDLER says.
func (v *version) handler() string {
	if _, command := v.arguments(); v.Image != nil && len(command) > 0 {
		return command[0]
	}
	return v.Handler
}

// arguments are an image's entry point and command. An entry point of the
// function's own configuration takes the image's command away with its entry point.
func (v *version) arguments() (entry, command []string) {
	if v.Image == nil {
		return nil, nil
	}
	entry, command = v.Image.Entrypoint, v.Image.Command
	if c := v.ImageConfig; c != nil {
		if len(c.EntryPoint) > 0 {
			entry, command = c.EntryPoint, nil
		}
		if len(c.Command) > 0 {
			command = c.Command
		}
	}
	return entry, command
}

// showImage completes a configuration.
func (v *version) showImage(c *api.FunctionConfiguration) {
	if v.Image == nil {
		return
	}
	c.PackageType, c.Runtime, c.Handler = new(api.PackageTypeImage), nil, nil
	if x := v.ImageConfig; x != nil {
		c.ImageConfigResponse = &api.ImageConfigResponse{ImageConfig: &api.ImageConfig{EntryPoint: x.EntryPoint, Command: x.Command, WorkingDirectory: opt.NonZero(x.Dir)}}
	}
}

// location says where the code is.
func (v *version) location() *api.FunctionCodeLocation {
	if v.Image == nil {
		return &api.FunctionCodeLocation{RepositoryType: new("S3")}
	}
	return &api.FunctionCodeLocation{RepositoryType: new("ECR"), ImageUri: &v.Image.URI, ResolvedImageUri: &v.Image.Resolved}
}

// imageHolder is who holds the layers of a function's version.
func imageHolder(k key, v string) string {
	return "lambda/" + k.account + "/" + k.region + "/" + k.name + "/" + v
}

// packages are the image's layers, each once.
func (u *imageUse) packages(k key) []pkg {
	var all []pkg
	for i, l := range u.Layers {
		if !slices.ContainsFunc(u.Layers[:i], func(x image.Layer) bool { return x.Digest == l.Digest }) {
			all = append(all, pkg{area: k.area(), image: u, layer: l})
		}
	}
	return all
}

// dropImage removes a layer that nobody needs any more: unpacked if no function
// does, and its bytes if no repository does either. What stays behind after an
// error is collected later.
func (s *Service) dropImage(ctx context.Context, p pkg) {
	_ = s.trees.Drop(p.image.Layers, func(l image.Layer) bool {
		needed := true
		err := s.store.View(ctx, func(r data.Reader) (err error) {
			needed, err = image.Held(r, l.Digest, "lambda/")
			return err
		})
		return needed || err != nil
	})
	_ = s.plane.deps.Images.Drop(ctx, p.layer.Digest)
}

// checkImages checks what a function that is an image is created with.
func (s *Service) checkImages(in *api.CreateFunctionRequest) error {
	if in.Runtime != nil || in.Handler != nil || len(in.Layers) > 0 {
		return api.InvalidParameterValueException("Please don't provide Runtime or Handler or Layer when the intended function PackageType is Image.")
	}
	if d := s.plane.deps; d.Images == nil || !d.Launcher.Tier().OwnRoot {
		return api.InvalidParameterValueException("PackageType Image: container images take namespaces, which this machine does not allow; tierra doctor tells how to get them.")
	}
	return nil
}

// checkCreate says whether package type and code fit together.
func checkCreate(in *api.CreateFunctionRequest, src *source) error {
	isImage := opt.Val(in.PackageType) == api.PackageTypeImage
	switch {
	case isImage && src.image == nil:
		return api.InvalidParameterValueException("Please provide ImageUri when the intended function PackageType is Image.")
	case !isImage && src.image != nil:
		return api.InvalidParameterValueException("Please don't provide ImageUri when the intended function PackageType is Zip.")
	case !isImage && newImageConfig(in.ImageConfig) != nil:
		return api.InvalidParameterValueException("Please don't provide ImageConfig when the intended function PackageType is Zip.")
	}
	return src.alone()
}

// alone says whether an image is the only source.
func (s *source) alone() error {
	if s.image != nil && (len(s.zip) > 0 || s.bucket != nil || s.key != nil) {
		return api.InvalidParameterValueException("Please do not provide other FunctionCode parameters when providing an ImageUri.")
	}
	return nil
}

// checkUpdate says whether new code is of the function's package type.
func checkUpdate(v *version, src *source) error {
	switch {
	case v.Image != nil && src.image == nil:
		return api.InvalidParameterValueException("Please provide ImageUri when updating a function with packageType Image.")
	case v.Image == nil && src.image != nil:
		return api.InvalidParameterValueException("Please don't provide ImageUri when updating a function with packageType Zip.")
	}
	return src.alone()
}

// checkImageUpdate says whether a new configuration fits the function's package type.
func checkImageUpdate(v *version, in *api.UpdateFunctionConfigurationRequest) error {
	if v.Image == nil && newImageConfig(in.ImageConfig) != nil {
		return api.InvalidParameterValueException("Please don't provide ImageConfig when updating a function with packageType Zip.")
	}
	if v.Image != nil && (in.Runtime != nil || in.Handler != nil || len(in.Layers) > 0) {
		return api.InvalidParameterValueException("Please don't provide Runtime or Handler or Layer when updating a function with packageType Image.")
	}
	return nil
}

// program is what a version's environment runs, from where, and how that is given up.
func (s *Service) program(ctx context.Context, k key, v *version) (choice engine.Choice, dir string, done func(), err error) {
	if v.Image != nil {
		root, _, done, err := s.trees.Root(ctx, v.Image.Layers)
		if err != nil {
			return choice, "", nil, fmt.Errorf("image of %s: %w", k.name, err)
		}
		entry, command := v.arguments()
		img := engine.Image{Root: root, Argv: slices.Concat(entry, command), Dir: v.Image.Dir, Env: v.Image.Env}
		if c := v.ImageConfig; c != nil && c.Dir != "" {
			img.Dir = c.Dir
		}
		return engine.ImageChoice(img), "", done, nil
	}
	if choice, err = s.resolveRuntime(ctx, v); err != nil {
		return choice, "", nil, fmt.Errorf("runtime of %s: %w", k.name, err)
	}
	if choice, err = s.plane.attach(ctx, k, choice); err != nil {
		return choice, "", nil, err
	}
	if dir, done, err = s.code(ctx, k.area(), v.Hash); err != nil {
		return choice, "", nil, fmt.Errorf("code of %s: %w", k.name, err)
	}
	return choice, dir, done, nil
}

// platform is what this machine runs.
func platform() image.Platform {
	if architecture() == "arm64" {
		return image.Platform{OS: "linux", Architecture: "arm64"}
	}
	return image.Platform{OS: "linux", Architecture: "amd64"}
}

// unpackImage makes the image's root, and what a version keeps of it.
func (s *Service) unpackImage(ctx context.Context, at imageURI, img *image.Image) (*pack, error) {
	c := img.Config
	if want := platform(); c.OS != "" && c.OS != want.OS || c.Architecture != "" && c.Architecture != want.Architecture {
		return nil, badImage("Source image %s is for %s/%s, which is not what this machine runs (%s/%s).", at.text, c.OS, c.Architecture, want.OS, want.Architecture)
	}
	use := &imageUse{
		URI: at.text, Resolved: at.repository + "@" + string(img.Digest), Layers: img.Layers,
		Env: c.Config.Env, Entrypoint: c.Config.Entrypoint, Command: c.Config.Cmd, Dir: c.Config.WorkingDir,
	}
	_, _, done, err := s.trees.Root(ctx, img.Layers)
	var bad *image.CorruptError
	switch {
	case errors.Is(err, image.ErrTooBig):
		return nil, tooBigImage(at)
	case errors.As(err, &bad):
		return nil, badImage("Source image %s is corrupt: layer %s: %s.", at.text, bad.Layer, bad.Reason)
	case err != nil:
		return nil, err
	}
	return &pack{hash: img.Digest.Hex(), image: use, done: done}, nil
}

func tooBigImage(at imageURI) error {
	return badImage("Source image %s is too large: unpacked it has more than %d bytes.", at.text, int64(image.MaxUnpacked))
}

// openImages makes the folder of unpacked layers ready: what an earlier server has
// unpacked stays as far as a version needs it.
func (s *Service) openImages(ctx context.Context) error {
	if s.plane.deps.Images == nil {
		return nil
	}
	if err := s.trees.Open(); err != nil {
		return err
	}
	return s.trees.Collect(func(d image.Digest) (needed bool, err error) {
		err = s.store.View(ctx, func(r data.Reader) error {
			needed, err = image.Held(r, d, "lambda/")
			return err
		})
		return needed, err
	})
}
