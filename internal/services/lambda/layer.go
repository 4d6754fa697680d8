package lambda

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

// https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html

func (s *Service) layerBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PublishLayerVersion, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.PublishLayerVersionRequest) ([]call.Need, error) {
			l, err := layerTarget(rq, in.LayerName)
			return []call.Need{{Action: "lambda:PublishLayerVersion", Resource: l.arn(), Owner: l.account}}, err
		}, "lambda:PublishLayerVersion"), s.publishLayerVersion),
		call.Bind(api.GetLayerVersion, onLayer(s, "lambda:GetLayerVersion", func(in *api.GetLayerVersionRequest) (*string, *int64) { return in.LayerName, in.VersionNumber }), s.getLayerVersion),
		call.Bind(api.GetLayerVersionByArn, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.GetLayerVersionByArnRequest) ([]call.Need, error) {
			l, n, err := parseLayerVersion(*in.Arn)
			if err != nil {
				return nil, err
			}
			need, err := s.layerNeed(ctx, l, n, "lambda:GetLayerVersion")
			return []call.Need{need}, err
		}, "lambda:GetLayerVersion"), s.getLayerVersionByArn),
		call.Bind(api.DeleteLayerVersion, onLayer(s, "lambda:DeleteLayerVersion", func(in *api.DeleteLayerVersionRequest) (*string, *int64) { return in.LayerName, in.VersionNumber }), s.deleteLayerVersion),
		call.Bind(api.ListLayers, call.Any[api.ListLayersRequest]("lambda:ListLayers"), s.listLayers),
		call.Bind(api.ListLayerVersions, call.Any[api.ListLayerVersionsRequest]("lambda:ListLayerVersions"), s.listLayerVersions),
		call.Bind(api.AddLayerVersionPermission, onLayer(s, "lambda:AddLayerVersionPermission", func(in *api.AddLayerVersionPermissionRequest) (*string, *int64) {
			return in.LayerName, in.VersionNumber
		}), s.addLayerVersionPermission),
		call.Bind(api.RemoveLayerVersionPermission, onLayer(s, "lambda:RemoveLayerVersionPermission", func(in *api.RemoveLayerVersionPermissionRequest) (*string, *int64) {
			return in.LayerName, in.VersionNumber
		}), s.removeLayerVersionPermission),
		call.Bind(api.GetLayerVersionPolicy, onLayer(s, "lambda:GetLayerVersionPolicy", func(in *api.GetLayerVersionPolicyRequest) (*string, *int64) { return in.LayerName, in.VersionNumber }), s.getLayerVersionPolicy),
	}
}

// layerKey names a layer.
type layerKey struct{ account, region, name string }

func (l layerKey) area() area { return area{l.account, l.region} }

func (l layerKey) arn() string {
	return arn.Make("lambda", l.region, l.account, "layer:"+l.name)
}

func (l layerKey) version(n int64) string { return l.arn() + ":" + strconv.FormatInt(n, 10) }

// parseLayer reads a layer's ARN, with a version perhaps.
func parseLayer(s string) (l layerKey, version string, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 7 || len(parts) > 8 || parts[0] != "arn" || parts[2] != "lambda" || parts[5] != "layer" || parts[6] == "" {
		return layerKey{}, "", false
	}
	if len(parts) == 8 {
		version = parts[7]
	}
	return layerKey{parts[4], parts[3], parts[6]}, version, true
}

func parseLayerVersion(s string) (layerKey, int64, error) {
	l, v, ok := parseLayer(s)
	n, err := strconv.ParseInt(v, 10, 64)
	if !ok || err != nil || n < 1 {
		return layerKey{}, 0, violation(s, "arn", "Member must be the ARN of a layer version")
	}
	return l, n, nil
}

// layerTarget finds out which layer a request means, by its name or ARN.
func layerTarget(rq *call.Decoded, name *string) (layerKey, error) {
	l, version, ok := parseLayer(opt.Val(name))
	switch {
	case !ok && strings.Contains(opt.Val(name), ":") || ok && version != "":
		return layerKey{}, violation(opt.Val(name), "layerName", "Member must be a layer's name or ARN")
	case !ok:
		return layerKey{rq.Account(), rq.Region(), opt.Val(name)}, nil
	case l.region != rq.Region():
		return layerKey{}, noLayer()
	}
	return l, nil
}

