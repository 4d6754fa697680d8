package secretsmanager

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/kms"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// defaultKey encrypts secrets that name no other key.
const defaultKey = "alias/aws/secretsmanager"

func bound(arn, version string) map[string]string {
	return map[string]string{"SecretARN": arn, "SecretVersionId": version}
}

// seal encrypts a version's value as the caller.
func (s *Service) seal(ctx context.Context, rq *call.Authorized, key, arn, version string, v *content) (*sealed, error) {
	out, err := call.Do(ctx, s.d.Caller, rq.As().Via(principal), kms.GenerateDataKey, &kms.GenerateDataKeyRequest{
		KeyId: &key, KeySpec: new(kms.DataKeySpecAes256), EncryptionContext: bound(arn, version),
	})
	if err != nil {
		return nil, keyFault(err, api.EncryptionFailure)
	}
	c, err := gcm(out.Plaintext)
	if err != nil {
		return nil, err
	}
	nonce := s.d.IDs.Bytes(c.NonceSize())
	return &sealed{V: recordVersion, Binary: v.binary, Wrapped: out.CiphertextBlob, Text: c.Seal(nonce, nonce, v.bytes, []byte(arn+version))}, nil
}

// open decrypts a version's value as the caller.
func (s *Service) open(ctx context.Context, rq *call.Authorized, arn, version string, x *sealed) (*content, error) {
	out, err := call.Do(ctx, s.d.Caller, rq.As().Via(principal), kms.Decrypt, &kms.DecryptRequest{CiphertextBlob: x.Wrapped, EncryptionContext: bound(arn, version)})
	if err != nil {
		return nil, keyFault(err, api.DecryptionFailure)
	}
	c, err := gcm(out.Plaintext)
	if err != nil {
		return nil, err
	}
	n := c.NonceSize()
	if len(x.Text) < n {
		return nil, errors.New("secretsmanager: a sealed value is cut off")
	}
	b, err := c.Open(nil, x.Text[:n], x.Text[n:], []byte(arn+version))
	if err != nil {
		return nil, fmt.Errorf("secretsmanager: version %s of %s cannot be opened: %w", version, arn, err)
	}
	return &content{b, x.Binary}, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// keyFault words what KMS answers as Secrets Manager does: a refusal says that the
// key is out of the caller's reach, anything else is a failure of the cipher.
func keyFault(err error, other func(string, ...any) *fault.Fault) error {
	f := fault.As(err)
	switch {
	case f == nil || f.Status >= 500:
		return err
	case f.Common == fault.AccessDenied:
		return fault.Of(fault.AccessDenied, "Access to KMS is not allowed: %s", f.Message)
	}
	return other("%s (%s)", f.Message, f.Code)
}
