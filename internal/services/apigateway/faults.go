package apigateway

import (
	"errors"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// faultOf makes the fault of a problem; other errors stay as they are.
func faultOf(err error) error {
	var p *problem.Problem
	switch {
	case !errors.As(err, &p):
		return err
	case p.Conflict:
		return api.ConflictException("%s", p.Text)
	}
	return api.BadRequestException("%s", p.Text)
}

// refuse names a setting that would not act.
func refuse(setting string) error {
	return api.BadRequestException("%s", problem.Unsupported(setting).Error())
}

// refuseAny refuses the first setting that was given.
func refuseAny(settings ...given) error {
	for _, s := range settings {
		if s.is {
			return refuse(s.name)
		}
	}
	return nil
}

type given struct {
	name string
	is   bool
}

// noResource and the like are AWS's words for what is not there.
func noResource() error { return api.NotFoundException("Invalid Resource identifier specified") }
func noMethod() error   { return api.NotFoundException("Invalid Method identifier specified") }
func noIntegration() error {
	return api.NotFoundException("Invalid Integration identifier specified")
}
func noResponse() error { return api.NotFoundException("Invalid Response status code specified") }
