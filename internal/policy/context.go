package policy

import "strings"

// Context offers the condition keys of one request. Lookup gets a key's name in
// lower case ("aws:sourceip", "aws:principaltag/team") and returns its values,
// none if the request does not have the key. It is asked only for keys that a
// matching statement names, so values may be computed then. A single value may be
// returned in a place that the next Lookup uses again; several values must stay
// as they are. Dates are ISO 8601 or seconds since 1970, addresses
// without a port, booleans "true" or "false".
//
// The keys that follow from Request itself are answered from there and need not
// be offered: aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType,
// aws:PrincipalIsAWSService, aws:PrincipalServiceName, aws:userid, aws:username,
// aws:FederatedProvider and aws:ResourceAccount.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
type Context interface {
	Lookup(key string) []string
}

// ContextFunc makes a Context of a function.
type ContextFunc func(key string) []string

// Lookup implements Context.
func (f ContextFunc) Lookup(key string) []string { return f(key) }

// Keys is a Context of values at hand, by lower-case name.
type Keys map[string][]string

// Set gives the key name, in any case, the values.
func (k Keys) Set(name string, values ...string) { k[strings.ToLower(name)] = values }

// Lookup implements Context.
func (k Keys) Lookup(key string) []string { return k[key] }

// key is a condition key; source says which part of the request knows it.
type key struct {
	name   string
	source source
}

type source uint8

const (
	fromContext source = iota
	principalARN
	principalAccount
	principalType
	principalIsService
	principalService
	userID
	userName
	federatedProvider
	resourceAccount
)

func newKey(name string) key {
	k := key{name: strings.ToLower(name)}
	switch k.name {
	case "aws:principalarn":
		k.source = principalARN
	case "aws:principalaccount":
		k.source = principalAccount
	case "aws:principaltype":
		k.source = principalType
	case "aws:principalisawsservice":
		k.source = principalIsService
	case "aws:principalservicename":
		k.source = principalService
	case "aws:userid":
		k.source = userID
	case "aws:username":
		k.source = userName
	case "aws:federatedprovider":
		k.source = federatedProvider
	case "aws:resourceaccount":
		k.source = resourceAccount
	}
	return k
}

// known answers a key from the request itself. The context cannot override what
// is known there, only add what is not.
func (e *evaluation) known(s source) (string, bool) {
	if s == fromContext {
		return "", false
	}
	p := &e.request.Principal
	v := ""
	switch s {
	case principalARN:
		v = p.iamARN()
	case principalAccount:
		if p.inAccount() {
			v = p.Account
		}
	case principalType:
		v = p.typeName()
	case principalIsService:
		v = "false"
		if p.Kind == Service {
			v = "true"
		}
	case principalService:
		v = p.Service
	case userID:
		v = p.UserID
		if p.Kind == Anonymous && v == "" {
			v = "anonymous"
		}
	case userName:
		if p.Kind == User {
			v = p.UserName
		}
	case federatedProvider:
		v = p.Provider
	case resourceAccount:
		if v = e.request.ResourceAccount; v == "" && p.inAccount() {
			v = p.Account
		}
	}
	return v, v != ""
}

// lookup returns the values of k. The slice is good until the next lookup.
func (e *evaluation) lookup(k *key) []string {
	if v, ok := e.known(k.source); ok {
		e.one[0] = v
		return e.one[:]
	}
	if e.request.Context == nil {
		return nil
	}
	return e.request.Context.Lookup(k.name)
}
