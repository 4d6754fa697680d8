package kms

import (
	"context"
	"errors"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) cipherBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.Encrypt, onKey(s, "kms:Encrypt", func(in *api.EncryptRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), contextKeys(in.EncryptionContext)
		}), s.encrypt),
		call.Bind(api.Decrypt, call.Rule(s.decryptNeeds, "kms:Decrypt"), s.decrypt),
		call.Bind(api.ReEncrypt, call.Rule(s.reEncryptNeeds, "kms:ReEncryptFrom", "kms:ReEncryptTo"), s.reEncrypt),
		call.Bind(api.GenerateDataKey, onKey(s, "kms:GenerateDataKey", func(in *api.GenerateDataKeyRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), contextKeys(in.EncryptionContext)
		}), s.generateDataKey),
		call.Bind(api.GenerateDataKeyWithoutPlaintext, onKey(s, "kms:GenerateDataKeyWithoutPlaintext", func(in *api.GenerateDataKeyWithoutPlaintextRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), contextKeys(in.EncryptionContext)
		}), s.generateDataKeyWithoutPlaintext),
		call.Bind(api.GenerateRandom, call.Any[api.GenerateRandomRequest]("kms:GenerateRandom"), s.generateRandom),
	}
}

// fromBlob is the permission to open a ciphertext: on the key that made it, or on
// "*" if it is none.
func (s *Service) fromBlob(ctx context.Context, rq *call.Decoded, action string, blob []byte, keys map[string][]string) (call.Need, error) {
	account, id, err := keyOf(blob)
	if err != nil {
		return call.Need{Action: action, Resource: "*", Keys: conditions(rq, keys)}, nil
	}
	return s.need(ctx, rq, action, area{account, rq.Region()}.keyARN(id), keys)
}

func (s *Service) decryptNeeds(ctx context.Context, rq *call.Decoded, in *api.DecryptRequest) ([]call.Need, error) {
	n, err := s.fromBlob(ctx, rq, "kms:Decrypt", in.CiphertextBlob, contextKeys(in.EncryptionContext))
	return []call.Need{n}, err
}

func (s *Service) reEncryptNeeds(ctx context.Context, rq *call.Decoded, in *api.ReEncryptRequest) ([]call.Need, error) {
	from, err := s.fromBlob(ctx, rq, "kms:ReEncryptFrom", in.CiphertextBlob, contextKeys(in.SourceEncryptionContext))
	if err != nil {
		return nil, err
	}
	to, err := s.need(ctx, rq, "kms:ReEncryptTo", opt.Val(in.DestinationKeyId), contextKeys(in.DestinationEncryptionContext))
	if err != nil {
		return nil, err
	}
	same := []string{"false"}
	if from.Resource == to.Resource {
		same = []string{"true"}
	}
	from.Keys["kms:reencryptonsamekey"], to.Keys["kms:reencryptonsamekey"] = same, same
	return []call.Need{from, to}, nil
}

// symmetricOnly refuses the algorithms of asymmetric keys.
func symmetricOnly(algorithm *string) error {
	if a := opt.Or(algorithm, symmetric); a != symmetric {
		return api.InvalidKeyUsageException("Algorithm %s is incompatible with key spec %s.", a, symmetric)
	}
	return nil
}

func noEnclave(r *api.RecipientInfo) error {
	if r != nil {
		return unsupported("Recipient", "there are no Nitro enclaves")
	}
	return nil
}

