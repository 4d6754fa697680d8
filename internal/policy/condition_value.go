package policy

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// values are a condition's values, prepared for the operator's kind; only the
// list of that kind is filled.
type values struct {
	patterns  []pattern // String, Arn, Bool
	numbers   []float64
	instants  []instant
	prefixes  []netip.Prefix
	binaries  []string
	nulls     []bool
	variables bool // some pattern has one
}

func (vs *values) compile(op operator, texts []string, variables bool) error {
	for _, t := range texts {
		if err := vs.add(op.kind, t, variables); err != nil {
			return err
		}
	}
	return nil
}

func (vs *values) add(kind operatorKind, t string, variables bool) error {
	switch kind {
	case isString, isStringFold, isLike, isARN, isBool:
		wildcards := kind == isLike || kind == isARN
		p, err := compilePattern(t, wildcards, variables)
		if err != nil {
			return err
		}
		if kind == isBool && !p.variables && !isBoolean(t) {
			return fmt.Errorf("%q is neither true nor false", t)
		}
		vs.variables = vs.variables || p.variables
		vs.patterns = append(vs.patterns, p)
	case isNumeric:
		n, ok := parseNumber(t)
		if !ok {
			return fmt.Errorf("%q is not a number", t)
		}
		vs.numbers = append(vs.numbers, n)
	case isDate:
		at, ok := parseInstant(t)
		if !ok {
			return fmt.Errorf("%q is neither an ISO 8601 date nor a Unix time", t)
		}
		vs.instants = append(vs.instants, at)
	case isIP:
		p, ok := parsePrefix(t)
		if !ok {
			return fmt.Errorf("%q is neither an IP address nor a CIDR range", t)
		}
		vs.prefixes = append(vs.prefixes, p)
	case isBinary:
		b, err := base64.StdEncoding.DecodeString(t)
		if err != nil {
			return fmt.Errorf("%q is not base64", t)
		}
		vs.binaries = append(vs.binaries, string(b))
	case isNull:
		if !isBoolean(t) {
			return fmt.Errorf("%q is neither true nor false", t)
		}
		vs.nulls = append(vs.nulls, strings.EqualFold(t, "true"))
	}
	return nil
}

// match reports whether v compares to one of the policy's values as the operator
// wants it, before negation. A value of the wrong type compares to none.
func (c *condition) match(e *evaluation, v string) bool {
	switch c.kind {
	case isString, isLike:
		for i := range c.values.patterns {
			if c.values.patterns[i].match(e, v, 0) {
				return true
			}
		}
	case isStringFold, isBool:
		for i := range c.values.patterns {
			if want, ok := c.values.patterns[i].expand(e); ok && strings.EqualFold(want, v) {
				return true
			}
		}
	case isARN:
		bound, ok := resourceOffset(v)
		for i := range c.values.patterns {
			if p := &c.values.patterns[i]; p.shape == anything || ok && p.match(e, v, bound) {
				return true
			}
		}
	case isNumeric:
		n, ok := parseNumber(v)
		for _, want := range c.values.numbers {
			if ok && c.compare.accepts(cmp.Compare(n, want)) {
				return true
			}
		}
	case isDate:
		at, ok := parseInstant(v)
		for _, want := range c.values.instants {
			if ok && c.compare.accepts(at.order(want)) {
				return true
			}
		}
	case isIP:
		addr, err := netip.ParseAddr(v)
		for _, p := range c.values.prefixes {
			if err == nil && p.Contains(addr.Unmap()) {
				return true
			}
		}
	case isBinary:
		for _, b := range c.values.binaries {
			if v == b {
				return true
			}
		}
	}
	return false
}

// matchNull compares whether the key is missing with what the policy wants.
func (vs *values) matchNull(missing bool) bool {
	for _, want := range vs.nulls {
		if want == missing {
			return true
		}
	}
	return false
}

// resolve reports whether every variable among the values has a value.
func (vs *values) resolve(e *evaluation) bool {
	if !vs.variables {
		return true
	}
	for i := range vs.patterns {
		if !vs.patterns[i].resolves(e) {
			return false
		}
	}
	return true
}

func isBoolean(s string) bool {
	return strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}

func parseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" { // no hexadecimal, no underscores, no Inf
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsNaN(n)
}

// parsePrefix reads a CIDR range or one address.
func parsePrefix(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// resourceOffset returns where the sixth part of an ARN begins; ok is false if s
// has fewer parts.
func resourceOffset(s string) (offset int, ok bool) {
	colons := 0
	for i := range len(s) {
		if s[i] == ':' {
			if colons++; colons == 5 {
				return i + 1, true
			}
		}
	}
	return 0, false
}
