package iam

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) accessKeyBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.CreateAccessKey, userKind, s.createAccessKey),
		bind(s, api.ListAccessKeys, userKind, s.listAccessKeys),
		bind(s, api.UpdateAccessKey, userKind, s.updateAccessKey),
		bind(s, api.DeleteAccessKey, userKind, s.deleteAccessKey),
	}
}

// NewAccessKey makes a long-lived access key for an account: AKIA and sixteen
// characters, and a secret of forty.
func NewAccessKey(src *ids.Source, account string) (id, secret string) {
	return newKeyID(src, "AKIA", account), base64.StdEncoding.EncodeToString(src.Bytes(30))
}

// newKeyID makes an access key's id. As in AWS's, its sixteen base-32 characters
// hold the account: bits 1 to 40 of 80. The first bit is set and the rest random.
func newKeyID(src *ids.Source, prefix, account string) string {
	b := src.Bytes(10)
	n, _ := strconv.ParseUint(account, 10, 40) // what is no account is account 0
	x := binary.BigEndian.Uint64(b)
	x = 1<<63 | n<<23 | x&(1<<23-1)
	binary.BigEndian.PutUint64(b, x)
	return prefix + base32.StdEncoding.EncodeToString(b)
}

// Owner returns the account that an access key belongs to, whether or not the key
// is there; ok is false if its id does not say.
func (s *Service) Owner(accessKey string) (account string, ok bool) {
	if accessKey == s.d.Root.AccessKey {
		return s.d.Root.Account, true
	}
	return accountOf(accessKey)
}

// accountOf reads the account out of an access key's id; ok is false if the id
// is not of the form that newKeyID makes.
func accountOf(accessKey string) (account string, ok bool) {
	if len(accessKey) != 20 {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(accessKey[4:])
	if err != nil || b[0]&0x80 == 0 {
		return "", false
	}
	n := binary.BigEndian.Uint64(b) >> 23 & (1<<40 - 1)
	account = strconv.FormatUint(n, 10)
	if len(account) > 12 {
		return "", false
	}
	return "000000000000"[len(account):] + account, true
}

func (s *Service) createAccessKey(ctx context.Context, rq *call.Authorized, in *api.CreateAccessKeyRequest) (*api.CreateAccessKeyResponse, error) {
	name, err := ownName(rq, in.UserName)
	if err != nil {
		return nil, err
	}
	id, secret := NewAccessKey(s.d.IDs, rq.Account())
	key := accessKey{ID: id, Secret: s.sealSecret(id, secret), Active: true, Created: s.now()}
	err = s.changeIdentity(ctx, rq.Account(), userKind, name, func(t data.Txn, u *identity) error {
		if len(u.Keys) >= maxAccessKeys {
			return api.LimitExceededException("Cannot exceed quota for AccessKeysPerUser: %d", maxAccessKeys)
		}
		u.Keys = append(u.Keys, key)
		return write(t, ownerKey(id), owner{recordVersion, rq.Account(), u.Name})
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyResponse{AccessKey: &api.AccessKey{
		UserName: &name, AccessKeyId: &id, SecretAccessKey: &secret, Status: new(api.StatusTypeActive), CreateDate: &key.Created,
	}}, nil
}

func (k *accessKey) status() *string {
	if k.Active {
		return new(api.StatusTypeActive)
	}
	return new(api.StatusTypeInactive)
}

func (s *Service) listAccessKeys(ctx context.Context, rq *call.Authorized, in *api.ListAccessKeysRequest) (*api.ListAccessKeysResponse, error) {
	name, err := ownName(rq, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAccessKeysResponse{AccessKeyMetadata: []api.AccessKeyMetadata{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		u, err := theIdentity(r, rq.Account(), userKind, name)
		if err != nil {
			return err
		}
		slices.SortFunc(u.Keys, func(a, b accessKey) int { return strings.Compare(a.ID, b.ID) })
		p, err := paginate(u.Keys, func(k accessKey) string { return k.ID }, in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, k := range p.Items {
			out.AccessKeyMetadata = append(out.AccessKeyMetadata, api.AccessKeyMetadata{
				UserName: &u.Name, AccessKeyId: &k.ID, Status: k.status(), CreateDate: &k.Created,
			})
		}
		return err
	})
}

// changeKey lets f change a user's keys at the index of one of them.
func (s *Service) changeKey(ctx context.Context, rq *call.Authorized, user *string, id string, f func(t data.Txn, u *identity, i int) error) error {
	name, err := ownName(rq, user)
	if err != nil {
		return err
	}
	return s.changeIdentity(ctx, rq.Account(), userKind, name, func(t data.Txn, u *identity) error {
		i := slices.IndexFunc(u.Keys, func(k accessKey) bool { return k.ID == id })
		if i < 0 {
			return api.NoSuchEntityException("The Access Key with id %s cannot be found.", id)
		}
		return f(t, u, i)
	})
}

func (s *Service) updateAccessKey(ctx context.Context, rq *call.Authorized, in *api.UpdateAccessKeyRequest) (*call.None, error) {
	return done(s.changeKey(ctx, rq, in.UserName, *in.AccessKeyId, func(_ data.Txn, u *identity, i int) error {
		switch opt.Val(in.Status) {
		case api.StatusTypeActive:
			u.Keys[i].Active = true
		case api.StatusTypeInactive:
			u.Keys[i].Active = false
		default:
			return api.InvalidInputException("The status of an access key can be set to Active or Inactive, not to %s.", *in.Status)
		}
		return nil
	}))
}

func (s *Service) deleteAccessKey(ctx context.Context, rq *call.Authorized, in *api.DeleteAccessKeyRequest) (*call.None, error) {
	return done(s.changeKey(ctx, rq, in.UserName, *in.AccessKeyId, func(t data.Txn, u *identity, i int) error {
		u.Keys = slices.Delete(u.Keys, i, i+1)
		return t.Delete(ownerKey(*in.AccessKeyId))
	}))
}
