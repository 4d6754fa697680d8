package protocol

import (
	"encoding/base64"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// SetRequestID puts the request id into the headers under the name that the
// service uses.
func SetRequestID(h http.Header, rq *Request) {
	if rq.Service != nil && IsS3(rq.Service) {
		h["X-Amz-Request-Id"] = []string{rq.ID}
		h["X-Amz-Id-2"] = []string{HostID(rq.ID)}
		return
	}
	h["X-Amzn-Requestid"] = []string{rq.ID}
}

// HostID returns S3's second request id, which goes with the first.
func HostID(id string) string { return base64.StdEncoding.EncodeToString([]byte(id)) }

// Bodiless reports whether an answer with that status to that request has no
// body, whatever the protocol would put there.
func Bodiless(rq *Request, status int) bool {
	return rq.HTTP.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified || status < 200
}

// Write sends a whole answer: status and body, after the headers that are set
// already. contentType may be "", for an answer without one.
func Write(w http.ResponseWriter, rq *Request, status int, contentType string, body []byte) error {
	h := w.Header()
	if Bodiless(rq, status) {
		w.WriteHeader(status)
		return nil
	}
	if contentType != "" && len(h["Content-Type"]) == 0 {
		h["Content-Type"] = []string{contentType}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if rq.Service != nil && rq.Service.Name == "dynamodb" { // its clients verify answers, and some complain without
		h["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)}
	}
	w.WriteHeader(status)
	if len(body) == 0 {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		return &Cut{err}
	}
	return nil
}

// Stream sends an answer whose body is read from src.
func Stream(w http.ResponseWriter, rq *Request, status int, src io.Reader) error {
	w.WriteHeader(status)
	if Bodiless(rq, status) {
		return nil
	}
	if _, err := io.Copy(w, src); err != nil {
		return &Cut{err}
	}
	return nil
}

// Status returns the status of op's successful answers.
func Status(op *model.Operation) int {
	if op.Status != 0 {
		return op.Status
	}
	return http.StatusOK
}
