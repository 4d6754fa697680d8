// Package kms is the room of AWS Key Management Service, as far as the platform's
// own services and applications with envelope encryption need it: symmetric keys,
// aliases, key policies, Encrypt, Decrypt, ReEncrypt, GenerateDataKey with and
// without the plaintext, GenerateRandom, tags, deletion after a waiting period,
// and the AWS managed keys of Parameter Store and Secrets Manager.
//
// Pages followed:
// https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
//
// Encryption is AES-256 in Galois/Counter Mode with a fresh nonce; the encryption
// context and the key's ARN are authenticated with it. What is stored of a key is
// its material, sealed with a key that is derived from the server's data key:
// whoever has the store alone has no key. A ciphertext names its key, so Decrypt
// takes no KeyId, and can be opened by this server only.
//
// A key's policy decides, as on AWS: policies of IAM count for a key only if its
// policy leaves them to the account. A key that waits for its deletion cannot be
// used; once its time has come it is gone at once, and a sweep every hour destroys
// its material.
//
// AWS managed keys (alias/aws/ssm, alias/aws/secretsmanager) are made when they
// are first used; their policy lets everybody in the account use them through
// their service only.
//
// Refused by name: asymmetric and HMAC keys, key stores, imported material,
// multi-Region keys, rotation (GetKeyRotationStatus truly says that there is
// none), grants and grant tokens, recipients of Nitro enclaves. Further operations
// are not implemented (see docs/COVERAGE.md).
//
// Accepted without effect: CustomerMasterKeySpec is the old name of KeySpec.
package kms
