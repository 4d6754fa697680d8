package apigateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
	"github.com/tierra-cloud/tierra/internal/gateway/domain"
	"github.com/tierra-cloud/tierra/internal/gateway/jwt"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store data.Store
	Clock clock.Clock
	IDs   *ids.Source
	// Caller invokes functions.
	Caller call.Caller
	// Wire calls actions of other services, with bodies that templates make.
	Wire call.Wire
	// Outbound sends the requests of HTTP integrations; nil sends none.
	Outbound Transport
	// OutboundWith makes what sends them and presents a certificate to backends that
	// ask for one. The room closes what has the method CloseIdleConnections.
	OutboundWith func(*tls.Certificate) Transport
	// Key seals the private keys of client certificates; 32 bytes. Without it there
	// are none.
	Key []byte
	// Gate decides about callers of methods.
	Gate *call.Gate
	// AccountRate is how many requests per second an account may send to the APIs
	// of a region, and half as many at once; 0 means AWS's 10,000.
	AccountRate int32
	// BodyTimeout is how long a caller may take to send a body; 0 means 30 seconds.
	BodyTimeout time.Duration
	// Domains are the custom domain names, where connections find them.
	Domains *domain.Registry
	// Issuer returns the address of who issues the tokens of a user pool, by the
	// pool's ARN; "" if nobody is known. Nil knows nobody.
	Issuer func(pool string) string
	// Metrics says that somebody reads what Measure yields.
	Metrics bool
}

// Service is the room.
type Service struct {
	store  data.Store
	clock  clock.Clock
	ids    *ids.Source
	caller call.Caller
	wire   call.Wire
	// outbound keeps connections to backends.
	outbound     Transport
	outboundWith func(*tls.Certificate) Transport
	key          []byte
	gate         *call.Gate
	live         live
	domains      *domain.Registry
	tokens       *jwt.Verifier
	issuer       func(pool string) string
	// domaining is held while domains change.
	domaining sync.Mutex
	// verdicts are what authorizers said lately.
	verdicts    verdicts
	keys        keyrings
	accounts    accounts
	buckets     buckets // of keys in usage plans
	usages      usages
	bodyTimeout time.Duration
	courier     *delivery.Courier // of access and execution logs
	ledgers     ledgers
	// gzips and deflates hold writers, made when an API compresses.
	gzips, deflates sync.Pool
	// exchanges holds *exchange whose memory is used again.
	exchanges sync.Pool
}

// New makes the room.
func New(d Deps) *Service {
	s := &Service{store: d.Store, clock: d.Clock, ids: d.IDs, caller: d.Caller, wire: d.Wire, outbound: d.Outbound, gate: d.Gate, verdicts: newVerdicts(d.Clock)}
	s.accounts.rate = cmp.Or(float64(d.AccountRate), accountRate)
	s.accounts.burst = max(int32(s.accounts.rate/2), 1)
	s.bodyTimeout = cmp.Or(d.BodyTimeout, 30*time.Second)
	s.courier, s.ledgers.on = delivery.New(d.Clock, d.Caller), d.Metrics
	s.exchanges.New = func() any { return new(exchange) }
	s.outboundWith, s.key = d.OutboundWith, d.Key
	s.tokens, s.issuer = jwt.New(d.Clock, d.Outbound), d.Issuer
	if s.domains = d.Domains; s.domains == nil {
		s.domains = domain.NewRegistry(func(context.Context, string) (*tls.Certificate, error) { return nil, errNoCertificates })
	}
	return s
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	for _, topic := range [][]call.Binding{
		s.restAPIBindings(), s.pathBindings(), s.methodBindings(), s.authorizerBindings(), s.keyBindings(), s.planBindings(), s.validatorBindings(), s.integrationBindings(), s.deploymentBindings(),
		s.domainBindings(), s.basePathBindings(), s.stageBindings(), s.gatewayBindings(), s.modelBindings(), s.importBindings(), s.exportBindings(), s.documentationBindings(), s.docVersionBindings(), s.certificateBindings(), s.tagBindings(), s.accountBindings(), s.testBindings(),
	} {
		all = append(all, topic...)
	}
	for i := range all {
		all[i].RawValidation = invalid
	}
	return all
}

// invalid words violations of the model's constraints as the service does.
func invalid(_ *model.Operation, bad []constraint.Violation) *fault.Fault {
	return api.BadRequestException("%s", constraint.Message(bad))
}

// Start implements call.Worker: it compiles every stage of the store.
func (s *Service) Start(ctx context.Context) error {
	if err := s.publishAll(ctx); err != nil {
		return err
	}
	if err := s.publishDomains(ctx); err != nil {
		return err
	}
	return s.publishAllKeys(ctx)
}

// Stop implements call.Worker. Requests under way belong to their connections.
func (s *Service) Stop(ctx context.Context) error {
	s.live.forget()
	return errors.Join(s.courier.Stop(ctx), s.writeUsage(ctx))
}
