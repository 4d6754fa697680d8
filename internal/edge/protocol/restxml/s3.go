package restxml

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/httpbind"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/xmlwire"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// s3Roots names the root elements of S3's answers where they differ from the
// name of the output's shape. The models of the current clients leave them out,
// since those clients do not look; others do.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var s3Roots = map[string]string{
	"AbortMultipartUpload":                       "AbortMultipartUploadResult",
	"CompleteMultipartUpload":                    "CompleteMultipartUploadResult",
	"CopyObject":                                 "CopyObjectResult",
	"CreateMultipartUpload":                      "InitiateMultipartUploadResult",
	"CreateSession":                              "CreateSessionResult",
	"DeleteObjects":                              "DeleteResult",
	"GetBucketAccelerateConfiguration":           "AccelerateConfiguration",
	"GetBucketAcl":                               "AccessControlPolicy",
	"GetBucketCors":                              "CORSConfiguration",
	"GetBucketEncryption":                        "ServerSideEncryptionConfiguration",
	"GetBucketLifecycle":                         "LifecycleConfiguration",
	"GetBucketLifecycleConfiguration":            "LifecycleConfiguration",
	"GetBucketLogging":                           "BucketLoggingStatus",
	"GetBucketNotification":                      "NotificationConfiguration",
	"GetBucketNotificationConfiguration":         "NotificationConfiguration",
	"GetBucketOwnershipControls":                 "OwnershipControls",
	"GetBucketPolicyStatus":                      "PolicyStatus",
	"GetBucketReplication":                       "ReplicationConfiguration",
	"GetBucketRequestPayment":                    "RequestPaymentConfiguration",
	"GetBucketTagging":                           "Tagging",
	"GetBucketVersioning":                        "VersioningConfiguration",
	"GetBucketWebsite":                           "WebsiteConfiguration",
	"GetObjectAcl":                               "AccessControlPolicy",
	"GetObjectAttributes":                        "GetObjectAttributesResponse",
	"GetObjectLegalHold":                         "LegalHold",
	"GetObjectLockConfiguration":                 "ObjectLockConfiguration",
	"GetObjectRetention":                         "Retention",
	"GetObjectTagging":                           "Tagging",
	"GetPublicAccessBlock":                       "PublicAccessBlockConfiguration",
	"ListBucketAnalyticsConfigurations":          "ListBucketAnalyticsConfigurationResult",
	"ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsResult",
	"ListBucketInventoryConfigurations":          "ListInventoryConfigurationsResult",
	"ListBucketMetricsConfigurations":            "ListMetricsConfigurationsResult",
	"ListBuckets":                                "ListAllMyBucketsResult",
	"ListDirectoryBuckets":                       "ListAllMyDirectoryBucketsResult",
	"ListMultipartUploads":                       "ListMultipartUploadsResult",
	"ListObjectVersions":                         "ListVersionsResult",
	"ListObjects":                                "ListBucketResult",
	"ListObjectsV2":                              "ListBucketResult",
	"ListParts":                                  "ListPartsResult",
	"UploadPartCopy":                             "CopyPartResult",
}

// s3Members writes an answer whose members make up the document.
func s3Members(b []byte, rq *protocol.Request, sh *model.Shape, src *value.Source) ([]byte, error) {
	if rq.Op.Name == "GetBucketLocation" {
		// The only answer whose root element is itself the member.
		b = append(b, `<LocationConstraint xmlns="`+s3Namespace+`"`...)
		v := src.Member(0)
		if !v.IsValid() || v.String() == "" {
			return append(b, "/>"...), nil
		}
		return xmlwire.End(xmlwire.AppendText(append(b, '>'), v.String()), "LocationConstraint"), nil
	}
	name := s3Roots[rq.Op.Name]
	if name == "" {
		name = sh.Name
	}
	return encoder(rq.Service).Element(b, name, s3Namespace, sh, src, httpbind.InAnswer)
}

// s3Fault writes S3's form of a fault: no envelope, and whatever further fields
// the fault has.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func s3Fault(rq *protocol.Request, f *fault.Fault, code string, sh *model.Shape, src *value.Source) []byte {
	b := append([]byte(xmlwire.Header), "<Error>"...)
	b = xmlwire.AppendFault(b, rq.Service, f, code, false, sh, src)
	for _, name := range sortedFields(f, sh) {
		if text, ok := text(f.Fields[name]); ok {
			b = xmlwire.Simple(b, name, text)
		}
	}
	if _, set := f.Fields["Resource"]; !set {
		b = xmlwire.Simple(b, "Resource", resource(rq))
	}
	b = xmlwire.Simple(b, "RequestId", rq.ID)
	b = xmlwire.Simple(b, "HostId", protocol.HostID(rq.ID))
	return append(b, "</Error>"...)
}

// s3Headers sets the headers that S3 sends with a fault as it does with an
// answer: the version and the delete marker that stand in the way of an object,
// the entity tag of one that has not changed.
func s3Headers(h http.Header, rq *protocol.Request, f *fault.Fault) {
	if rq.Op == nil || rq.Op.Output < 0 {
		return
	}
	sh := rq.Service.Shape(rq.Op.Output)
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Location != model.Header {
			continue
		}
		if v, ok := text(f.Fields[m.Name]); ok {
			h.Set(m.WireName(), v)
		}
	}
}

// resource is the bucket or object that a request is for, as a path.
func resource(rq *protocol.Request) string {
	bucket, ok := rq.Labels.Get("Bucket")
	if !ok {
		return rq.HTTP.URL.Path
	}
	if key, ok := rq.Labels.Get("Key"); ok {
		return "/" + bucket + "/" + key
	}
	return "/" + bucket
}

// sortedFields names the fields of a fault that its shape does not have.
func sortedFields(f *fault.Fault, sh *model.Shape) []string {
	var names []string
	for name := range f.Fields {
		if sh == nil || !slices.ContainsFunc(sh.Members, func(m model.Member) bool { return m.Name == name }) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case *string:
		if v != nil {
			return *v, true
		}
	}
	return "", false
}
