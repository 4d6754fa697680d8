package acm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) certificateBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ImportCertificate, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.ImportCertificateRequest) ([]call.Need, error) {
			n := call.Need{Action: "acm:ImportCertificate", Resource: opt.Or(in.CertificateArn, areaOf(rq).arn("*")), Keys: tagConditions(in.Tags)}
			return []call.Need{n}, nil
		}, "acm:ImportCertificate"), s.importCertificate),
		call.Bind(api.ListCertificates, call.Any[api.ListCertificatesRequest]("acm:ListCertificates"), s.listCertificates),
		call.Bind(api.DescribeCertificate, onCertificate(s, "acm:DescribeCertificate", func(in *api.DescribeCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, nil
		}), s.describeCertificate),
		call.Bind(api.GetCertificate, onCertificate(s, "acm:GetCertificate", func(in *api.GetCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, nil
		}), s.getCertificate),
		call.Bind(api.ExportCertificate, onCertificate(s, "acm:ExportCertificate", func(in *api.ExportCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, nil
		}), s.exportCertificate),
		call.Bind(api.DeleteCertificate, onCertificate(s, "acm:DeleteCertificate", func(in *api.DeleteCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, nil
		}), s.deleteCertificate),
	}
}

// maxCertificates is how many certificates an account may have in a region.
const maxCertificates = 2500

func (s *Service) importCertificate(ctx context.Context, rq *call.Authorized, in *api.ImportCertificateRequest) (*api.ImportCertificateResponse, error) {
	m, err := readMaterial(in.Certificate, in.CertificateChain, in.PrivateKey, rq.Time())
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	a, id := areaOf(rq.Decoded), s.d.IDs.UUID()
	if in.CertificateArn != nil {
		if len(in.Tags) > 0 {
			return nil, api.InvalidParameterException("You cannot apply tags when reimporting a certificate.")
		}
		if a, id, err = own(rq, in.CertificateArn); err != nil {
			return nil, err
		}
	}
	sealed, err := s.seal(a.arn(id), m.key)
	if err != nil {
		return nil, err
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		c := &certificate{V: recordVersion, ID: id, Type: api.CertificateTypeImported, Created: rq.Time(), Tags: tags}
		if in.CertificateArn != nil {
			was, err := load(t, a, id)
			if err != nil {
				return err
			}
			if was.Type != api.CertificateTypeImported {
				return api.ValidationException("The certificate %s was not imported. Only imported certificates can be reimported.", a.arn(id))
			}
			c.Created, c.Tags = was.Created, was.Tags
		} else if err := room(t, a); err != nil {
			return err
		}
		c.Body, c.Chain, c.Key, c.Issued, c.NotAfter = m.body, m.chain, sealed, rq.Time(), m.leaf.NotAfter
		c.Domain, c.Names = subjectNames(m.leaf)
		return data.Save(t, a.certificate(id), c)
	})
	s.pairs.Delete(a.arn(id))
	return &api.ImportCertificateResponse{CertificateArn: new(a.arn(id))}, err
}

// room says whether there may be one more certificate.
func room(t data.Txn, a area) error {
	n := 0
	for _, err := range t.Scan(a.certificates(), data.PrefixEnd(a.certificates()), false) {
		if err != nil {
			return err
		}
		if n++; n >= maxCertificates {
			return api.LimitExceededException("Error: you have reached your limit of %d certificates.", maxCertificates)
		}
	}
	return nil
}

// status is what has become of a certificate.
func (s *Service) status(c *certificate) string {
	if s.d.Clock.Now().After(c.NotAfter) {
		return api.CertificateStatusExpired
	}
	return api.CertificateStatusIssued
}

