package kms

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
	"github.com/tierra-cloud/tierra/internal/policy"
)

const (
	symmetric      = api.KeySpecSymmetricDefault
	encryptDecrypt = api.KeyUsageTypeEncryptDecrypt

	// maxPolicy is the greatest size of a key policy, in bytes.
	maxPolicy = 32 << 10
	// defaultPolicyName is the name of a key's only policy.
	defaultPolicyName = "default"

	// Days that a key waits for its deletion.
	minWindow, maxWindow = 7, 30
)

// managed are the AWS managed keys that there are, by alias, with their descriptions.
var managed = map[string]string{
	"aws/s3":             "Encrypts objects with aws:kms that name no other key",
	"aws/ssm":            "Encrypts SecureString parameters that name no other key",
	"aws/secretsmanager": "Encrypts secrets that name no other key",
}

// checkCreate refuses by name what a key cannot be.
func checkCreate(in *api.CreateKeyRequest) error {
	spec := opt.Or(in.KeySpec, opt.Or(in.CustomerMasterKeySpec, symmetric))
	switch {
	case in.KeySpec != nil && in.CustomerMasterKeySpec != nil && *in.KeySpec != *in.CustomerMasterKeySpec:
		return api.UnsupportedOperationException("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case spec != symmetric:
		return unsupported("KeySpec "+spec, "there are only symmetric keys here, SYMMETRIC_DEFAULT")
	case opt.Or(in.KeyUsage, encryptDecrypt) != encryptDecrypt:
		return unsupported("KeyUsage "+*in.KeyUsage, "symmetric keys are for ENCRYPT_DECRYPT")
	case opt.Or(in.Origin, api.OriginTypeAwsKms) != api.OriginTypeAwsKms:
		return unsupported("Origin "+*in.Origin, "key material is made here, AWS_KMS")
	case opt.Val(in.MultiRegion):
		return unsupported("MultiRegion", "keys are of one Region")
	case in.CustomKeyStoreId != nil:
		return unsupported("CustomKeyStoreId", "there are no custom key stores")
	case in.XksKeyId != nil:
		return unsupported("XksKeyId", "there are no external key stores")
	}
	return nil
}

// defaultPolicy is what a key's policy is unless its maker gives another: it
// leaves the key to the account.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
func defaultPolicy(a area) string {
	return document("key-default-1", statement{
		"Sid": "Enable IAM User Permissions", "Effect": "Allow",
		"Principal": map[string]any{"AWS": "arn:" + arn.Partition(a.region) + ":iam::" + a.account + ":root"}, "Action": "kms:*", "Resource": "*",
	})
}

type statement = map[string]any

func document(id string, list ...statement) string {
	b, err := json.MarshalIndent(map[string]any{"Version": "2012-10-17", "Id": id, "Statement": list}, "", "  ")
	if err != nil {
		panic(err) // maps of strings can be written
	}
	return string(b)
}

// managedPolicy lets everybody in the account use a key, through its service only.
// https://docs.aws.amazon.com/kms/latest/developerguide/viewing-keys.html
func managedPolicy(a area, name string) string {
	service := strings.TrimPrefix(name, "aws/")
	return document("auto-"+service+"-1",
		statement{
			"Sid": "Allow access through " + service + " for all principals in the account", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"},
			"Action":   []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"},
			"Resource": "*",
			"Condition": map[string]any{"StringEquals": map[string]any{
				"kms:CallerAccount": a.account, "kms:ViaService": service + "." + a.region + ".amazonaws.com",
			}},
		},
		statement{
			"Sid": "Allow direct access to key metadata to the account", "Effect": "Allow",
			"Principal": map[string]any{"AWS": "arn:" + arn.Partition(a.region) + ":iam::" + a.account + ":root"},
			"Action":    []string{"kms:Describe*", "kms:Get*", "kms:List*"}, "Resource": "*",
		})
}

// managedKey is an AWS managed key that has no material yet.
func (s *Service) managedKey(a area, name string) *key {
	return &key{
		V: version, ID: s.vault.managedID(a, name), Created: s.d.Clock.Now(), Description: managed[name], Managed: name, Policy: managedPolicy(a, name),
	}
}

// checkPolicy checks a key policy's document, and that its author is not locked
// out by it unless that is wanted.
func checkPolicy(doc string, keyARN string, author policy.Principal, bypass bool) error {
	if len(doc) > maxPolicy {
		return api.LimitExceededException("The key policy has %d bytes, at most %d are allowed.", len(doc), maxPolicy)
	}
	p, err := policy.Parse([]byte(doc))
	if err == nil {
		err = policy.ValidateResource(p)
	}
	if err != nil {
		return api.MalformedPolicyDocumentException("%s", err.Error())
	}
	if bypass {
		return nil
	}
	// What the key's policy leaves to the account's own policies counts as allowed.
	everything, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		return err
	}
	d := policy.Evaluate(
		&policy.Request{Principal: author, Action: "kms:PutKeyPolicy", Resource: keyARN},
		&policy.Sets{Identity: []*policy.Policy{everything}, Resource: p, ResourceRequired: true},
	)
	if !d.Allowed {
		return api.MalformedPolicyDocumentException("The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}

// checkAlias checks the name of an alias, which begins with "alias/", and returns
// what follows.
func checkAlias(name string) (string, error) {
	rest, ok := strings.CutPrefix(name, "alias/")
	switch {
	case !ok || rest == "":
		return "", api.InvalidAliasNameException("Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case strings.HasPrefix(rest, "aws/"):
		return "", api.InvalidAliasNameException("Aliases that begin with alias/aws/ are reserved for AWS managed keys.")
	}
	return rest, nil
}

func tagMap(list []api.Tag) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, t := range list {
		if _, twice := m[opt.Val(t.TagKey)]; twice {
			return nil, api.TagException("Tag keys must be unique: %s is there twice.", *t.TagKey)
		}
		m[opt.Val(t.TagKey)] = opt.Val(t.TagValue)
	}
	if err := tags.Check(m); err != nil {
		return nil, api.TagException("%s", err.Error())
	}
	return m, nil
}

// describe is a key as its callers see it.
func (t *target) describe() *api.KeyMetadata {
	m := &api.KeyMetadata{
		AWSAccountId: new(t.account), KeyId: new(t.ID), Arn: new(t.arn()), CreationDate: new(t.Created), Description: new(t.Description),
		KeyUsage: new(encryptDecrypt), KeySpec: new(symmetric), CustomerMasterKeySpec: new(symmetric), EncryptionAlgorithms: []string{symmetric},
		Origin: new(api.OriginTypeAwsKms), KeyManager: new(api.KeyManagerTypeCustomer), MultiRegion: new(false),
		KeyState: new(t.state()), Enabled: new(t.state() == api.KeyStateEnabled),
	}
	if t.Managed != "" {
		m.KeyManager = new(api.KeyManagerTypeAws)
	}
	if !t.Deletion.IsZero() {
		m.DeletionDate = new(t.Deletion)
	}
	return m
}

func (k *key) state() string {
	switch {
	case !k.Deletion.IsZero():
		return api.KeyStatePendingDeletion
	case k.Disabled:
		return api.KeyStateDisabled
	}
	return api.KeyStateEnabled
}

// usable says why the key cannot be used, nil if it can.
func (t *target) usable() error {
	switch t.state() {
	case api.KeyStatePendingDeletion:
		return t.pending()
	case api.KeyStateDisabled:
		return api.DisabledException("%s is disabled.", t.arn())
	}
	return nil
}

func (t *target) pending() error {
	return api.KMSInvalidStateException("%s is pending deletion.", t.arn())
}

// dataKeyBytes is how long a data key is to be.
func dataKeyBytes(spec *string, n *int32) (int, error) {
	switch {
	case spec != nil && n != nil:
		return 0, fault.Of(fault.Validation, "Please specify either number of bytes or key spec, but not both.")
	case n != nil:
		return int(*n), nil
	case spec == nil:
		return 0, fault.Of(fault.Validation, "Please specify either number of bytes or key spec.")
	case *spec == api.DataKeySpecAes128:
		return 16, nil
	}
	return 32, nil
}

func days(n int32) time.Duration { return time.Duration(n) * 24 * time.Hour }

func sortedTags(m map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(m))
	for k, v := range m {
		out = append(out, api.Tag{TagKey: new(k), TagValue: new(v)})
	}
	slices.SortFunc(out, func(a, b api.Tag) int { return strings.Compare(*a.TagKey, *b.TagKey) })
	return out
}
