package s3

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// setting reads one setting of a bucket; nil if the bucket does not have it.
func setting[I, O any](ctx context.Context, rq *resource.Request, op call.Op[I, O], in *I) (*O, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, op, in)
	if f := fault.As(err); f != nil && (strings.HasPrefix(f.Code, "NoSuch") && f.Code != "NoSuchBucket" || strings.HasSuffix(f.Code, "NotFoundError") || strings.HasSuffix(f.Code, "NotFound")) {
		return nil, nil
	}
	return out, err
}

// readBucket reads the settings of a bucket but for its lifecycle, whose rules can be
// written in more than one way.
func (s *Service) readBucket(ctx context.Context, rq *resource.Request, name string, _ *bucketProps) (*bucketProps, resource.State, error) {
	none := resource.State{}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.HeadBucket, &api.HeadBucketRequest{Bucket: &name})
	if f := fault.As(err); f != nil && f.Status == 404 {
		return nil, none, nil
	}
	if err != nil {
		return nil, none, err
	}
	p := &bucketProps{BucketName: &name}
	steps := []func() error{
		func() error {
			out, err := setting(ctx, rq, api.GetBucketVersioning, &api.GetBucketVersioningRequest{Bucket: &name})
			if out != nil && opt.Val(out.Status) != "" {
				p.Versioning = &versioningProps{*out.Status}
			}
			return err
		},
		func() error {
			out, err := setting(ctx, rq, api.GetPublicAccessBlock, &api.GetPublicAccessBlockRequest{Bucket: &name})
			if out != nil && out.PublicAccessBlockConfiguration != nil {
				c := out.PublicAccessBlockConfiguration
				p.Public = &publicProps{c.BlockPublicAcls, c.BlockPublicPolicy, c.IgnorePublicAcls, c.RestrictPublicBuckets}
			}
			return err
		},
		func() error {
			out, err := setting(ctx, rq, api.GetBucketTagging, &api.GetBucketTaggingRequest{Bucket: &name})
			if out != nil {
				for _, t := range out.TagSet {
					p.Tags = append(p.Tags, tagProps{opt.Val(t.Key), opt.Val(t.Value)})
				}
			}
			return err
		},
		func() error {
			out, err := setting(ctx, rq, api.GetBucketWebsite, &api.GetBucketWebsiteRequest{Bucket: &name})
			if out != nil {
				p.Website = websiteOf(out)
			}
			return err
		},
		func() error {
			out, err := setting(ctx, rq, api.GetBucketCors, &api.GetBucketCorsRequest{Bucket: &name})
			if out == nil {
				return err
			}
			p.CORS = &corsProps{}
			for _, r := range out.CORSRules {
				rules := append(p.CORS.Rules, struct {
					AllowedHeaders []string `cfn:"AllowedHeaders"`
					AllowedMethods []string `cfn:"AllowedMethods,required"`
					AllowedOrigins []string `cfn:"AllowedOrigins,required"`
					ExposedHeaders []string `cfn:"ExposedHeaders"`
					ID             *string  `cfn:"Id"`
					MaxAge         *int32   `cfn:"MaxAge"`
				}{r.AllowedHeaders, r.AllowedMethods, r.AllowedOrigins, r.ExposeHeaders, r.ID, r.MaxAgeSeconds})
				p.CORS.Rules = rules
			}
			return err
		},
		func() error {
			out, err := setting(ctx, rq, api.GetBucketOwnershipControls, &api.GetBucketOwnershipControlsRequest{Bucket: &name})
			if out == nil || out.OwnershipControls == nil {
				return err
			}
			p.Ownership = &ownershipProps{}
			for _, r := range out.OwnershipControls.Rules {
				p.Ownership.Rules = append(p.Ownership.Rules, struct {
					ObjectOwnership string `cfn:"ObjectOwnership"`
				}{opt.Val(r.ObjectOwnership)})
			}
			return err
		},
		func() error {
			out, err := setting(ctx, rq, api.GetBucketEncryption, &api.GetBucketEncryptionRequest{Bucket: &name})
			if out != nil && out.ServerSideEncryptionConfiguration != nil {
				p.Encryption = encryptionOf(out.ServerSideEncryptionConfiguration)
			}
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, none, err
		}
	}
	return p, s.bucketState(rq, name), nil
}