func (s *Service) describeCertificate(ctx context.Context, rq *call.Authorized, in *api.DescribeCertificateRequest) (*api.DescribeCertificateResponse, error) {
	a, c, err := s.read(ctx, rq, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	leaf, err := c.leaf()
	if err != nil {
		return nil, err
	}
	users := s.d.Users(a.arn(c.ID))
	d := &api.CertificateDetail{
		CertificateArn: in.CertificateArn, DomainName: &c.Domain, SubjectAlternativeNames: c.Names, Serial: new(serial(leaf)),
		Subject: new(leaf.Subject.String()), Issuer: new(cmp.Or(strings.Join(leaf.Issuer.Organization, " "), leaf.Issuer.CommonName)),
		CreatedAt: &c.Created, Status: new(s.status(c)), NotBefore: &leaf.NotBefore, NotAfter: &leaf.NotAfter, KeyAlgorithm: new(keyAlgorithm(leaf)),
		SignatureAlgorithm: new(signatureAlgorithm(leaf)), InUseBy: users, Type: &c.Type, RenewalEligibility: new(eligible(c, users)),
		Options: &api.CertificateOptions{CertificateTransparencyLoggingPreference: new(cmp.Or(c.Logging, api.CertificateTransparencyLoggingPreferenceDisabled))},
	}
	for _, u := range usages(leaf) {
		d.KeyUsages = append(d.KeyUsages, api.KeyUsage{Name: &u})
	}
	for _, u := range extendedUsages(leaf) {
		d.ExtendedKeyUsages = append(d.ExtendedKeyUsages, api.ExtendedKeyUsage{Name: &u.name, OID: &u.oid})
	}
	if c.Type == api.CertificateTypeImported {
		d.ImportedAt = &c.Issued
	} else {
		d.IssuedAt = &c.Issued
		d.DomainValidationOptions = validations(c)
	}
	return &api.DescribeCertificateResponse{Certificate: d}, nil
}

// eligible tells whether a certificate is renewed by itself: one that is in use
// and was issued here.
func eligible(c *certificate, users []string) string {
	if c.Type == api.CertificateTypeAmazonIssued && len(users) > 0 {
		return api.RenewalEligibilityEligible
	}
	return api.RenewalEligibilityIneligible
}

func (s *Service) getCertificate(ctx context.Context, rq *call.Authorized, in *api.GetCertificateRequest) (*api.GetCertificateResponse, error) {
	_, c, err := s.read(ctx, rq, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	return &api.GetCertificateResponse{Certificate: &c.Body, CertificateChain: opt.NonZero(c.Chain)}, nil
}

// exportCertificate refuses: only private certificates and those that were asked
// for as exportable can be exported, and there are none.
func (s *Service) exportCertificate(ctx context.Context, rq *call.Authorized, in *api.ExportCertificateRequest) (*api.ExportCertificateResponse, error) {
	_, c, err := s.read(ctx, rq, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	return nil, api.ValidationException("The certificate %s is of the type %s and cannot be exported.", *in.CertificateArn, c.Type)
}

func (s *Service) deleteCertificate(ctx context.Context, rq *call.Authorized, in *api.DeleteCertificateRequest) (*call.None, error) {
	a, id, err := own(rq, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		if _, err := load(t, a, id); err != nil {
			return err
		}
		if users := s.d.Users(a.arn(id)); len(users) > 0 {
			return api.ResourceInUseException("Certificate %s in account %s is in use by %s.", a.arn(id), a.account, strings.Join(users, ", "))
		}
		return t.Delete(a.certificate(id))
	})
	s.pairs.Delete(a.arn(id))
	return &call.None{}, err
}

// defaultKeyTypes are what ListCertificates returns unless others are asked for.
var defaultKeyTypes = [...]string{api.KeyAlgorithmRsa1024, api.KeyAlgorithmRsa2048}

// pageMax is how many certificates a page has at most.
const pageMax = 1000

func (s *Service) listCertificates(ctx context.Context, rq *call.Authorized, in *api.ListCertificatesRequest) (*api.ListCertificatesResponse, error) {
	if (in.SortBy == nil) != (in.SortOrder == nil) {
		return nil, api.ValidationException("SortBy and SortOrder must be specified together.")
	}
	a := areaOf(rq.Decoded)
	var all []*certificate
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		all = all[:0]
		for p, err := range r.Scan(a.certificates(), data.PrefixEnd(a.certificates()), false) {
			if err != nil {
				return err
			}
			c := new(certificate)
			if err := json.Unmarshal(p.Value, c); err != nil {
				return fmt.Errorf("record %q: %w", p.Key, err)
			}
			all = append(all, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y *certificate) int {
		n := cmp.Or(x.Created.Compare(y.Created), strings.Compare(x.ID, y.ID))
		if opt.Val(in.SortOrder) == api.SortOrderDescending {
			return -n
		}
		return n
	})
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, api.ValidationException("The NextToken is not valid.")
	}
	if i := slices.IndexFunc(all, func(c *certificate) bool { return c.ID == after }); i >= 0 {
		all = all[i+1:]
	}
	out := &api.ListCertificatesResponse{CertificateSummaryList: []api.CertificateSummary{}}
	limit := int(opt.Or(in.MaxItems, pageMax))
	last := ""
	for _, c := range all {
		x, ok, err := s.summary(a, c, in)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(out.CertificateSummaryList) == limit {
			out.NextToken = new(page.Token(last))
			break
		}
		out.CertificateSummaryList, last = append(out.CertificateSummaryList, *x), c.ID
	}
	return out, nil
}

// summary describes a certificate in a list, unless a filter leaves it out.
func (s *Service) summary(a area, c *certificate, in *api.ListCertificatesRequest) (*api.CertificateSummary, bool, error) {
	leaf, err := c.leaf()
	if err != nil {
		return nil, false, err
	}
	users := s.d.Users(a.arn(c.ID))
	x := &api.CertificateSummary{
		CertificateArn: new(a.arn(c.ID)), DomainName: &c.Domain, SubjectAlternativeNameSummaries: c.Names[:min(len(c.Names), 100)],
		HasAdditionalSubjectAlternativeNames: new(len(c.Names) > 100), Status: new(s.status(c)), Type: &c.Type, KeyAlgorithm: new(keyAlgorithm(leaf)),
		KeyUsages: usages(leaf), InUse: new(len(users) > 0), Exported: new(false), RenewalEligibility: new(eligible(c, users)),
		NotBefore: &leaf.NotBefore, NotAfter: &leaf.NotAfter, CreatedAt: &c.Created,
	}
	for _, u := range extendedUsages(leaf) {
		x.ExtendedKeyUsages = append(x.ExtendedKeyUsages, u.name)
	}
	origin := api.CertificateKeyPairOriginCustomerProvided
	if c.Type == api.CertificateTypeImported {
		x.ImportedAt = &c.Issued
	} else {
		origin = api.CertificateKeyPairOriginAwsManaged
		x.IssuedAt, x.ExportOption = &c.Issued, new(api.CertificateExportDisabled)
	}
	x.CertificateKeyPairOrigin = &origin
	f := in.Includes
	if f == nil {
		f = &api.Filters{}
	}
	types := f.KeyTypes
	if len(types) == 0 {
		types = defaultKeyTypes[:]
	}
	among := func(value string, allowed []string) bool { return len(allowed) == 0 || slices.Contains(allowed, value) }
	all := func(have, wanted []string) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(have, w) })
	}
	ok := slices.Contains(types, *x.KeyAlgorithm) && among(*x.Status, in.CertificateStatuses) && among(origin, in.CertificateKeyPairOrigins) &&
		all(x.KeyUsages, f.KeyUsage) && all(x.ExtendedKeyUsages, f.ExtendedKeyUsage) && f.ManagedBy == nil &&
		(f.ExportOption == nil || *f.ExportOption == opt.Or(x.ExportOption, api.CertificateExportDisabled))
	return x, ok, nil
}
