package main

import (
	"context"
	"fmt"

	"github.com/tierra-cloud/tierra/internal/services/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/iam"
	"github.com/tierra-cloud/tierra/internal/services/logs"
	"github.com/tierra-cloud/tierra/internal/services/s3"
	"github.com/tierra-cloud/tierra/internal/services/sts"
)

// furnish makes the rooms and plugs them into the board: one line a service.
func (s *server) furnish(_ context.Context, network string, tap func(function, line string)) error {
	iamRoom, err := iam.New(iam.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, SessionKey: s.secrets.SessionKey,
		Root: iam.Root{Account: s.secrets.Account, AccessKey: s.secrets.AccessKey, Secret: s.secrets.Secret}})
	if err != nil {
		return fmt.Errorf("iam: %w", err)
	}
	s.board.Gate.Identities = iamRoom
	s3Room, err := s3.New(s3.Deps{Store: s.store, Blobs: s.blobs, Clock: s.clock, IDs: s.ids, Caller: s.board, Host: s.board.Host, Key: s.secrets.DataKey})
	if err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	s.board.Plug(iamRoom, sts.New(sts.Deps{Clock: s.clock, Mint: iamRoom}), s3Room,
		logs.New(logs.Deps{Store: s.store, Clock: s.clock, IDs: s.ids}),
		dynamodb.New(dynamodb.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board}))
	return nil
}
