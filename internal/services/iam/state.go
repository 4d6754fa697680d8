package iam

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
)

const room = "iam"

// recordVersion is in every record; records of a newer one are refused.
const recordVersion = 1

// kind is a kind of thing that has a name in an account.
type kind string

// The kinds. The first three are IAM's identities.
const (
	userKind    kind = "user"
	groupKind   kind = "group"
	roleKind    kind = "role"
	policyKind  kind = "policy"
	profileKind kind = "instance-profile"
)

// tag is a tag, in the order in which it was put.
type tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// head is what everything with a name and an ARN has.
type head struct {
	Version int       `json:"v"`
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Tags    []tag     `json:"tags,omitempty"`
}

func (h *head) arn(account string, k kind) string { return arnOf(account, k, h.Path, h.Name) }

func (h *head) top() *head { return h }

// arnOf forms the ARN of a thing by its path, which begins and ends with a slash.
func arnOf(account string, k kind, path, name string) string {
	return arn.Make("iam", "", account, string(k)+path+name)
}

// identity is a user, group or role: what policies can be attached to.
type identity struct {
	head
	Inline   map[string]string `json:"inline,omitempty"`   // documents by name
	Attached []string          `json:"attached,omitempty"` // ARNs
	Boundary string            `json:"boundary,omitempty"` // ARN

	// Of users.
	Groups []string    `json:"groups,omitempty"`
	Keys   []accessKey `json:"keys,omitempty"`

	// Of roles.
	Trust       string            `json:"trust,omitempty"`
	Pins        map[string]string `json:"pins,omitempty"` // ids of the users and roles that Trust names, by ARN
	Description string            `json:"description,omitempty"`
	MaxSession  int32             `json:"maxSession,omitempty"` // seconds
	Service     string            `json:"service,omitempty"`    // of a service-linked role
}

// accessKey is a user's long-lived key.
type accessKey struct {
	ID      string    `json:"id"`
	Secret  []byte    `json:"secret"` // sealed
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
}

// managed is a customer-managed policy. The first version is the oldest.
type managed struct {
	head
	Description string    `json:"description,omitempty"`
	Updated     time.Time `json:"updated"`
	Default     string    `json:"default"`
	Last        int       `json:"last"` // number of the version made last
	Versions    []version `json:"versions"`
}

type version struct {
	ID       string    `json:"id"`
	Document string    `json:"document"`
	Created  time.Time `json:"created"`
}

// instanceProfile hands a role to a machine.
type instanceProfile struct {
	head
	Role string `json:"role,omitempty"`
}

// owner says whose an access key is. Its record stands under no account, because
// finding the account is what it is for.
type owner struct {
	Version int    `json:"v"`
	Account string `json:"account"`
	User    string `json:"user"`
}

// alias is the account's other name.
type alias struct {
	Version int    `json:"v"`
	Name    string `json:"name"`
}

// Names are unique whatever their case, so keys are in lower case.
func thingKey(account string, k kind, name string) []byte {
	return data.Key(room, account, "", string(k), strings.ToLower(name))
}

func accountPrefix(account string) []byte { return data.Key(room, account) }

func kindPrefix(account string, k kind) []byte { return data.Key(room, account, "", string(k)) }

func ownerKey(accessKey string) []byte { return data.Key(room, "", "", "access-key", accessKey) }

func aliasKey(account string) []byte { return data.Key(room, account, "", "alias") }

// Aliases are unique among all accounts; this record says whose one is.
func aliasOwnerKey(name string) []byte { return data.Key(room, "", "", "alias", name) }

func memberKey(account, group, user string) []byte {
	return data.Key(room, account, "", "member", strings.ToLower(group), strings.ToLower(user))
}

func memberPrefix(account, group string) []byte {
	return data.Key(room, account, "", "member", strings.ToLower(group))
}

// How a policy is used: attached, or as a boundary.
const (
	asPolicy   = "attached"
	asBoundary = "bounds"
)

// useKey marks that an identity uses a managed policy. The value is empty.
func useKey(account, how, policy string, k kind, name string) []byte {
	return data.Key(room, account, "", how, policy, string(k), strings.ToLower(name))
}

func usePrefix(account, how, policy string) []byte { return data.Key(room, account, "", how, policy) }

func usesPrefix(account, how string) []byte { return data.Key(room, account, "", how) }

// read reads a record; nil if there is none.
func read[T any](r data.Reader, key []byte) (*T, error) {
	b, ok, err := r.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	return decode[T](b)
}

func decode[T any](b []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("iam: a record cannot be read: %w", err)
	}
	if h, ok := any(v).(interface{ top() *head }); ok && h.top().Version > recordVersion {
		return nil, fmt.Errorf("iam: record of %q: %w", h.top().Name, data.ErrFormat)
	}
	return v, nil
}

func write(t data.Txn, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("iam: a record cannot be written: %w", err)
	}
	return t.Put(key, b)
}

// scan reads all records below a prefix, in the order of their names.
func scan[T any](r data.Reader, prefix []byte) ([]*T, error) {
	var all []*T
	for p, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		v, err := decode[T](p.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// suffixes reads the last n parts of the keys below a prefix.
func suffixes(r data.Reader, prefix []byte, n int) ([][]string, error) {
	var all [][]string
	for p, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		parts, ok := data.Parts(p.Key)
		if !ok || len(parts) < n {
			return nil, fmt.Errorf("iam: a key cannot be read")
		}
		all = append(all, parts[len(parts)-n:])
	}
	return all, nil
}

// named reads a thing by its exact name; nil if there is none.
func named[T any, P interface {
	*T
	top() *head
}](r data.Reader, account string, k kind, name string) (P, error) {
	v, err := read[T](r, thingKey(account, k, name))
	if err != nil || v == nil || P(v).top().Name != name {
		return nil, err
	}
	return v, nil
}
