package s3

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/kms"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// How bytes are encrypted; see the package's comment.
const (
	encrypted    = "AES256"
	encryptedKMS = "aws:kms"
)

// kmsDefault is the key of SSE-KMS where none is named.
const kmsDefault = "alias/aws/s3"

// principal is who the room calls KMS through.
const principal = "s3.amazonaws.com"

// encryption is a bucket's default encryption.
type encryption struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key,omitempty"` // as it was given
	BucketKey bool   `json:"bucketKey,omitempty"`
}

// seal is how the bytes of one object are encrypted with SSE-KMS. A nil seal is
// that of bytes that the room's own key encrypts.
type seal struct {
	Key       string            `json:"key"`     // ARN
	Wrapped   []byte            `json:"wrapped"` // the data key, encrypted by Key
	Context   map[string]string `json:"context"` // what Wrapped is bound to
	Asked     string            `json:"asked,omitempty"`
	BucketKey bool              `json:"bucketKey,omitempty"`

	plain []byte // the data key, where it was just made
}

func (x *seal) secret() []byte {
	if x == nil {
		return nil
	}
	return x.plain
}

func (x *seal) algorithm() *string {
	if x == nil {
		return new(encrypted)
	}
	return new(encryptedKMS)
}

func (x *seal) key() *string {
	if x == nil {
		return nil
	}
	return &x.Key
}

func (x *seal) context() *string {
	if x == nil {
		return nil
	}
	return opt.NonZero(x.Asked)
}

func (x *seal) bucketKey() *bool {
	if x == nil {
		return nil
	}
	return opt.NonZero(x.BucketKey)
}

// sealing is what a request says of encryption.
type sealing struct {
	algorithm, key, context *string
	bucketKey               *bool
}

// sealFor makes the seal of a new object as the request or the bucket's default
// asks for, or nil.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
func (s *Service) sealFor(ctx context.Context, rq *call.Authorized, b *bucket, key string, ask sealing) (*seal, error) {
	algorithm, id, short := opt.Val(ask.algorithm), opt.Val(ask.key), opt.Val(ask.bucketKey)
	if d := b.Encryption; d != nil && d.Algorithm == encryptedKMS {
		if algorithm == "" {
			algorithm, id = d.Algorithm, opt.Or(ask.key, d.KeyID)
		}
		if ask.bucketKey == nil {
			short = d.BucketKey
		}
	}
	if algorithm != encryptedKMS {
		switch {
		case ask.key != nil:
			return nil, invalidArgument("x-amz-server-side-encryption", algorithm, "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
		case ask.context != nil:
			return nil, invalidArgument("x-amz-server-side-encryption-context", *ask.context, "The header x-amz-server-side-encryption-context is supported only with x-amz-server-side-encryption : aws:kms")
		}
		return nil, nil
	}
	if id == "" {
		id = kmsDefault
	}
	x := &seal{Context: map[string]string{}, Asked: opt.Val(ask.context), BucketKey: short}
	if ask.context != nil {
		raw, err := base64.StdEncoding.DecodeString(x.Asked)
		if err != nil || json.Unmarshal(raw, &x.Context) != nil || x.Context == nil {
			return nil, invalidArgument("x-amz-server-side-encryption-context", x.Asked, "The encryption context provided is not valid: it must be the base64 encoding of a JSON object of strings")
		}
	}
	own := "arn:aws:s3:::" + b.Name
	if !short {
		own += "/" + key
	}
	maps.Copy(x.Context, map[string]string{"aws:s3:arn": own})
	out, err := call.Do(ctx, s.d.Caller, rq.As().In(b.Region).Via(principal), kms.GenerateDataKey, &kms.GenerateDataKeyRequest{
		KeyId: &id, KeySpec: new(kms.DataKeySpecAes256), EncryptionContext: x.Context,
	})
	if err != nil {
		return nil, kmsFault(err)
	}
	x.Key, x.Wrapped, x.plain = *out.KeyId, out.CiphertextBlob, out.Plaintext
	return x, nil
}

// unseal opens a seal's data key as the caller; nil for none.
func (s *Service) unseal(ctx context.Context, rq *call.Authorized, x *seal) ([]byte, error) {
	if x == nil {
		return nil, nil
	}
	as := rq.As().Via(principal)
	if k, ok := arn.Parse(x.Key); ok {
		as = as.In(k.Region) // of the bucket, whichever region was asked
	}
	out, err := call.Do(ctx, s.d.Caller, as, kms.Decrypt, &kms.DecryptRequest{CiphertextBlob: x.Wrapped, EncryptionContext: x.Context})
	if err != nil {
		return nil, kmsFault(err)
	}
	return out.Plaintext, nil
}

// kmsFault words what KMS answers as S3 does.
func kmsFault(err error) error {
	f := fault.As(err)
	switch {
	case f == nil || !f.Sender:
		return err
	case f.Status == 403 || f.Code == "AccessDeniedException" || f.Code == "AccessDenied":
		return fault.Of(fault.AccessDenied, "%s", f.Message)
	}
	return fault.New("KMS."+f.Code, 400, "%s", f.Message)
}

func (s *Service) putBucketEncryption(ctx context.Context, _ *call.Authorized, in *api.PutBucketEncryptionRequest) (*call.None, error) {
	rules := in.ServerSideEncryptionConfiguration.Rules
	if len(rules) != 1 {
		return nil, malformedXML()
	}
	if rules[0].BlockedEncryptionTypes != nil {
		for _, t := range rules[0].BlockedEncryptionTypes.EncryptionType {
			if t != "NONE" && t != "SSE-C" { // SSE-C is never taken
				return nil, notImplemented("Blocking the encryption type " + t)
			}
		}
	}
	var e *encryption
	if d := rules[0].ApplyServerSideEncryptionByDefault; d != nil {
		switch *d.SSEAlgorithm {
		case encrypted:
			if d.KMSMasterKeyID != nil {
				return nil, invalidArgument("KMSMasterKeyID", *d.KMSMasterKeyID, "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms")
			}
		case encryptedKMS:
			e = &encryption{Algorithm: encryptedKMS, KeyID: opt.Val(d.KMSMasterKeyID), BucketKey: opt.Val(rules[0].BucketKeyEnabled)}
		default:
			return nil, notImplemented("Default encryption with " + *d.SSEAlgorithm)
		}
	}
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Encryption = e; return nil })
}

func (s *Service) getBucketEncryption(ctx context.Context, _ *call.Authorized, in *api.GetBucketEncryptionRequest) (*api.GetBucketEncryptionOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	e := opt.Or(b.Encryption, encryption{Algorithm: encrypted})
	return &api.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
		Rules: []api.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: &e.Algorithm, KMSMasterKeyID: opt.NonZero(e.KeyID)},
			BucketKeyEnabled:                   &e.BucketKey,
		}},
	}}, nil
}

// deleteBucketEncryption goes back to AES256.
func (s *Service) deleteBucketEncryption(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketEncryptionRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Encryption = nil; return nil })
}
