// Package egress lets functions in a private network out, as far as a policy says.
//
// A sandbox hands its TCP connections to the outside over to a Gateway (package
// sandbox says how); the gateway makes the same connection from the server's own
// network and copies both ways. Nothing of the host's routes or packet filter is
// changed, so there is nothing to clean up, however the server ends.
//
// # Deliberate limits
//
// TCP over IPv4, and names over UDP and TCP; no other UDP, no ICMP, no IPv6
// (functions of AWS have IPv6 only in a VPC made for it). The connection inside is
// accepted before the one outside is made: where the outside refuses or does not
// answer, the function's connection is reset instead. Names are resolved by the
// machine's own name servers whatever the policy, so a function that reaches few
// addresses can still ask for all names.
package egress

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Policy says which addresses functions reach. The zero Policy is none.
type Policy struct {
	text   string
	public bool
	ranges []netip.Prefix
}

// never are addresses that no policy opens: this host, its loopback, link-local
// with the metadata of clouds, multicast, reserved.
var never = [...]string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"}

// reserved are the others that are not public.
// https://www.iana.org/assignments/iana-ipv4-special-registry
var reserved = [...]string{
	"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
}

// maxRanges is how many ranges a policy may name.
const maxRanges = 64

// Parse reads a policy: "none", or a list, separated by commas, of ranges of IPv4
// addresses ("10.1.0.0/16") and "internet", which is all public addresses.
func Parse(s string) (Policy, error) {
	p := Policy{text: s}
	if s == "none" {
		return p, nil
	}
	words := strings.Split(s, ",")
	if len(words) > maxRanges {
		return p, fmt.Errorf("%d ranges of addresses, there can be %d", len(words), maxRanges)
	}
	for _, w := range words {
		if w == "internet" {
			p.public = true
			continue
		}
		r, err := netip.ParsePrefix(w)
		switch {
		case w == "none":
			return p, fmt.Errorf("none stands alone")
		case err != nil:
			return p, fmt.Errorf("%q is neither none, nor internet, nor a range of addresses as 10.1.0.0/16", w)
		case !r.Addr().Is4():
			return p, fmt.Errorf("%s: functions have no IPv6 to the outside", w)
		case r != r.Masked():
			return p, fmt.Errorf("%s is not a range; %s is the one with that address", w, r.Masked())
		}
		for _, n := range never {
			if n := netip.MustParsePrefix(n); n.Bits() <= r.Bits() && n.Contains(r.Addr()) {
				return p, fmt.Errorf("%s is never reached: %s is the machine's own, link-local, multicast or reserved", w, n)
			}
		}
		if !slices.Contains(p.ranges, r) {
			p.ranges = append(p.ranges, r)
		}
	}
	return p, nil
}

// String is the policy as it was written.
func (p Policy) String() string {
	if p.text == "" {
		return "none"
	}
	return p.text
}

// None tells that nothing is reached.
func (p Policy) None() bool { return !p.public && len(p.ranges) == 0 }

// Routes are the ranges that are reached, and parts of them that are not.
func (p Policy) Routes() (reach, except []netip.Prefix) {
	reach = slices.Clone(p.ranges)
	if all := netip.PrefixFrom(netip.IPv4Unspecified(), 0); p.public && !slices.Contains(reach, all) {
		reach = append(reach, all)
	}
	for _, n := range never {
		except = append(except, netip.MustParsePrefix(n))
	}
	if !p.public {
		return reach, except
	}
	for _, n := range reserved {
		n := netip.MustParsePrefix(n)
		opened := func(r netip.Prefix) bool { return r.Bits() <= n.Bits() && r.Contains(n.Addr()) }
		if !slices.ContainsFunc(p.ranges, opened) {
			except = append(except, n)
		}
	}
	return reach, except
}

// Allows tells whether functions reach an address: as the routes say, by the
// longest range that has it.
func (p Policy) Allows(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	best, allowed := -1, false
	reach, except := p.Routes()
	for i, r := range append(reach, except...) {
		if r.Contains(a) && r.Bits() > best {
			best, allowed = r.Bits(), i < len(reach)
		}
	}
	return allowed
}
