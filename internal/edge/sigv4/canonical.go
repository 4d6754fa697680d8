package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"
)

const upperHex = "0123456789ABCDEF"

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// appendEncoded appends s with every byte encoded that is not unreserved, nor
// a slash where slash says so.
func appendEncoded(b []byte, s string, slash bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved(c) || slash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// decode undoes percent-encoding; a stray % stands for itself. plus says that +
// means a space, as it does in queries.
func decode(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		case c == '+' && plus:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// canonicalPath appends the canonical form of a path.
func canonicalPath(b []byte, path string, st Style) []byte {
	if path == "" {
		path = "/"
	}
	if st.Raw {
		return appendEncoded(b, decode(path, false), true)
	}
	if !st.KeepDots {
		path = Normalize(path)
	}
	return appendEncoded(b, path, true)
}

// Normalize removes dot segments and empty segments, keeping a final slash. What
// it removes is not covered by the signature, so requests are routed by what it leaves.
func Normalize(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	for _, seg := range strings.Split(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, seg)
		}
	}
	p := "/" + strings.Join(out, "/")
	if len(out) > 0 && strings.HasSuffix(path, "/") {
		p += "/"
	}
	return p
}

// canonicalQuery appends the canonical form of a query, without the signature
// and, where skipToken says so, without the session token.
func canonicalQuery(b []byte, query string, presigned, skipToken bool) []byte {
	if query == "" {
		return b
	}
	type pair struct{ k, v string }
	var pairs []pair
	for _, p := range strings.Split(query, "&") {
		if p == "" {
			continue
		}
		k, v, _ := strings.Cut(p, "=")
		k = decode(k, true)
		if presigned && (k == "X-Amz-Signature" || skipToken && k == "X-Amz-Security-Token") {
			continue
		}
		pairs = append(pairs, pair{
			string(appendEncoded(nil, k, false)), string(appendEncoded(nil, decode(v, true), false)),
		})
	}
	sort.Slice(pairs, func(i, j int) bool {
		if pairs[i].k != pairs[j].k {
			return pairs[i].k < pairs[j].k
		}
		return pairs[i].v < pairs[j].v
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.k...)
		b = append(b, '=')
		b = append(b, p.v...)
	}
	return b
}

// appendTrimmed appends a header's value without outer spaces and with inner
// runs of spaces as one.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	space := false
	for i := 0; i < len(v); i++ {
		if v[i] == ' ' {
			space = true
			continue
		}
		if space {
			b = append(b, ' ')
			space = false
		}
		b = append(b, v[i])
	}
	return b
}

// canonical returns the canonical request.
func canonical(r *Request, s *Signature, st Style, payloadHash string, skipToken bool) []byte {
	b := make([]byte, 0, 1024)
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = canonicalPath(b, r.Path, st)
	b = append(b, '\n')
	b = canonicalQuery(b, r.Query, s.Presigned, skipToken)
	b = append(b, '\n')
	for _, h := range s.SignedHeaders {
		b = append(b, h...)
		b = append(b, ':')
		values := r.Header(h)
		if h == "host" {
			b = append(b, r.Host...)
			values = nil
		}
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTrimmed(b, v)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, strings.Join(s.SignedHeaders, ";")...)
	b = append(b, '\n')
	return append(b, payloadHash...)
}

func stringToSign(s *Signature, canonicalRequest []byte) []byte {
	sum := sha256.Sum256(canonicalRequest)
	b := make([]byte, 0, 160)
	b = append(b, algorithm+"\n"...)
	b = s.Time.AppendFormat(b, timeLayout)
	b = append(b, '\n')
	b = append(b, s.Scope.String()...)
	b = append(b, '\n')
	return hex.AppendEncode(b, sum[:])
}

func mac(key []byte, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// signingKey derives the key of a scope.
func signingKey(secret string, sc Scope) []byte {
	k := mac([]byte("AWS4"+secret), []byte(sc.Date))
	k = mac(k, []byte(sc.Region))
	k = mac(k, []byte(sc.Service))
	return mac(k, []byte("aws4_request"))
}
