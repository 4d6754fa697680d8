package s3

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (s *Service) policyBindings() []call.Binding {
	return []call.Binding{
		bind(api.PutBucketPolicy, onPolicy[api.PutBucketPolicyRequest](s, "s3:PutBucketPolicy"), s.putBucketPolicy),
		bind(api.GetBucketPolicy, onPolicy[api.GetBucketPolicyRequest](s, "s3:GetBucketPolicy"), s.getBucketPolicy),
		bind(api.DeleteBucketPolicy, onPolicy[api.DeleteBucketPolicyRequest](s, "s3:DeleteBucketPolicy"), s.deleteBucketPolicy),
		bind(api.GetBucketPolicyStatus, onBucket[api.GetBucketPolicyStatusRequest](s, "s3:GetBucketPolicyStatus"), s.getBucketPolicyStatus),
		bind(api.PutPublicAccessBlock, onBucket[api.PutPublicAccessBlockRequest](s, "s3:PutBucketPublicAccessBlock"), s.putPublicAccessBlock),
		bind(api.GetPublicAccessBlock, onBucket[api.GetPublicAccessBlockRequest](s, "s3:GetBucketPublicAccessBlock"), s.getPublicAccessBlock),
		bind(api.DeletePublicAccessBlock, onBucket[api.DeletePublicAccessBlockRequest](s, "s3:PutBucketPublicAccessBlock"), s.deletePublicAccessBlock),
	}
}

// onPolicy is onBucket, but that the owner's root can always get at the policy,
// whatever it says, so that nobody is locked out for good.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func onPolicy[I any](s *Service, action string) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		var needs []call.Need
		err := s.d.Store.View(ctx, func(r data.Reader) error {
			t, err := s.look(r, rq, opt.Val(member(in, "Bucket")), member(in, "ExpectedBucketOwner"))
			if err != nil {
				return err
			}
			n := t.need(action, nil, nil)
			if p := rq.Principal(); p.Kind == policy.Root && p.Account == n.Owner {
				n.Policy = nil
			}
			needs = []call.Need{n}
			return nil
		})
		return needs, err
	}, action)
}

func malformedPolicy(format string, args ...any) error {
	return fault.New("MalformedPolicy", 400, format, args...)
}

// checkPolicy checks a bucket policy's document.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
func checkPolicy(bucket, doc string) error {
	if len(doc) > maxPolicy {
		return fault.New("PolicyTooLarge", 400, "The policy has %d bytes, at most %d are allowed", len(doc), maxPolicy)
	}
	p, err := policy.Parse([]byte(doc))
	if err == nil {
		err = policy.ValidateResource(p)
	}
	if err != nil {
		return malformedPolicy("%s", err.Error())
	}
	for _, st := range p.Statements() {
		for _, a := range slices.Concat(st.Action, st.NotAction) {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
				return malformedPolicy("Policy has invalid action")
			}
		}
		resources := slices.Concat(st.Resource, st.NotResource)
		if len(resources) == 0 {
			return malformedPolicy("Missing required field Resource")
		}
		for _, r := range resources {
			name, ok := cutResource(r)
			if !ok || name != bucket && !strings.HasPrefix(name, bucket+"/") {
				return malformedPolicy("Policy has invalid resource")
			}
		}
	}
	return nil
}

// cutResource returns what follows arn:PARTITION:s3:::.
func cutResource(arn string) (string, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "s3" || parts[3] != "" || parts[4] != "" {
		return "", false
	}
	return parts[5], true
}

func (s *Service) putBucketPolicy(ctx context.Context, rq *call.Authorized, in *api.PutBucketPolicyRequest) (*call.None, error) {
	if err := checkPolicy(*in.Bucket, *in.Policy); err != nil {
		return nil, err
	}
	public := publicPolicy([]byte(*in.Policy))
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error {
		if public && opt.Val(b.publicBlock().BlockPublicPolicy) {
			p := rq.Principal()
			return fault.Of(fault.AccessDenied, "User: %s is not authorized to perform: s3:PutBucketPolicy on resource: %q because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.", p.String(), bucketARN(b.Region, b.Name))
		}
		b.Policy = *in.Policy
		return nil
	})
}

func (s *Service) getBucketPolicy(ctx context.Context, _ *call.Authorized, in *api.GetBucketPolicyRequest) (*api.GetBucketPolicyOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, noSuch("NoSuchBucketPolicy", "The bucket policy does not exist", b.Name)
	}
	return &api.GetBucketPolicyOutput{Policy: &b.Policy}, nil
}

