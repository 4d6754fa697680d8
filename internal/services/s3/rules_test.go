package s3

import (
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func TestCombineCRC(t *testing.T) {
	nvme := crc64.MakeTable(polyCRC64NVME)
	if got := crc64.Checksum([]byte("123456789"), nvme); got != 0xae8b14860a799888 {
		t.Fatalf("CRC64NVME of the check string: %x", got)
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOf(rapid.Byte()).Draw(t, "a")
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		ab := append(append([]byte(nil), a...), b...)
		n := int64(len(b))
		if got := combineCRC(polyCRC64NVME, 64, crc64.Checksum(a, nvme), crc64.Checksum(b, nvme), n); got != crc64.Checksum(ab, nvme) {
			t.Fatalf("CRC64NVME %x", got)
		}
		if got := combineCRC(crc32.IEEE, 32, uint64(crc32.ChecksumIEEE(a)), uint64(crc32.ChecksumIEEE(b)), n); got != uint64(crc32.ChecksumIEEE(ab)) {
			t.Fatalf("CRC32 %x", got)
		}
		if got := combineCRC(crc32.Castagnoli, 32, uint64(crc32.Checksum(a, castagnoli)), uint64(crc32.Checksum(b, castagnoli)), n); got != uint64(crc32.Checksum(ab, castagnoli)) {
			t.Fatalf("CRC32C %x", got)
		}
	})
}

func TestBucketNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"abc": true, "a.b-c.9": true, strings.Repeat("a", 63): true, "0ab": true,
		"ab": false, strings.Repeat("a", 64): false, "Abc": false, "a_c": false, ".ab": false, "ab-": false, "a..b": false,
		"10.0.0.1": false, "xn--abc": false, "abc-s3alias": false, "sthree-abc": false, "abc--x-s3": false, "": false, "a b": false,
	} {
		if err := checkBucketName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		header  string
		size    int64
		from, n int64
		ok, bad bool
	}{
		{"bytes=0-0", 10, 0, 1, true, false},
		{"bytes=2-", 10, 2, 8, true, false},
		{"bytes=2-99", 10, 2, 8, true, false},
		{"bytes=-3", 10, 7, 3, true, false},
		{"bytes=-30", 10, 0, 10, true, false},
		{"bytes=0-99999999999999999999", 10, 0, 10, true, false},
		{"bytes=10-", 10, 0, 0, false, true},
		{"bytes=-0", 10, 0, 0, false, true},
		{"bytes=0-", 0, 0, 0, false, true},
		{"bytes=5-4", 10, 0, 0, false, false},
		{"bytes=0-1,3-4", 10, 0, 0, false, false},
		{"bytes=-", 10, 0, 0, false, false},
		{"bytes=+1-2", 10, 0, 0, false, false},
		{"lines=1-2", 10, 0, 0, false, false},
	} {
		r, ok, err := parseRange(c.header, c.size)
		if ok != c.ok || (err != nil) != c.bad || r != (span{c.from, c.n}) {
			t.Errorf("%s of %d: %v %v %v", c.header, c.size, r, ok, err)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=1-2,3-4", "bytes=99999999999999999999-"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, h string, size int64) {
		if size < 0 {
			return
		}
		r, ok, err := parseRange(h, size)
		if ok && (err != nil || r.from < 0 || r.n <= 0 || r.from+r.n > size) {
			t.Errorf("%q of %d: %v %v", h, size, r, err)
		}
	})
}

