// Package ecr is the room of Amazon Elastic Container Registry: private
// repositories of container images, their policies, lifecycle policies and tags,
// and the registry protocol with which images are pushed and pulled.
//
// Pages followed:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
//
// # Addresses
//
// The registry answers at the server's own port, below /v2/. repositoryUri is the
// host by which the caller has reached the server, a slash and the repository's
// name (127.0.0.1:4566/shop): clients resolve it without further set-up, and those
// that insist on HTTPS make an exception for such hosts. Whose registry that is
// says the password that the client logs in with: GetAuthorizationToken of an
// account in a region. Hosts of AWS's form, 000000000000.dkr.ecr.us-east-1 before
// one of the server's names, are understood as well, and name account and region
// themselves.
//
// # Who may do what
//
// A password is the caller of GetAuthorizationToken, for twelve hours: what it may
// do is decided at every request of the registry protocol by the caller's policies
// and the repository's, under the names of AWS's actions. A password of a session
// with session policies is good until the server ends.
//
// # Deliberate differences
//
// Uploads that are under way end with the server: clients begin them anew. Layers
// that no image came for are removed after a day. Lifecycle policies act every
// hour. Manifests are handed out as they were pushed. Schema 1 manifests are
// refused.
//
// Without meaning here: encryptionConfiguration with AES256 (encrypting the disk
// is the host's business).
//
// Refused by name: encryption with KMS, scanOnPush (images are not scanned), storage
// classes, and countType sinceImagePulled, as pulls are not recorded. Replication,
// pull-through caches, registry policies and the other operations that
// docs/COVERAGE.md lists as such are not implemented.
package ecr
