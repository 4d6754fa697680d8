package s3

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// The key layout. Bucket names are one namespace over all accounts and regions,
// so a bucket's name stands where other rooms have account and region; the
// account is in the bucket's record, and the index "owned" goes from account to
// buckets.
//
//	s3 bucket  NAME                 bucket
//	s3 owned   ACCOUNT NAME         (empty)
//	s3 version BUCKET KEY ^SEQ      version, newest first, then inline bytes
//	s3 parts   DATA                 what the data of a multipart object is made of
//	s3 upload  BUCKET KEY ID        upload
//	s3 part    ID NUMBER            part of an upload
//	s3 blob    BLOB                 (empty): the blob is named by some record
//	s3 key                          the room's key
const room = "s3"

func bucketKey(name string) []byte            { return data.Key(room, "bucket", name) }
func ownedKey(account, name string) []byte    { return data.Key(room, "owned", account, name) }
func versionsKey(bucket string) []byte        { return data.Key(room, "version", bucket) }
func objectKey(bucket, key string) []byte     { return data.Key(room, "version", bucket, key) }
func partsKey(id string) []byte               { return data.Key(room, "parts", id) }
func uploadsKey(bucket string) []byte         { return data.Key(room, "upload", bucket) }
func uploadKey(bucket, key, id string) []byte { return data.Key(room, "upload", bucket, key, id) }
func partKey(id string, n int) []byte         { return data.Key(room, "part", id, fmt.Sprintf("%05d", n)) }
func liveKey(blob string) []byte              { return data.Key(room, "blob", blob) }
func roomKey() []byte                         { return data.Key(room, "key") }

func versionKey(bucket, key string, seq uint64) []byte {
	return data.AppendPart(objectKey(bucket, key), string(binary.BigEndian.AppendUint64(nil, ^seq)))
}

// bucket is a bucket's record. It is not changed once it is read: the room
// caches it.
type bucket struct {
	V          int                                 `json:"v"`
	Name       string                              `json:"-"`
	Account    string                              `json:"account"`
	Region     string                              `json:"region"`
	Created    time.Time                           `json:"created"`
	Versioning string                              `json:"versioning,omitempty"` // "", Enabled, Suspended
	Tags       []tag                               `json:"tags,omitempty"`
	Policy     string                              `json:"policy,omitempty"`
	Public     *api.PublicAccessBlockConfiguration `json:"public,omitempty"`
	Ownership  bool                                `json:"ownership,omitempty"`
	CORS       []api.CORSRule                      `json:"cors,omitempty"`
	Website    *api.WebsiteConfiguration           `json:"website,omitempty"`
	Lifecycle  []api.LifecycleRule                 `json:"lifecycle,omitempty"`
	Encryption *encryption                         `json:"encryption,omitempty"` // nil is AES256

	policy   *policy.Policy // of Policy
	isPublic bool           // Policy lets everybody in
	raw      []byte
}

// headers are the HTTP headers that an object is stored with.
type headers struct {
	CacheControl       string `json:"cache,omitempty"`
	ContentDisposition string `json:"disposition,omitempty"`
	ContentEncoding    string `json:"encoding,omitempty"`
	ContentLanguage    string `json:"language,omitempty"`
	ContentType        string `json:"type,omitempty"`
	Expires            string `json:"expires,omitempty"`
	Redirect           string `json:"redirect,omitempty"` // x-amz-website-redirect-location
}

// checksum is a checksum beside the ETag.
type checksum struct {
	Algorithm string `json:"a,omitempty"`
	Type      string `json:"t,omitempty"` // FULL_OBJECT or COMPOSITE
	Value     string `json:"s,omitempty"` // base64, with "-N" if composite
}

