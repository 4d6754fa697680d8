package s3

import (
	"fmt"
	"time"

	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// S3's model names few of its errors. These are the others, with the status and
// the fields (strings, as they go out) of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.

func noSuchBucket(name string) error {
	return api.NoSuchBucket("The specified bucket does not exist").With("BucketName", name)
}

func noSuchKey(key string) error {
	return api.NoSuchKey("The specified key does not exist.").With("Key", key)
}

func noSuchVersion(key, id string) error {
	return fault.New("NoSuchVersion", 404, "The specified version does not exist.").With("Key", key).With("VersionId", id)
}

func noSuchUpload(id string) error {
	return api.NoSuchUpload("The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").With("UploadId", id)
}

// isMarker answers a read of a delete marker: 404 if it is the current version,
// 405 if it was asked for by its id. The fields DeleteMarker, VersionId, Allow and
// LastModified go out as headers.
func isMarker(v *version, byID bool) error {
	if byID {
		return fault.New("MethodNotAllowed", 405, "The specified method is not allowed against this resource.").
			With("Method", "GET").With("ResourceType", "DeleteMarker").With("DeleteMarker", "true").With("VersionId", v.ID).With("LastModified", httpTime(v.Modified))
	}
	return api.NoSuchKey("The specified key does not exist.").With("Key", v.Key).With("DeleteMarker", "true").With("VersionId", v.ID)
}

func invalidArgument(name, value, format string, args ...any) *fault.Fault {
	return fault.New("InvalidArgument", 400, format, args...).With("ArgumentName", name).With("ArgumentValue", value)
}

func invalidRequest(format string, args ...any) error {
	return api.InvalidRequest(format, args...)
}

func malformedXML() *fault.Fault {
	return fault.New("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
}

// notImplemented refuses a setting that this room does not honour, by its name.
func notImplemented(what string) error {
	return fault.New("NotImplemented", 501, "%s is not implemented by this version of Tierra.", what)
}

// notModified is the answer to a conditional read; the edge sends no body. ETag
// and LastModified go out as headers.
func notModified(v *version) error {
	return fault.New("NotModified", 304, "Not Modified").With("ETag", quote(v.ETag)).With("LastModified", httpTime(v.Modified))
}

func preconditionFailed(condition string) error {
	return fault.New("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold").With("Condition", condition)
}

func invalidRange(spec string, size int64) error {
	return fault.New("InvalidRange", 416, "The requested range is not satisfiable").With("RangeRequested", spec).With("ActualObjectSize", fmt.Sprint(size))
}

func badDigest(what string) error {
	return fault.New("BadDigest", 400, "The %s you specified did not match what we received.", what)
}

func aclNotSupported() error {
	return fault.New("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
}

func entityTooLarge(size, limit int64) error {
	return fault.New("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size").With("ProposedSize", fmt.Sprint(size)).With("MaxSizeAllowed", fmt.Sprint(limit))
}

func invalidTag(format string, args ...any) *fault.Fault {
	return fault.New("InvalidTag", 400, format, args...)
}

func noSuch(code, message, bucket string) error {
	return fault.New(code, 404, "%s", message).With("BucketName", bucket)
}

func invalidDigest() error {
	return fault.New("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
}

func keyTooLong(key string) error {
	return fault.New("KeyTooLongError", 400, "Your key is too long").With("Size", fmt.Sprint(len(key))).With("MaxSizeAllowed", fmt.Sprint(maxKey))
}

func invalidBucketName(name string) error {
	return fault.New("InvalidBucketName", 400, "The specified bucket is not valid.").With("BucketName", name)
}

func quote(etag string) string { return `"` + etag + `"` }

// httpTime is how S3 writes times in headers of its own.
func httpTime(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

func invalidPartNumber(parts int) error {
	return fault.New("InvalidPartNumber", 416, "The requested partnumber is not satisfiable").With("ActualPartCount", fmt.Sprint(parts))
}
