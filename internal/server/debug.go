package server

import (
	"context"
	"errors"

	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/services/lambda"
)

// Debug starts a function of the server's account with a debugger; see
// lambda.Service.Debug.
func (s *Server) Debug(ctx context.Context, region, function string, port uint16) (*engine.Debugger, error) {
	for _, x := range s.board.Services() {
		if room, ok := x.(*lambda.Service); ok {
			return room.Debug(ctx, s.secrets.Account, region, function, port)
		}
	}
	return nil, errors.New("there is no room of Lambda")
}
