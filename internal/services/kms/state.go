package kms

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// Keys, all below "kms", account and region:
//
//	key   <id>    key
//	alias <name>  alias; the name is without "alias/"

const version = 1

// key is the record of a KMS key.
type key struct {
	V           int               `json:"v"`
	ID          string            `json:"id"`
	Created     time.Time         `json:"created"`
	Description string            `json:"description,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	Deletion    time.Time         `json:"deletion,omitzero"` // when it will be gone
	Managed     string            `json:"managed,omitempty"` // the alias of an AWS managed key, "aws/ssm"
	Policy      string            `json:"policy"`
	Tags        map[string]string `json:"tags,omitempty"`
	Material    []byte            `json:"material"` // sealed
}

// gone reports whether the key's waiting period is over.
func (k *key) gone(now time.Time) bool { return !k.Deletion.IsZero() && !now.Before(k.Deletion) }

// alias is the record of an alias.
type alias struct {
	V       int       `json:"v"`
	Name    string    `json:"name"`
	Target  string    `json:"target"` // the key's id
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// area forms the keys and ARNs of one account and region.
type area struct{ account, region string }

func (a area) key(id string) []byte     { return data.Key("kms", a.account, a.region, "key", id) }
func (a area) alias(name string) []byte { return data.Key("kms", a.account, a.region, "alias", name) }
func (a area) keys() []byte             { return data.Key("kms", a.account, a.region, "key") }
func (a area) aliases() []byte          { return data.Key("kms", a.account, a.region, "alias") }
func (a area) keyARN(id string) string  { return arn.Make("kms", a.region, a.account, "key/"+id) }
func (a area) aliasARN(n string) string { return arn.Make("kms", a.region, a.account, "alias/"+n) }

// everything is the prefix of all keys of the room.
func everything() []byte { return data.Key("kms") }

// areaOf takes account, region and kind out of any key of the room.
func areaOf(k []byte) (a area, kind string, ok bool) {
	p, ok := data.Parts(k)
	if !ok || len(p) != 5 {
		return area{}, "", false
	}
	return area{p[1], p[2]}, p[3], true
}

func decode(p data.Pair, v any) error {
	if err := json.Unmarshal(p.Value, v); err != nil {
		return fmt.Errorf("record %q: %w", p.Key, err)
	}
	return nil
}
