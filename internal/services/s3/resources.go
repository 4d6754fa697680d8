package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::S3::Bucket", resource.Handlers[bucketProps]{
			Create: s.makeBucket, Find: s.leftBucket, Update: s.updateBucket, Delete: removeBucket,
			Attributes: []string{"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"},
			Identifier: []string{"BucketName"}, Read: s.readBucket, List: listBuckets, WriteOnly: []string{"LifecycleConfiguration", "AccessControl"},
		}),
		resource.Define("AWS::S3::BucketPolicy", resource.Handlers[policyProps]{
			Create: makePolicy,
			Update: func(ctx context.Context, rq *resource.Request, _ string, _, p *policyProps) (resource.State, error) {
				return makePolicy(ctx, rq, p)
			},
			Delete:     removePolicy,
			Identifier: []string{"Bucket"}, Read: readPolicy, List: listPolicies,
		}),
	}
}

// bucketProps follows
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html.
type bucketProps struct {
	BucketName    *string          `cfn:"BucketName,replace"`
	AccessControl *string          `cfn:"AccessControl"`
	Versioning    *versioningProps `cfn:"VersioningConfiguration"`
	Website       *websiteProps    `cfn:"WebsiteConfiguration"`
	Public        *publicProps     `cfn:"PublicAccessBlockConfiguration"`
	CORS          *corsProps       `cfn:"CorsConfiguration"`
	Lifecycle     *lifecycleProps  `cfn:"LifecycleConfiguration"`
	Ownership     *ownershipProps  `cfn:"OwnershipControls"`
	Encryption    *encryptionProps `cfn:"BucketEncryption"`
	Tags          []tagProps       `cfn:"Tags"`

	_ any `cfn:"AbacStatus,refused"`
	_ any `cfn:"AccelerateConfiguration,refused"`
	_ any `cfn:"AnalyticsConfigurations,refused"`
	_ any `cfn:"BucketNamePrefix,refused"`
	_ any `cfn:"BucketNamespace,refused"`
	_ any `cfn:"IntelligentTieringConfigurations,refused"`
	_ any `cfn:"InventoryConfigurations,refused"`
	_ any `cfn:"LoggingConfiguration,refused"`
	_ any `cfn:"MetadataConfiguration,refused"`
	_ any `cfn:"MetadataTableConfiguration,refused"`
	_ any `cfn:"MetricsConfigurations,refused"`
	_ any `cfn:"NotificationConfiguration,refused"`
	_ any `cfn:"ObjectLockConfiguration,refused"`
	_ any `cfn:"ObjectLockEnabled,refused"`
	_ any `cfn:"ReplicationConfiguration,refused"`
}

type tagProps struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

type versioningProps struct {
	Status string `cfn:"Status,required"`
}

type publicProps struct {
	BlockPublicAcls       *bool `cfn:"BlockPublicAcls"`
	BlockPublicPolicy     *bool `cfn:"BlockPublicPolicy"`
	IgnorePublicAcls      *bool `cfn:"IgnorePublicAcls"`
	RestrictPublicBuckets *bool `cfn:"RestrictPublicBuckets"`
}

type websiteProps struct {
	ErrorDocument *string            `cfn:"ErrorDocument"`
	IndexDocument *string            `cfn:"IndexDocument"`
	RedirectAll   *redirectAllProps  `cfn:"RedirectAllRequestsTo"`
	RoutingRules  []routingRuleProps `cfn:"RoutingRules"`
}

type redirectAllProps struct {
	HostName string  `cfn:"HostName,required"`
	Protocol *string `cfn:"Protocol"`
}

