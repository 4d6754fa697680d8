package secretsmanager

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) passwordBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetRandomPassword, call.Any[api.GetRandomPasswordRequest]("secretsmanager:GetRandomPassword"), s.getRandomPassword),
	}
}

// The kinds of characters that passwords are made of.
const (
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

	passwordLength = 32
)

func (s *Service) getRandomPassword(_ context.Context, _ *call.Authorized, in *api.GetRandomPasswordRequest) (*api.GetRandomPasswordResponse, error) {
	var kinds []string
	add := func(kind string, excluded *bool) {
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(opt.Val(in.ExcludeCharacters), r) {
				return -1
			}
			return r
		}, kind)
		if !opt.Val(excluded) && left != "" {
			kinds = append(kinds, left)
		}
	}
	add(lower, in.ExcludeLowercase)
	add(upper, in.ExcludeUppercase)
	add(numbers, in.ExcludeNumbers)
	add(punctuation, in.ExcludePunctuation)
	add(" ", new(!opt.Val(in.IncludeSpace)))
	n, all := int(opt.Or(in.PasswordLength, passwordLength)), strings.Join(kinds, "")
	each := opt.Or(in.RequireEachIncludedType, true)
	switch {
	case all == "":
		return nil, api.InvalidRequestException("Parameter(s) provided to GetRandomPassword exclude all characters.")
	case each && n < len(kinds):
		return nil, api.InvalidParameterException("Password length %d is too short based on the required types.", n)
	}
	var p []byte
	if each {
		for _, k := range kinds {
			p = append(p, s.d.IDs.Of(k, 1)...)
		}
	}
	p = append(p, s.d.IDs.Of(all, n-len(p))...)
	for i := len(p) - 1; i > 0; i-- { // the required ones may stand anywhere
		j := int(binary.BigEndian.Uint64(s.d.IDs.Bytes(8)) % uint64(i+1))
		p[i], p[j] = p[j], p[i]
	}
	return &api.GetRandomPasswordResponse{RandomPassword: new(string(p))}, nil
}
