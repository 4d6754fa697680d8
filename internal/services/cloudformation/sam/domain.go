package sam

import (
	"strings"
)

// edgeZone is the hosted zone of CloudFront, behind which edge-optimised domains are.
const edgeZone = "Z2FDTNDATAQYW2"

// customDomain is what Api and HttpApi make of their Domain alike.
type customDomain struct {
	config   object
	id       string // of the domain name's resource
	endpoint string // "REGIONAL"
	paths    []any  // nil: the root alone
	v2       bool   // of an HTTP or WebSocket API
}

// customDomain reads Domain.
func (m *macro) customDomain(endpoints []string, v2 bool) *customDomain {
	if given, isMap := m.props["Domain"].(object); m.props["Domain"] == nil || isMap && len(given) == 0 && !v2 {
		return nil
	}
	config, _ := m.t.resolve(m.props["Domain"]).(object)
	for _, k := range []string{"DomainName", "CertificateArn"} {
		if config[k] == nil && v2 {
			refuseProperty(m.id, "Domain", "Custom Domains only works if both DomainName and CertificateArn are provided.")
		} else if config[k] == nil {
			refuseProperty(m.id, "Domain", "Property 'Domain.%s' is required.", k)
		}
	}
	d := &customDomain{config: config, endpoint: "REGIONAL", v2: v2}
	if v := config["EndpointConfiguration"]; v != nil {
		var ok bool
		if d.endpoint, ok = v.(string); !ok || !strings.Contains(" "+strings.Join(endpoints, " ")+" ", " "+d.endpoint+" ") {
			refuse(m.id, "EndpointConfiguration for Custom Domains must be one of ['%s'].", strings.Join(endpoints, "', '"))
		}
	}
	prefix := "ApiGatewayDomainName"
	if v2 || d.endpoint == "PRIVATE" {
		prefix += "V2"
	}
	d.id = hashed(prefix, config["DomainName"])
	switch p := config["BasePath"].(type) {
	case nil:
	case string:
		d.paths = []any{p}
	case []any:
		d.paths = p
	default:
		refuse(m.id, "Type of property 'BasePath' is invalid.")
	}
	if tls := config["MutualTlsAuthentication"]; tls != nil {
		given, ok := tls.(object)
		if !ok {
			refuse(m.id, "Property 'Domain.MutualTlsAuthentication' should be a map.")
		}
		kept := object{}
		for _, k := range keys(given) {
			if k != "TruststoreUri" && k != "TruststoreVersion" {
				refuse(m.id, "Available Domain.MutualTlsAuthentication fields are ['TruststoreUri', 'TruststoreVersion'].")
			}
			if truthy(given[k]) {
				kept[k] = given[k]
			}
		}
		config["MutualTlsAuthentication"] = kept
	}
	return d
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

// mappings adds what maps each base path of the domain to the stage. key returns
// the path as the mapping has it.
func (m *macro) mappings(d *customDomain, kind, suffix, property string, props object, key func(path string) string) {
	if len(d.paths) == 0 {
		m.add(m.id+suffix, kind, m.passed(), props)
		return
	}
	for i, x := range d.paths {
		path, ok := x.(string)
		if !ok && d.v2 {
			refuseProperty(m.id, "Domain", "Basepath must be a string.")
		} else if !ok {
			refuseProperty(m.id, "Domain", "Property 'Domain.BasePath[%d]' should be a string.", i)
		}
		if trimmed := strings.Trim(path, "/"); d.v2 && strings.Trim(trimmed, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()/$+") != "" {
			refuse(m.id, "Invalid Basepath name provided.")
		}
		one := clone(props).(object)
		one[property] = key(path)
		m.add(m.id+letters(path)+suffix, kind, m.passed(), one)
	}
}

// domain makes the custom domain of a REST API.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-api-domainconfiguration.html
func (m *macro) domain(stage string) {
	d := m.customDomain([]string{"EDGE", "REGIONAL", "PRIVATE"}, false)
	if d == nil {
		return
	}
	c := d.config
	endpoint := object{"Types": []any{d.endpoint}}
	if v := c["IpAddressType"]; v != nil {
		endpoint["IpAddressType"] = v
	}
	props := object{
		"DomainName": c["DomainName"], "EndpointConfiguration": endpoint, "SecurityPolicy": or(c["SecurityPolicy"]), "EndpointAccessMode": or(c["EndpointAccessMode"]),
		"MutualTlsAuthentication": or(c["MutualTlsAuthentication"]), "OwnershipVerificationCertificateArn": or(c["OwnershipVerificationCertificateArn"]),
	}
	mapping := object{"RestApiId": ref(m.id), "Stage": ref(stage)}
	kind, mappingKind := "AWS::ApiGateway::DomainName", "AWS::ApiGateway::BasePathMapping"
	switch d.endpoint {
	case "REGIONAL":
		props["RegionalCertificateArn"] = c["CertificateArn"]
		mapping["DomainName"] = ref(d.id)
	case "EDGE":
		props["CertificateArn"] = c["CertificateArn"]
		mapping["DomainName"] = ref(d.id)
	case "PRIVATE":
		kind, mappingKind = "AWS::ApiGateway::DomainNameV2", "AWS::ApiGateway::BasePathMappingV2"
		props["CertificateArn"] = c["CertificateArn"]
		props["Policy"] = or(c["Policy"])
		mapping["DomainNameArn"] = ref(d.id)
	}
	if c["Policy"] != nil && d.endpoint != "PRIVATE" {
		panic(Problem{ID: m.id, Shown: d.id, Text: "property Policy not defined for resource of type " + kind, Path: []string{"Properties", "Domain", "Policy"}})
	}
	m.add(d.id, kind, m.passed(), props)
	v, has := c["NormalizeBasePath"]
	normal := !has || truthy(v)
	m.mappings(d, mappingKind, "BasePathMapping", "BasePath", mapping, func(path string) string {
		if normal {
			return letters(path)
		}
		return path
	})
	if a, ok := c["AccessAssociation"].(object); ok && d.endpoint == "PRIVATE" {
		v := a["VpcEndpointId"]
		if !truthy(v) {
			refuse(m.id, "AccessAssociation requires VpcEndpointId.")
		}
		m.add(hashed("DomainNameAccessAssociation", []any{v, d.id}), "AWS::ApiGateway::DomainNameAccessAssociation", m.passed(), object{
			"AccessAssociationSource": v, "AccessAssociationSourceType": "VPCE", "DomainNameArn": ref(d.id),
		})
	}
	m.records(d)
}

// httpDomain makes the custom domain of an HTTP API.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-httpapi-httpapidomainconfiguration.html
func (m *macro) httpDomain(stage string, tags object) {
	d := m.customDomain([]string{"REGIONAL"}, true)
	if d == nil {
		return
	}
	c := d.config
	config := object{"CertificateArn": c["CertificateArn"], "EndpointType": d.endpoint}
	for _, k := range []string{"SecurityPolicy", "OwnershipVerificationCertificateArn", "IpAddressType"} {
		if truthy(c[k]) {
			config[k] = c[k]
		}
	}
	m.add(d.id, "AWS::ApiGatewayV2::DomainName", m.passed(), object{
		"DomainName": c["DomainName"], "DomainNameConfigurations": []any{config}, "MutualTlsAuthentication": or(c["MutualTlsAuthentication"]), "Tags": or(any(tags)),
	})
	m.mappings(d, "AWS::ApiGatewayV2::ApiMapping", "ApiMapping", "ApiMappingKey", object{"ApiId": ref(m.id), "DomainName": ref(d.id), "Stage": ref(stage)},
		func(path string) string { return strings.Trim(path, "/") })
	m.records(d)
}

// records adds the domain's records to the group of its hosted zone, which all
// APIs of the template share.
func (m *macro) records(d *customDomain) {
	route, ok := d.config["Route53"].(object)
	if !ok {
		if d.config["Route53"] != nil {
			refuseProperty(m.id, "Domain", "Property 'Domain.Route53' should be a map.")
		}
		return
	}
	zone, name := "HostedZoneId", route["HostedZoneId"]
	if name == nil {
		zone, name = "HostedZoneName", route["HostedZoneName"]
	}
	if name == nil {
		refuse(m.id, "HostedZoneId or HostedZoneName is required to enable Route53 support on Custom Domains.")
	}
	target := object{"HostedZoneId": getAtt(d.id, "RegionalHostedZoneId"), "DNSName": getAtt(d.id, "RegionalDomainName")}
	switch d.endpoint {
	case "EDGE":
		target = object{"HostedZoneId": edgeZone, "DNSName": getAtt(d.id, "DistributionDomainName")}
		if v := route["DistributionDomainName"]; truthy(v) {
			target["DNSName"] = v
		}
	case "PRIVATE":
		if !truthy(route["VpcEndpointDomainName"]) || !truthy(route["VpcEndpointHostedZoneId"]) {
			refuse(m.id, "Custom Domains support for Private APIs needs VpcEndpointDomainName and VpcEndpointHostedZoneId in Route53.")
		}
		target = object{"HostedZoneId": route["VpcEndpointHostedZoneId"], "DNSName": route["VpcEndpointDomainName"]}
	}
	if v := route["EvaluateTargetHealth"]; v != nil {
		target["EvaluateTargetHealth"] = v
	}
	id := hashed("RecordSetGroup", name)
	group, ok := m.t.out[id].(object)
	if !ok {
		group = m.add(id, "AWS::Route53::RecordSetGroup", m.passed(), object{zone: name, "RecordSets": []any{}})
		if v := route["HostedZoneName"]; v != nil && !d.v2 {
			properties(group)["HostedZoneName"] = v
		}
	}
	props := properties(group)
	list, _ := props["RecordSets"].([]any)
	for _, kind := range []string{"A", "AAAA"} {
		if kind == "AAAA" && route["IpV6"] != true {
			continue
		}
		record := object{"Name": d.config["DomainName"], "Type": kind, "AliasTarget": clone(target)}
		for _, k := range []string{"SetIdentifier", "Region"} {
			if v := route[k]; v != nil {
				record[k] = v
			}
		}
		list = append(list, record)
	}
	props["RecordSets"] = list
}
