package ssm

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// Keys, all below "ssm", account and region:
//
//	parameter <name>            parameter
//	version   <name> <number>   version; the number has 20 digits
//
// Names stand as they were given: "/a/b" or "b".

const recordVersion = 1

// parameter is the record of a parameter: what its versions share.
type parameter struct {
	V      int               `json:"v"`
	Name   string            `json:"name"`
	Latest int64             `json:"latest"`
	Oldest int64             `json:"oldest"` // the first version that is left
	Labels map[string]int64  `json:"labels,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
	Now    value             `json:"now"` // the latest version
}

// value is the record of a version.
type value struct {
	V           int       `json:"v"`
	Version     int64     `json:"version"`
	Type        string    `json:"type"`
	Tier        string    `json:"tier"`
	Text        string    `json:"text,omitempty"`
	Sealed      []byte    `json:"sealed,omitempty"`  // a SecureString's value
	Wrapped     []byte    `json:"wrapped,omitempty"` // its data key, in the advanced tier
	KeyID       string    `json:"key,omitempty"`     // as it was given
	Description string    `json:"description,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`
	Modified    time.Time `json:"modified"`
	User        string    `json:"user"`
}

// area forms the keys and ARNs of one account and region.
type area struct{ account, region string }

func (a area) key(parts ...string) []byte {
	return data.Key(append([]string{"ssm", a.account, a.region}, parts...)...)
}

func (a area) parameter(name string) []byte { return a.key("parameter", name) }
func (a area) version(name string, n int64) []byte {
	return a.key("version", name, fmt.Sprintf("%020d", n))
}

// named is the key prefix of parameters whose names begin with prefix.
func (a area) named(prefix string) []byte { return data.AppendPartial(a.key("parameter"), prefix) }

// arn is a parameter's ARN: names that begin with a slash bring it along.
func (a area) arn(name string) string {
	if name == "" || name[0] != '/' {
		name = "/" + name
	}
	return arn.Make("ssm", a.region, a.account, "parameter"+name)
}

func decode(p data.Pair, v any) error {
	if err := json.Unmarshal(p.Value, v); err != nil {
		return fmt.Errorf("record %q: %w", p.Key, err)
	}
	return nil
}

// at reads one version of a parameter.
func (a area) at(r data.Reader, p *parameter, n int64) (*value, error) {
	if n == p.Latest {
		return &p.Now, nil
	}
	return data.Load[value](r, a.version(p.Name, n))
}
