// Package acm is the room of AWS Certificate Manager: certificates that are
// imported, or issued by the deployment's own authority, with private keys that
// the store holds sealed and that no operation shows.
//
// Pages followed:
//
//   - https://docs.aws.amazon.com/acm/latest/APIReference/Welcome.html
//   - https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html
//   - https://docs.aws.amazon.com/acm/latest/userguide/import-reimport.html
//
// # Deliberate differences
//
//   - A requested certificate is issued at once, by the certificate authority of
//     this deployment, which needs nobody to prove a domain: who may call
//     RequestCertificate here decides. Its status is ISSUED, the validation of its
//     names SUCCESS, and the record that AWS would have wanted in DNS is told. It is
//     a real certificate; clients that trust the authority (`tierra env --tls`) take
//     it. ValidationMethod is kept for DescribeCertificate.
//   - It is valid for 395 days and made anew, with the same key, 60 days before its
//     end, when it is next used.
//   - Certificates that the public trusts are imported.
//
// # Refused by name
//
// Private certificate authorities (CertificateAuthorityArn), exportable
// certificates (Options.Export ENABLED), ManagedBy, ValidationMethod HTTP.
//
// # Without meaning here
//
// Options.CertificateTransparencyLoggingPreference: certificates of an authority of
// one's own are in no public log. DomainValidationOptions.ValidationDomain: nobody
// is mailed. They are checked; the former is kept and told.
package acm