// version is one version of an object, or a delete marker.
type version struct {
	V        int               `json:"v"`
	Key      string            `json:"-"`
	Seq      uint64            `json:"-"` // counts the versions of a key
	ID       string            `json:"id"`
	Marker   bool              `json:"marker,omitempty"`
	Modified time.Time         `json:"modified"` // in whole seconds
	Size     int64             `json:"size"`
	ETag     string            `json:"etag,omitempty"` // without quotes
	Sum      checksum          `json:"sum"`
	Headers  headers           `json:"headers"`
	Metadata map[string]string `json:"meta,omitempty"`
	Tags     []tag             `json:"tags,omitempty"`
	// Data is the id of the bytes: of the blob, of the inline bytes, or of the
	// list of parts. A delete marker has none.
	Data   string `json:"data,omitempty"`
	Inline bool   `json:"inline,omitempty"`
	Parts  int    `json:"parts,omitempty"` // 0 if it was not uploaded in parts
	Seal   *seal  `json:"seal,omitempty"`  // nil if the room's key encrypts the bytes

	inline []byte // encrypted
}

// layoutPart is a part of an object that was uploaded in parts.
type layoutPart struct {
	Number int    `json:"n"`
	Size   int64  `json:"size"`
	Blob   string `json:"blob"`
	Sum    string `json:"sum,omitempty"`
}

// upload is a multipart upload under way.
type upload struct {
	V         int               `json:"v"`
	Bucket    string            `json:"-"`
	Key       string            `json:"-"`
	ID        string            `json:"-"`
	Initiated time.Time         `json:"initiated"`
	Initiator string            `json:"initiator"` // ARN
	Headers   headers           `json:"headers"`
	Metadata  map[string]string `json:"meta,omitempty"`
	Tags      []tag             `json:"tags,omitempty"`
	Sum       checksum          `json:"sum"`             // algorithm and type
	Asked     bool              `json:"asked,omitempty"` // the caller chose the algorithm
	Seal      *seal             `json:"seal,omitempty"`
}

// part is a part of an upload.
type part struct {
	V        int       `json:"v"`
	Number   int       `json:"-"`
	Size     int64     `json:"size"`
	Blob     string    `json:"blob"`
	ETag     string    `json:"etag"`
	Sum      string    `json:"sum"`
	Modified time.Time `json:"modified"`
}

// garbage is data that a transaction let go of; it is deleted after the commit.
type garbage struct {
	id    string
	blobs []string
}

const recordVersion = 1

func putJSON(t data.Txn, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	return t.Put(key, b)
}

func getJSON(r data.Reader, key []byte, v any) (bool, error) {
	b, ok, err := r.Get(key)
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("decode record %q: %w", key, err)
	}
	return true, nil
}

// bucket reads a bucket's record; NoSuchBucket if there is none.
func (s *Service) bucket(r data.Reader, name string) (*bucket, error) {
	b, err := s.findBucket(r, name)
	if err == nil && b == nil {
		err = noSuchBucket(name)
	}
	return b, err
}

// findBucket reads a bucket's record; nil if there is none. The record, with its
// parsed policy, is kept as long as its bytes stay the same.
func (s *Service) findBucket(r data.Reader, name string) (*bucket, error) {
	raw, ok, err := r.Get(bucketKey(name))
	if err != nil || !ok {
		return nil, err
	}
	if b, ok := s.buckets.Load(name); ok && bytes.Equal(b.(*bucket).raw, raw) {
		return b.(*bucket), nil
	}
	b := &bucket{raw: raw}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("decode bucket %s: %w", name, err)
	}
	b.Name = name
	if b.Policy != "" {
		if b.policy, err = policy.Parse([]byte(b.Policy)); err != nil {
			return nil, fmt.Errorf("policy of bucket %s: %w", name, err)
		}
		b.isPublic = publicPolicy([]byte(b.Policy))
	}
	s.buckets.Store(name, b)
	return b, nil
}

func putBucket(t data.Txn, b *bucket) error {
	b.V = recordVersion
	return putJSON(t, bucketKey(b.Name), b)
}

// A version's value is the length of the record, the record, the inline bytes.

func encodeVersion(v *version) ([]byte, error) {
	v.V = recordVersion
	rec, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode version: %w", err)
	}
	out := binary.AppendUvarint(make([]byte, 0, len(rec)+len(v.inline)+4), uint64(len(rec)))
	return append(append(out, rec...), v.inline...), nil
}

