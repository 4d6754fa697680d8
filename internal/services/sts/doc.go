// Package sts is the room of the Security Token Service: temporary credentials
// for roles and users, and who a caller is.
//
// Pages followed: the STS API Reference; of the IAM User Guide id_credentials_temp*,
// id_session-tags, id_credentials_temp_control-access_monitor (source identity),
// reference_policies_iam-condition-keys.
//
// # Where it differs
//
//   - There are no second factors: a request with SerialNumber or TokenCode is
//     refused. ProvidedContexts are refused by name.
//   - AssumeRoleWithSAML, AssumeRoleWithWebIdentity, AssumeRoot,
//     DecodeAuthorizationMessage and the exchange of tokens are not bound.
//   - PackedPolicySize is measured on what was passed, not on a packed form of it.
//   - The caller's region does not matter; every region answers alike.
package sts
