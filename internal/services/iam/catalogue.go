package iam

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// awsPrefix begins the ARNs of the policies that AWS manages; awsIDs their ids.
const (
	awsPrefix = "arn:aws:iam::aws:policy/"
	awsIDs    = "ANPAAWS"
)

//go:embed aws_policies.json
var awsPolicies []byte

// catalogue holds the managed policies that every account has. The documents are
// ours: each allows what AWS's policy of that name is for, within the services
// that are here. They are read when first asked for.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
type catalogue struct {
	load func() map[string]*managed // by ARN
}

func newCatalogue() *catalogue { return &catalogue{sync.OnceValue(readCatalogue)} }

func (c *catalogue) byARN(arn string) *managed { return c.load()[arn] }

func (c *catalogue) all() []*managed {
	var all []*managed
	for _, p := range c.load() {
		all = append(all, p)
	}
	return all
}

func readCatalogue() map[string]*managed {
	var entries []struct {
		Name, Path, Description string
		Statement               json.RawMessage
	}
	if err := json.Unmarshal(awsPolicies, &entries); err != nil {
		panic(fmt.Sprintf("iam: aws_policies.json: %v", err)) // a mistake in the program's text; a test reads it
	}
	made := time.Date(2015, 2, 6, 18, 40, 0, 0, time.UTC)
	all := make(map[string]*managed, len(entries))
	for _, e := range entries {
		sum := sha256.Sum256([]byte(e.Path + e.Name))
		p := &managed{
			head: head{
				Version: recordVersion, Name: e.Name, Path: e.Path, Created: made,
				ID: awsIDs + base32.StdEncoding.EncodeToString(sum[:10])[:14],
			},
			Description: e.Description, Updated: made, Default: "v1", Last: 1,
			Versions: []version{{"v1", `{"Version":"2012-10-17","Statement":` + string(e.Statement) + `}`, made}},
		}
		all[p.policyARN("")] = p
	}
	return all
}
