package domain

import "crypto/tls"

// Policy is a security policy by the name that AWS gave it: which versions and
// ciphers clients may use.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html
type Policy string

// The policies for domains of every kind.
const (
	TLS10 Policy = "TLS_1_0"
	TLS12 Policy = "TLS_1_2"
)

// rules are the rules of a policy.
type rules struct {
	least   uint16
	forward bool // no ciphers but those with forward secrecy
	quantum bool // key exchanges that a quantum computer does not break go first
	edge    bool // for endpoints of the type EDGE, else of REGIONAL; the two old ones are for both
	modern  bool // named in the new way
}

func (p Policy) rules() (rules, bool) {
	switch p {
	case TLS10:
		return rules{least: tls.VersionTLS10}, true
	case TLS12:
		return rules{least: tls.VersionTLS12}, true
	case "SecurityPolicy_TLS13_1_3_2025_09":
		return rules{least: tls.VersionTLS13, modern: true}, true
	case "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09":
		return rules{least: tls.VersionTLS12, forward: true, quantum: true, modern: true}, true
	case "SecurityPolicy_TLS13_1_2_PQ_2025_09":
		return rules{least: tls.VersionTLS12, quantum: true, modern: true}, true
	case "SecurityPolicy_TLS13_1_2_2021_06":
		return rules{least: tls.VersionTLS12, modern: true}, true
	case "SecurityPolicy_TLS13_2025_EDGE":
		return rules{least: tls.VersionTLS13, edge: true, modern: true}, true
	case "SecurityPolicy_TLS12_PFS_2025_EDGE":
		return rules{least: tls.VersionTLS12, forward: true, edge: true, modern: true}, true
	case "SecurityPolicy_TLS12_2018_EDGE":
		return rules{least: tls.VersionTLS12, edge: true, modern: true}, true
	}
	return rules{}, false
}

// Known reports whether connections can be held to the policy. AWS's policies
// with FIPS in their names cannot: they promise a validated module.
func (p Policy) Known() bool { _, ok := p.rules(); return ok }

// Modern reports whether the policy is one of those that take an endpoint access
// mode.
func (p Policy) Modern() bool { r, _ := p.rules(); return r.modern }

// Edge reports whether a modern policy is for endpoints of the type EDGE.
func (p Policy) Edge() bool { r, _ := p.rules(); return r.edge }

func (p Policy) config() *tls.Config {
	r, _ := p.rules()
	c := &tls.Config{MinVersion: r.least, NextProtos: []string{"h2", "http/1.1"}}
	if r.forward {
		for _, s := range tls.CipherSuites() {
			switch s.ID {
			case tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384:
			default:
				c.CipherSuites = append(c.CipherSuites, s.ID)
			}
		}
	}
	if !r.quantum && r.modern {
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	}
	return c
}
