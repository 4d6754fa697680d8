// Package cloudcontrol is the room of the AWS Cloud Control API: single resources,
// made, read, changed, deleted and listed by the same handlers that stacks use.
//
// https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/Welcome.html
//
// A request is stored before it is begun, and carried out in the background; what a
// crash interrupted is taken up at the next start with the same token. Requests are
// forgotten after seven days, client tokens with them.
//
// Handlers act as the caller, or as the role that the request names, so that a
// caller needs the permissions of the calls beneath, as with AWS.
//
// # Deliberate differences
//
//   - The operations that begin a request may linger for a moment (Deps.Linger)
//     and then answer with its end.
//   - Types that cannot read back what they made answer UnsupportedActionException
//     to GetResource and UpdateResource, types that cannot list to ListResources.
//   - Listings give the properties of the identifier alone.
//
// TypeVersionId is refused by name: there are no private types.
package cloudcontrol
