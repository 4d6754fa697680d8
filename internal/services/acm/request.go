package acm

import (
	"cmp"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// For how long issued certificates are valid, when they are made anew, and for how
// long a token stands for the request that it came with.
const (
	validity    = 395 * 24 * time.Hour
	renewBefore = 60 * 24 * time.Hour
	tokenLife   = time.Hour
)

// maxNames is how many names a certificate may have.
const maxNames = 10

func (s *Service) requestBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.RequestCertificate, call.Rule(func(_ context.Context, _ *call.Decoded, in *api.RequestCertificateRequest) ([]call.Need, error) {
			keys := tagConditions(in.Tags)
			keys["acm:domainnames"] = names(in)
			keys["acm:keyalgorithm"] = []string{opt.Or(in.KeyAlgorithm, api.KeyAlgorithmRsa2048)}
			if in.ValidationMethod != nil {
				keys["acm:validationmethod"] = []string{*in.ValidationMethod}
			}
			return []call.Need{{Action: "acm:RequestCertificate", Resource: "*", Keys: keys}}, nil
		}, "acm:RequestCertificate"), s.requestCertificate),
	}
}

// kinds are the keys that can be asked for.
func kindOf(algorithm string) (authority.Kind, bool) {
	switch algorithm {
	case api.KeyAlgorithmRsa2048:
		return authority.Kind{Bits: 2048}, true
	case api.KeyAlgorithmRsa3072:
		return authority.Kind{Bits: 3072}, true
	case api.KeyAlgorithmRsa4096:
		return authority.Kind{Bits: 4096}, true
	case "EC_prime256v1":
		return authority.Kind{Curve: elliptic.P256()}, true
	case "EC_secp384r1":
		return authority.Kind{Curve: elliptic.P384()}, true
	case "EC_secp521r1":
		return authority.Kind{Curve: elliptic.P521()}, true
	}
	return authority.Kind{}, false
}

// names are all names of a request, the first its domain name, none twice.
func names(in *api.RequestCertificateRequest) []string {
	var out []string
	for _, n := range append([]string{opt.Val(in.DomainName)}, in.SubjectAlternativeNames...) {
		if n = strings.ToLower(n); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// checkRequest refuses what would not act.
func checkRequest(in *api.RequestCertificateRequest) error {
	if in.CertificateAuthorityArn != nil {
		return api.ValidationException("Tierra does not support the setting CertificateAuthorityArn: it has no private certificate authorities beside its own.")
	}
	if in.ManagedBy != nil {
		return api.ValidationException("Tierra does not support the setting ManagedBy.")
	}
	if opt.Val(in.ValidationMethod) == api.ValidationMethodHttp {
		return api.ValidationException("Tierra does not support the validation method HTTP.")
	}
	if o := in.Options; o != nil && opt.Val(o.Export) == api.CertificateExportEnabled {
		return api.ValidationException("Tierra does not support the setting Options.Export: certificates cannot be exported.")
	}
	all := names(in)
	if len(all) > maxNames {
		return api.LimitExceededException("Error: The number of domain names exceeds your limit of %d.", maxNames)
	}
	for _, n := range all {
		if _, err := netip.ParseAddr(n); err == nil || !isDomain(n) {
			return api.ValidationException("'%s' is not a valid domain name.", n)
		}
	}
	for _, o := range in.DomainValidationOptions {
		d, v := strings.ToLower(opt.Val(o.DomainName)), strings.ToLower(opt.Val(o.ValidationDomain))
		if !slices.Contains(all, d) {
			return api.InvalidDomainValidationOptionsException("The domain name %s is not one of the certificate's.", d)
		}
		if bare := strings.TrimPrefix(d, "*."); bare != v && !strings.HasSuffix(bare, "."+v) {
			return api.InvalidDomainValidationOptionsException("The validation domain %s is not the domain %s or above it.", v, d)
		}
	}
	if _, ok := kindOf(opt.Or(in.KeyAlgorithm, api.KeyAlgorithmRsa2048)); !ok {
		return api.ValidationException("The key algorithm %s is not one of [RSA_2048, RSA_3072, RSA_4096, EC_prime256v1, EC_secp384r1, EC_secp521r1].", *in.KeyAlgorithm)
	}
	return nil
}

// isDomain reports whether a name is a domain's, or a wildcard below one.
func isDomain(n string) bool {
	n = strings.TrimPrefix(n, "*.")
	if len(n) > 253 || !strings.Contains(n, ".") && n != "localhost" {
		return false
	}
	label := regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	for l := range strings.SplitSeq(n, ".") {
		if !label.MatchString(l) {
			return false
		}
	}
	return true
}

func (s *Service) requestCertificate(ctx context.Context, rq *call.Authorized, in *api.RequestCertificateRequest) (*api.RequestCertificateResponse, error) {
	if err := checkRequest(in); err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	a := areaOf(rq.Decoded)
	token, hash := opt.Val(in.IdempotencyToken), fingerprint(in)
	if token != "" {
		id := ""
		err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
			id, err = asked(r, a, token, hash, rq.Time())
			return err
		})
		if err != nil || id != "" {
			return &api.RequestCertificateResponse{CertificateArn: new(a.arn(id))}, err
		}
	}
	kind, _ := kindOf(opt.Or(in.KeyAlgorithm, api.KeyAlgorithmRsa2048))
	key, err := authority.NewKey(kind)
	if err != nil {
		return nil, err
	}
	c := &certificate{
		V: recordVersion, ID: s.d.IDs.UUID(), Type: api.CertificateTypeAmazonIssued, Names: names(in), Created: rq.Time(),
		Method: opt.Or(in.ValidationMethod, api.ValidationMethodEmail), Tags: tags,
	}
	c.Domain, c.Logging = c.Names[0], api.CertificateTransparencyLoggingPreferenceEnabled
	if in.Options != nil {
		c.Logging = cmp.Or(opt.Val(in.Options.CertificateTransparencyLoggingPreference), c.Logging)
	}
	if err := s.issue(c, key.Public()); err != nil {
		return nil, err
	}
	if c.Key, err = s.seal(a.arn(c.ID), key); err != nil {
		return nil, err
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		if err := room(t, a); err != nil {
			return err
		}
		if token != "" {
			if id, err := asked(t, a, token, hash, rq.Time()); err != nil || id != "" {
				c.ID = cmp.Or(id, c.ID)
				return err
			}
			if err := data.Save(t, a.token(token), &request{recordVersion, c.ID, hash, rq.Time()}); err != nil {
				return err
			}
		}
		return data.Save(t, a.certificate(c.ID), c)
	})
	return &api.RequestCertificateResponse{CertificateArn: new(a.arn(c.ID))}, err
}