func websiteOf(w *api.GetBucketWebsiteOutput) *websiteProps {
	out := &websiteProps{}
	if w.IndexDocument != nil {
		out.IndexDocument = w.IndexDocument.Suffix
	}
	if w.ErrorDocument != nil {
		out.ErrorDocument = w.ErrorDocument.Key
	}
	if r := w.RedirectAllRequestsTo; r != nil {
		out.RedirectAll = &redirectAllProps{opt.Val(r.HostName), r.Protocol}
	}
	for _, r := range w.RoutingRules {
		var x routingRuleProps
		if d := r.Redirect; d != nil {
			x.Redirect.HostName, x.Redirect.HTTPRedirectCode, x.Redirect.Protocol = d.HostName, d.HttpRedirectCode, d.Protocol
			x.Redirect.ReplaceKeyPrefixWith, x.Redirect.ReplaceKeyWith = d.ReplaceKeyPrefixWith, d.ReplaceKeyWith
		}
		if c := r.Condition; c != nil {
			x.Condition = &struct {
				HTTPErrorCodeReturnedEquals *string `cfn:"HttpErrorCodeReturnedEquals"`
				KeyPrefixEquals             *string `cfn:"KeyPrefixEquals"`
			}{c.HttpErrorCodeReturnedEquals, c.KeyPrefixEquals}
		}
		out.RoutingRules = append(out.RoutingRules, x)
	}
	return out
}

func encryptionOf(c *api.ServerSideEncryptionConfiguration) *encryptionProps {
	out := &encryptionProps{}
	for _, r := range c.Rules {
		rule := struct {
			BucketKeyEnabled *bool `cfn:"BucketKeyEnabled"`
			Default          *struct {
				SSEAlgorithm   string  `cfn:"SSEAlgorithm,required"`
				KMSMasterKeyID *string `cfn:"KMSMasterKeyID"`
			} `cfn:"ServerSideEncryptionByDefault"`
		}{BucketKeyEnabled: r.BucketKeyEnabled}
		if d := r.ApplyServerSideEncryptionByDefault; d != nil {
			rule.Default = &struct {
				SSEAlgorithm   string  `cfn:"SSEAlgorithm,required"`
				KMSMasterKeyID *string `cfn:"KMSMasterKeyID"`
			}{opt.Val(d.SSEAlgorithm), d.KMSMasterKeyID}
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}

func listBuckets(ctx context.Context, rq *resource.Request, _ *bucketProps) (out []string, err error) {
	all, err := call.Do(ctx, rq.Caller, rq.As, api.ListBuckets, &api.ListBucketsRequest{})
	if err != nil {
		return nil, err
	}
	for _, b := range all.Buckets {
		out = append(out, opt.Val(b.Name))
	}
	return out, nil
}

func readPolicy(ctx context.Context, rq *resource.Request, bucket string, _ *policyProps) (*policyProps, resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetBucketPolicy, &api.GetBucketPolicyRequest{Bucket: &bucket})
	if f := fault.As(err); f != nil && f.Status == 404 {
		return nil, resource.State{}, nil
	}
	if err != nil {
		return nil, resource.State{}, err
	}
	p := &policyProps{Bucket: bucket}
	if err := json.Unmarshal([]byte(opt.Val(out.Policy)), &p.Document); err != nil {
		return nil, resource.State{}, err
	}
	return p, resource.State{ID: bucket}, nil
}

// listPolicies lists the buckets that have a policy.
func listPolicies(ctx context.Context, rq *resource.Request, _ *policyProps) (out []string, err error) {
	buckets, err := listBuckets(ctx, rq, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range buckets {
		p, _, err := readPolicy(ctx, rq, name, nil)
		if err != nil {
			return nil, err
		}
		if p != nil {
			out = append(out, name)
		}
	}
	return out, nil
}
