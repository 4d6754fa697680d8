package lambda

import (
	"context"
	"maps"
	"reflect"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) versionBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PublishVersion, on("lambda:PublishVersion", func(in *api.PublishVersionRequest) (n, q *string) { return in.FunctionName, nil }), s.publishVersion),
		call.Bind(api.ListVersionsByFunction, on("lambda:ListVersionsByFunction", func(in *api.ListVersionsByFunctionRequest) (n, q *string) { return in.FunctionName, nil }), s.listVersionsByFunction),
	}
}

// publish makes a version of $LATEST, unless the last one is the same, and
// returns its number.
func (s *Service) publish(t data.Txn, f *function, description *string) (string, error) {
	now := *f.versions[latest]
	if last := f.versions[strconv.Itoa(f.rec.Next-1)]; last != nil && same(last, &now) {
		return last.Version, nil
	}
	now.Version = strconv.Itoa(f.rec.Next)
	now.Description = opt.Or(description, now.Description)
	now.Revision, now.Modified = s.ids.UUID(), s.clock.Now()
	f.rec.Next++
	if err := s.putVersion(t, f.key, &now); err != nil {
		return "", err
	}
	return now.Version, data.Save(t, f.key.record(), f.rec)
}

// same reports whether two versions would run the same.
func same(a, b *version) bool {
	x, y := *a, *b
	for _, v := range []*version{&x, &y} {
		v.Version, v.Revision, v.Description, v.SealedEnv, v.Modified = "", "", "", nil, time.Time{}
		v.Env = maps.Clone(v.Env)
		if len(v.Env) == 0 {
			v.Env = nil
		}
	}
	return reflect.DeepEqual(x, y)
}

func (s *Service) publishVersion(ctx context.Context, rq *call.Authorized, in *api.PublishVersionRequest) (*api.FunctionConfiguration, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := refuse("PublishVersion", setting{"PublishTo", in.PublishTo != nil}); err != nil {
		return nil, err
	}
	made := ""
	f, err := s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound("")
		}
		v := f.versions[latest]
		if err := checkRevision(in.RevisionId, v.Revision); err != nil {
			return err
		}
		if own := v.sum(); opt.Or(in.CodeSha256, own) != own && *in.CodeSha256 != "" {
			return api.InvalidParameterValueException("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", *in.CodeSha256, own)
		}
		var err error
		made, err = s.publish(t, f, in.Description)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.configuration(f, f.versions[made], made), nil
}

func (s *Service) listVersionsByFunction(ctx context.Context, rq *call.Authorized, in *api.ListVersionsByFunctionRequest) (*api.ListVersionsByFunctionResponse, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListVersionsByFunctionResponse{Versions: []api.FunctionConfiguration{}}
	last := ""
	for _, v := range f.sorted() {
		if marker != "" && padded(v.Version) <= padded(marker) {
			continue
		}
		if len(out.Versions) == pageSize(in.MaxItems) {
			out.NextMarker = new(page.Token(last))
			break
		}
		out.Versions = append(out.Versions, *s.configuration(f, v, v.Version))
		last = v.Version
	}
	return out, nil
}
