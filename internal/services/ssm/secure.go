package ssm

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/kms"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// defaultKey encrypts SecureString parameters that name no other key.
const defaultKey = "alias/aws/ssm"

// bound is the encryption context of a parameter.
func bound(arn string) map[string]string { return map[string]string{"PARAMETER_ARN": arn} }

// seal encrypts a SecureString's value as the caller.
func (s *Service) seal(ctx context.Context, rq *call.Authorized, arn string, v *value, text string) error {
	as := rq.As().Via(principal)
	if v.Tier != api.ParameterTierAdvanced {
		out, err := call.Do(ctx, s.d.Caller, as, kms.Encrypt, &kms.EncryptRequest{KeyId: &v.KeyID, Plaintext: []byte(text), EncryptionContext: bound(arn)})
		if err != nil {
			return keyFault(err)
		}
		v.Sealed = out.CiphertextBlob
		return nil
	}
	out, err := call.Do(ctx, s.d.Caller, as, kms.GenerateDataKey, &kms.GenerateDataKeyRequest{KeyId: &v.KeyID, KeySpec: new(kms.DataKeySpecAes256), EncryptionContext: bound(arn)})
	if err != nil {
		return keyFault(err)
	}
	c, err := gcm(out.Plaintext)
	if err != nil {
		return err
	}
	nonce := s.d.IDs.Bytes(c.NonceSize())
	v.Wrapped, v.Sealed = out.CiphertextBlob, c.Seal(nonce, nonce, []byte(text), []byte(arn))
	return nil
}

// open decrypts a SecureString's value as the caller.
func (s *Service) open(ctx context.Context, rq *call.Authorized, arn string, v *value) (string, error) {
	blob := v.Sealed
	if v.Wrapped != nil {
		blob = v.Wrapped
	}
	out, err := call.Do(ctx, s.d.Caller, rq.As().Via(principal), kms.Decrypt, &kms.DecryptRequest{CiphertextBlob: blob, EncryptionContext: bound(arn)})
	if err != nil {
		return "", keyFault(err)
	}
	if v.Wrapped == nil {
		return string(out.Plaintext), nil
	}
	c, err := gcm(out.Plaintext)
	if err != nil {
		return "", err
	}
	n := c.NonceSize()
	if len(v.Sealed) < n {
		return "", errors.New("ssm: a sealed value is cut off")
	}
	text, err := c.Open(nil, v.Sealed[:n], v.Sealed[n:], []byte(arn))
	if err != nil {
		return "", fmt.Errorf("ssm: the value of %s cannot be opened: %w", arn, err)
	}
	return string(text), nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// keyFault words what KMS answers as Parameter Store does: a refusal as it is,
// anything else that is the caller's fault as InvalidKeyId.
func keyFault(err error) error {
	f := fault.As(err)
	if f == nil || f.Common == fault.AccessDenied || f.Status >= 500 {
		return err
	}
	return api.InvalidKeyId("%s (Service: AWSKMS; Error Code: %s)", f.Message, f.Code)
}
