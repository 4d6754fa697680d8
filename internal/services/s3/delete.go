package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

const (
	mayDelete        = "s3:DeleteObject"
	mayDeleteVersion = "s3:DeleteObjectVersion"
	maxDeletes       = 1000 // of DeleteObjects
)

func (s *Service) deleteBindings() []call.Binding {
	return []call.Binding{
		bind(api.DeleteObject, onObject[api.DeleteObjectRequest](s, false, mayDelete, mayDeleteVersion), s.deleteObject),
		bind(api.DeleteObjects, call.Rule(s.deletesNeeds, mayDelete, mayDeleteVersion), s.deleteObjects),
	}
}

func (s *Service) deletesNeeds(ctx context.Context, rq *call.Decoded, in *api.DeleteObjectsRequest) ([]call.Need, error) {
	if len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > maxDeletes {
		return nil, malformedXML()
	}
	var needs []call.Need
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		t, err := s.look(r, rq, *in.Bucket, in.ExpectedBucketOwner)
		if err != nil {
			return err
		}
		for _, o := range in.Delete.Objects {
			action := mayDelete
			if o.VersionId != nil {
				action = mayDeleteVersion
			}
			k := keys{}
			k.text("s3:versionid", o.VersionId)
			needs = append(needs, t.need(action, o.Key, k))
		}
		return nil
	})
	return needs, err
}

// deleted is what became of one deletion.
type deleted struct {
	marker  bool   // a delete marker was made or removed
	version string // of what was made or removed; "" if there is nothing to tell
}

func (s *Service) deleteObject(ctx context.Context, _ *call.Authorized, in *api.DeleteObjectRequest) (*api.DeleteObjectOutput, error) {
	if err := checkKey(*in.Key); err != nil {
		return nil, err
	}
	var d deleted
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		b, err := s.bucket(t, *in.Bucket)
		if err != nil {
			return err
		}
		if in.IfMatch != nil {
			if err := writeConditions(t, b.Name, *in.Key, in.IfMatch, nil); err != nil {
				return err
			}
		}
		d, err = s.remove(t, b, *in.Key, opt.Val(in.VersionId), &g)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.discard(ctx, g)
	out := &api.DeleteObjectOutput{VersionId: opt.NonZero(d.version)}
	if d.marker {
		out.DeleteMarker = new(true)
	}
	return out, nil
}

// remove deletes a version by its id, or the current object: by a delete marker
// where the bucket keeps versions. What does not exist is deleted already.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
func (s *Service) remove(t data.Txn, b *bucket, key, id string, g *[]garbage) (deleted, error) {
	if id != "" {
		v, err := findVersion(t, b.Name, key, id)
		if err != nil || v == nil {
			return deleted{version: id}, err
		}
		return deleted{v.Marker, id}, dropVersion(t, b.Name, v, g)
	}
	if b.Versioning == "" {
		v, err := newest(t, b.Name, key)
		if err != nil || v == nil {
			return deleted{}, err
		}
		return deleted{}, dropVersion(t, b.Name, v, g)
	}
	m := &version{Key: key, Marker: true, Modified: s.now()}
	err := s.putVersion(t, b, m, g)
	return deleted{true, m.ID}, err
}

func (s *Service) deleteObjects(ctx context.Context, _ *call.Authorized, in *api.DeleteObjectsRequest) (*api.DeleteObjectsOutput, error) {
	var out *api.DeleteObjectsOutput
	var g []garbage
	for _, o := range in.Delete.Objects {
		if o.LastModifiedTime != nil || o.Size != nil {
			return nil, notImplemented("Deleting on LastModifiedTime or Size, which belongs to directory buckets,")
		}
	}
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		out, g = &api.DeleteObjectsOutput{}, nil
		b, err := s.bucket(t, *in.Bucket)
		if err != nil {
			return err
		}
		for _, o := range in.Delete.Objects {
			d, err := s.removeOne(t, b, &o, &g)
			if f := fault.As(err); f != nil {
				out.Errors = append(out.Errors, api.Error{Key: o.Key, VersionId: o.VersionId, Code: &f.Code, Message: &f.Message})
				continue
			}
			if err != nil {
				return err
			}
			if opt.Val(in.Delete.Quiet) {
				continue
			}
			x := api.DeletedObject{Key: o.Key, VersionId: o.VersionId}
			if d.marker {
				x.DeleteMarker, x.DeleteMarkerVersionId = new(true), &d.version
			}
			out.Deleted = append(out.Deleted, x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.discard(ctx, g)
	return out, nil
}

func (s *Service) removeOne(t data.Txn, b *bucket, o *api.ObjectIdentifier, g *[]garbage) (deleted, error) {
	if err := checkKey(opt.Val(o.Key)); err != nil {
		return deleted{}, err
	}
	if o.ETag != nil {
		if err := writeConditions(t, b.Name, *o.Key, o.ETag, nil); err != nil {
			return deleted{}, err
		}
	}
	return s.remove(t, b, *o.Key, opt.Val(o.VersionId), g)
}
