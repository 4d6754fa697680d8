package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/edge/inside"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/gateway/domain"
	"github.com/tierra-cloud/tierra/internal/gen"
	"github.com/tierra-cloud/tierra/internal/services/acm"
	"github.com/tierra-cloud/tierra/internal/services/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/cloudcontrol"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/codedeploy"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb"
	"github.com/tierra-cloud/tierra/internal/services/ecr"
	"github.com/tierra-cloud/tierra/internal/services/iam"
	"github.com/tierra-cloud/tierra/internal/services/kms"
	"github.com/tierra-cloud/tierra/internal/services/lambda"
	"github.com/tierra-cloud/tierra/internal/services/logs"
	"github.com/tierra-cloud/tierra/internal/services/s3"
	"github.com/tierra-cloud/tierra/internal/services/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/services/ssm"
	"github.com/tierra-cloud/tierra/internal/services/sts"
)

// linger is for how long the operations that begin a stack operation wait for
// its end: most stacks are done by then, and their client need not ask again.
const linger = time.Second

// furnish makes the rooms and plugs them into the board: one line a service.
func (s *Server) furnish(ctx context.Context) error {
	launcher, catalog, err := s.engine(ctx)
	if err != nil {
		return err
	}
	templates := engine.NewTemplates(engine.TemplatesConfig{Launcher: launcher, Clock: s.clock, Memory: s.config.TemplateMemory})
	s.later(templates.Close)
	identity, err := iam.New(iam.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, SessionKey: s.secrets.SessionKey,
		Root: iam.Root{Account: s.secrets.Account, AccessKey: s.secrets.AccessKey, Secret: s.secrets.Secret}})
	if err != nil {
		return fmt.Errorf("iam: %w", err)
	}
	s.board.Gate.Identities = identity
	images := image.NewContent(s.blobs, s.store)
	registry, err := ecr.New(ecr.Deps{Store: s.store, Content: images, Clock: s.clock, IDs: s.ids, Gate: s.board.Gate, Key: s.secrets.DataKey})
	if err != nil {
		return err
	}
	functions, err := lambda.New(lambda.Deps{Store: s.store, Blobs: s.blobs, Clock: s.clock, IDs: s.ids, Caller: s.board, Gate: s.board.Gate, Key: s.secrets.DataKey,
		CodeDir: s.folder.code(), Images: images, ImageDir: s.folder.images(), Pull: s.puller(images),
		Launcher: launcher, Runtimes: catalog, Templates: templates, Network: s.config.Network, Memory: s.config.FunctionMemory, Busy: engine.NewProcessors(s.clock).Busy,
		Door: s.back, Egress: s.out, Endpoint: func(sandbox.Network) string { return s.endpoint }})
	if err != nil {
		return fmt.Errorf("lambda: %w", err)
	}
	keys, err := kms.New(kms.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Key: s.secrets.DataKey})
	if err != nil {
		return err
	}
	certificates, err := acm.New(acm.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Key: s.secrets.DataKey, Authority: s.authority,
		Users: func(arn string) []string { return s.domains.Users(arn) }})
	if err != nil {
		return err
	}
	s.domains = domain.NewRegistry(certificates.KeyPair)
	s.board.Plug(
		identity,
		sts.New(sts.Deps{Clock: s.clock, Mint: identity, Lenient: s.config.Mode != call.Enforce}),
		logs.New(logs.Deps{Store: s.store, Clock: s.clock, IDs: s.ids}),
		s3.New(s3.Deps{Store: s.store, Blobs: s.blobs, Clock: s.clock, IDs: s.ids, Caller: s.board, Host: s.board.Host, Key: s.secrets.DataKey}),
		dynamodb.New(dynamodb.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board}),
		keys, certificates,
		secretsmanager.New(secretsmanager.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board}),
		ssm.New(ssm.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board}),
		functions,
		registry,
		apigateway.New(apigateway.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board, Gate: s.board.Gate,
			Wire: inside.New(s.board, gen.Services()), Outbound: s.outbound(), OutboundWith: outboundWith, Key: s.secrets.DataKey, Domains: s.domains, Issuer: s.config.issuer, AccountRate: s.config.APIRate,
			Metrics: s.config.Metrics != "", BodyTimeout: s.config.BodyTimeout}),
		cloudformation.New(cloudformation.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board, Types: s.resourceTypes, Linger: linger,
			Presign: s.presign, Signer: s.secrets.Account, Identities: identity}),
		codedeploy.New(codedeploy.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board}),
		cloudcontrol.New(cloudcontrol.Deps{Store: s.store, Clock: s.clock, IDs: s.ids, Caller: s.board, Types: s.resourceTypes, Linger: linger}),
	)
	return nil
}

// resourceTypes collects the CloudFormation types of all rooms.
func (s *Server) resourceTypes() []resource.Type {
	var all []resource.Type
	for _, r := range s.board.Services() {
		if p, ok := r.(resource.Provider); ok {
			all = append(all, p.ResourceTypes()...)
		}
	}
	return all
}

// engine opens what functions run in.
func (s *Server) engine(ctx context.Context) (sandbox.Launcher, *engine.Catalog, error) {
	launcher, report, err := sandbox.Open(ctx, sandbox.Config{StateDir: filepath.Join(s.folder.run(), "sandbox")})
	if err != nil {
		return nil, nil, fmt.Errorf("open the sandbox: %w", err)
	}
	s.later(func() { _ = launcher.Close() })
	s.tier = fmt.Sprintf("functions isolated by %s (%s/%s)", report.Tier.Name, runtime.GOOS, runtime.GOARCH)
	level := slog.LevelInfo
	if report.Tier.Name != sandbox.TierNamespaces {
		level = slog.LevelWarn
	}
	if s.config.Network == sandbox.NetworkPrivate && !report.Tier.PrivateNetwork {
		if s.config.StrictNetwork {
			return nil, nil, errors.New("functions cannot have private networks on this machine (tierra doctor says why); --network host lets them share its own")
		}
		s.config.Network = sandbox.NetworkHost
		s.log.Warn("functions share this machine's network, as it gives no private ones")
	}
	s.tier += ", network " + string(s.config.Network)
	lacks := report.Tier.Lacks
	if s.config.Network == sandbox.NetworkHost {
		lacks = slices.Concat(lacks, report.Tier.LacksOnHost)
	}
	for _, l := range lacks {
		s.log.Log(ctx, level, "the isolation of functions cannot hold: "+l)
	}
	if err := s.openEgress(report.Tier); err != nil {
		return nil, nil, err
	}
	catalog, err := engine.NewCatalog(engine.CatalogConfig{Dir: filepath.Join(s.folder.run(), "runtimes"), Path: s.config.Path, Home: s.config.Home, NodePath: s.config.NodePath, Trust: s.authority.Publish})
	if err != nil {
		return nil, nil, fmt.Errorf("unpack the bootstraps: %w", err)
	}
	return launcher, catalog, nil
}
