package s3

import (
	"strconv"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// checkWebsite follows
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html.
func checkWebsite(w *api.WebsiteConfiguration) error {
	if all := w.RedirectAllRequestsTo; all != nil {
		if w.IndexDocument != nil || w.ErrorDocument != nil || len(w.RoutingRules) > 0 || opt.Val(all.HostName) == "" {
			return malformedXML()
		}
		return nil
	}
	if w.IndexDocument == nil {
		return invalidArgument("IndexDocument", "null", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty")
	}
	if s := opt.Val(w.IndexDocument.Suffix); s == "" || strings.Contains(s, "/") {
		return invalidArgument("IndexDocument", s, "The IndexDocument Suffix is not well formed")
	}
	if w.ErrorDocument != nil && opt.Val(w.ErrorDocument.Key) == "" {
		return malformedXML()
	}
	if len(w.RoutingRules) > 50 {
		return invalidRequest("%d routing rules provided, the number of routing rules in a website configuration is limited to 50.", len(w.RoutingRules))
	}
	for _, r := range w.RoutingRules {
		d := r.Redirect
		if d == nil || *d == (api.Redirect{}) {
			return malformedXML()
		}
		if d.ReplaceKeyPrefixWith != nil && d.ReplaceKeyWith != nil {
			return invalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
		}
		if c := d.HttpRedirectCode; c != nil {
			n, err := strconv.Atoi(*c)
			if err != nil || n <= 300 || n > 399 {
				return invalidRequest("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", *c)
			}
		}
		if c := r.Condition; c != nil {
			if c.HttpErrorCodeReturnedEquals == nil && c.KeyPrefixEquals == nil {
				return invalidRequest("Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.")
			}
			if e := c.HttpErrorCodeReturnedEquals; e != nil {
				n, err := strconv.Atoi(*e)
				if err != nil || n < 400 || n > 599 {
					return invalidRequest("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", *e)
				}
			}
		}
	}
	return nil
}

// checkRedirect checks x-amz-website-redirect-location.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html
func checkRedirect(to string) error {
	switch {
	case to == "", strings.HasPrefix(to, "/"), strings.HasPrefix(to, "http://"), strings.HasPrefix(to, "https://"):
		if len(to) > 2<<10 {
			return invalidArgument("x-amz-website-redirect-location", to, "The length of website redirect location cannot exceed 2,048 characters.")
		}
		return nil
	}
	return invalidArgument("x-amz-website-redirect-location", to, "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
}

// route finds the routing rule for a key: before an object is looked for (status
// 0: rules without an error code), or after that failed with status.
func route(w *api.WebsiteConfiguration, key string, status int) *api.RoutingRule {
	for i := range w.RoutingRules {
		r := &w.RoutingRules[i]
		code, prefix := "", ""
		if r.Condition != nil {
			code, prefix = opt.Val(r.Condition.HttpErrorCodeReturnedEquals), opt.Val(r.Condition.KeyPrefixEquals)
		}
		if (code == "") == (status == 0) && (status == 0 || code == strconv.Itoa(status)) && strings.HasPrefix(key, prefix) {
			return r
		}
	}
	return nil
}

// redirected is where a routing rule leads: an absolute URL, given the scheme and
// host of the request, the site's path before keys ("" or "/prefix"), and the key.
func redirected(r *api.RoutingRule, scheme, host, base, key string) (url string, status int) {
	d := r.Redirect
	switch {
	case d.ReplaceKeyWith != nil:
		key = *d.ReplaceKeyWith
	case d.ReplaceKeyPrefixWith != nil:
		prefix := ""
		if r.Condition != nil {
			prefix = opt.Val(r.Condition.KeyPrefixEquals)
		}
		key = *d.ReplaceKeyPrefixWith + strings.TrimPrefix(key, prefix)
	}
	status = 301
	if d.HttpRedirectCode != nil {
		status, _ = strconv.Atoi(*d.HttpRedirectCode) // checked when it was put
	}
	if d.HostName != nil && *d.HostName != host {
		host, base = *d.HostName, ""
	}
	return opt.Or(d.Protocol, scheme) + "://" + host + base + "/" + escapePath(key), status
}

// escapePath escapes a key for the path of a URL.
func escapePath(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		c := key[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/!$&'()*+,;=:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