// dry answers a request that only wanted to know whether it would succeed.
func dry(b *bool) error {
	if opt.Val(b) {
		return api.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}

// usableKey finds a key that can be used now.
func (s *Service) usableKey(ctx context.Context, rq *call.Authorized, name string) (*target, error) {
	t, err := s.key(ctx, rq, name)
	if err != nil {
		return nil, err
	}
	return t, t.usable()
}

// seal encrypts with a key.
func (s *Service) seal(t *target, plain []byte, context map[string]string) ([]byte, error) {
	c, err := s.vault.open(t.arn(), t.Material)
	if err != nil {
		return nil, err
	}
	return s.vault.encrypt(c, t.account, t.ID, plain, context)
}

// unseal decrypts a ciphertext. want is the key that the caller expects, "" if any.
func (s *Service) unseal(ctx context.Context, rq *call.Authorized, blob []byte, context map[string]string, want string) ([]byte, *target, error) {
	account, id, err := keyOf(blob)
	if err != nil {
		return nil, nil, api.InvalidCiphertextException("")
	}
	t, err := s.key(ctx, rq, area{account, rq.Region()}.keyARN(id))
	if fault.Is(err, "NotFoundException") {
		return nil, nil, fault.Of(fault.AccessDenied, "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	}
	if err != nil {
		return nil, nil, err
	}
	if want != "" {
		w, err := s.key(ctx, rq, want)
		if err != nil {
			return nil, nil, err
		}
		if w.arn() != t.arn() {
			return nil, nil, api.IncorrectKeyException("The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if err := t.usable(); err != nil {
		return nil, nil, err
	}
	c, err := s.vault.open(t.arn(), t.Material)
	if err != nil {
		return nil, nil, err
	}
	plain, err := decrypt(c, blob, context)
	if errors.Is(err, errCiphertext) {
		return nil, nil, api.InvalidCiphertextException("")
	}
	return plain, t, err
}

func (s *Service) encrypt(ctx context.Context, rq *call.Authorized, in *api.EncryptRequest) (*api.EncryptResponse, error) {
	if err := errors.Join(noGrants(in.GrantTokens), symmetricOnly(in.EncryptionAlgorithm)); err != nil {
		return nil, err
	}
	t, err := s.usableKey(ctx, rq, *in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := dry(in.DryRun); err != nil {
		return nil, err
	}
	blob, err := s.seal(t, in.Plaintext, in.EncryptionContext)
	return &api.EncryptResponse{CiphertextBlob: blob, KeyId: new(t.arn()), EncryptionAlgorithm: new(symmetric)}, err
}

func (s *Service) decrypt(ctx context.Context, rq *call.Authorized, in *api.DecryptRequest) (*api.DecryptResponse, error) {
	switch {
	case len(in.DryRunModifiers) > 0:
		return nil, unsupported("DryRunModifiers", "a dry run checks everything here")
	case len(in.CiphertextBlob) == 0:
		return nil, api.InvalidCiphertextException("")
	}
	if err := errors.Join(noGrants(in.GrantTokens), noEnclave(in.Recipient), symmetricOnly(in.EncryptionAlgorithm)); err != nil {
		return nil, err
	}
	plain, t, err := s.unseal(ctx, rq, in.CiphertextBlob, in.EncryptionContext, opt.Val(in.KeyId))
	if err == nil {
		err = dry(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	return &api.DecryptResponse{KeyId: new(t.arn()), Plaintext: plain, EncryptionAlgorithm: new(symmetric)}, nil
}

func (s *Service) reEncrypt(ctx context.Context, rq *call.Authorized, in *api.ReEncryptRequest) (*api.ReEncryptResponse, error) {
	if len(in.DryRunModifiers) > 0 {
		return nil, unsupported("DryRunModifiers", "a dry run checks everything here")
	}
	if err := errors.Join(noGrants(in.GrantTokens), symmetricOnly(in.SourceEncryptionAlgorithm), symmetricOnly(in.DestinationEncryptionAlgorithm)); err != nil {
		return nil, err
	}
	plain, from, err := s.unseal(ctx, rq, in.CiphertextBlob, in.SourceEncryptionContext, opt.Val(in.SourceKeyId))
	if err != nil {
		return nil, err
	}
	to, err := s.usableKey(ctx, rq, *in.DestinationKeyId)
	if err == nil {
		err = dry(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	blob, err := s.seal(to, plain, in.DestinationEncryptionContext)
	return &api.ReEncryptResponse{
		CiphertextBlob: blob, SourceKeyId: new(from.arn()), KeyId: new(to.arn()),
		SourceEncryptionAlgorithm: new(symmetric), DestinationEncryptionAlgorithm: new(symmetric),
	}, err
}

func (s *Service) generateDataKey(ctx context.Context, rq *call.Authorized, in *api.GenerateDataKeyRequest) (*api.GenerateDataKeyResponse, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	plain, blob, arn, err := s.dataKey(ctx, rq, &api.GenerateDataKeyWithoutPlaintextRequest{
		KeyId: in.KeyId, EncryptionContext: in.EncryptionContext, KeySpec: in.KeySpec, NumberOfBytes: in.NumberOfBytes, GrantTokens: in.GrantTokens, DryRun: in.DryRun,
	})
	return &api.GenerateDataKeyResponse{Plaintext: plain, CiphertextBlob: blob, KeyId: arn}, err
}

func (s *Service) generateDataKeyWithoutPlaintext(ctx context.Context, rq *call.Authorized, in *api.GenerateDataKeyWithoutPlaintextRequest) (*api.GenerateDataKeyWithoutPlaintextResponse, error) {
	_, blob, arn, err := s.dataKey(ctx, rq, in)
	return &api.GenerateDataKeyWithoutPlaintextResponse{CiphertextBlob: blob, KeyId: arn}, err
}

func (s *Service) dataKey(ctx context.Context, rq *call.Authorized, in *api.GenerateDataKeyWithoutPlaintextRequest) (plain, blob []byte, arn *string, err error) {
	if err := noGrants(in.GrantTokens); err != nil {
		return nil, nil, nil, err
	}
	n, err := dataKeyBytes(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := s.usableKey(ctx, rq, *in.KeyId)
	if err == nil {
		err = dry(in.DryRun)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	plain = s.d.IDs.Bytes(n)
	blob, err = s.seal(t, plain, in.EncryptionContext)
	return plain, blob, new(t.arn()), err
}

func (s *Service) generateRandom(_ context.Context, _ *call.Authorized, in *api.GenerateRandomRequest) (*api.GenerateRandomResponse, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != nil {
		return nil, unsupported("CustomKeyStoreId", "there are no custom key stores")
	}
	if in.NumberOfBytes == nil {
		return nil, fault.Of(fault.Validation, "NumberOfBytes is required.")
	}
	return &api.GenerateRandomResponse{Plaintext: s.d.IDs.Bytes(int(*in.NumberOfBytes))}, nil
}
