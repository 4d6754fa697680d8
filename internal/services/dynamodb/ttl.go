package dynamodb

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) expiryBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.DescribeTimeToLive, onTable("dynamodb:DescribeTimeToLive", func(in *api.DescribeTimeToLiveInput) *string { return in.TableName }), s.describeTimeToLive),
		call.Bind(api.UpdateTimeToLive, onTable("dynamodb:UpdateTimeToLive", func(in *api.UpdateTimeToLiveInput) *string { return in.TableName }), s.updateTimeToLive),
	}
}

func (s *Service) describeTimeToLive(ctx context.Context, rq *call.Authorized, in *api.DescribeTimeToLiveInput) (*api.DescribeTimeToLiveOutput, error) {
	t, err := s.tableFor(ctx, rq, in.TableName)
	if err != nil {
		return nil, err
	}
	d := &api.TimeToLiveDescription{TimeToLiveStatus: new(api.TimeToLiveStatusDisabled)}
	if t.expiry != nil {
		d.AttributeName, d.TimeToLiveStatus = &t.expiry.Attribute, new(api.TimeToLiveStatusEnabled)
		if t.expiry.Filling {
			d.TimeToLiveStatus = new(api.TimeToLiveStatusEnabling)
		}
	}
	return &api.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

func (s *Service) updateTimeToLive(ctx context.Context, rq *call.Authorized, in *api.UpdateTimeToLiveInput) (*api.UpdateTimeToLiveOutput, error) {
	r, err := refOf(rq.Decoded, opt.Val(in.TableName))
	if err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	enable, attribute := opt.Val(spec.Enabled), opt.Val(spec.AttributeName)
	var filling string
	var rubbish []byte
	t, err := s.alter(ctx, r, func(txn data.Txn, rec *record) (err error) {
		filling, rubbish = "", nil
		switch {
		case enable && rec.Expiry != nil && rec.Expiry.Attribute == attribute:
			return invalid("TimeToLive is already enabled")
		case enable && rec.Expiry != nil:
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", rec.Expiry.Attribute)
		case !enable && rec.Expiry == nil:
			return invalid("TimeToLive is already disabled")
		case !enable && rec.Expiry.Attribute != attribute:
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", rec.Expiry.Attribute)
		case enable:
			rec.Expiry = &expiryRecord{Attribute: attribute, Filling: true}
			rec.Expiry.Number, err = number(txn, r.place)
			filling = rec.Expiry.Number
			return err
		}
		rubbish, err = discard(txn, r.place, numbered(r.place, "expiry", rec.Expiry.Number))
		rec.Expiry = nil
		return err
	})
	if err == errGone {
		return nil, tableNotFound(r)
	}
	if err != nil {
		return nil, err
	}
	if filling != "" {
		s.fill(ctx, t.ref, filling)
	}
	if rubbish != nil {
		s.clear(ctx, rubbish)
	}
	return &api.UpdateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
}
