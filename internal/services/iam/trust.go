package iam

import (
	"encoding/json"
	"fmt"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// A trust policy names users and roles by ARN but means those that exist when it
// is set: somebody who is given a deleted one's name later is not trusted. So
// their unique ids are kept beside the document, and an ARN whose owner is gone
// gives way to the id, in what acts and in what answers show.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html

// setTrust checks a trust policy and gives it to a role. Users and roles that it
// names must exist, unless they are of an account that nothing is known of here.
func (s *Service) setTrust(r data.Reader, own string, id *identity, doc string) error {
	p, err := policy.Parse([]byte(doc))
	if err == nil {
		err = policy.ValidateTrust(p)
	}
	if err != nil {
		return malformed(err)
	}
	if size(doc) > maxTrust {
		return api.LimitExceededException("Cannot exceed quota for ACLSizePerRole: %d", maxTrust)
	}
	pins := map[string]string{}
	for _, st := range p.Statements() {
		for _, e := range st.Principal {
			if e.Type != "AWS" {
				continue
			}
			account, k, name, ok := identityOf(e.Value)
			if !ok {
				continue
			}
			who, err := byARN(r, account, k, name, e.Value)
			if err != nil {
				return err
			}
			if who == nil {
				if known, err := s.knows(r, account); err != nil {
					return err
				} else if !known && account != own {
					continue
				}
				return api.MalformedPolicyDocumentException("Invalid principal in policy: %q:%q", e.Type, e.Value)
			}
			pins[e.Value] = who.ID
		}
	}
	id.Trust, id.Pins = doc, pins
	return nil
}

// knows reports whether an account is root's or has anything in it.
func (s *Service) knows(r data.Reader, account string) (bool, error) {
	if account == s.d.Root.Account {
		return true, nil
	}
	prefix := accountPrefix(account)
	for _, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
		return err == nil, err
	}
	return false, nil
}

// identityOf takes the ARN of a user or role apart.
func identityOf(s string) (account string, k kind, name string, ok bool) {
	a, ok := arn.Parse(s)
	if !ok || a.Service != "iam" {
		return "", "", "", false
	}
	for _, k := range []kind{userKind, roleKind} {
		if len(a.Resource) > len(k) && a.Resource[:len(k)] == string(k) && a.Resource[len(k)] == '/' {
			return a.Account, k, lastName(a), true
		}
	}
	return "", "", "", false
}

// byARN reads the user or role that has exactly this ARN; nil if there is none.
func byARN(r data.Reader, account string, k kind, name, arn string) (*identity, error) {
	id, err := named[identity](r, account, k, name)
	if err != nil || id == nil || id.arn(account, k) != arn {
		return nil, err
	}
	return id, nil
}

// trustNow is a role's trust policy with the ids of those who are gone.
func trustNow(r data.Reader, id *identity) (string, error) {
	gone := map[string]string{}
	for arn, pinned := range id.Pins {
		account, k, name, _ := identityOf(arn)
		who, err := byARN(r, account, k, name, arn)
		if err != nil {
			return "", err
		}
		if who == nil || who.ID != pinned {
			gone[arn] = pinned
		}
	}
	if len(gone) == 0 {
		return id.Trust, nil
	}
	return replacePrincipals(id.Trust, gone)
}

// replacePrincipals replaces AWS principals of a document that Parse accepts.
func replacePrincipals(doc string, by map[string]string) (string, error) {
	var d map[string]any
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		return "", fmt.Errorf("iam: a trust policy cannot be read: %w", err)
	}
	statements, ok := d["Statement"].([]any)
	if !ok {
		statements = []any{d["Statement"]}
	}
	for _, st := range statements {
		st, _ := st.(map[string]any)
		who, _ := st["Principal"].(map[string]any)
		switch v := who["AWS"].(type) {
		case string:
			if id, ok := by[v]; ok {
				who["AWS"] = id
			}
		case []any:
			for i := range v {
				if s, _ := v[i].(string); by[s] != "" {
					v[i] = by[s]
				}
			}
		}
	}
	b, err := json.Marshal(d)
	return string(b), err
}