type routingRuleProps struct {
	Redirect struct {
		HostName             *string `cfn:"HostName"`
		HTTPRedirectCode     *string `cfn:"HttpRedirectCode"`
		Protocol             *string `cfn:"Protocol"`
		ReplaceKeyPrefixWith *string `cfn:"ReplaceKeyPrefixWith"`
		ReplaceKeyWith       *string `cfn:"ReplaceKeyWith"`
	} `cfn:"RedirectRule,required"`
	Condition *struct {
		HTTPErrorCodeReturnedEquals *string `cfn:"HttpErrorCodeReturnedEquals"`
		KeyPrefixEquals             *string `cfn:"KeyPrefixEquals"`
	} `cfn:"RoutingRuleCondition"`
}

type corsProps struct {
	Rules []struct {
		AllowedHeaders []string `cfn:"AllowedHeaders"`
		AllowedMethods []string `cfn:"AllowedMethods,required"`
		AllowedOrigins []string `cfn:"AllowedOrigins,required"`
		ExposedHeaders []string `cfn:"ExposedHeaders"`
		ID             *string  `cfn:"Id"`
		MaxAge         *int32   `cfn:"MaxAge"`
	} `cfn:"CorsRules,required"`
}

type lifecycleProps struct {
	Rules                              []lifecycleRuleProps `cfn:"Rules,required"`
	TransitionDefaultMinimumObjectSize *string              `cfn:"TransitionDefaultMinimumObjectSize,meaningless"`
}

type lifecycleRuleProps struct {
	ID             *string `cfn:"Id"`
	Status         string  `cfn:"Status,required"`
	Prefix         *string `cfn:"Prefix"`
	ExpirationDays *int32  `cfn:"ExpirationInDays"`
	ExpirationDate *string `cfn:"ExpirationDate"`
	ExpiredMarker  *bool   `cfn:"ExpiredObjectDeleteMarker"`
	Abort          *struct {
		DaysAfterInitiation int32 `cfn:"DaysAfterInitiation,required"`
	} `cfn:"AbortIncompleteMultipartUpload"`
	NoncurrentDays *int32 `cfn:"NoncurrentVersionExpirationInDays"`
	Noncurrent     *struct {
		NoncurrentDays          int32  `cfn:"NoncurrentDays,required"`
		NewerNoncurrentVersions *int32 `cfn:"NewerNoncurrentVersions"`
	} `cfn:"NoncurrentVersionExpiration"`
	TagFilters []tagProps `cfn:"TagFilters"`
	Larger     *int64     `cfn:"ObjectSizeGreaterThan"`
	Smaller    *int64     `cfn:"ObjectSizeLessThan"`

	_ any `cfn:"NoncurrentVersionTransition,refused"`
	_ any `cfn:"NoncurrentVersionTransitions,refused"`
	_ any `cfn:"Transition,refused"`
	_ any `cfn:"Transitions,refused"`
}

type ownershipProps struct {
	Rules []struct {
		ObjectOwnership string `cfn:"ObjectOwnership"`
	} `cfn:"Rules,required"`
}

type encryptionProps struct {
	Rules []struct {
		BucketKeyEnabled *bool `cfn:"BucketKeyEnabled"`
		Default          *struct {
			SSEAlgorithm   string  `cfn:"SSEAlgorithm,required"`
			KMSMasterKeyID *string `cfn:"KMSMasterKeyID"`
		} `cfn:"ServerSideEncryptionByDefault"`
	} `cfn:"ServerSideEncryptionConfiguration,required"`
}

