// Package secretsmanager is the room of AWS Secrets Manager: secrets with versions
// and staging labels, encrypted by KMS, deletion after a recovery window, resource
// policies, tags, random passwords.
//
// Pages followed:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/getting-started.html#term_version
//
// Every version is encrypted with a data key of its own, which KMS makes and opens
// as the caller through Secrets Manager (kms:GenerateDataKey, kms:Decrypt) with the
// encryption context SecretARN and SecretVersionId.
//
// Limits are AWS's: 65,536 bytes of a value, 20 staging labels a version, 20,480
// characters of a resource policy, 100 versions without a label (older ones go).
//
// A secret that was deleted refuses everything but DescribeSecret, ListSecrets,
// RestoreSecret and a forced deletion; once its recovery window is over it is gone
// at once, and a sweep every hour removes what is stored of it.
//
// A new KmsKeyId is for new versions: those that exist stay under the key that
// they were made with. LastAccessedDate is not recorded.
//
// Refused by name: replica Regions, Type (secrets managed by others). Rotation is
// not implemented, so that DescribeSecret truly says that it is off; neither are
// the other operations that docs/COVERAGE.md lists as such.
package secretsmanager