func (s *Service) deleteBucketPolicy(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketPolicyRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Policy = ""; return nil })
}

func (s *Service) getBucketPolicyStatus(ctx context.Context, _ *call.Authorized, in *api.GetBucketPolicyStatusRequest) (*api.GetBucketPolicyStatusOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, noSuch("NoSuchBucketPolicy", "The bucket policy does not exist", b.Name)
	}
	return &api.GetBucketPolicyStatusOutput{PolicyStatus: &api.PolicyStatus{IsPublic: &b.isPublic}}, nil
}

// publicBlock returns the bucket's public access block; without one nothing is blocked.
func (b *bucket) publicBlock() api.PublicAccessBlockConfiguration {
	if b.Public == nil {
		return api.PublicAccessBlockConfiguration{}
	}
	return *b.Public
}

func (s *Service) putPublicAccessBlock(ctx context.Context, _ *call.Authorized, in *api.PutPublicAccessBlockRequest) (*call.None, error) {
	c := in.PublicAccessBlockConfiguration
	set := func(p *bool) *bool { return new(opt.Val(p)) }
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error {
		b.Public = &api.PublicAccessBlockConfiguration{
			BlockPublicAcls: set(c.BlockPublicAcls), IgnorePublicAcls: set(c.IgnorePublicAcls),
			BlockPublicPolicy: set(c.BlockPublicPolicy), RestrictPublicBuckets: set(c.RestrictPublicBuckets),
		}
		return nil
	})
}

func (s *Service) getPublicAccessBlock(ctx context.Context, _ *call.Authorized, in *api.GetPublicAccessBlockRequest) (*api.GetPublicAccessBlockOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Public == nil {
		return nil, noSuch("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", b.Name)
	}
	return &api.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: b.Public}, nil
}

func (s *Service) deletePublicAccessBlock(ctx context.Context, _ *call.Authorized, in *api.DeletePublicAccessBlockRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Public = nil; return nil })
}

// publicPolicy reports whether a bucket policy is public: whether it allows
// anything to everybody without a condition that pins down, with fixed values,
// where requests come from or on whose behalf.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func publicPolicy(doc []byte) bool {
	type statement struct {
		Effect       string
		Principal    any
		NotPrincipal any
		Condition    map[string]map[string]any
	}
	var p struct{ Statement json.RawMessage }
	var all []statement
	if json.Unmarshal(doc, &p) != nil {
		return true
	}
	if json.Unmarshal(p.Statement, &all) != nil {
		all = make([]statement, 1)
		if json.Unmarshal(p.Statement, &all[0]) != nil {
			return true
		}
	}
	for _, st := range all {
		if st.Effect == "Allow" && (st.NotPrincipal != nil || everybody(st.Principal)) && !pinned(st.Condition) {
			return true
		}
	}
	return false
}

func everybody(principal any) bool {
	switch p := principal.(type) {
	case string:
		return strings.Contains(p, "*")
	case []any:
		return slices.ContainsFunc(p, everybody)
	case map[string]any:
		for _, v := range p {
			if everybody(v) {
				return true
			}
		}
	}
	return false
}

// pinned reports whether a condition narrows the callers to fixed ones.
func pinned(conditions map[string]map[string]any) bool {
	for op, keys := range conditions {
		op = strings.TrimPrefix(strings.ToLower(op), "forallvalues:")
		op = strings.TrimPrefix(op, "foranyvalue:")
		for key, v := range keys {
			values, ok := v.([]any)
			if !ok {
				values = []any{v}
			}
			if fixedKey(op, strings.ToLower(key)) && len(values) > 0 && !slices.ContainsFunc(values, loose) {
				return true
			}
		}
	}
	return false
}

func fixedKey(op, key string) bool {
	switch op {
	case "ipaddress":
		return key == "aws:sourceip"
	case "stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike":
	default:
		return false
	}
	switch key {
	case "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount", "aws:userid",
		"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn",
		"s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id":
		return true
	}
	return false
}

// loose reports a value that is no fixed one: a pattern, a variable, the whole internet.
func loose(v any) bool {
	s, ok := v.(string)
	if !ok || strings.ContainsAny(s, "*?") || strings.Contains(s, "${") {
		return true
	}
	net, err := netip.ParsePrefix(s)
	return err == nil && net.Bits() < 8
}