func (s *Service) makeBucket(ctx context.Context, rq *resource.Request, p *bucketProps) (resource.State, error) {
	name := opt.Val(p.BucketName)
	if name == "" {
		name = strings.ToLower(rq.Name(63))
	} else if _, err := call.Do(ctx, rq.Caller, rq.As, api.HeadBucket, &api.HeadBucketRequest{Bucket: &name}); err == nil {
		// In us-east-1 a second CreateBucket would succeed, and the stack take over
		// a bucket that is not its own.
		return resource.State{}, fault.New("AlreadyExists", 409, "%s already exists", name)
	}
	in := &api.CreateBucketRequest{Bucket: &name}
	if rq.Region != "us-east-1" {
		in.CreateBucketConfiguration = &api.CreateBucketConfiguration{LocationConstraint: &rq.Region}
	}
	if p.AccessControl != nil && *p.AccessControl != "Private" {
		return resource.State{}, notImplemented("AccessControl " + *p.AccessControl + " (bucket policies are)")
	}
	if _, err := call.Do(ctx, rq.Caller, rq.As, api.CreateBucket, in); err != nil {
		return resource.State{}, err
	}
	if err := configure(ctx, rq, name, &bucketProps{}, p); err != nil {
		// Leave nothing behind; the first error is the one to tell.
		_, _ = call.Do(ctx, rq.Caller, rq.As, api.DeleteBucket, &api.DeleteBucketRequest{Bucket: &name})
		return resource.State{}, err
	}
	return s.bucketState(rq, name), nil
}

func (s *Service) updateBucket(ctx context.Context, rq *resource.Request, id string, old, p *bucketProps) (resource.State, error) {
	if p.AccessControl != nil && *p.AccessControl != "Private" {
		return resource.State{}, notImplemented("AccessControl " + *p.AccessControl + " (bucket policies are)")
	}
	if err := configure(ctx, rq, id, old, p); err != nil {
		return resource.State{}, err
	}
	return s.bucketState(rq, id), nil
}

func removeBucket(ctx context.Context, rq *resource.Request, id string, _ *bucketProps) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucket, &api.DeleteBucketRequest{Bucket: &id})
	if fault.Is(err, "NoSuchBucket") {
		return nil
	}
	return err
}

// bucketState forms a bucket's addresses as the deployer's own address suggests.
func (s *Service) bucketState(rq *resource.Request, name string) resource.State {
	in := rq.As.Origin()
	if in.Host == "" {
		in.Scheme, in.Host = "http", s.d.Host
	}
	host := call.PublicHost(in.Host)
	return resource.State{ID: name, Attributes: map[string]any{
		"Arn":                 bucketARN(rq.Region, name),
		"DomainName":          name + ".s3." + host,
		"RegionalDomainName":  name + ".s3." + rq.Region + "." + host,
		"DualStackDomainName": name + ".s3." + rq.Region + "." + host,
		"WebsiteURL":          call.AddressOf(in, siteKind, name),
	}}
}

// configure brings a bucket from the settings old to p.
func configure(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	steps := []func(context.Context, *resource.Request, string, *bucketProps, *bucketProps) error{
		configureOwnership, configurePublic, configureEncryption, configureVersioning,
		configureTags, configureWebsite, configureCORS, configureLifecycle,
	}
	for _, step := range steps {
		if err := step(ctx, rq, name, old, p); err != nil {
			return err
		}
	}
	return nil
}

func configureOwnership(ctx context.Context, rq *resource.Request, name string, _, p *bucketProps) error {
	if p.Ownership == nil {
		return nil
	}
	c := &api.OwnershipControls{}
	for _, r := range p.Ownership.Rules {
		c.Rules = append(c.Rules, api.OwnershipControlsRule{ObjectOwnership: new(r.ObjectOwnership)})
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketOwnershipControls, &api.PutBucketOwnershipControlsRequest{Bucket: &name, OwnershipControls: c})
	return err
}

func configurePublic(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	switch {
	case p.Public != nil:
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutPublicAccessBlock, &api.PutPublicAccessBlockRequest{
			Bucket: &name, PublicAccessBlockConfiguration: &api.PublicAccessBlockConfiguration{
				BlockPublicAcls: p.Public.BlockPublicAcls, BlockPublicPolicy: p.Public.BlockPublicPolicy,
				IgnorePublicAcls: p.Public.IgnorePublicAcls, RestrictPublicBuckets: p.Public.RestrictPublicBuckets,
			},
		})
		return err
	case old.Public != nil:
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeletePublicAccessBlock, &api.DeletePublicAccessBlockRequest{Bucket: &name})
		return err
	}
	return nil
}

