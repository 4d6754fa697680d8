package lambda

import (
	"net"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/gen/ecr"
)

// imageURI is where an image is.
type imageURI struct {
	text       string // as given
	repository string // up to the tag
	// own says that it is in the registry of this server: in that of account and
	// region, or, if they are "", of whoever asks.
	own             bool
	account, region string
	name            string // of the repository
	id              ecr.ImageIdentifier
}

// parseImageURI reads the address of an image. hosts are those of this server;
// AWS's own form of a registry's host means this server, too, whatever its domain:
// templates are written with amazonaws.com.
func parseImageURI(text string, hosts []string) (imageURI, bool) {
	at := imageURI{text: text}
	host, rest, ok := strings.Cut(text, "/")
	if !ok || rest == "" || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return at, false
	}
	rest, digest, hasDigest := strings.Cut(rest, "@")
	rest, tag, hasTag := strings.Cut(rest, ":")
	at.name, at.repository = rest, host+"/"+rest
	switch {
	case rest == "" || hasDigest && digest == "" || hasTag && tag == "":
		return at, false
	case hasDigest:
		at.id.ImageDigest = &digest
	case hasTag:
		at.id.ImageTag = &tag
	default:
		at.id.ImageTag = new("latest")
	}
	if l := strings.Split(host, "."); len(l) >= 5 && len(l[0]) == 12 && strings.Trim(l[0], "0123456789") == "" && l[1] == "dkr" && l[2] == "ecr" {
		at.own, at.account, at.region = true, l[0], l[3]
		return at, true
	}
	at.own = slices.ContainsFunc(hosts, func(own string) bool { return sameHost(own, host) })
	return at, true
}

// sameHost tells whether two hosts with ports are one: the names of the machine
// itself are.
func sameHost(a, b string) bool {
	if a == b {
		return a != ""
	}
	nameA, portA, errA := net.SplitHostPort(a)
	nameB, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && loopback(nameA) && loopback(nameB)
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback() || name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// hostOf is the host of an address "http://host:port".
func hostOf(at string) string {
	_, host, _ := strings.Cut(at, "://")
	return host
}
