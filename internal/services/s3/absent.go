package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// absentBindings are the operations on settings that every bucket here has in
// their first state, for the tools that read them back or set them to it.
func (s *Service) absentBindings() []call.Binding {
	return []call.Binding{
		bind(api.GetBucketAccelerateConfiguration, onBucket[api.GetBucketAccelerateConfigurationRequest](s, "s3:GetAccelerateConfiguration"), s.getAccelerate),
		bind(api.PutBucketAccelerateConfiguration, onBucket[api.PutBucketAccelerateConfigurationRequest](s, "s3:PutAccelerateConfiguration"), s.putAccelerate),
		bind(api.GetBucketRequestPayment, onBucket[api.GetBucketRequestPaymentRequest](s, "s3:GetBucketRequestPayment"), s.getRequestPayment),
		bind(api.PutBucketRequestPayment, onBucket[api.PutBucketRequestPaymentRequest](s, "s3:PutBucketRequestPayment"), s.putRequestPayment),
		bind(api.GetBucketLogging, onBucket[api.GetBucketLoggingRequest](s, "s3:GetBucketLogging"), s.getLogging),
		bind(api.PutBucketLogging, onBucket[api.PutBucketLoggingRequest](s, "s3:PutBucketLogging"), s.putLogging),
		bind(api.GetBucketReplication, onBucket[api.GetBucketReplicationRequest](s, "s3:GetReplicationConfiguration"), s.getReplication),
		bind(api.DeleteBucketReplication, onBucket[api.DeleteBucketReplicationRequest](s, "s3:PutReplicationConfiguration"), s.deleteReplication),
		bind(api.GetObjectLockConfiguration, onBucket[api.GetObjectLockConfigurationRequest](s, "s3:GetBucketObjectLockConfiguration"), s.getObjectLock),
	}
}

func (s *Service) getAccelerate(ctx context.Context, _ *call.Authorized, in *api.GetBucketAccelerateConfigurationRequest) (*api.GetBucketAccelerateConfigurationOutput, error) {
	_, err := s.view(ctx, *in.Bucket)
	return &api.GetBucketAccelerateConfigurationOutput{}, err
}

func (s *Service) putAccelerate(ctx context.Context, _ *call.Authorized, in *api.PutBucketAccelerateConfigurationRequest) (*call.None, error) {
	if in.AccelerateConfiguration != nil && opt.Val(in.AccelerateConfiguration.Status) == "Enabled" {
		return nil, notImplemented("Transfer acceleration")
	}
	_, err := s.view(ctx, *in.Bucket)
	return &call.None{}, err
}

func (s *Service) getRequestPayment(ctx context.Context, _ *call.Authorized, in *api.GetBucketRequestPaymentRequest) (*api.GetBucketRequestPaymentOutput, error) {
	_, err := s.view(ctx, *in.Bucket)
	return &api.GetBucketRequestPaymentOutput{Payer: new("BucketOwner")}, err
}

func (s *Service) putRequestPayment(ctx context.Context, _ *call.Authorized, in *api.PutBucketRequestPaymentRequest) (*call.None, error) {
	if c := in.RequestPaymentConfiguration; c != nil && opt.Val(c.Payer) != "BucketOwner" {
		return nil, notImplemented("Requester pays (the payer Requester)")
	}
	_, err := s.view(ctx, *in.Bucket)
	return &call.None{}, err
}

func (s *Service) getLogging(ctx context.Context, _ *call.Authorized, in *api.GetBucketLoggingRequest) (*api.GetBucketLoggingOutput, error) {
	_, err := s.view(ctx, *in.Bucket)
	return &api.GetBucketLoggingOutput{}, err
}

func (s *Service) putLogging(ctx context.Context, _ *call.Authorized, in *api.PutBucketLoggingRequest) (*call.None, error) {
	if c := in.BucketLoggingStatus; c != nil && c.LoggingEnabled != nil {
		return nil, notImplemented("Server access logging")
	}
	_, err := s.view(ctx, *in.Bucket)
	return &call.None{}, err
}

func (s *Service) getReplication(ctx context.Context, _ *call.Authorized, in *api.GetBucketReplicationRequest) (*api.GetBucketReplicationOutput, error) {
	if _, err := s.view(ctx, *in.Bucket); err != nil {
		return nil, err
	}
	return nil, noSuch("ReplicationConfigurationNotFoundError", "The replication configuration was not found", *in.Bucket)
}

func (s *Service) deleteReplication(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketReplicationRequest) (*call.None, error) {
	_, err := s.view(ctx, *in.Bucket)
	return &call.None{}, err
}

func (s *Service) getObjectLock(ctx context.Context, _ *call.Authorized, in *api.GetObjectLockConfigurationRequest) (*api.GetObjectLockConfigurationOutput, error) {
	if _, err := s.view(ctx, *in.Bucket); err != nil {
		return nil, err
	}
	return nil, noSuch("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", *in.Bucket)
}