func noLayer() *fault.Fault {
	return api.ResourceNotFoundException("The resource you requested does not exist.").With("Type", "User")
}

// layerNeed is the permission for an action on a layer's version, whose own
// policy is asked as well.
func (s *Service) layerNeed(ctx context.Context, l layerKey, n int64, action string) (call.Need, error) {
	need := call.Need{Action: action, Resource: l.version(n), Owner: l.account}
	v, err := s.layer(ctx, l, n)
	if err == nil && v != nil && v.Policy != nil {
		need.Policy, err = v.Policy.parse()
	}
	return need, err
}

// onLayer is the rule of operations on one version of a layer.
func onLayer[I any](s *Service, action string, name func(*I) (*string, *int64)) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		layer, n := name(in)
		l, err := layerTarget(rq, layer)
		if err != nil {
			return nil, err
		}
		need, err := s.layerNeed(ctx, l, opt.Val(n), action)
		return []call.Need{need}, err
	}, action)
}

// layerNeeds are the permissions to use layers in a function.
func (s *Service) layerNeeds(ctx context.Context, arns []string) (needs []call.Need, err error) {
	for _, a := range arns {
		l, n, err := parseLayerVersion(a)
		if err != nil {
			return nil, err
		}
		need, err := s.layerNeed(ctx, l, n, "lambda:GetLayerVersion")
		if err != nil {
			return nil, err
		}
		needs = append(needs, need)
	}
	return needs, nil
}

// layer reads a layer's version; nil if there is none.
func (s *Service) layer(ctx context.Context, l layerKey, n int64) (v *layerVersion, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		v, err = data.Load[layerVersion](r, l.versionKey(n))
		return err
	})
	return v, err
}

// attach puts layers into a version, in order.
func attach(r data.Reader, k key, v *version, arns []string) error {
	if len(arns) > maxLayers {
		return api.InvalidParameterValueException("Cannot reference more than %d layers.", maxLayers)
	}
	v.Layers = nil
	seen := map[layerKey]string{}
	for _, a := range arns {
		l, n, err := parseLayerVersion(a)
		if err != nil {
			return err
		}
		if l.region != k.region {
			return api.InvalidParameterValueException("Layers are not in the same region as the function. Layers are expected to be in region %s.", k.region)
		}
		if other, twice := seen[l]; twice {
			return api.InvalidParameterValueException("Two different versions of the same layer are not allowed to be referenced in the same function. %s and %s", other, a)
		}
		seen[l] = a
		lv, err := data.Load[layerVersion](r, l.versionKey(n))
		if err != nil {
			return err
		}
		if lv == nil {
			return api.InvalidParameterValueException("Layer version %s does not exist.", a)
		}
		v.Layers = append(v.Layers, layerUse{ARN: a, Hash: lv.Hash, Size: lv.Size, Unzipped: lv.Unzipped})
	}
	return nil
}

// checkSize says whether a function and its layers together are too big.
func checkSize(v *version) error {
	total := v.Unzipped
	for _, l := range v.Layers {
		total += l.Unzipped
	}
	if total > maxUnzipped {
		return api.InvalidParameterValueException("Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %d bytes.", maxUnzipped, total)
	}
	return nil
}

// opt returns the folder that a version sees as /opt, "" if it has no layers.
// Files of later layers take the place of files of earlier ones.
func (s *Service) opt(ctx context.Context, v *version) (dir string, done func(), err error) {
	switch len(v.Layers) {
	case 0:
		return "", func() {}, nil
	case 1:
		return s.code(ctx, v.Layers[0].area(), v.Layers[0].Hash)
	}
	merged := v.merged()
	if s.folders.held(merged) {
		return s.folders.path(merged), func() { s.folders.release(merged) }, nil
	}
	err = s.folders.make(merged, func(to string) (int64, error) {
		for _, l := range v.Layers {
			from, done, err := s.code(ctx, l.area(), l.Hash)
			if err != nil {
				return 0, err
			}
			err = overlay(from, to)
			done()
			if err != nil {
				return 0, fmt.Errorf("layer %s: %w", l.ARN, err)
			}
		}
		return 0, nil
	})
	if err != nil {
		return "", nil, err
	}
	return s.folders.path(merged), func() { s.folders.release(merged) }, nil
}

