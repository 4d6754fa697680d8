package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) valueBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetSecretValue, onSecret(s, "secretsmanager:GetSecretValue", func(in *api.GetSecretValueRequest) (*string, map[string][]string) {
			return in.SecretId, keysOf(map[string]*string{"versionid": in.VersionId, "versionstage": in.VersionStage})
		}), s.getSecretValue),
		call.Bind(api.BatchGetSecretValue, call.Any[api.BatchGetSecretValueRequest]("secretsmanager:BatchGetSecretValue"), s.batchGetSecretValue),
		call.Bind(api.PutSecretValue, onSecret(s, "secretsmanager:PutSecretValue", func(in *api.PutSecretValueRequest) (*string, map[string][]string) { return in.SecretId, nil }), s.putSecretValue),
		call.Bind(api.UpdateSecretVersionStage, onSecret(s, "secretsmanager:UpdateSecretVersionStage", func(in *api.UpdateSecretVersionStageRequest) (*string, map[string][]string) {
			return in.SecretId, keysOf(map[string]*string{"versionstage": in.VersionStage})
		}), s.updateSecretVersionStage),
		call.Bind(api.ListSecretVersionIds, onSecret(s, "secretsmanager:ListSecretVersionIds", func(in *api.ListSecretVersionIdsRequest) (*string, map[string][]string) {
			return in.SecretId, nil
		}), s.listSecretVersionIds),
	}
}

// read opens a version of a secret.
func (s *Service) read(ctx context.Context, rq *call.Authorized, a area, x *secret, id string) (*content, error) {
	var w *sealed
	err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
		w, err = data.Load[sealed](r, a.value(x.Name, id))
		return err
	})
	if err == nil && w == nil { // it went between two looks
		err = absent()
	}
	if err != nil {
		return nil, err
	}
	return s.open(ctx, rq, a.arn(x.Name, x.Suffix), id, w)
}

