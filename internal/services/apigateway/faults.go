package apigateway

import (
	"errors"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// faultOf makes the fault of an error of the definition's rules; faults stay.
func faultOf(err error) error {
	var conflict *definition.Conflict
	switch {
	case err == nil || fault.As(err) != nil:
		return err
	case errors.As(err, &conflict):
		return api.ConflictException("%s", conflict.Text)
	}
	return api.BadRequestException("%s", err.Error())
}

// refuse names a setting that would not act.
func refuse(setting string) error {
	return api.BadRequestException("%s", definition.Refusal(setting).Error())
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