func decodeVersion(p data.Pair) (*version, error) {
	parts, ok := data.Parts(p.Key)
	n, w := binary.Uvarint(p.Value)
	if !ok || len(parts) != 5 || len(parts[4]) != 8 || w <= 0 || n > uint64(len(p.Value)-w) {
		return nil, fmt.Errorf("version record at %q is damaged", p.Key)
	}
	v := &version{Key: parts[3], Seq: ^binary.BigEndian.Uint64([]byte(parts[4])), inline: p.Value[w+int(n):]}
	if err := json.Unmarshal(p.Value[w:w+int(n)], v); err != nil {
		return nil, fmt.Errorf("decode version at %q: %w", p.Key, err)
	}
	return v, nil
}

// newest returns a key's newest version, marker or not; nil if it has none.
func newest(r data.Reader, bucket, key string) (*version, error) {
	from := objectKey(bucket, key)
	for p, err := range r.Scan(from, data.PrefixEnd(from), false) {
		if err != nil {
			return nil, err
		}
		return decodeVersion(p)
	}
	return nil, nil
}

const nullVersion = "null"

// findVersion returns a version by its id, the newest for ""; nil if there is none.
func findVersion(r data.Reader, bucket, key, id string) (*version, error) {
	switch id {
	case "":
		return newest(r, bucket, key)
	case nullVersion:
		from := objectKey(bucket, key)
		for p, err := range r.Scan(from, data.PrefixEnd(from), false) {
			if err != nil {
				return nil, err
			}
			if v, err := decodeVersion(p); err != nil || v.ID == nullVersion {
				return v, err
			}
		}
		return nil, nil
	}
	seq, ok := versionSeq(id)
	if !ok {
		return nil, invalidArgument("versionId", id, "Invalid version id specified")
	}
	k := versionKey(bucket, key, seq)
	raw, ok, err := r.Get(k)
	if err != nil || !ok {
		return nil, err
	}
	v, err := decodeVersion(data.Pair{Key: k, Value: raw})
	if err != nil || v.ID != id {
		return nil, err
	}
	return v, nil
}

// Version ids are 32 characters: random ones and the version's number, so that
// they need no index.

var seqText = base32.HexEncoding.WithPadding(base32.NoPadding)

func (s *Service) versionID(seq uint64) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return s.d.IDs.Of(alphabet, 19) + seqText.EncodeToString(binary.BigEndian.AppendUint64(nil, seq))
}

