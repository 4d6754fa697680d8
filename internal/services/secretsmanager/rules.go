package secretsmanager

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Limits of Secrets Manager.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const (
	maxValue      = 65536 // bytes
	maxStages     = 20    // of a version
	maxDeprecated = 100   // versions without a label
	maxPolicy     = 20480 // characters

	minWindow, maxWindow = 7, 30 // days of recovery

	current, previous = "AWSCURRENT", "AWSPREVIOUS"
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9/_+=.@!-]{1,512}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.Of(fault.Validation, "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	return nil
}

// content is a version's value: text or bytes.
type content struct {
	bytes  []byte
	binary bool
}

func (c *content) same(o *content) bool { return c.binary == o.binary && bytes.Equal(c.bytes, o.bytes) }

// contentOf reads a value; nil if there is none.
func contentOf(text *string, b []byte) (*content, error) {
	var c *content
	switch {
	case text != nil && b != nil:
		return nil, api.InvalidParameterException("You can't specify both a binary secret value and a string secret value in the same secret.")
	case text != nil:
		c = &content{[]byte(*text), false}
	case b != nil:
		c = &content{b, true}
	default:
		return nil, nil
	}
	if len(c.bytes) > maxValue {
		return nil, api.InvalidParameterException("The secret value has %d bytes, at most %d are allowed.", len(c.bytes), maxValue)
	}
	return c, nil
}

// attach gives a version labels, taking them from those that had them. The version
// from which AWSCURRENT goes becomes AWSPREVIOUS.
func (x *secret) attach(id string, stages ...string) error {
	for _, st := range stages {
		from := x.holder(st)
		if from == id {
			continue
		}
		x.detach(st)
		if st == current && from != "" {
			x.detach(previous)
			x.Versions[from].add(previous)
		}
		x.Versions[id].add(st)
	}
	if len(x.Versions[id].Stages) > maxStages {
		return api.LimitExceededException("A version can have at most %d staging labels.", maxStages)
	}
	return nil
}

func (e *edition) add(stage string) {
	if !slices.Contains(e.Stages, stage) {
		e.Stages = append(e.Stages, stage)
		slices.Sort(e.Stages)
	}
}

// detach takes a label from the version that has it.
func (x *secret) detach(stage string) {
	if id := x.holder(stage); id != "" {
		e := x.Versions[id]
		e.Stages = slices.DeleteFunc(e.Stages, func(s string) bool { return s == stage })
	}
}

// outdated lists the versions without a label that are too many, oldest first.
func (x *secret) outdated() []string {
	var out []string
	for id, e := range x.Versions {
		if len(e.Stages) == 0 {
			out = append(out, id)
		}
	}
	if len(out) <= maxDeprecated {
		return nil
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(x.Versions[a].Created.Compare(x.Versions[b].Created), strings.Compare(a, b))
	})
	return out[:len(out)-maxDeprecated]
}

func tagMap(list []api.Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range list {
		m[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	if err := tags.Check(m); err != nil {
		return nil, api.InvalidParameterException("%s", err.Error())
	}
	return m, nil
}

func sortedTags(m map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(m))
	for k, v := range m {
		out = append(out, api.Tag{Key: new(k), Value: new(v)})
	}
	slices.SortFunc(out, func(a, b api.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out
}

// checkPolicy parses a resource policy.
func checkPolicy(doc string) (*policy.Policy, error) {
	if len(doc) > maxPolicy {
		return nil, api.InvalidParameterException("The resource policy has %d characters, at most %d are allowed.", len(doc), maxPolicy)
	}
	p, err := policy.Parse([]byte(doc))
	if err == nil {
		err = policy.ValidateResource(p)
	}
	if err != nil {
		return nil, api.MalformedPolicyDocumentException("This resource policy contains a syntax error: %s", err.Error())
	}
	return p, nil
}
