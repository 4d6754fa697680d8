package cloudcontrol

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
)

// version is the version of the records' form.
const version = 1

// scope is where a request was made: its account and region.
type scope struct{ Account, Region string }

func (sc scope) key(parts ...string) []byte {
	return data.Key(append([]string{"cloudcontrol", sc.Account, sc.Region}, parts...)...)
}

func (sc scope) requestKey(token string) []byte { return sc.key("request", token) }
func (sc scope) clientKey(token string) []byte  { return sc.key("client", token) }

// busyKey marks a resource on which a request is under way.
func (sc scope) busyKey(kind, identifier string) []byte { return sc.key("busy", kind, identifier) }

// runningKey marks a request that is under way. It stands outside the accounts, so
// that a start finds them all.
func (sc scope) runningKey(token string) []byte {
	return data.Key("cloudcontrol:running", sc.Account, sc.Region, token)
}

func runningPrefix() []byte { return data.Key("cloudcontrol:running") }

// requestRecord is a request to make, change or delete a resource.
type requestRecord struct {
	V int `json:"v"`
	scope
	Token, Client string
	Sum           string // of the request, to tell whether a client's token is used for another
	Operation     string
	Type          string
	Identifier    string         `json:",omitempty"`
	Wanted        map[string]any `json:",omitempty"` // of a creation
	Patch         string         `json:",omitempty"` // of a change
	Role          string         `json:",omitempty"`
	Identity      call.Identity
	Scheme, Host  string
	Status        string
	Error         string `json:",omitempty"`
	Message       string `json:",omitempty"`
	Model         string `json:",omitempty"` // JSON
	Begun, At     time.Time
	Cancelled     bool `json:",omitempty"`
	// Others are the ids of what there was, before a creation began, that could be
	// taken for what it makes; Looked says that they are known.
	Others []string `json:",omitempty"`
	Looked bool     `json:",omitempty"`
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cloudcontrol: decode a record: %w", err)
	}
	return nil
}

// request reads a request; nil if there is none.
func (sc scope) request(rd data.Reader, token string) (*requestRecord, error) {
	b, ok, err := rd.Get(sc.requestKey(token))
	if err != nil || !ok {
		return nil, err
	}
	r := new(requestRecord)
	return r, decode(b, r)
}