func configureEncryption(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	if p.Encryption == nil {
		if old.Encryption == nil {
			return nil
		}
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucketEncryption, &api.DeleteBucketEncryptionRequest{Bucket: &name})
		return err
	}
	c := &api.ServerSideEncryptionConfiguration{}
	for _, r := range p.Encryption.Rules {
		x := api.ServerSideEncryptionRule{BucketKeyEnabled: r.BucketKeyEnabled}
		if d := r.Default; d != nil {
			x.ApplyServerSideEncryptionByDefault = &api.ServerSideEncryptionByDefault{SSEAlgorithm: new(d.SSEAlgorithm), KMSMasterKeyID: d.KMSMasterKeyID}
		}
		c.Rules = append(c.Rules, x)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketEncryption, &api.PutBucketEncryptionRequest{Bucket: &name, ServerSideEncryptionConfiguration: c})
	return err
}

func configureVersioning(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	status := ""
	switch {
	case p.Versioning != nil:
		status = p.Versioning.Status
	case old.Versioning != nil:
		status = "Suspended" // versioning cannot be taken back
	default:
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketVersioning, &api.PutBucketVersioningRequest{
		Bucket: &name, VersioningConfiguration: &api.VersioningConfiguration{Status: &status},
	})
	return err
}

func configureTags(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	all := map[string]string{}
	for k, v := range rq.StackTags {
		all[k] = v
	}
	for _, t := range p.Tags {
		all[t.Key] = t.Value
	}
	if len(all) == 0 {
		if len(old.Tags) == 0 {
			return nil
		}
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucketTagging, &api.DeleteBucketTaggingRequest{Bucket: &name})
		return err
	}
	set := &api.Tagging{}
	for k, v := range all {
		set.TagSet = append(set.TagSet, api.Tag{Key: new(k), Value: new(v)})
	}
	sort.Slice(set.TagSet, func(i, j int) bool { return *set.TagSet[i].Key < *set.TagSet[j].Key })
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketTagging, &api.PutBucketTaggingRequest{Bucket: &name, Tagging: set})
	return err
}

func configureWebsite(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	if p.Website == nil {
		if old.Website == nil {
			return nil
		}
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucketWebsite, &api.DeleteBucketWebsiteRequest{Bucket: &name})
		return err
	}
	w := &api.WebsiteConfiguration{}
	if p.Website.IndexDocument != nil {
		w.IndexDocument = &api.IndexDocument{Suffix: p.Website.IndexDocument}
	}
	if p.Website.ErrorDocument != nil {
		w.ErrorDocument = &api.ErrorDocument{Key: p.Website.ErrorDocument}
	}
	if r := p.Website.RedirectAll; r != nil {
		w.RedirectAllRequestsTo = &api.RedirectAllRequestsTo{HostName: &r.HostName, Protocol: r.Protocol}
	}
	for _, r := range p.Website.RoutingRules {
		x := api.RoutingRule{Redirect: &api.Redirect{
			HostName: r.Redirect.HostName, HttpRedirectCode: r.Redirect.HTTPRedirectCode, Protocol: r.Redirect.Protocol,
			ReplaceKeyPrefixWith: r.Redirect.ReplaceKeyPrefixWith, ReplaceKeyWith: r.Redirect.ReplaceKeyWith,
		}}
		if c := r.Condition; c != nil {
			x.Condition = &api.Condition{HttpErrorCodeReturnedEquals: c.HTTPErrorCodeReturnedEquals, KeyPrefixEquals: c.KeyPrefixEquals}
		}
		w.RoutingRules = append(w.RoutingRules, x)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketWebsite, &api.PutBucketWebsiteRequest{Bucket: &name, WebsiteConfiguration: w})
	return err
}

