package acm

import (
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// Keys, all below "acm", account and region:
//
//	certificate <id>      certificate
//	token <token>         id of the certificate that was requested with it

const recordVersion = 1

// certificate is the record of a certificate.
type certificate struct {
	V    int    `json:"v"`
	ID   string `json:"id"`
	Type string `json:"type"` // IMPORTED or AMAZON_ISSUED
	// Body and Chain are PEM; Key is a private key in PKCS #8, sealed.
	Body  string `json:"body"`
	Chain string `json:"chain,omitempty"`
	Key   []byte `json:"key"`

	Domain   string    `json:"domain"`
	Names    []string  `json:"names"` // all of them
	NotAfter time.Time `json:"notAfter"`
	Created  time.Time `json:"created"`
	Issued   time.Time `json:"issued"` // or imported
	// Method and Logging are what was asked for of a requested certificate.
	Method  string            `json:"method,omitempty"`
	Logging string            `json:"logging,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
}

// request is what a token stands for, for as long as AWS remembers it.
type request struct {
	V    int       `json:"v"`
	ID   string    `json:"id"`
	Hash string    `json:"hash"` // of what was asked for
	At   time.Time `json:"at"`
}

// area forms the keys and ARNs of one account and region.
type area struct{ account, region string }

func (a area) certificates() []byte         { return data.Key("acm", a.account, a.region, "certificate") }
func (a area) certificate(id string) []byte { return data.AppendPart(a.certificates(), id) }
func (a area) token(token string) []byte    { return data.Key("acm", a.account, a.region, "token", token) }

func (a area) arn(id string) string { return arn.Make("acm", a.region, a.account, "certificate/"+id) }

// locate takes an ARN apart.
func locate(s string) (area, string, error) {
	x, ok := arn.Parse(s)
	id, is := strings.CutPrefix(x.Resource, "certificate/")
	if !ok || x.Service != "acm" || !is || id == "" {
		return area{}, "", api.InvalidArnException("The Amazon Resource Name (ARN) '%s' is not that of a certificate.", s)
	}
	return area{x.Account, x.Region}, id, nil
}

func load(r data.Reader, a area, id string) (*certificate, error) {
	c, err := data.Load[certificate](r, a.certificate(id))
	if err == nil && c == nil {
		err = api.ResourceNotFoundException("Could not find certificate %s.", a.arn(id))
	}
	return c, err
}
