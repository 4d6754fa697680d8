package sts

import (
	"context"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	tagrules "github.com/tierra-cloud/tierra/internal/kernel/tags"
	"github.com/tierra-cloud/tierra/internal/policy"
)

const (
	// maxPacked is how many characters of policies and tags a session may have.
	maxPacked   = 4096
	maxPlain    = 2048 // characters of a session policy
	maxPassARNs = 10
)

// passed are the policies that a session is limited to.
type passed struct {
	document string
	arns     []string
	size     int
}

// percent is PackedPolicySize; absent if nothing was passed.
func (p *passed) percent() *int32 {
	if p.size == 0 {
		return nil
	}
	return new(int32((p.size*100 + maxPacked - 1) / maxPacked))
}

// pass checks the policies and tags that a session is made with.
func (s *Service) pass(ctx context.Context, account string, document *string, arns []api.PolicyDescriptorType, tags map[string]string) (passed, error) {
	p := passed{document: opt.Val(document)}
	if p.document != "" {
		parsed, err := policy.Parse([]byte(p.document))
		if err == nil {
			err = policy.ValidateIdentity(parsed)
		}
		if err != nil {
			return p, api.MalformedPolicyDocumentException("%s", err)
		}
		if len([]rune(p.document)) > maxPlain {
			return p, api.PackedPolicyTooLargeException("The session policy has more than %d characters.", maxPlain)
		}
	}
	if len(arns) > maxPassARNs {
		return p, fault.Of(fault.Validation, "A session can have up to %d managed policies.", maxPassARNs)
	}
	for _, a := range arns {
		name := opt.Val(a.Arn)
		_, ok, err := s.d.Mint.Managed(ctx, account, name)
		if err != nil {
			return p, err
		}
		if !ok {
			return p, fault.Of(fault.Validation, "Invalid policy ARN: %s does not exist or is not attachable.", name)
		}
		p.arns = append(p.arns, name)
	}
	p.size = len(p.document) + len(strings.Join(p.arns, " "))
	for k, v := range tags {
		p.size += len(k) + len(v)
	}
	if p.size > maxPacked {
		return p, api.PackedPolicyTooLargeException("Packed size of session policies and tags is %d%% of the allotted size.", *p.percent())
	}
	return p, nil
}

func readTags(in []api.Tag) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for _, t := range in {
		k := opt.Val(t.Key)
		if _, twice := lookupFold(out, k); twice {
			return nil, fault.Of(fault.InvalidParameterValue, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		out[k] = opt.Val(t.Value)
	}
	if err := tagrules.Check(out); err != nil {
		return nil, fault.Of(fault.InvalidParameterValue, "%s", err)
	}
	return out, nil
}

// requestTags offers the condition keys of tags that are passed.
func requestTags(keys map[string][]string, tags []api.Tag) {
	var names []string
	for _, t := range tags {
		keys["aws:requesttag/"+strings.ToLower(opt.Val(t.Key))] = []string{opt.Val(t.Value)}
		names = append(names, opt.Val(t.Key))
	}
	if len(names) > 0 {
		keys["aws:tagkeys"] = names
	}
}

func lookupFold(tags map[string]string, key string) (string, bool) {
	for k, v := range tags {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}

func containsFold(list []string, key string) bool {
	for _, k := range list {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}
