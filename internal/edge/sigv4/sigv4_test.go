package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/conformance"
)

type vector struct {
	Credentials struct {
		AccessKey string `json:"access_key_id"`
		Secret    string `json:"secret_access_key"`
		Token     string `json:"token"`
	} `json:"credentials"`
	Normalize bool   `json:"normalize"`
	SignBody  bool   `json:"sign_body"`
	Timestamp string `json:"timestamp"`
}

// rawRequest is a request as it stands in the published files, which hold bytes
// that net/http would refuse to read (spaces and UTF-8 in paths).
type rawRequest struct {
	Request
	lines []string
	body  string
}

func parseRaw(t *testing.T, text string) *rawRequest {
	t.Helper()
	text = strings.ReplaceAll(text, "\r\n", "\n")
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	first := lines[0]
	method, rest, _ := strings.Cut(first, " ")
	target := strings.TrimSuffix(rest, " HTTP/1.1")
	r := &rawRequest{body: body, lines: lines[1:]}
	headers := map[string][]string{}
	last := ""
	for _, l := range lines[1:] {
		if l == "" {
			continue
		}
		if l[0] == ' ' || l[0] == '\t' {
			n := len(headers[last]) - 1
			headers[last][n] += " " + strings.TrimSpace(l)
			continue
		}
		k, v, _ := strings.Cut(l, ":")
		last = strings.ToLower(k)
		headers[last] = append(headers[last], v)
	}
	r.Method = method
	r.Path, r.Query, _ = strings.Cut(target, "?")
	r.Header = func(n string) []string { return headers[n] }
	r.Host = strings.TrimSpace(r.get("host"))
	return r
}

func (v *vector) verify(t *testing.T, text string) error {
	t.Helper()
	r := parseRaw(t, text)
	s, err := Find(&r.Request)
	if err != nil {
		return err
	}
	if s == nil {
		return fmt.Errorf("no signature found")
	}
	if s.AccessKey != v.Credentials.AccessKey {
		return fmt.Errorf("access key %q is not known", s.AccessKey)
	}
	if s.Region != "us-east-1" || s.Service != "service" {
		return fmt.Errorf("scope is for %s in %s", s.Service, s.Region)
	}
	if s.Token != "" && s.Token != v.Credentials.Token {
		return fmt.Errorf("session token is not known")
	}
	hash := s.PayloadHash
	sum := sha256.Sum256([]byte(r.body))
	if hash == "" {
		hash = hex.EncodeToString(sum[:])
	} else if hash != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("body does not match its hash")
	}
	now, _ := time.Parse(time.RFC3339, v.Timestamp)
	var keys Keys
	return keys.Verify(&r.Request, s, v.Credentials.Secret, hash, Style{KeepDots: !v.Normalize}, now)
}

// TestPublished verifies the 38 published requests in both forms, and that any
// one changed byte of what is signed is refused.
func TestPublished(t *testing.T) {
	root := conformance.Dir(t, "sigv4")
	cases, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		if !c.IsDir() {
			continue
		}
		for _, form := range []string{"header", "query"} {
			t.Run(c.Name()+"/"+form, func(t *testing.T) {
				ran++
				var v vector
				doc, err := os.ReadFile(filepath.Join(root, c.Name(), "context.json"))
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(doc, &v); err != nil {
					t.Fatal(err)
				}
				signed, err := os.ReadFile(filepath.Join(root, c.Name(), form+"-signed-request.txt"))
				if err != nil {
					t.Fatal(err)
				}
				text := string(signed)
				if err := v.verify(t, text); err != nil {
					t.Fatalf("the published request is refused: %v", err)
				}
				tamper(t, &v, text)
			})
		}
	}
	if ran < 76 {
		t.Fatalf("%d forms were verified, want 76", ran)
	}
}

// tamper changes each byte that the signature covers, one at a time.
func tamper(t *testing.T, v *vector, text string) {
	t.Helper()
	for i := 0; i < len(text); i++ {
		b := []byte(text)
		switch {
		case b[i] == 'Z':
			b[i] = 'Y'
		case b[i] == 'z':
			b[i] = 'y'
		case b[i] == '9':
			b[i] = '8'
		case b[i] >= 'a' && b[i] < 'z', b[i] >= 'A' && b[i] < 'Z', b[i] >= '0' && b[i] < '9':
			b[i]++
		default:
			continue
		}
		if unsigned(text, i) {
			continue
		}
		if v.verify(t, string(b)) == nil {
			t.Fatalf("changed %q to %q at byte %d and the signature still holds:\n%s", text[i], b[i], i, b)
		}
	}
}