// overlay puts everything in the folder from into the folder to, in the place
// of what has the same name there. Files become links, as they never change.
func overlay(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		src, dst := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		old, err := os.Lstat(dst)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if old != nil && !(old.IsDir() && e.IsDir()) {
			if err := os.RemoveAll(dst); err != nil {
				return err
			}
			old = nil
		}
		switch {
		case e.IsDir():
			if old == nil {
				if err := os.Mkdir(dst, 0o755); err != nil {
					return err
				}
				if err := os.Chmod(dst, 0o755); err != nil { // whatever the umask
					return err
				}
			}
			err = overlay(src, dst)
		case e.Type()&os.ModeSymlink != 0:
			var target string
			if target, err = os.Readlink(src); err == nil {
				err = os.Symlink(target, dst)
			}
		default:
			err = os.Link(src, dst)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) publishLayerVersion(ctx context.Context, rq *call.Authorized, in *api.PublishLayerVersionRequest) (*api.PublishLayerVersionResponse, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	if err := checkLayer(l.name, in.CompatibleRuntimes); err != nil {
		return nil, err
	}
	src := source{zip: in.Content.ZipFile, bucket: in.Content.S3Bucket, key: in.Content.S3Key, version: opt.NonZero(opt.Val(in.Content.S3ObjectVersion)), operation: "PublishLayerVersion"}
	if src.empty() {
		return nil, api.InvalidParameterValueException("Please provide a source for layer content.")
	}
	p, err := s.receive(ctx, rq, src)
	if err != nil {
		return nil, err
	}
	defer p.done()
	if err := s.keep(ctx, l.area(), p); err != nil {
		return nil, err
	}
	v := &layerVersion{
		V: 1, Description: opt.Val(in.Description), License: opt.Val(in.LicenseInfo), Runtimes: in.CompatibleRuntimes, Architectures: in.CompatibleArchitectures,
		Hash: p.hash, Size: p.size, Unzipped: p.unzipped, Created: s.clock.Now(),
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		rec, err := data.Load[layerRecord](t, l.record())
		if err != nil {
			return err
		}
		if rec == nil {
			rec = &layerRecord{V: 1, Name: l.name, Next: 1}
		}
		v.Version = rec.Next
		rec.Next++
		if err := data.Save(t, l.record(), rec); err != nil {
			return err
		}
		if err := t.Put(l.use(v.Hash, v.Version), []byte{1}); err != nil {
			return err
		}
		return data.Save(t, l.versionKey(v.Version), v)
	})
	if err != nil {
		return nil, err
	}
	x := l.show(v)
	return &api.PublishLayerVersionResponse{
		Content: x.Content, LayerArn: x.LayerArn, LayerVersionArn: x.LayerVersionArn, Description: x.Description, CreatedDate: x.CreatedDate,
		Version: x.Version, CompatibleRuntimes: x.CompatibleRuntimes, LicenseInfo: x.LicenseInfo, CompatibleArchitectures: x.CompatibleArchitectures,
	}, nil
}

func (l layerKey) show(v *layerVersion) *api.GetLayerVersionResponse {
	return &api.GetLayerVersionResponse{
		Content:  &api.LayerVersionContentOutput{CodeSha256: new(sum(v.Hash)), CodeSize: &v.Size},
		LayerArn: new(l.arn()), LayerVersionArn: new(l.version(v.Version)), Description: &v.Description, CreatedDate: new(v.Created.Format(timeForm)),
		Version: &v.Version, CompatibleRuntimes: v.Runtimes, LicenseInfo: opt.NonZero(v.License), CompatibleArchitectures: v.Architectures,
	}
}

func (l layerKey) item(v *layerVersion) api.LayerVersionsListItem {
	x := l.show(v)
	return api.LayerVersionsListItem{
		LayerVersionArn: x.LayerVersionArn, Version: x.Version, Description: x.Description, CreatedDate: x.CreatedDate,
		CompatibleRuntimes: x.CompatibleRuntimes, LicenseInfo: x.LicenseInfo, CompatibleArchitectures: x.CompatibleArchitectures,
	}
}

