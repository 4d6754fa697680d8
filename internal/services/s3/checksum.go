package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"reflect"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// algorithm is a checksum algorithm.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
type algorithm struct {
	name string
	new  func() hash.Hash
	size int
	// poly is the reversed polynomial of a CRC, whose checksums can be combined.
	poly uint64
}

const (
	fullObject = "FULL_OBJECT"
	composite  = "COMPOSITE"
	// defaultAlgorithm is what S3 computes where the caller names none.
	defaultAlgorithm = "CRC64NVME"

	polyCRC64NVME = 0x9a6c9329ac4bc9b5
)

func algorithms() []algorithm {
	return []algorithm{
		{"CRC64NVME", func() hash.Hash { return crc64.New(crc64.MakeTable(polyCRC64NVME)) }, 8, polyCRC64NVME},
		{"CRC32", func() hash.Hash { return crc32.NewIEEE() }, 4, crc32.IEEE},
		{"CRC32C", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }, 4, crc32.Castagnoli},
		{"SHA1", sha1.New, sha1.Size, 0},
		{"SHA256", sha256.New, sha256.Size, 0},
		{"SHA512", sha512.New, sha512.Size, 0},
		{"MD5", md5.New, md5.Size, 0},
	}
}

func algorithmsByName(name string) *algorithm {
	for _, a := range algorithms() {
		if a.name == name {
			return &a
		}
	}
	return nil
}

// checksumMember returns the member of a generated struct that holds the checksum
// of an algorithm; nil if it has none.
func checksumMember(of any, name string) *string {
	f := reflect.ValueOf(of).Elem().FieldByName("Checksum" + name)
	if !f.IsValid() {
		return nil
	}
	return f.Interface().(*string)
}

// setChecksum sets the members of a generated struct that tell of c.
func setChecksum(of any, c checksum) {
	if c.Algorithm == "" || c.Value == "" {
		return
	}
	v := reflect.ValueOf(of).Elem()
	v.FieldByName("Checksum" + c.Algorithm).Set(reflect.ValueOf(new(c.Value)))
	if f := v.FieldByName("ChecksumType"); f.IsValid() && c.Type != "" {
		f.Set(reflect.ValueOf(new(c.Type)))
	}
}

func headerName(algorithm string) string { return "x-amz-checksum-" + strings.ToLower(algorithm) }

// declared finds out, before a body is read, which algorithms to compute. asked is
// "" if the caller declared none; a trailer may still do so.
func declared(in any) (compute []string, asked string, err error) {
	named := opt.Val(reflect.ValueOf(in).Elem().FieldByName("ChecksumAlgorithm").Interface().(*string))
	for _, a := range []string{"XXHASH64", "XXHASH3", "XXHASH128"} {
		if named == a || checksumMember(in, a) != nil {
			return nil, "", notImplemented("The checksum algorithm " + a)
		}
	}
	for _, a := range algorithms() {
		if checksumMember(in, a.name) == nil {
			continue
		}
		if asked != "" {
			return nil, "", invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		asked = a.name
	}
	if asked != "" && named != "" && asked != named {
		return nil, "", invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	if asked == "" {
		asked = named
	}
	if asked != "" {
		return []string{asked}, asked, nil
	}
	return []string{defaultAlgorithm}, "", nil
}

// verify compares what was received with what the caller declared, now that the
// body, and with it a trailer, was read. It returns the checksum to keep: in the
// declared algorithm, or else in fallback.
func verify(ctx context.Context, in any, b *taken, asked, fallback string) (checksum, error) {
	v := reflect.ValueOf(in).Elem()
	if f := v.FieldByName("ContentMD5"); f.IsValid() && !f.IsNil() {
		sum, err := base64.StdEncoding.DecodeString(f.Elem().String())
		if err != nil || len(sum) != md5.Size {
			return checksum{}, invalidDigest()
		}
		if string(sum) != string(b.MD5) {
			return checksum{}, badDigest("Content-MD5")
		}
	}
	if asked == "" {
		// a trailer may have come that nothing announced
		for _, a := range algorithms() {
			if opt.Val(checksumMember(in, a.name)) != "" {
				asked = a.name
			}
		}
	}
	if asked == "" {
		return keep(b, fallback)
	}
	want := opt.Val(checksumMember(in, asked))
	if want == "" {
		return checksum{}, invalidRequest("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	a := algorithmsByName(asked)
	sum, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(sum) != a.size {
		return checksum{}, invalidRequest("Value for %s header is invalid.", headerName(asked))
	}
	got, err := b.sum(ctx, a)
	if err != nil {
		return checksum{}, err
	}
	if string(sum) != string(got) {
		return checksum{}, badDigest(asked)
	}
	return checksum{asked, fullObject, want}, nil
}

func keep(b *taken, name string) (checksum, error) {
	sum, ok := b.Sums[name]
	if !ok {
		return checksum{}, fmt.Errorf("the checksum %s was not computed", name)
	}
	return checksum{name, fullObject, base64.StdEncoding.EncodeToString(sum)}, nil
}

// combineCRC returns the CRC of two runs of bytes from theirs and the length of
// the second; the CRC is reflected, of width bits, and inverted at both ends.
func combineCRC(poly uint64, width int, first, second uint64, length int64) uint64 {
	// Appending n zero bytes to the first run is a linear map over GF(2); square
	// the map of one zero bit until it is that of `length` bytes.
	var even, odd [64]uint64
	odd[0] = poly
	for i := 1; i < width; i++ {
		odd[i] = 1 << (i - 1)
	}
	square(&even, &odd, width) // two zero bits
	square(&odd, &even, width) // four
	for n := length; n > 0; n >>= 1 {
		square(&even, &odd, width) // eight times the power of two
		if n&1 != 0 {
			first = times(&even, first)
		}
		odd = even
	}
	return first ^ second
}

func times(m *[64]uint64, v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func square(out, m *[64]uint64, width int) {
	for i := range width {
		out[i] = times(m, m[i])
	}
}
