package server

import (
	"net/url"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
)

// presign returns the address at which whoever has it may put an object for so
// long, as the root of the server's account.
func (s *Server) presign(region, bucket, key string, valid time.Duration) string {
	host := strings.TrimPrefix(s.endpoint, "http://")
	r := &sigv4.Request{Method: "PUT", Path: (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath(), Host: host, Header: func(name string) []string {
		if name == "host" {
			return []string{host}
		}
		return nil
	}}
	c := sigv4.Credentials{AccessKey: s.secrets.AccessKey, Secret: s.secrets.Secret}
	return s.endpoint + r.Path + "?" + sigv4.Presign(r, c, region, "s3", valid, s.clock.Now())
}