// unsigned reports whether byte i belongs to what no signature covers: the
// protocol's version, names of headers (whose case is free), headers that are
// not signed, and a token that was added after signing.
func unsigned(text string, i int) bool {
	start := strings.LastIndex(text[:i], "\n") + 1
	line := text[start:]
	if e := strings.IndexByte(line, '\n'); e >= 0 {
		line = line[:e]
	}
	if start == 0 {
		// What normalisation takes out of a path is not signed; routing looks at
		// the normalised path for that reason.
		if p := strings.IndexByte(line, '/'); strings.Contains(line, "/..") && i < p+strings.LastIndex(line[p:], "/..") {
			return true
		}
		return i >= strings.LastIndex(line, " HTTP/") || strings.HasPrefix(text[:i], "POST") && strings.Contains(line, "X-Amz-Security-Token") && inToken(line, i)
	}
	head := strings.Index(text, "\n\n")
	if head >= 0 && i > head { // the body
		return strings.Contains(text, "X-Amz-Algorithm=")
	}
	name, _, ok := strings.Cut(strings.ToLower(line), ":")
	if !ok {
		return false
	}
	if name == "authorization" {
		return false
	}
	signedList := text[strings.Index(text, "SignedHeaders=")+len("SignedHeaders="):]
	if e := strings.IndexAny(signedList, ",&"); e >= 0 {
		signedList = signedList[:e]
	}
	for _, h := range strings.FieldsFunc(strings.ReplaceAll(signedList, "%3B", ";"), func(r rune) bool { return r == ';' }) {
		if h == name {
			return i < start+len(name)
		}
	}
	// The date is read even where it is not signed; its change shows in the scope.
	return true
}

func inToken(line string, i int) bool {
	s := strings.Index(line, "X-Amz-Security-Token")
	e := strings.IndexByte(line[s:], '&')
	return e < 0 && i >= s || i >= s && i < s+e
}

func TestRefusals(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	cred := Credentials{AccessKey: "AKIA", Secret: "secret"}
	request := func(at time.Time) *Request {
		h := map[string][]string{"x-amz-date": {at.Format(timeLayout)}}
		r := &Request{Method: "GET", Path: "/", Host: "localhost", Header: func(n string) []string { return h[n] }}
		h["authorization"] = []string{Sign(r, cred, "us-east-1", "iam", EmptyHash, []string{"host", "x-amz-date"}, at)}
		return r
	}
	check := func(r *Request, at time.Time) error {
		s, err := Find(r)
		if err != nil {
			return err
		}
		var keys Keys
		return keys.Verify(r, s, cred.Secret, EmptyHash, StyleOf(s.Service), at)
	}
	if err := check(request(now), now); err != nil {
		t.Fatalf("a good request is refused: %v", err)
	}
	if err := check(request(now), now.Add(14*time.Minute)); err != nil {
		t.Fatalf("14 minutes of skew are refused: %v", err)
	}
	for name, at := range map[string]time.Time{"late": now.Add(16 * time.Minute), "early": now.Add(-16 * time.Minute)} {
		if err := check(request(now), at); err == nil || !strings.Contains(err.Error(), "Signature") {
			t.Errorf("%s: %v", name, err)
		}
	}
	q := Presign(&Request{Method: "GET", Path: "/b/k", Host: "localhost", Header: func(string) []string { return nil }}, cred, "us-east-1", "s3", time.Minute, now)
	presigned := &Request{Method: "GET", Path: "/b/k", Query: q, Host: "localhost", Header: func(string) []string { return nil }}
	verify := func(at time.Time) error {
		s, err := Find(presigned)
		if err != nil {
			return err
		}
		var keys Keys
		return keys.Verify(presigned, s, cred.Secret, s.PayloadHash, StyleOf("s3"), at)
	}
	if err := verify(now.Add(59 * time.Second)); err != nil {
		t.Errorf("a presigned request is refused: %v", err)
	}
	if err := verify(now.Add(61 * time.Second)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired presigned request: %v", err)
	}
	for _, auth := range []string{"", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00", "AWS4-HMAC-SHA256 Credential=a/20261101/r/s/aws4_request, SignedHeaders=x, Signature=00"} {
		r := &Request{Method: "GET", Path: "/", Header: func(n string) []string {
			switch n {
			case "authorization":
				return []string{auth}
			case "x-amz-date":
				return []string{now.Format(timeLayout)}
			}
			return nil
		}}
		if s, err := Find(r); s != nil && err == nil {
			t.Errorf("%q is taken for a signature", auth)
		}
	}
}

