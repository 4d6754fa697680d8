// Package call is the spine: the stages through which every request passes, as
// types that only this package can make.
//
//	Incoming -> Authenticated -> Decoded -> Authorized -> handler
//
// A handler takes *Authorized: it cannot be reached, nor the value be forged,
// without a caller that is known (or known to be anonymous), an input that meets
// the model's constraints, and policies that allow it. A request from the wire
// and a call from room to room (Caller) differ only in how they become
// Authenticated.
package call
