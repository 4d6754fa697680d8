package data

import "bytes"

// Key makes a key of parts such that the order of keys is the order of their
// parts, part by part, whatever bytes they hold: each part is escaped (0x00
// becomes 0x00 0xff) and ended with 0x00 0x01. Key(a, b) is a prefix of
// Key(a, b, c), and of no key whose second part is merely longer than b.
func Key(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += len(p) + 2
	}
	k := make([]byte, 0, n)
	for _, p := range parts {
		k = AppendPart(k, p)
	}
	return k
}

// AppendPart appends one escaped and ended part to k.
func AppendPart(k []byte, part string) []byte {
	for i := 0; i < len(part); i++ {
		if c := part[i]; c == 0 {
			k = append(k, 0, 0xff)
		} else {
			k = append(k, c)
		}
	}
	return append(k, 0, 1)
}

// AppendPartial appends a part that is escaped but not ended, so that scans can
// ask for everything whose last part begins with prefix.
func AppendPartial(k []byte, prefix string) []byte {
	k = AppendPart(k, prefix)
	return k[:len(k)-2]
}

// Parts takes a key made by Key apart; ok is false if it was not.
func Parts(k []byte) (parts []string, ok bool) {
	var part []byte
	for len(k) > 0 {
		i := bytes.IndexByte(k, 0)
		if i < 0 || i+1 >= len(k) {
			return nil, false
		}
		part = append(part, k[:i]...)
		switch k[i+1] {
		case 0xff:
			part = append(part, 0)
		case 1:
			parts = append(parts, string(part))
			part = part[:0]
		default:
			return nil, false
		}
		k = k[i+2:]
	}
	return parts, len(part) == 0
}