func FuzzParseCopySource(f *testing.F) {
	for _, s := range []string{"/b/k", "b/k%20x?versionId=null", "b", "b/k?versionId=", "%zz/k", "arn:aws:s3:us-east-1:1:accesspoint/a/object/k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, k, _, err := parseCopySource(s)
		if err == nil && (b == "" || k == "" || strings.Contains(b, "/")) {
			t.Errorf("%q: %q %q", s, b, k)
		}
		if err != nil && fault.As(err) == nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func TestPublicPolicies(t *testing.T) {
	for statement, public := range map[string]bool{
		`{"Effect":"Allow","Principal":"*"}`:                                                                                      true,
		`{"Effect":"Allow","Principal":{"AWS":"*"}}`:                                                                              true,
		`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::1:root","*"]}}`:                                                      true,
		`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:root"}}`:                                                         true,
		`{"Effect":"Deny","Principal":"*"}`:                                                                                       false,
		`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"}}`:                                                            false,
		`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"}}`:                                                   false,
		`{"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`:                              false,
		`{"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}}`:                true,
		`{"Effect":"Allow","Principal":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`:                           true,
		`{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}`:                    false,
		`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:SourceAccount":"*"}}}`:                                 true,
		`{"Effect":"Allow","Principal":"*","Condition":{"StringEqualsIfExists":{"aws:SourceAccount":"123456789012"}}}`:            true,
		`{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:UserAgent":"x"}}}`:                                   true,
		`{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`:                                  true,
		`{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1","aws:UserAgent":"whatever"}}}`: false,
	} {
		if got := publicPolicy([]byte(`{"Statement":` + statement + `}`)); got != public {
			t.Errorf("%s: %v", statement, got)
		}
		if got := publicPolicy([]byte(`{"Statement":[` + statement + `]}`)); got != public {
			t.Errorf("[%s]: %v", statement, got)
		}
	}
}

func TestDue(t *testing.T) {
	start := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	v := func(key string, days int, marker bool) *version {
		return &version{Key: key, Modified: start.AddDate(0, 0, days), Marker: marker, Size: 100, Tags: []tag{{"t", "1"}}}
	}
	enabled := func(r api.LifecycleRule) api.LifecycleRule {
		r.Status, r.ID = new("Enabled"), new("r")
		if r.Filter == nil {
			r.Filter = &api.LifecycleRuleFilter{}
		}
		return r
	}
	three := enabled(api.LifecycleRule{Expiration: &api.LifecycleExpiration{Days: new(int32(3))}, Filter: &api.LifecycleRuleFilter{Prefix: new("logs/")}})
	off := three
	off.Status = new("Disabled")
	old := enabled(api.LifecycleRule{NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: new(int32(1)), NewerNoncurrentVersions: new(int32(1))}})
	tagged := enabled(api.LifecycleRule{Expiration: &api.LifecycleExpiration{Date: new(start.Truncate(day))}, Filter: &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{
		Tags: []api.Tag{{Key: new("t"), Value: new("1")}}, ObjectSizeGreaterThan: new(int64(99)), ObjectSizeLessThan: new(int64(101)),
	}}})
	markers := enabled(api.LifecycleRule{Expiration: &api.LifecycleExpiration{ExpiredObjectDeleteMarker: new(true)}})
	midnight := time.Date(2026, 1, 19, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		rule     api.LifecycleRule
		versions []*version
		now      time.Time
		want     []int
	}{
		"before midnight":    {three, []*version{v("logs/a", 0, false)}, midnight.Add(-time.Second), nil},
		"at midnight":        {three, []*version{v("logs/a", 0, false)}, midnight, []int{0}},
		"other prefix":       {three, []*version{v("data/a", 0, false)}, midnight, nil},
		"disabled":           {off, []*version{v("logs/a", 0, false)}, midnight, nil},
		"already marked":     {three, []*version{v("logs/a", 0, true), v("logs/a", -9, false)}, midnight, nil},
		"lone marker":        {three, []*version{v("logs/a", 0, true)}, midnight, []int{0}},
		"expired marker":     {markers, []*version{v("a", 0, true)}, start, []int{0}},
		"marker with past":   {markers, []*version{v("a", 0, true), v("a", -1, false)}, start, nil},
		"noncurrent":         {old, []*version{v("a", 0, false), v("a", -5, false), v("a", -9, false), v("a", -10, false)}, start, []int{2, 3}},
		"noncurrent too new": {old, []*version{v("a", 0, false), v("a", -1, false), v("a", -2, false)}, start, nil},
		"tags and sizes":     {tagged, []*version{v("a", 0, false)}, start, []int{0}},
	} {
		var want []*version
		for _, i := range c.want {
			want = append(want, c.versions[i])
		}
		if err := checkLifecycle([]api.LifecycleRule{c.rule}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := due([]api.LifecycleRule{c.rule}, c.versions, c.now)
		if len(got) != len(want) {
			t.Errorf("%s: %d are due, want %d", name, len(got), len(want))
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: number %d is another one", name, i)
			}
		}
	}
}

func TestVersionIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.Uint64().Draw(t, "seq")
		id := strings.Repeat("A", 19) + seqText.EncodeToString(binary.BigEndian.AppendUint64(nil, seq))
		if got, ok := versionSeq(id); !ok || got != seq {
			t.Fatalf("%s: %d %v", id, got, ok)
		}
	})
}
