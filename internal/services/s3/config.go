package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) configBindings() []call.Binding {
	return []call.Binding{
		bind(api.PutBucketCors, onBucket[api.PutBucketCorsRequest](s, "s3:PutBucketCORS"), s.putBucketCors),
		bind(api.GetBucketCors, onBucket[api.GetBucketCorsRequest](s, "s3:GetBucketCORS"), s.getBucketCors),
		bind(api.DeleteBucketCors, onBucket[api.DeleteBucketCorsRequest](s, "s3:PutBucketCORS"), s.deleteBucketCors),

		bind(api.PutBucketWebsite, onBucket[api.PutBucketWebsiteRequest](s, "s3:PutBucketWebsite"), s.putBucketWebsite),
		bind(api.GetBucketWebsite, onBucket[api.GetBucketWebsiteRequest](s, "s3:GetBucketWebsite"), s.getBucketWebsite),
		bind(api.DeleteBucketWebsite, onBucket[api.DeleteBucketWebsiteRequest](s, "s3:DeleteBucketWebsite"), s.deleteBucketWebsite),

		bind(api.PutBucketLifecycleConfiguration, onBucket[api.PutBucketLifecycleConfigurationRequest](s, "s3:PutLifecycleConfiguration"), s.putLifecycle),
		bind(api.GetBucketLifecycleConfiguration, onBucket[api.GetBucketLifecycleConfigurationRequest](s, "s3:GetLifecycleConfiguration"), s.getLifecycle),
		bind(api.DeleteBucketLifecycle, onBucket[api.DeleteBucketLifecycleRequest](s, "s3:PutLifecycleConfiguration"), s.deleteLifecycle),

		bind(api.PutBucketEncryption, onBucket[api.PutBucketEncryptionRequest](s, "s3:PutEncryptionConfiguration"), s.putBucketEncryption),
		bind(api.GetBucketEncryption, onBucket[api.GetBucketEncryptionRequest](s, "s3:GetEncryptionConfiguration"), s.getBucketEncryption),
		bind(api.DeleteBucketEncryption, onBucket[api.DeleteBucketEncryptionRequest](s, "s3:PutEncryptionConfiguration"), s.deleteBucketEncryption),

		bind(api.PutBucketNotificationConfiguration, onBucket[api.PutBucketNotificationConfigurationRequest](s, "s3:PutBucketNotification"), s.putNotification),
		bind(api.GetBucketNotificationConfiguration, onBucket[api.GetBucketNotificationConfigurationRequest](s, "s3:GetBucketNotification"), s.getNotification),
	}
}

// putNotification takes the empty configuration only: no event is sent yet.
func (s *Service) putNotification(ctx context.Context, _ *call.Authorized, in *api.PutBucketNotificationConfigurationRequest) (*call.None, error) {
	_, err := s.view(ctx, *in.Bucket)
	switch n := in.NotificationConfiguration; {
	case err != nil:
	case len(n.TopicConfigurations) > 0:
		err = notImplemented("Notifying a topic (TopicConfiguration)")
	case len(n.QueueConfigurations) > 0:
		err = notImplemented("Notifying a queue (QueueConfiguration)")
	case len(n.LambdaFunctionConfigurations) > 0:
		err = notImplemented("Notifying a function (CloudFunctionConfiguration)")
	case n.EventBridgeConfiguration != nil:
		err = notImplemented("Notifying EventBridge (EventBridgeConfiguration)")
	}
	return &call.None{}, err
}

func (s *Service) getNotification(ctx context.Context, _ *call.Authorized, in *api.GetBucketNotificationConfigurationRequest) (*api.NotificationConfiguration, error) {
	_, err := s.view(ctx, *in.Bucket)
	return &api.NotificationConfiguration{}, err
}

func (s *Service) putBucketWebsite(ctx context.Context, _ *call.Authorized, in *api.PutBucketWebsiteRequest) (*call.None, error) {
	if err := checkWebsite(in.WebsiteConfiguration); err != nil {
		return nil, err
	}
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Website = in.WebsiteConfiguration; return nil })
}

func (s *Service) getBucketWebsite(ctx context.Context, _ *call.Authorized, in *api.GetBucketWebsiteRequest) (*api.GetBucketWebsiteOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	w := b.Website
	if w == nil {
		return nil, noWebsite(b.Name)
	}
	return &api.GetBucketWebsiteOutput{
		IndexDocument: w.IndexDocument, ErrorDocument: w.ErrorDocument, RedirectAllRequestsTo: w.RedirectAllRequestsTo, RoutingRules: w.RoutingRules,
	}, nil
}

func (s *Service) deleteBucketWebsite(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketWebsiteRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Website = nil; return nil })
}

func noWebsite(bucket string) error {
	return noSuch("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration", bucket)
}

func (s *Service) putBucketCors(ctx context.Context, _ *call.Authorized, in *api.PutBucketCorsRequest) (*call.None, error) {
	if err := checkCORS(in.CORSConfiguration.CORSRules); err != nil {
		return nil, err
	}
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.CORS = in.CORSConfiguration.CORSRules; return nil })
}

func (s *Service) getBucketCors(ctx context.Context, _ *call.Authorized, in *api.GetBucketCorsRequest) (*api.GetBucketCorsOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if len(b.CORS) == 0 {
		return nil, noSuch("NoSuchCORSConfiguration", "The CORS configuration does not exist", b.Name)
	}
	return &api.GetBucketCorsOutput{CORSRules: b.CORS}, nil
}

func (s *Service) deleteBucketCors(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketCorsRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.CORS = nil; return nil })
}

func (s *Service) putLifecycle(ctx context.Context, _ *call.Authorized, in *api.PutBucketLifecycleConfigurationRequest) (*api.PutBucketLifecycleConfigurationOutput, error) {
	if in.LifecycleConfiguration == nil {
		return nil, malformedXML()
	}
	rules := in.LifecycleConfiguration.Rules
	if err := checkLifecycle(rules); err != nil {
		return nil, err
	}
	for i := range rules {
		if opt.Val(rules[i].ID) == "" {
			rules[i].ID = new(s.d.IDs.UUID())
		}
	}
	err := s.change(ctx, *in.Bucket, func(b *bucket) error { b.Lifecycle = rules; return nil })
	return &api.PutBucketLifecycleConfigurationOutput{}, err
}

func (s *Service) getLifecycle(ctx context.Context, _ *call.Authorized, in *api.GetBucketLifecycleConfigurationRequest) (*api.GetBucketLifecycleConfigurationOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if len(b.Lifecycle) == 0 {
		return nil, noSuch("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", b.Name)
	}
	return &api.GetBucketLifecycleConfigurationOutput{Rules: b.Lifecycle}, nil
}

func (s *Service) deleteLifecycle(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketLifecycleRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Lifecycle = nil; return nil })
}
