package ecr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/image"
)

// lifecycleRule is a rule of a lifecycle policy.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type lifecycleRule struct {
	RulePriority int    `json:"rulePriority"`
	Description  string `json:"description"`
	Selection    struct {
		TagStatus      string   `json:"tagStatus"`
		TagPrefixList  []string `json:"tagPrefixList"`
		TagPatternList []string `json:"tagPatternList"`
		StorageClass   string   `json:"storageClass"`
		CountType      string   `json:"countType"`
		CountUnit      string   `json:"countUnit"`
		CountNumber    int      `json:"countNumber"`
	} `json:"selection"`
	Action struct {
		Type               string `json:"type"`
		TargetStorageClass string `json:"targetStorageClass"`
	} `json:"action"`
}

const (
	countMoreThan   = "imageCountMoreThan"
	sinceImagePush  = "sinceImagePushed"
	maxRules        = 50
	maxLifecycleLen = 30_720 // characters
)

// parseLifecycle reads a policy: its rules, the most urgent first.
func parseLifecycle(text string) ([]lifecycleRule, error) {
	if len(text) > maxLifecycleLen {
		return nil, fmt.Errorf("the policy has more than %d characters", maxLifecycleLen)
	}
	var doc struct {
		Rules []lifecycleRule `json:"rules"`
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("the text is not a policy: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("the text goes on behind the policy")
	}
	if n := len(doc.Rules); n == 0 || n > maxRules {
		return nil, fmt.Errorf("the policy has %d rules, not 1 to %d", n, maxRules)
	}
	slices.SortStableFunc(doc.Rules, func(a, b lifecycleRule) int { return a.RulePriority - b.RulePriority })
	for i := range doc.Rules {
		r := &doc.Rules[i]
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", r.RulePriority, err)
		}
		if i > 0 && doc.Rules[i-1].RulePriority == r.RulePriority {
			return nil, fmt.Errorf("rulePriority %d is given twice", r.RulePriority)
		}
		if r.Selection.TagStatus == "any" && i != len(doc.Rules)-1 {
			return nil, fmt.Errorf("rule %d: a rule with tagStatus any must have the highest rulePriority", r.RulePriority)
		}
	}
	return doc.Rules, nil
}

func (r *lifecycleRule) check() error {
	x := &r.Selection
	lists := len(x.TagPrefixList) + len(x.TagPatternList)
	switch {
	case r.RulePriority < 1:
		return fmt.Errorf("rulePriority must be at least 1")
	case r.Action.Type == "transition" || r.Action.TargetStorageClass != "" || x.StorageClass != "" && x.StorageClass != "standard":
		return fmt.Errorf("storage classes (transition, targetStorageClass, storageClass) are not supported by Tierra")
	case r.Action.Type != "expire":
		return fmt.Errorf("action type %q is not expire", r.Action.Type)
	case x.TagStatus == "tagged" && (lists == 0 || x.TagPrefixList != nil && x.TagPatternList != nil):
		return fmt.Errorf("tagStatus tagged needs either tagPrefixList or tagPatternList")
	case x.TagStatus != "tagged" && lists > 0:
		return fmt.Errorf("tagPrefixList and tagPatternList need tagStatus tagged")
	case !slices.Contains([]string{"tagged", "untagged", "any"}, x.TagStatus):
		return fmt.Errorf("tagStatus %q is none of tagged, untagged, any", x.TagStatus)
	case x.CountNumber < 1:
		return fmt.Errorf("countNumber must be at least 1")
	case slices.ContainsFunc(x.TagPatternList, func(p string) bool { return strings.Count(p, "*") > 4 }):
		return fmt.Errorf("a pattern has at most 4 wildcards")
	}
	switch {
	case x.CountType == countMoreThan && x.CountUnit == "":
	case x.CountType == sinceImagePush && x.CountUnit == "days":
	case x.CountType == "sinceImagePulled" || x.CountType == "sinceImageTransitioned":
		return fmt.Errorf("countType %s is not supported by Tierra, which does not record when images are pulled", x.CountType)
	case x.CountType == countMoreThan:
		return fmt.Errorf("countUnit does not go with %s", countMoreThan)
	case x.CountType == sinceImagePush:
		return fmt.Errorf("%s needs countUnit days", sinceImagePush)
	default:
		return fmt.Errorf("countType %q is not known", x.CountType)
	}
	return nil
}

// selects tells whether the rule is about an image. Of several prefixes or
// patterns each must fit one of its tags.
func (r *lifecycleRule) selects(pic *picture) bool {
	x := &r.Selection
	switch x.TagStatus {
	case "any":
		return true
	case "untagged":
		return len(pic.Tags) == 0
	}
	for _, p := range x.TagPrefixList {
		if !slices.ContainsFunc(pic.Tags, func(t string) bool { return strings.HasPrefix(t, p) }) {
			return false
		}
	}
	for _, p := range x.TagPatternList {
		if !slices.ContainsFunc(pic.Tags, func(t string) bool { return wildcard(p, t) }) {
			return false
		}
	}
	return len(pic.Tags) > 0
}

// expired is an image that a rule takes away.
type expired struct {
	*picture
	priority int
}

// applyRules works out which images go. An image belongs to the most urgent rule
// that selects it, whether that takes it away or not. Images that an index lists
// go only when no index does that stays.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules
func applyRules(rules []lifecycleRule, all []*picture, now time.Time) []expired {
	newest := slices.SortedStableFunc(slices.Values(all), func(a, b *picture) int { return b.Pushed.Compare(a.Pushed) })
	taken := map[image.Digest]bool{} // by a more urgent rule
	var out []expired
	for i := range rules {
		r, n := &rules[i], 0
		for _, pic := range newest {
			if taken[pic.Digest] || !r.selects(pic) {
				continue
			}
			taken[pic.Digest] = true
			n++
			old := r.Selection.CountType == countMoreThan && n > r.Selection.CountNumber ||
				r.Selection.CountType == sinceImagePush && now.Sub(pic.Pushed) > time.Duration(r.Selection.CountNumber)*24*time.Hour
			if old {
				out = append(out, expired{pic, r.RulePriority})
			}
		}
	}
	return keepListed(all, out)
}

// keepListed leaves out what an index lists that stays.
func keepListed(all []*picture, out []expired) []expired {
	for {
		goes := map[image.Digest]bool{}
		for _, e := range out {
			goes[e.Digest] = true
		}
		listed := map[image.Digest]bool{}
		for _, pic := range all {
			if !goes[pic.Digest] {
				for _, c := range pic.Children {
					listed[c] = true
				}
			}
		}
		n := len(out)
		out = slices.DeleteFunc(out, func(e expired) bool { return listed[e.Digest] })
		if len(out) == n {
			return out
		}
	}
}