func (s *Service) getLayerVersion(ctx context.Context, rq *call.Authorized, in *api.GetLayerVersionRequest) (*api.GetLayerVersionResponse, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	return s.showLayer(ctx, l, *in.VersionNumber)
}

func (s *Service) getLayerVersionByArn(ctx context.Context, rq *call.Authorized, in *api.GetLayerVersionByArnRequest) (*api.GetLayerVersionResponse, error) {
	l, n, err := parseLayerVersion(*in.Arn)
	if err != nil {
		return nil, err
	}
	if l.region != rq.Region() {
		return nil, noLayer()
	}
	return s.showLayer(ctx, l, n)
}

func (s *Service) showLayer(ctx context.Context, l layerKey, n int64) (*api.GetLayerVersionResponse, error) {
	v, err := s.layer(ctx, l, n)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, noLayer()
	}
	return l.show(v), nil
}

// deleteLayerVersion takes a version away from those who would use it anew;
// functions that have it keep it.
func (s *Service) deleteLayerVersion(ctx context.Context, rq *call.Authorized, in *api.DeleteLayerVersionRequest) (*call.None, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	var gone *layerVersion
	err = s.store.Update(ctx, func(t data.Txn) error {
		if gone, err = data.Load[layerVersion](t, l.versionKey(*in.VersionNumber)); err != nil || gone == nil {
			return err // AWS answers success also for what is not there
		}
		if err := t.Delete(l.use(gone.Hash, gone.Version)); err != nil {
			return err
		}
		return t.Delete(l.versionKey(gone.Version))
	})
	if err == nil && gone != nil {
		s.dropUnused(context.WithoutCancel(ctx), pkg{area: l.area(), hash: gone.Hash})
	}
	return &call.None{}, err
}

// fits reports whether a version is among those that a listing asks for.
func (v *layerVersion) fits(runtime, architecture *string) bool {
	return (runtime == nil || slices.Contains(v.Runtimes, *runtime)) && (architecture == nil || slices.Contains(v.Architectures, *architecture))
}

func (s *Service) listLayers(ctx context.Context, rq *call.Authorized, in *api.ListLayersRequest) (*api.ListLayersResponse, error) {
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	a := area{rq.Account(), rq.Region()}
	out := &api.ListLayersResponse{Layers: []api.LayersListItem{}}
	err = s.store.View(ctx, func(r data.Reader) error {
		out.Layers, out.NextMarker = out.Layers[:0], nil
		last := ""
		for p, err := range r.Scan(a.key("layer", marker), data.PrefixEnd(a.layers()), false) {
			if err != nil {
				return err
			}
			rec, err := data.Decode[layerRecord](p)
			if err != nil {
				return err
			}
			l := layerKey{a.account, a.region, rec.Name}
			newest, err := newestLayer(r, l, in.CompatibleRuntime, in.CompatibleArchitecture)
			if err != nil {
				return err
			}
			if newest == nil || rec.Name <= marker {
				continue
			}
			if len(out.Layers) == pageSize(in.MaxItems) {
				out.NextMarker = new(page.Token(last))
				return nil
			}
			item := l.item(newest)
			out.Layers = append(out.Layers, api.LayersListItem{LayerName: &rec.Name, LayerArn: new(l.arn()), LatestMatchingVersion: &item})
			last = rec.Name
		}
		return nil
	})
	return out, err
}

// newestLayer is the newest version that a listing asks for; nil if there is none.
func newestLayer(r data.Reader, l layerKey, runtime, architecture *string) (*layerVersion, error) {
	for p, err := range r.Scan(l.versions(), data.PrefixEnd(l.versions()), true) {
		if err != nil {
			return nil, err
		}
		v, err := data.Decode[layerVersion](p)
		if err != nil || v.fits(runtime, architecture) {
			return v, err
		}
	}
	return nil, nil
}

