// Package s3 is Amazon S3: buckets, objects and their versions, multipart
// uploads, bucket policies, websites, lifecycle expiration.
//
// Pages followed: the Amazon S3 API Reference
// (https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html) and User Guide.
//
// # Durability
//
// An object's bytes are committed to the blob store (up to 8 KiB: beside the
// metadata) before the metadata names them, and what an overwrite leaves behind
// is deleted after it. A crash between leaves bytes that nothing names; Start
// sets off a scrub that removes them. The last commit of a key wins, and a
// reader that began before it reads the old object to its end.
//
// # Encryption
//
// All bytes are encrypted with AES-256 in counter mode under a key of their own,
// derived from the room's key, so SSE-S3 (AES256) is always on, as on AWS. The
// room's key is Deps.Key or, without one, a random key in the metadata store,
// which then protects the bytes only apart from the metadata. With SSE-KMS
// (aws:kms) the key of an object's bytes is a data key of its own, which KMS makes
// and opens as the caller through S3 (kms:GenerateDataKey, kms:Decrypt) with the
// object's ARN as encryption context; with BucketKeyEnabled, with the bucket's.
// The ETag is then no MD5. aws:kms:dsse and SSE-C are refused by name.
//
// # Limits
//
// Keys have 1 to 1,024 bytes of UTF-8; PutObject and a part take up to 5 GiB;
// an upload has up to 10,000 parts, all but the last of at least 5 MiB; user
// metadata has up to 2 KB, a bucket policy 20 KB; an account has 10,000 buckets.
//
// # Deliberate differences
//
//   - Object ownership is BucketOwnerEnforced everywhere: ACLs other than
//     private and bucket-owner-full-control are refused (AccessControlListNotSupported).
//   - Every region's endpoint serves every bucket; nothing is redirected.
//   - Somebody who may not use a bucket that does not exist is told AccessDenied,
//     not NoSuchBucket.
//   - DeleteObjects is refused as a whole if one of its keys may not be deleted.
//   - Multi-object requests are one transaction: all or nothing.
//   - A listing that begins within a common prefix (StartAfter, Marker) does not
//     list that common prefix again.
//   - There is no IsTruncated without a further object: what a page hides (delete
//     markers) does not count.
//   - Lifecycle rules act at the first hour after they fall due; AWS takes up to days.
//
// # Settings without meaning here
//
// RequestPayer (nobody pays), BypassGovernanceRetention (there is no object
// lock), OptionalObjectAttributes (nothing is ever archived), FetchOwner and the
// owner's DisplayName, ConfirmRemoveSelfBucketAccess (the owner's
// root can always change the policy), SkipDestinationValidation, and a lifecycle configuration's
// TransitionDefaultMinimumObjectSize (there are no transitions).
package s3