func configureCORS(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	if p.CORS == nil {
		if old.CORS == nil {
			return nil
		}
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucketCors, &api.DeleteBucketCorsRequest{Bucket: &name})
		return err
	}
	c := &api.CORSConfiguration{}
	for _, r := range p.CORS.Rules {
		c.CORSRules = append(c.CORSRules, api.CORSRule{
			ID: r.ID, AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods, AllowedOrigins: r.AllowedOrigins,
			ExposeHeaders: r.ExposedHeaders, MaxAgeSeconds: r.MaxAge,
		})
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketCors, &api.PutBucketCorsRequest{Bucket: &name, CORSConfiguration: c})
	return err
}

func configureLifecycle(ctx context.Context, rq *resource.Request, name string, old, p *bucketProps) error {
	if p.Lifecycle == nil {
		if old.Lifecycle == nil {
			return nil
		}
		_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucketLifecycle, &api.DeleteBucketLifecycleRequest{Bucket: &name})
		return err
	}
	c := &api.BucketLifecycleConfiguration{}
	for i := range p.Lifecycle.Rules {
		r, err := p.Lifecycle.Rules[i].rule()
		if err != nil {
			return err
		}
		c.Rules = append(c.Rules, r)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketLifecycleConfiguration, &api.PutBucketLifecycleConfigurationRequest{Bucket: &name, LifecycleConfiguration: c})
	return err
}

func (r *lifecycleRuleProps) rule() (api.LifecycleRule, error) {
	and := &api.LifecycleRuleAndOperator{Prefix: r.Prefix, ObjectSizeGreaterThan: r.Larger, ObjectSizeLessThan: r.Smaller}
	for _, t := range r.TagFilters {
		and.Tags = append(and.Tags, api.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	out := api.LifecycleRule{ID: r.ID, Status: &r.Status, Filter: &api.LifecycleRuleFilter{And: and}}
	if r.ExpirationDays != nil || r.ExpiredMarker != nil || r.ExpirationDate != nil {
		out.Expiration = &api.LifecycleExpiration{Days: r.ExpirationDays, ExpiredObjectDeleteMarker: r.ExpiredMarker}
	}
	if r.ExpirationDate != nil {
		at, err := time.Parse(time.RFC3339, *r.ExpirationDate)
		if err != nil {
			at, err = time.Parse(time.DateOnly, *r.ExpirationDate)
		}
		if err != nil {
			return out, invalidArgument("ExpirationDate", *r.ExpirationDate, "ExpirationDate must be in ISO 8601 format")
		}
		out.Expiration.Date = &at
	}
	if r.Abort != nil {
		out.AbortIncompleteMultipartUpload = &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: &r.Abort.DaysAfterInitiation}
	}
	switch {
	case r.Noncurrent != nil:
		out.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: &r.Noncurrent.NoncurrentDays, NewerNoncurrentVersions: r.Noncurrent.NewerNoncurrentVersions}
	case r.NoncurrentDays != nil:
		out.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: r.NoncurrentDays}
	}
	return out, nil
}

// policyProps follows
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html.
type policyProps struct {
	Bucket   string `cfn:"Bucket,required,replace"`
	Document any    `cfn:"PolicyDocument,required"`
}

func makePolicy(ctx context.Context, rq *resource.Request, p *policyProps) (resource.State, error) {
	text, ok := p.Document.(string)
	if !ok {
		doc, err := json.Marshal(p.Document)
		if err != nil {
			return resource.State{}, fmt.Errorf("encode PolicyDocument: %w", err)
		}
		text = string(doc)
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutBucketPolicy, &api.PutBucketPolicyRequest{Bucket: &p.Bucket, Policy: &text})
	return resource.State{ID: p.Bucket}, err
}

func removePolicy(ctx context.Context, rq *resource.Request, _ string, p *policyProps) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteBucketPolicy, &api.DeleteBucketPolicyRequest{Bucket: &p.Bucket})
	if fault.Is(err, "NoSuchBucket") {
		return nil
	}
	return err
}
