package intrinsic

import (
	"math/big"
	"net/netip"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// cidr is Fn::Cidr [ipBlock, count, cidrBits]: count blocks of 2^cidrBits
// addresses; cidrBits is 8 for IPv4 if it is left out, and required for IPv6.
func (s *Scope) cidr(arg any) (any, error) {
	const arguments = "Template error: every Fn::Cidr object requires two or three parameters: an address block, a count from 1 to 256, and the number of subnet bits"
	list, _ := arg.([]any)
	if len(list) != 2 && len(list) != 3 {
		return nil, failed(arguments)
	}
	texts := make([]string, len(list))
	for i, x := range list {
		v, err := s.Eval(x)
		if err != nil {
			return nil, under(err, strconv.Itoa(i))
		}
		if v == unknown {
			return unknown, nil
		}
		var ok bool
		if texts[i], ok = template.Text(v); !ok {
			return nil, failed(arguments)
		}
	}
	block, err := netip.ParsePrefix(texts[0])
	if err != nil {
		return nil, failed("Template error: Fn::Cidr: %q is not an address block", texts[0])
	}
	count, err := strconv.Atoi(texts[1])
	if err != nil || count < 1 || count > 256 {
		return nil, failed(arguments)
	}
	width := block.Addr().BitLen()
	bits := 8
	if len(texts) == 3 {
		if bits, err = strconv.Atoi(texts[2]); err != nil || bits < 1 || bits > width {
			return nil, failed(arguments)
		}
	} else if width == 128 {
		return nil, failed("Template error: Fn::Cidr of an IPv6 block requires the number of subnet bits")
	}
	room := width - bits - block.Bits()
	if room < 0 || room < 9 && count > 1<<room {
		return nil, failed("Template error: Fn::Cidr: %s has no room for %d blocks of %d bits", texts[0], count, bits)
	}
	base := new(big.Int).SetBytes(block.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := make([]any, count)
	for i := range out {
		raw := base.FillBytes(make([]byte, width/8))
		a, _ := netip.AddrFromSlice(raw)
		out[i] = netip.PrefixFrom(a, width-bits).String()
		base = new(big.Int).Add(base, step)
	}
	return out, nil
}
