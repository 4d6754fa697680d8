package secretsmanager

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

// Keys, all below "secretsmanager", account and region:
//
//	secret <name>              secret
//	value  <name> <version>    sealed

const recordVersion = 1

// secret is the record of a secret.
type secret struct {
	V           int                 `json:"v"`
	Name        string              `json:"name"`
	Suffix      string              `json:"suffix"` // six characters that end its ARN
	Description string              `json:"description,omitempty"`
	KeyID       string              `json:"key,omitempty"` // as it was given; "" is the AWS managed key
	Created     time.Time           `json:"created"`
	Changed     time.Time           `json:"changed"`
	Deletion    time.Time           `json:"deletion,omitzero"` // when it will be gone
	Policy      string              `json:"policy,omitempty"`
	Tags        map[string]string   `json:"tags,omitempty"`
	Versions    map[string]*edition `json:"versions,omitempty"` // by id
}

// edition is what is known of a version besides its value.
type edition struct {
	Created time.Time `json:"created"`
	Stages  []string  `json:"stages,omitempty"` // sorted
	KeyID   string    `json:"key"`
}

// sealed is the record of a version's value.
type sealed struct {
	V       int    `json:"v"`
	Binary  bool   `json:"binary,omitempty"`
	Wrapped []byte `json:"wrapped"` // the data key
	Text    []byte `json:"text"`
}

// gone reports whether the recovery window is over.
func (x *secret) gone(now time.Time) bool { return !x.Deletion.IsZero() && !now.Before(x.Deletion) }

// holder finds the version that has a staging label; "" if none has.
func (x *secret) holder(stage string) string {
	for id, e := range x.Versions {
		if slices.Contains(e.Stages, stage) {
			return id
		}
	}
	return ""
}

// area forms the keys and ARNs of one account and region.
type area struct{ account, region string }

func (a area) secrets() []byte           { return data.Key("secretsmanager", a.account, a.region, "secret") }
func (a area) secret(name string) []byte { return data.AppendPart(a.secrets(), name) }
func (a area) value(name, id string) []byte {
	return data.Key("secretsmanager", a.account, a.region, "value", name, id)
}

// arn is a secret's ARN; without a suffix it is that of a secret that is not there,
// in the form that policies are written for.
func (a area) arn(name, suffix string) string {
	if suffix == "" {
		suffix = "??????"
	}
	return arn.Make("secretsmanager", a.region, a.account, "secret:"+name+"-"+suffix)
}

// everything is the prefix of all keys of the room.
func everything() []byte { return data.Key("secretsmanager") }

// areaOfKey takes account, region and kind out of any key of the room.
func areaOfKey(k []byte) (a area, kind string, ok bool) {
	p, ok := data.Parts(k)
	if !ok || len(p) < 5 {
		return area{}, "", false
	}
	return area{p[1], p[2]}, p[3], true
}

// remove deletes a secret with its values.
func (a area) remove(t data.Txn, x *secret) error {
	for id := range x.Versions {
		if err := t.Delete(a.value(x.Name, id)); err != nil {
			return err
		}
	}
	return t.Delete(a.secret(x.Name))
}

func decode(p data.Pair, v any) error {
	if err := json.Unmarshal(p.Value, v); err != nil {
		return fmt.Errorf("record %q: %w", p.Key, err)
	}
	return nil
}
