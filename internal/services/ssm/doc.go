// Package ssm is the room of AWS Systems Manager, of which it has Parameter Store:
// String, StringList and SecureString parameters in hierarchies, with versions,
// labels, tags, tiers and allowed patterns.
//
// Pages followed:
// https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
// https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
//
// SecureString parameters are encrypted by KMS, called as the caller through
// Parameter Store, with the parameter's ARN as encryption context PARAMETER_ARN:
// of the standard tier with kms:Encrypt, of the advanced tier with a data key of
// their own (kms:GenerateDataKey). To read one takes kms:Decrypt; without
// decryption the value is the ciphertext.
//
// Limits are AWS's: 4,096 bytes of a standard parameter's value, 8,192 of an
// advanced one's, 15 levels, 100 versions (the oldest goes, unless it has a
// label), 10 labels a version, 50 tags. How many parameters there may be is not
// limited. The advanced tier is what a larger value takes; Intelligent-Tiering
// chooses it for such values.
//
// Allowed patterns are regular expressions of Go's syntax, which lacks the
// backward references and look-arounds of Java's, that AWS uses: a pattern that
// has them is refused.
//
// Refused by name: Policies (expiration and notifications), data types other than
// text, Shared, parameters of other accounts. Everything else of Systems Manager
// is not implemented (see docs/COVERAGE.md).
package ssm
