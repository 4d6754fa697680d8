package proxy

// Certificate is what the certificate of a client tells.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
type Certificate struct {
	PEM, Subject, Issuer, Serial string
	NotBefore, NotAfter          string // "May 28 12:30:02 2019 GMT"
}

// CertificateTime is the form of the times in a Certificate, which are in UTC.
const CertificateTime = "Jan _2 15:04:05 2006 GMT"

// Fact returns a fact by its name in $context.identity.clientCert; "" of none.
func (c *Certificate) Fact(name string) string {
	if c == nil {
		return ""
	}
	switch name {
	case "clientCertPem":
		return c.PEM
	case "subjectDN":
		return c.Subject
	case "issuerDN":
		return c.Issuer
	case "serialNumber":
		return c.Serial
	case "validity.notBefore":
		return c.NotBefore
	case "validity.notAfter":
		return c.NotAfter
	}
	return ""
}

func (c *Certificate) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"clientCertPem":`...), c.PEM)
	dst = AppendString(append(dst, `,"subjectDN":`...), c.Subject)
	dst = AppendString(append(dst, `,"issuerDN":`...), c.Issuer)
	dst = AppendString(append(dst, `,"serialNumber":`...), c.Serial)
	dst = AppendString(append(dst, `,"validity":{"notBefore":`...), c.NotBefore)
	dst = AppendString(append(dst, `,"notAfter":`...), c.NotAfter)
	return append(dst, "}}"...)
}
