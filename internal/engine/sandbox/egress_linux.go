//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// A sandbox with egress has no interface but its loopback. What is to be reached
// is routed to the loopback interface as if it were the sandbox's own, and a rule
// of the network's own packet filter turns all TCP connections to the gateway's
// listener; the kernel remembers where they wanted to. The host's routes and
// filter are not touched, and it all vanishes with the network.

// loopbackIndex is the number of the first interface of every network.
const loopbackIndex = 1

// ownAddress is the address that connections to the outside come from, inside. It
// is not one of 127.0.0.0/8 as resolvers take a machine without any other for one
// without a network.
var ownAddress = [4]byte{169, 254, 76, 1}

// gatewayPort is privileged: programs inside cannot listen there.
const gatewayPort = 53

// resolvConf is what a sandbox with egress finds as /etc/resolv.conf.
const resolvConf = "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"

// resolvConf is where it lies on the host.
func (l *launcher) resolvConf() string { return filepath.Join(l.cfg.StateDir, "resolv.conf") }

// resolver plans that a sandbox with egress asks the gateway for names.
func (l *launcher) resolver(p *plan) error {
	m := Mount{Source: l.resolvConf(), Target: "/etc/resolv.conf"}
	if p.spec.Root == nil {
		if err := l.skeleton.point(m); err != nil {
			return err
		}
	}
	p.binds = append(slices.DeleteFunc(p.binds, func(b Mount) bool { return b.Target == m.Target }), m)
	return nil
}

// egress opens the private network to the gateway and hands the gateway out.
func (p *plan) egress(s *script) {
	s.netlink("routing to the gateway", unix.NETLINK_ROUTE, p.routes())
	p.listener(s, gatewayPort)
	p.handOut(s, unix.SOCK_DGRAM, gatewayPort)
	s.netlink("turning connections to the gateway", unix.NETLINK_NETFILTER, redirection())
}