// chunk encodes data as a signing client does.
func chunk(key []byte, s *Signature, parts []string, trailer [2]string) string {
	var b strings.Builder
	prev := s.Value
	pre := s.Time.Format(timeLayout) + "\n" + s.Scope.String() + "\n"
	for _, p := range append(parts, "") {
		sum := sha256.Sum256([]byte(p))
		sig := hex.EncodeToString(mac(key, []byte("AWS4-HMAC-SHA256-PAYLOAD\n"+pre+prev+"\n"+EmptyHash+"\n"+hex.EncodeToString(sum[:]))))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(p), sig, p)
		if p != "" {
			b.WriteString("\r\n")
		}
		prev = sig
	}
	if trailer[0] != "" {
		sum := sha256.Sum256([]byte(trailer[0] + ":" + trailer[1] + "\n"))
		sig := hex.EncodeToString(mac(key, []byte("AWS4-HMAC-SHA256-TRAILER\n"+pre+prev+"\n"+hex.EncodeToString(sum[:]))))
		fmt.Fprintf(&b, "%s:%s\r\nx-amz-trailer-signature:%s\r\n", trailer[0], trailer[1], sig)
	}
	b.WriteString("\r\n")
	return b.String()
}

func TestChunked(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s := &Signature{Scope: Scope{"AKIA", "20261101", "us-east-1", "s3"}, Time: now, Value: strings.Repeat("ab", 32), PayloadHash: StreamingTrailer}
	key := signingKey("secret", s.Scope)
	parts := []string{strings.Repeat("x", 70000), "tail\r\nof it"}
	text := chunk(key, s, parts, [2]string{"x-amz-checksum-crc32", "AAAAAA=="})
	read := func(text string, length int64) (string, string, error) {
		var keys Keys
		c, err := keys.NewChunked(strings.NewReader(text), s, "secret", length)
		if err != nil {
			return "", "", err
		}
		trailer := ""
		c.OnTrailer = func(n, v string) { trailer = n + "=" + v }
		b, err := io.ReadAll(c)
		return string(b), trailer, err
	}
	body, trailer, err := read(text, 70011)
	if err != nil || body != parts[0]+parts[1] || trailer != "x-amz-checksum-crc32=AAAAAA==" {
		t.Fatalf("%d bytes, trailer %q, %v", len(body), trailer, err)
	}
	for i := 0; i < len(text); i += 997 {
		b := []byte(text)
		b[i] ^= 1
		if _, _, err := read(string(b), 70011); err == nil {
			t.Errorf("byte %d changed from %q to %q is accepted", i, text[i], b[i])
		}
	}
	if _, _, err := read(text[:len(text)/2], 70011); err == nil {
		t.Error("half a body is accepted")
	}
	if _, _, err := read(text, 70010); err == nil {
		t.Error("a wrong decoded length is accepted")
	}
}

func FuzzChunked(f *testing.F) {
	s := &Signature{Scope: Scope{"AKIA", "20261101", "us-east-1", "s3"}, Value: strings.Repeat("ab", 32), PayloadHash: StreamingUnsignedTrail}
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"))
	f.Add([]byte("0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var keys Keys
		c, err := keys.NewChunked(bytes.NewReader(data), s, "", -1)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, c)
		if err == nil && n > int64(len(data)) {
			t.Fatalf("%d bytes came out of %d", n, len(data))
		}
	})
}

func FuzzFind(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/20261101/r/s/aws4_request, SignedHeaders=host, Signature=00", "X-Amz-Algorithm=AWS4-HMAC-SHA256")
	f.Fuzz(func(t *testing.T, auth, query string) {
		r := &Request{Method: "GET", Path: "/", Query: query, Header: func(n string) []string {
			if n == "authorization" && auth != "" {
				return []string{auth}
			}
			return nil
		}}
		s, err := Find(r)
		if s != nil && err == nil {
			var keys Keys
			if keys.Verify(r, s, "secret", "", Style{}, s.Time) == nil {
				t.Fatal("a signature was guessed")
			}
		}
	})
}

// TestLegacy verifies the presigned URL of the example in AWS's documentation of
// Signature Version 2, and refuses it when a byte or the time is another.
func TestLegacy(t *testing.T) {
	const query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
	check := func(path, query string, now time.Time) error {
		r := &Request{Method: "GET", Path: path, Query: query, Host: "johnsmith.s3.amazonaws.com", Bucket: "johnsmith", Header: func(string) []string { return nil }}
		s, err := Find(r)
		if err != nil {
			return err
		}
		var keys Keys
		return keys.Verify(r, s, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", StyleOf("s3"), now)
	}
	early := time.Unix(1175139000, 0)
	if err := check("/photos/puppy.jpg", query, early); err != nil {
		t.Errorf("the documented URL is refused: %v", err)
	}
	if check("/photos/puppy.jpe", query, early) == nil {
		t.Error("another key is let through")
	}
	if check("/photos/puppy.jpg", strings.Replace(query, "1175139620", "1175139621", 1), early) == nil {
		t.Error("a longer life is let through")
	}
	if check("/photos/puppy.jpg", query, time.Unix(1175139621, 0)) == nil {
		t.Error("an expired URL is let through")
	}
}