func (s *Service) listLayerVersions(ctx context.Context, rq *call.Authorized, in *api.ListLayerVersionsRequest) (*api.ListLayerVersionsResponse, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	if l.account != rq.Account() {
		return nil, noLayer()
	}
	out := &api.ListLayerVersionsResponse{LayerVersions: []api.LayerVersionsListItem{}}
	err = s.store.View(ctx, func(r data.Reader) error {
		out.LayerVersions, out.NextMarker = out.LayerVersions[:0], nil
		for p, err := range r.Scan(l.versions(), data.PrefixEnd(l.versions()), true) {
			if err != nil {
				return err
			}
			v, err := data.Decode[layerVersion](p)
			if err != nil {
				return err
			}
			if !v.fits(in.CompatibleRuntime, in.CompatibleArchitecture) || marker != "" && padded(strconv.FormatInt(v.Version, 10)) >= marker {
				continue
			}
			if n := len(out.LayerVersions); n == pageSize(in.MaxItems) {
				out.NextMarker = new(page.Token(padded(strconv.FormatInt(*out.LayerVersions[n-1].Version, 10))))
				return nil
			}
			out.LayerVersions = append(out.LayerVersions, l.item(v))
		}
		return nil
	})
	return out, err
}

// changeLayerPolicy changes the policy of a layer's version.
func (s *Service) changeLayerPolicy(ctx context.Context, l layerKey, n int64, change func(*resourcePolicy) error) (p *resourcePolicy, err error) {
	err = s.store.Update(ctx, func(t data.Txn) error {
		v, err := data.Load[layerVersion](t, l.versionKey(n))
		if err != nil {
			return err
		}
		if v == nil {
			return api.ResourceNotFoundException("Layer version %s does not exist.", l.version(n)).With("Type", "User")
		}
		if p = v.Policy; p == nil {
			p = &resourcePolicy{}
		}
		if err := change(p); err != nil {
			return err
		}
		if v.Policy = p; len(p.Statements) == 0 {
			v.Policy = nil
		}
		return data.Save(t, l.versionKey(n), v)
	})
	return p, err
}

func (s *Service) addLayerVersionPermission(ctx context.Context, rq *call.Authorized, in *api.AddLayerVersionPermissionRequest) (*api.AddLayerVersionPermissionResponse, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	if err := refuse("AddLayerVersionPermission", setting{"OrganizationId", in.OrganizationId != nil}); err != nil {
		return nil, err
	}
	st, err := statementText{
		Sid: *in.StatementId, Effect: "Allow", Principal: principalOf(*in.Principal, arn.Partition(l.region)), Action: *in.Action, Resource: l.version(*in.VersionNumber),
	}.statement()
	if err != nil {
		return nil, err
	}
	revision := s.ids.UUID()
	_, err = s.changeLayerPolicy(ctx, l, *in.VersionNumber, func(p *resourcePolicy) error {
		if err := checkRevision(in.RevisionId, p.Revision); err != nil {
			return err
		}
		return p.add(st, revision)
	})
	if err != nil {
		return nil, err
	}
	return &api.AddLayerVersionPermissionResponse{Statement: new(string(st.Text)), RevisionId: &revision}, nil
}

func (s *Service) removeLayerVersionPermission(ctx context.Context, rq *call.Authorized, in *api.RemoveLayerVersionPermissionRequest) (*call.None, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	revision := s.ids.UUID()
	_, err = s.changeLayerPolicy(ctx, l, *in.VersionNumber, func(p *resourcePolicy) error {
		if len(p.Statements) == 0 {
			return noPolicy()
		}
		if err := checkRevision(in.RevisionId, p.Revision); err != nil {
			return err
		}
		return p.remove(*in.StatementId, revision)
	})
	return &call.None{}, err
}

func (s *Service) getLayerVersionPolicy(ctx context.Context, rq *call.Authorized, in *api.GetLayerVersionPolicyRequest) (*api.GetLayerVersionPolicyResponse, error) {
	l, err := layerTarget(rq.Decoded, in.LayerName)
	if err != nil {
		return nil, err
	}
	v, err := s.layer(ctx, l, *in.VersionNumber)
	if err != nil {
		return nil, err
	}
	if v == nil || v.Policy == nil {
		return nil, noPolicy()
	}
	doc, err := v.Policy.document()
	if err != nil {
		return nil, err
	}
	return &api.GetLayerVersionPolicyResponse{Policy: new(string(doc)), RevisionId: &v.Policy.Revision}, nil
}