// netlink sends messages, of which the last asks for an answer, and fails if they
// were not all obeyed.
func (s *script) netlink(what string, family int, messages []byte) {
	s.call(what+": opening a socket", unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, family)
	s.call(what, unix.SYS_SENDTO, opened, s.put(messages), len(messages), 0, 0, 0)
	// The first answer is that to the first message that failed, or to the last
	// one: a header and an error number. The number becomes an argument of a call
	// that fails unless it is zero.
	const header = unix.SizeofNlMsghdr
	verdict := len(s.steps) + 1
	iov := s.words(s.put(make([]byte, header)), header, stepAddress(verdict)+8*2, 4)
	s.call(what, unix.SYS_RECVMSG, opened, s.words(0, 0, iov, 2, 0, 0, 0), 0)
	s.call(what, unix.SYS_PRCTL, unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	s.call(what+": closing a socket", unix.SYS_CLOSE, opened)
}

// message appends a netlink message.
func message(to []byte, kind, flags int, body []byte) []byte {
	to = binary.NativeEndian.AppendUint32(to, uint32(unix.SizeofNlMsghdr+len(body)))
	to = binary.NativeEndian.AppendUint16(to, uint16(kind))
	to = binary.NativeEndian.AppendUint16(to, uint16(unix.NLM_F_REQUEST|flags))
	to = append(to, make([]byte, 8)...) // no sequence, and the kernel knows who we are
	return pad(append(to, body...))
}

// attr appends an attribute to a message's body.
func attr(to []byte, kind int, value ...byte) []byte {
	to = binary.NativeEndian.AppendUint16(to, uint16(unix.SizeofNlAttr+len(value)))
	to = binary.NativeEndian.AppendUint16(to, uint16(kind))
	return pad(append(to, value...))
}

func pad(b []byte) []byte {
	for len(b)%unix.NLMSG_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

func big32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

// routes gives the loopback interface its address and what is to be reached.
func (p *plan) routes() []byte {
	own := []byte{unix.AF_INET, 32, 0, unix.RT_SCOPE_LINK, loopbackIndex, 0, 0, 0}
	own = attr(own, unix.IFA_LOCAL, ownAddress[:]...)
	create := unix.NLM_F_CREATE | unix.NLM_F_EXCL
	all := message(nil, unix.RTM_NEWADDR, create, own)
	route := func(dst netip.Prefix, kind, scope byte) []byte {
		to := dst.Masked().Addr().As4()
		b := []byte{unix.AF_INET, byte(dst.Bits()), 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, scope, kind, 0, 0, 0, 0}
		return attr(b, unix.RTA_DST, to[:]...)
	}
	for _, dst := range p.spec.Egress.Except {
		all = message(all, unix.RTM_NEWROUTE, create, route(dst, unix.RTN_UNREACHABLE, unix.RT_SCOPE_UNIVERSE))
	}
	for i, dst := range p.spec.Egress.Reach {
		b := attr(route(dst, unix.RTN_LOCAL, unix.RT_SCOPE_HOST), unix.RTA_OIF, loopbackIndex, 0, 0, 0)
		flags := create
		if i == len(p.spec.Egress.Reach)-1 {
			flags |= unix.NLM_F_ACK
		}
		all = message(all, unix.RTM_NEWROUTE, flags, attr(b, unix.RTA_PREFSRC, ownAddress[:]...))
	}
	return all
}

// redirection is one rule of the packet filter: TCP to anywhere but 127.0.0.0/8
// goes to the gateway's port.
func redirection() []byte {
	const (
		table, chain = "tierra\x00", "out\x00"
		protocolTCP  = unix.IPPROTO_TCP
		loopbackNet  = 127
		dstOffset    = 16 // of the destination in IP's header
		priorityDNAT = -100
		hookLocalOut = 3 // NF_INET_LOCAL_OUT
	)
	head := func(resource int) []byte {
		return append([]byte{unix.AF_INET, unix.NFNETLINK_V0}, binary.BigEndian.AppendUint16(nil, uint16(resource))...)
	}
	kind := func(k int) int { return unix.NFNL_SUBSYS_NFTABLES<<8 | k }
	nested := func(k int) int { return k | unix.NLA_F_NESTED }
	reg := func(to []byte, kind int) []byte { return attr(to, kind, big32(unix.NFT_REG_1)...) }
	value := func(to []byte, kind int, v ...byte) []byte {
		return attr(to, nested(kind), attr(nil, unix.NFTA_DATA_VALUE, v...)...)
	}
	var exprs []byte
	expr := func(name string, data []byte) {
		e := attr(nil, unix.NFTA_EXPR_NAME, append([]byte(name), 0)...)
		e = attr(e, nested(unix.NFTA_EXPR_DATA), data...)
		exprs = attr(exprs, nested(unix.NFTA_LIST_ELEM), e...)
	}
	compare := func(op int, v byte) []byte {
		return value(attr(reg(nil, unix.NFTA_CMP_SREG), unix.NFTA_CMP_OP, big32(op)...), unix.NFTA_CMP_DATA, v)
	}
	expr("meta", reg(attr(nil, unix.NFTA_META_KEY, big32(unix.NFT_META_L4PROTO)...), unix.NFTA_META_DREG))
	expr("cmp", compare(unix.NFT_CMP_EQ, protocolTCP))
	load := attr(reg(nil, unix.NFTA_PAYLOAD_DREG), unix.NFTA_PAYLOAD_BASE, big32(unix.NFT_PAYLOAD_NETWORK_HEADER)...)
	load = attr(attr(load, unix.NFTA_PAYLOAD_OFFSET, big32(dstOffset)...), unix.NFTA_PAYLOAD_LEN, big32(1)...)
	expr("payload", load)
	expr("cmp", compare(unix.NFT_CMP_NEQ, loopbackNet))
	expr("immediate", value(reg(nil, unix.NFTA_IMMEDIATE_DREG), unix.NFTA_IMMEDIATE_DATA, binary.BigEndian.AppendUint16(nil, gatewayPort)...))
	expr("redir", reg(nil, unix.NFTA_REDIR_REG_PROTO_MIN))

	priority := int32(priorityDNAT)
	hook := attr(nil, unix.NFTA_HOOK_HOOKNUM, big32(hookLocalOut)...)
	hook = attr(hook, unix.NFTA_HOOK_PRIORITY, big32(int(priority))...)
	out := attr(head(0), unix.NFTA_CHAIN_TABLE, []byte(table)...)
	out = attr(out, unix.NFTA_CHAIN_NAME, []byte(chain)...)
	out = attr(out, nested(unix.NFTA_CHAIN_HOOK), hook...)
	out = attr(out, unix.NFTA_CHAIN_TYPE, []byte("nat\x00")...)
	rule := attr(head(0), unix.NFTA_RULE_TABLE, []byte(table)...)
	rule = attr(rule, unix.NFTA_RULE_CHAIN, []byte(chain)...)
	rule = attr(rule, nested(unix.NFTA_RULE_EXPRESSIONS), exprs...)

	all := message(nil, unix.NFNL_MSG_BATCH_BEGIN, 0, head(unix.NFNL_SUBSYS_NFTABLES))
	all = message(all, kind(unix.NFT_MSG_NEWTABLE), unix.NLM_F_CREATE, attr(head(0), unix.NFTA_TABLE_NAME, []byte(table)...))
	all = message(all, kind(unix.NFT_MSG_NEWCHAIN), unix.NLM_F_CREATE, out)
	all = message(all, kind(unix.NFT_MSG_NEWRULE), unix.NLM_F_CREATE|unix.NLM_F_APPEND|unix.NLM_F_ACK, rule)
	return message(all, unix.NFNL_MSG_BATCH_END, 0, head(unix.NFNL_SUBSYS_NFTABLES))
}

// takeGateway takes the sockets that egress handed out.
func (p *process) takeGateway() error {
	tcp, err := p.takeSocket()
	if err != nil {
		return err
	}
	defer tcp.Close()
	udp, err := p.takeSocket()
	if err != nil {
		return err
	}
	defer udp.Close()
	l, err := net.FileListener(tcp)
	if err != nil {
		return err
	}
	c, err := net.FilePacketConn(udp)
	if err != nil {
		l.Close()
		return err
	}
	p.gateway = &Gateway{TCP: l, DNS: c}
	return nil
}

// Gateway implements Process.
func (p *process) Gateway() *Gateway { return p.gateway }

// destination asks the kernel where a connection wanted to before the rule.
func destination(c *net.TCPConn) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	var to netip.AddrPort
	var oerr error
	err = raw.Control(func(fd uintptr) {
		// struct sockaddr_in, in the first bytes of something that is long enough.
		const soOriginalDst = 80
		var m *unix.IPv6Mreq
		if m, oerr = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, soOriginalDst); oerr == nil {
			b := m.Multiaddr
			to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
		}
	})
	if err := errors.Join(err, oerr); err != nil {
		return to, fmt.Errorf("asking for a connection's destination: %w", err)
	}
	return to, nil
}