func versionSeq(id string) (uint64, bool) {
	if len(id) != 32 {
		return 0, false
	}
	b, err := seqText.DecodeString(id[19:])
	if err != nil || len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// putVersion makes v the newest version of its key, as the bucket's versioning
// says: with an id of its own, or in place of the null version.
func (s *Service) putVersion(t data.Txn, b *bucket, v *version, g *[]garbage) error {
	last, err := newest(t, b.Name, v.Key)
	if err != nil {
		return err
	}
	v.Seq = 1
	if last != nil {
		v.Seq = last.Seq + 1
	}
	if b.Versioning == "Enabled" {
		v.ID = s.versionID(v.Seq)
	} else {
		old := last
		if b.Versioning != "" {
			if old, err = findVersion(t, b.Name, v.Key, nullVersion); err != nil {
				return err
			}
		}
		if old != nil {
			if err := dropVersion(t, b.Name, old, g); err != nil {
				return err
			}
		}
		v.ID = nullVersion
	}
	if v.Data != "" && !v.Inline && v.Parts == 0 {
		if err := t.Put(liveKey(v.Data), nil); err != nil {
			return err
		}
	}
	return rewriteVersion(t, b.Name, v)
}

// rewriteVersion stores v where it is: for its tags, the only thing of a version
// that changes.
func rewriteVersion(t data.Txn, bucket string, v *version) error {
	raw, err := encodeVersion(v)
	if err != nil {
		return err
	}
	return t.Put(versionKey(bucket, v.Key, v.Seq), raw)
}

// dropVersion removes a version and lets go of its bytes.
func dropVersion(t data.Txn, bucket string, v *version, g *[]garbage) error {
	if err := t.Delete(versionKey(bucket, v.Key, v.Seq)); err != nil {
		return err
	}
	switch {
	case v.Data == "" || v.Inline:
		return nil
	case v.Parts == 0:
		*g = append(*g, garbage{v.Data, []string{v.Data}})
		return t.Delete(liveKey(v.Data))
	}
	parts, err := layoutOf(t, v)
	if err != nil {
		return err
	}
	gone := garbage{id: v.Data}
	for _, p := range parts {
		gone.blobs = append(gone.blobs, p.Blob)
		if err := t.Delete(liveKey(p.Blob)); err != nil {
			return err
		}
	}
	*g = append(*g, gone)
	return t.Delete(partsKey(v.Data))
}

// layoutOf returns the parts of a version that was uploaded in parts.
func layoutOf(r data.Reader, v *version) ([]layoutPart, error) {
	var parts []layoutPart
	ok, err := getJSON(r, partsKey(v.Data), &parts)
	if err == nil && !ok {
		err = fmt.Errorf("the parts of %s (version %s) are not recorded", v.Key, v.ID)
	}
	return parts, err
}

// findUpload reads an upload; NoSuchUpload if there is none.
func findUpload(r data.Reader, bucket, key, id string) (*upload, error) {
	u := &upload{Bucket: bucket, Key: key, ID: id}
	ok, err := getJSON(r, uploadKey(bucket, key, id), u)
	if err == nil && !ok {
		err = noSuchUpload(id)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

func putUpload(t data.Txn, u *upload) error {
	u.V = recordVersion
	return putJSON(t, uploadKey(u.Bucket, u.Key, u.ID), u)
}

func putPart(t data.Txn, upload string, p *part) error {
	p.V = recordVersion
	if err := t.Put(liveKey(p.Blob), nil); err != nil {
		return err
	}
	return putJSON(t, partKey(upload, p.Number), p)
}

// partsOf returns the parts of an upload after number after, in their order, at
// most max of them.
func partsOf(r data.Reader, upload string, after, max int) ([]*part, error) {
	var out []*part
	prefix := data.Key(room, "part", upload)
	for p, err := range r.Scan(partKey(upload, after+1), data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		if len(out) == max {
			break
		}
		parts, ok := data.Parts(p.Key)
		q := &part{}
		if !ok || len(parts) != 4 {
			return nil, fmt.Errorf("part record at %q is damaged", p.Key)
		}
		if err := json.Unmarshal(p.Value, q); err != nil {
			return nil, fmt.Errorf("decode part: %w", err)
		}
		if q.Number, err = strconv.Atoi(parts[3]); err != nil {
			return nil, fmt.Errorf("part record at %q: %w", p.Key, err)
		}
		out = append(out, q)
	}
	return out, nil
}

// dropUpload removes an upload with its parts; blobs in keep live on.
func dropUpload(t data.Txn, u *upload, parts []*part, keep map[string]bool, g *[]garbage) error {
	for _, p := range parts {
		if err := t.Delete(partKey(u.ID, p.Number)); err != nil {
			return err
		}
		if keep[p.Blob] {
			continue
		}
		*g = append(*g, garbage{p.Blob, []string{p.Blob}})
		if err := t.Delete(liveKey(p.Blob)); err != nil {
			return err
		}
	}
	return t.Delete(uploadKey(u.Bucket, u.Key, u.ID))
}

func decodeUpload(p data.Pair) (*upload, error) {
	k, ok := data.Parts(p.Key)
	if !ok || len(k) != 5 {
		return nil, fmt.Errorf("upload record at %q is damaged", p.Key)
	}
	u := &upload{Bucket: k[2], Key: k[3], ID: k[4]}
	if err := json.Unmarshal(p.Value, u); err != nil {
		return nil, fmt.Errorf("decode upload: %w", err)
	}
	return u, nil
}

// uploadID makes an upload's id. Those of one key sort by when they were made.
func (s *Service) uploadID() string {
	return seqText.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(s.d.Clock.Now().UnixNano()))) + s.d.IDs.Of(ids.Alnum, 51)
}