// asked returns the certificate that a token was used for already.
func asked(r data.Reader, a area, token, hash string, now time.Time) (string, error) {
	was, err := data.Load[request](r, a.token(token))
	if err != nil || was == nil || now.After(was.At.Add(tokenLife)) || was.Hash != hash {
		return "", err
	}
	c, err := data.Load[certificate](r, a.certificate(was.ID))
	if err != nil || c == nil {
		return "", err
	}
	return was.ID, nil
}

// fingerprint tells requests apart that have the same token.
func fingerprint(in *api.RequestCertificateRequest) string {
	b, err := json.Marshal(in)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// issue has the deployment's authority sign a certificate for a key.
func (s *Service) issue(c *certificate, public crypto.PublicKey) error {
	der, err := s.d.Authority.Issue(authority.Order{Names: c.Names, Public: public, Valid: validity})
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	above, err := s.d.Authority.PEM()
	if err != nil {
		return err
	}
	c.Body, c.Chain, c.Issued, c.NotAfter = encode([]*x509.Certificate{leaf}), string(above), s.d.Clock.Now(), leaf.NotAfter
	return nil
}

// renew issues a certificate anew, for the key that it has.
func (s *Service) renew(ctx context.Context, a area, id string) (c *certificate, err error) {
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		if c, err = load(t, a, id); err != nil {
			return err
		}
		leaf, err := c.leaf()
		if err != nil {
			return err
		}
		if err := s.issue(c, leaf.PublicKey); err != nil {
			return err
		}
		return data.Save(t, a.certificate(id), c)
	})
	return c, err
}

// validations tell of each name how it was validated: by the word of who asked.
func validations(c *certificate) []api.DomainValidation {
	var out []api.DomainValidation
	for _, n := range c.Names {
		bare := strings.TrimPrefix(n, "*.")
		v := api.DomainValidation{DomainName: &n, ValidationDomain: &bare, ValidationStatus: new(api.DomainStatusSuccess), ValidationMethod: &c.Method}
		if c.Method == api.ValidationMethodDns {
			sum := sha256.Sum256([]byte(c.ID + " " + bare))
			x := hex.EncodeToString(sum[:])
			v.ResourceRecord = &api.ResourceRecord{Name: new("_" + x[:32] + "." + bare + "."), Type: new(api.RecordTypeCname), Value: new("_" + x[32:] + ".acm-validations.aws.")}
		}
		out = append(out, v)
	}
	return out
}
