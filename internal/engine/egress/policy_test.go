package egress

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "neither none"}, {"all", "neither none"}, {"internet,", "neither none"}, {"10.0.0.1", "neither none"},
		{"10.1.2.3/8", "10.0.0.0/8 is the one"}, {"fd00::/8", "no IPv6"}, {"none,internet", "none stands alone"},
		{"169.254.169.254/32", "never reached"}, {"127.0.0.0/8", "never reached"}, {"224.0.0.0/8", "never reached"},
		{"0.0.0.0/8", "never reached"}, {strings.Repeat("internet,", 70), "there can be 64"},
	} {
		if _, err := Parse(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.in, err)
		}
	}
}

func TestAllows(t *testing.T) {
	always := "127.0.0.1 127.8.8.8 0.0.0.0 0.1.2.3 169.254.169.254 169.254.170.2 169.254.76.1 224.0.0.1 239.255.255.250 255.255.255.255 240.1.1.1 ::1 fe80::1 fd00::1 2606:4700::1 ::ffff:1.1.1.1"
	private := "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 192.0.2.2 198.18.0.1 203.0.113.80"
	public := "1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 11.0.0.1 169.253.0.1 169.255.0.1 223.255.255.255 192.169.0.1 128.0.0.1"
	for _, c := range []struct{ policy, yes, no string }{
		{"none", "", always + " " + private + " " + public},
		{"internet", public, always + " " + private},
		{"10.1.0.0/16", "10.1.0.0 10.1.255.255", "10.0.255.255 10.2.0.0 " + always + " " + public},
		{"10.1.0.0/16,192.168.1.1/32", "10.1.2.3 192.168.1.1", "192.168.1.2 " + always + " " + public},
		{"internet,10.1.0.0/16", "10.1.2.3 " + public, "10.2.0.1 192.168.1.1 " + always},
		{"internet,10.0.0.0/8", "10.2.0.1 " + public, "192.168.1.1 " + always},
		{"internet,100.0.0.0/8", "100.64.0.1 " + public, "10.0.0.1 " + always},
		{"0.0.0.0/0", private + " " + public, always},
		{"0.0.0.0/0,internet", private + " " + public, always},
	} {
		p, err := Parse(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		if p.None() != (c.policy == "none") || p.String() != c.policy {
			t.Errorf("%s: %v %s", c.policy, p.None(), p)
		}
		for want, list := range map[bool]string{true: c.yes, false: c.no} {
			for _, a := range strings.Fields(list) {
				if p.Allows(netip.MustParseAddr(a)) != want {
					t.Errorf("%s: %s is allowed: %v", c.policy, a, !want)
				}
			}
		}
		reach, except := p.Routes()
		seen := map[netip.Prefix]bool{}
		for _, r := range append(reach, except...) {
			if seen[r] {
				t.Errorf("%s: %s is routed twice", c.policy, r)
			}
			seen[r] = true
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"none", "internet", "10.0.0.0/8,internet", "0.0.0.0/0", "1.2.3.4/33", ",", "fd00::/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		for _, a := range []string{"127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "255.255.255.255"} {
			if p.Allows(netip.MustParseAddr(a)) {
				t.Errorf("%q allows %s", s, a)
			}
		}
	})
}