func (s *Service) getSecretValue(ctx context.Context, rq *call.Authorized, in *api.GetSecretValueRequest) (*api.GetSecretValueResponse, error) {
	p, x, err := s.secretOf(ctx, rq, in.SecretId, false)
	if err != nil {
		return nil, err
	}
	id := opt.Val(in.VersionId)
	switch stage := opt.Or(in.VersionStage, current); {
	case id == "":
		if id = x.holder(stage); id == "" {
			return nil, api.ResourceNotFoundException("Secrets Manager can't find the specified secret value for staging label: %s", stage)
		}
	case x.Versions[id] == nil:
		return nil, api.ResourceNotFoundException("Secrets Manager can't find the specified secret value for VersionId: %s", id)
	case in.VersionStage != nil && !slices.Contains(x.Versions[id].Stages, stage):
		return nil, api.InvalidRequestException("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	v, err := s.read(ctx, rq, p.area, x, id)
	if err != nil {
		return nil, err
	}
	e := x.Versions[id]
	out := &api.GetSecretValueResponse{ARN: new(p.arn(x.Name, x.Suffix)), Name: new(x.Name), VersionId: &id, VersionStages: e.Stages, CreatedDate: new(e.Created)}
	if v.binary {
		out.SecretBinary = v.bytes
	} else {
		out.SecretString = new(string(v.bytes))
	}
	return out, nil
}

// batchGetSecretValue asks for each secret as the caller, who may lack the
// permission for some.
func (s *Service) batchGetSecretValue(ctx context.Context, rq *call.Authorized, in *api.BatchGetSecretValueRequest) (*api.BatchGetSecretValueResponse, error) {
	out := &api.BatchGetSecretValueResponse{SecretValues: []api.SecretValueEntry{}, Errors: []api.APIErrorType{}}
	list := in.SecretIdList
	switch {
	case len(list) > 0 && (len(in.Filters) > 0 || in.MaxResults != nil || in.NextToken != nil):
		return nil, api.InvalidParameterException("Either 'SecretIdList' or 'Filters' must be provided, but not both; MaxResults and NextToken go with Filters.")
	case len(list) == 0 && len(in.Filters) == 0:
		return nil, api.InvalidParameterException("Either 'SecretIdList' or 'Filters' must be provided.")
	case len(list) == 0:
		l, err := call.Do(ctx, s.d.Caller, rq.As(), api.ListSecrets, &api.ListSecretsRequest{Filters: in.Filters, MaxResults: new(opt.Or(in.MaxResults, 20)), NextToken: in.NextToken})
		if err != nil {
			return nil, err
		}
		for _, x := range l.SecretList {
			list = append(list, *x.ARN)
		}
		out.NextToken = l.NextToken
	}
	for _, id := range list {
		v, err := call.Do(ctx, s.d.Caller, rq.As(), api.GetSecretValue, &api.GetSecretValueRequest{SecretId: &id})
		if f := fault.As(err); f != nil {
			out.Errors = append(out.Errors, api.APIErrorType{SecretId: &id, ErrorCode: new(f.Code), Message: new(f.Message)})
			continue
		}
		if err != nil {
			return nil, err
		}
		out.SecretValues = append(out.SecretValues, api.SecretValueEntry(*v))
	}
	return out, nil
}

func (s *Service) putSecretValue(ctx context.Context, rq *call.Authorized, in *api.PutSecretValueRequest) (*api.PutSecretValueResponse, error) {
	v, err := contentOf(in.SecretString, in.SecretBinary)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, api.InvalidRequestException("You must provide either SecretString or SecretBinary.")
	case in.RotationToken != nil:
		return nil, api.InvalidParameterException("RotationToken is not supported: there is no rotation across accounts.")
	}
	stages := in.VersionStages
	if len(stages) == 0 {
		stages = []string{current}
	}
	return s.store(ctx, rq, in.SecretId, s.version(in.ClientRequestToken), v, stages, nil, func(*secret) {})
}

// repeated compares a value with that of a version: errSame if they are alike, a
// fault if not.
func (s *Service) repeated(ctx context.Context, rq *call.Authorized, a area, x *secret, id string, v *content) error {
	old, err := s.read(ctx, rq, a, x, id)
	if err != nil {
		return err
	}
	if old.same(v) {
		return errSame
	}
	return api.ResourceExistsException("You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, a.arn(x.Name, x.Suffix))
}

// store makes a version, or finds that it is there already. key is a new key for
// the secret, nil if it stays; also changes the secret's record further.
func (s *Service) store(ctx context.Context, rq *call.Authorized, secretID *string, id string, v *content, stages []string, key *string, also func(*secret)) (*api.PutSecretValueResponse, error) {
	p, x, err := s.secretOf(ctx, rq, secretID, false)
	if err != nil {
		return nil, err
	}
	if x.Versions[id] != nil {
		if err := s.repeated(ctx, rq, p.area, x, id, v); !errors.Is(err, errSame) {
			return nil, err
		}
	}
	name := opt.Or(key, opt.Or(opt.NonZero(x.KeyID), defaultKey))
	w, err := s.seal(ctx, rq, name, p.arn(x.Name, x.Suffix), id, v)
	if err != nil {
		return nil, err
	}
	out, suffix := &api.PutSecretValueResponse{VersionId: &id}, x.Suffix
	out.ARN, out.Name, err = s.change(ctx, rq, secretID, func(t data.Txn, p place, x *secret) error {
		if x.Suffix != suffix {
			return absent() // another secret has taken the name
		}
		also(x)
		if x.Versions == nil {
			x.Versions = map[string]*edition{}
		}
		if x.Versions[id] == nil {
			x.Versions[id] = &edition{Created: s.d.Clock.Now(), KeyID: name}
			if err := data.Save(t, p.value(x.Name, id), w); err != nil {
				return err
			}
		}
		if err := x.attach(id, stages...); err != nil {
			return err
		}
		out.VersionStages = x.Versions[id].Stages
		for _, old := range x.outdated() {
			delete(x.Versions, old)
			if err := t.Delete(p.value(x.Name, old)); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (s *Service) updateSecretVersionStage(ctx context.Context, rq *call.Authorized, in *api.UpdateSecretVersionStageRequest) (*api.UpdateSecretVersionStageResponse, error) {
	stage, from, to := *in.VersionStage, opt.Val(in.RemoveFromVersionId), opt.Val(in.MoveToVersionId)
	arn, name, err := s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error {
		for _, id := range []string{from, to} {
			if id != "" && x.Versions[id] == nil {
				return api.ResourceNotFoundException("Secrets Manager can't find the specified secret value for VersionId: %s", id)
			}
		}
		has := x.holder(stage)
		switch {
		case from == "" && to == "":
			return api.InvalidParameterException("You must provide RemoveFromVersionId, MoveToVersionId, or both.")
		case from != "" && has != from:
			return api.InvalidParameterException("The staging label %s is not attached to version %s.", stage, from)
		case to != "" && has != "" && has != to && from == "":
			return api.InvalidParameterException("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, has)
		case to == "" && stage == current:
			return api.InvalidParameterException("You can only move staging label %s to a different secret version. It can't be completely removed.", current)
		case to == "":
			x.detach(stage)
			return nil
		}
		return x.attach(to, stage)
	})
	return &api.UpdateSecretVersionStageResponse{ARN: arn, Name: name}, err
}

func (s *Service) listSecretVersionIds(ctx context.Context, rq *call.Authorized, in *api.ListSecretVersionIdsRequest) (*api.ListSecretVersionIdsResponse, error) {
	p, x, err := s.secretOf(ctx, rq, in.SecretId, true)
	if err != nil {
		return nil, err
	}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, api.InvalidNextTokenException("The NextToken value is invalid.")
	}
	out := &api.ListSecretVersionIdsResponse{ARN: new(p.arn(x.Name, x.Suffix)), Name: new(x.Name), Versions: []api.SecretVersionsListEntry{}}
	order := make([]string, 0, len(x.Versions))
	for id := range x.Versions {
		order = append(order, id)
	}
	place := func(id string) string { return fmt.Sprintf("%020d %s", x.Versions[id].Created.UnixNano(), id) }
	slices.SortFunc(order, func(a, b string) int { return strings.Compare(place(a), place(b)) })
	last := ""
	for _, id := range order {
		e := x.Versions[id]
		if place(id) <= after || len(e.Stages) == 0 && !opt.Val(in.IncludeDeprecated) {
			continue
		}
		if int32(len(out.Versions)) == opt.Or(in.MaxResults, 100) {
			out.NextToken = new(page.Token(last))
			break
		}
		last = place(id)
		out.Versions = append(out.Versions, api.SecretVersionsListEntry{VersionId: &id, VersionStages: e.Stages, CreatedDate: new(e.Created), KmsKeyIds: []string{e.KeyID}})
	}
	return out, nil
}
