package policy

import (
	"encoding/json"
	"fmt"
	"testing"
)

// holdsIn compiles one condition and asks it in a request.
func holdsIn(t *testing.T, operator string, values any, have []string) bool {
	t.Helper()
	list, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	p := must(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{"my:Key":%s}}}}`, operator, list))
	r := Request{
		Principal: Principal{Kind: User, Account: "123456789012", UserName: "ann", ARN: "arn:aws:iam::123456789012:user/ann"},
		Action:    "a:B", Resource: "*",
		Context: Keys{"my:key": have, "aws:principaltag/team": {"blue"}, "aws:tagkeys": {"x", "y"}},
	}
	return Evaluate(&r, &Sets{Identity: []*Policy{p}}).Allowed
}

type list = []string

func TestConditionOperators(t *testing.T) {
	tests := []struct {
		operator string
		values   any
		have     []string // nil: the key is missing
		want     bool
	}{
		{"StringEquals", "a", list{"a"}, true},
		{"StringEquals", "a", list{"A"}, false},
		{"StringEquals", "a*", list{"ab"}, false},
		{"StringEquals", "a*", list{"a*"}, true},
		{"StringEquals", list{"a", "b"}, list{"b"}, true},
		{"StringEquals", list{}, list{"b"}, false},
		{"StringEquals", "a", nil, false},
		{"stringequals", "a", list{"a"}, true},
		{"StringNotEquals", "a", list{"b"}, true},
		{"StringNotEquals", "a", list{"a"}, false},
		{"StringNotEquals", list{"a", "b"}, list{"b"}, false}, // neither of them
		{"StringNotEquals", list{"a", "b"}, list{"c"}, true},
		{"StringNotEquals", "a", nil, true},
		{"StringEqualsIgnoreCase", "Straße", list{"sTRAßE"}, true},
		{"StringEqualsIgnoreCase", "a", list{"b"}, false},
		{"StringEqualsIgnoreCase", "${aws:username}X", list{"ANNx"}, true},
		{"StringEqualsIgnoreCase", "a", nil, false},
		{"StringNotEqualsIgnoreCase", "a", list{"A"}, false},
		{"StringNotEqualsIgnoreCase", "a", list{"b"}, true},
		{"StringNotEqualsIgnoreCase", "a", nil, true},
		{"StringLike", "t1.*", list{"t1.micro"}, true},
		{"StringLike", "t?.micro", list{"t2.micro"}, true},
		{"StringLike", "t1.*", list{"T1.micro"}, false},
		{"StringLike", list{"", "home/", "home/${aws:username}/"}, list{""}, true},
		{"StringLike", list{"", "home/", "home/${aws:username}/"}, list{"home/ann/"}, true},
		{"StringLike", list{"", "home/", "home/${aws:username}/"}, list{"home/bob/"}, false},
		{"StringLike", "*", nil, false},
		{"StringNotLike", "t1.*", list{"t1.micro"}, false},
		{"StringNotLike", "t1.*", list{"m1.micro"}, true},
		{"StringNotLike", "t1.*", nil, true},

		// StringEquals and variables.
		{"StringEquals", "${aws:PrincipalTag/team}", list{"blue"}, true},
		{"StringEquals", "${aws:PrincipalTag/none}", list{""}, false},
		{"StringEquals", "${aws:PrincipalTag/none, 'all'}", list{"all"}, true},
		{"StringEquals", "${aws:PrincipalTag/team, 'all'}", list{"all"}, false},
		{"StringEquals", "${aws:TagKeys}", list{"x"}, false}, // several values are not one
		{"StringNotEquals", "${aws:PrincipalTag/team}", list{"red"}, true},
		{"StringNotEquals", "${aws:PrincipalTag/none}", list{"red"}, false}, // the statement is void
		{"StringEquals", "a${*}${?}${$}", list{"a*?$"}, true},
		{"StringLike", "a${*}", list{"ab"}, false},
		{"StringLike", "a${*}", list{"a*"}, true},

		{"NumericEquals", "10", list{"10.0"}, true},
		{"NumericEquals", 10, list{"10"}, true},
		{"NumericEquals", "10", list{"11"}, false},
		{"NumericEquals", "10", list{"ten"}, false},
		{"NumericEquals", "10", nil, false},
		{"NumericNotEquals", "10", list{"11"}, true},
		{"NumericNotEquals", "10", list{"10"}, false},
		{"NumericNotEquals", "10", nil, true},
		{"NumericLessThan", "10", list{"9.5"}, true},
		{"NumericLessThan", "10", list{"10"}, false},
		{"NumericLessThan", "10", nil, false},
		{"NumericLessThanEquals", "10", list{"10"}, true},
		{"NumericLessThanEquals", "10", list{"10.1"}, false},
		{"NumericGreaterThan", "-1", list{"0"}, true},
		{"NumericGreaterThan", "10", list{"10"}, false},
		{"NumericGreaterThanEquals", "10", list{"10"}, true},
		{"NumericGreaterThanEquals", "10", list{"9"}, false},

		{"DateEquals", "2020-01-01T00:00:00Z", list{"1577836800"}, true},
		{"DateEquals", "2020-01-01", list{"2020-01-01T01:00:00+01:00"}, true},
		{"DateEquals", 1577836800, list{"2020-01"}, true},
		{"DateEquals", "2020-01-01", list{"yesterday"}, false},
		{"DateEquals", "2020-01-01", nil, false},
		{"DateNotEquals", "2020-01-01", list{"2020-01-02"}, true},
		{"DateNotEquals", "2020-01-01", list{"2020-01-01"}, false},
		{"DateNotEquals", "2020-01-01", nil, true},
		{"DateLessThan", "2020-01-01T00:00:01Z", list{"2020-01-01T00:00:00.999Z"}, true},
		{"DateLessThan", "2020-01-01", list{"2020-01-01"}, false},
		{"DateLessThanEquals", "2020-01-01", list{"2020-01-01"}, true},
		{"DateLessThanEquals", "2020-01-01", list{"2020-01-02"}, false},
		{"DateGreaterThan", "2020-01-01", list{"2020-01-01T00:00:00.000000001Z"}, true},
		{"DateGreaterThan", "2020-01-01", list{"2020-01-01"}, false},
		{"DateGreaterThanEquals", "2020-01-01", list{"2020-01-01"}, true},
		{"DateGreaterThanEquals", "2020-01-01", list{"2019-12-31T23:59:59Z"}, false},

		{"Bool", "true", list{"true"}, true},
		{"Bool", true, list{"true"}, true},
		{"Bool", "True", list{"true"}, true},
		{"Bool", "false", list{"true"}, false},
		{"Bool", list{"true", "false"}, list{"false"}, true},
		{"Bool", "false", nil, false},
		{"BoolIfExists", "false", nil, true},
		{"BoolIfExists", "false", list{"true"}, false},

		{"BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", list{"BinaryValueInBase64"}, true},
		{"BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", list{"binaryValueInBase64"}, false},
		{"BinaryEquals", "QQ==", nil, false},

		{"IpAddress", "203.0.113.0/24", list{"203.0.113.7"}, true},
		{"IpAddress", "203.0.113.9/24", list{"203.0.113.7"}, true},
		{"IpAddress", "203.0.113.0/24", list{"203.0.114.7"}, false},
		{"IpAddress", "203.0.113.7", list{"203.0.113.7"}, true},
		{"IpAddress", "203.0.113.7", list{"203.0.113.8"}, false},
		{"IpAddress", "203.0.113.0/24", list{"::ffff:203.0.113.7"}, true},
		{"IpAddress", list{"203.0.113.0/24", "2001:DB8:1234:5678::/64"}, list{"2001:db8:1234:5678::1"}, true},
		{"IpAddress", "2001:DB8:1234:5678::/64", list{"2001:db8:1234:5679::1"}, false},
		{"IpAddress", "0.0.0.0/0", list{"::1"}, false},
		{"IpAddress", "0.0.0.0/0", list{"unknown"}, false},
		{"IpAddress", "0.0.0.0/0", nil, false},
		{"NotIpAddress", "203.0.113.0/24", list{"203.0.113.7"}, false},
		{"NotIpAddress", "203.0.113.0/24", list{"198.51.100.1"}, true},
		{"NotIpAddress", list{"203.0.113.0/24", "198.51.100.0/24"}, list{"198.51.100.1"}, false},
		{"NotIpAddress", "203.0.113.0/24", nil, true},

		{"ArnEquals", "arn:aws:sns:us-east-1:123456789012:topic", list{"arn:aws:sns:us-east-1:123456789012:topic"}, true},
		{"ArnEquals", "arn:aws:sns:us-east-1:123456789012:*", list{"arn:aws:sns:us-east-1:123456789012:topic"}, true},
		{"ArnLike", "arn:aws:sns:*:123456789012:top?c", list{"arn:aws:sns:us-east-1:123456789012:topic"}, true},
		{"ArnLike", "arn:aws:SNS:*:*:*", list{"arn:aws:sns:us-east-1:123456789012:topic"}, false},
		// The documented difference between ArnLike and StringLike.
		{"ArnLike", "arn:aws:someservice:*:111122223333:finance/*", list{"arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"}, false},
		{"StringLike", "arn:aws:someservice:*:111122223333:finance/*", list{"arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"}, true},
		{"ArnLike", "arn:aws:logs:*:*:log-group:*", list{"arn:aws:logs:us-east-1:1:log-group:a:log-stream:b"}, true},
		{"ArnLike", "arn:aws:sns:*", list{"arn:aws:sns:us-east-1:123456789012:topic"}, false},
		{"ArnLike", "arn:aws:*:*:*:*", list{"no arn"}, false},
		{"ArnLike", "${aws:PrincipalArn}", list{"arn:aws:iam::123456789012:user/ann"}, true},
		{"ArnLike", "arn:aws:iam::*:user/${aws:username}", list{"arn:aws:iam::123456789012:user/ann"}, true},
		{"ArnLike", "arn:aws:sns:*:*:*", nil, false},
		{"ArnNotEquals", "arn:aws:sns:*:*:a", list{"arn:aws:sns:us-east-1:1:b"}, true},
		{"ArnNotEquals", "arn:aws:sns:*:*:a", list{"arn:aws:sns:us-east-1:1:a"}, false},
		{"ArnNotLike", "arn:aws:sns:*:*:a*", list{"arn:aws:sns:us-east-1:1:ab"}, false},
		{"ArnNotLike", "arn:aws:sns:*:*:a*", nil, true},

		{"Null", "true", nil, true},
		{"Null", "true", list{}, true},
		{"Null", "true", list{"x"}, false},
		{"Null", "false", list{"x"}, true},
		{"Null", false, nil, false},

		{"StringEqualsIfExists", "a", nil, true},
		{"StringEqualsIfExists", "a", list{"b"}, false},
		{"StringNotEqualsIfExists", "a", nil, true},
		{"StringNotEqualsIfExists", "a", list{"a"}, false},
		{"NumericLessThanIfExists", "1", nil, true},
		{"IpAddressIfExists", "10.0.0.0/8", nil, true},
		{"ArnLikeIfExists", "arn:aws:sns:*:*:*", nil, true},

		{"ForAllValues:StringLike", list{"PostDateTime", "Message", "Tags"}, list{"PostDateTime", "Message"}, true},
		{"ForAllValues:StringLike", list{"PostDateTime", "Message", "Tags"}, list{"PostDateTime", "UserName"}, false},
		{"ForAllValues:StringEquals", "a", nil, true},
		{"ForAllValues:StringEquals", "a", list{""}, true},
		{"ForAllValues:StringNotEquals", list{"a", "b"}, list{"c", "d"}, true},
		{"ForAllValues:StringNotEquals", list{"a", "b"}, list{"c", "a"}, false},
		{"ForAllValues:StringNotEquals", "a", nil, true},
		{"ForAllValues:NumericLessThan", 10, list{"1", "9"}, true},
		{"ForAllValues:StringEqualsIfExists", "a", list{"b"}, false},
		{"ForAnyValue:StringLike", list{"ID", "PostDateTime"}, list{"UserName", "Message", "PostDateTime"}, true},
		{"ForAnyValue:StringLike", list{"ID", "PostDateTime"}, list{"UserName"}, false},
		{"ForAnyValue:StringEquals", "a", nil, false},
		{"ForAnyValue:StringEquals", "", list{""}, false},
		{"ForAnyValue:StringNotEquals", list{"a", "b"}, list{"a", "c"}, true},
		{"ForAnyValue:StringNotEquals", list{"a", "b"}, list{"a", "b"}, false},
		{"ForAnyValue:StringNotEquals", "a", nil, false},
		{"ForAnyValue:StringEqualsIfExists", "a", nil, false},
		{"foranyvalue:arnlike", "arn:aws:sns:*:*:*", list{"x", "arn:aws:sns:::t"}, true},

		// Several values without a qualifier.
		{"StringEquals", "a", list{"a", "b"}, true},
		{"StringNotEquals", "a", list{"a", "b"}, false},
		{"StringNotEquals", "a", list{"c", "b"}, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %v %v", tt.operator, tt.values, tt.have), func(t *testing.T) {
			if got := holdsIn(t, tt.operator, tt.values, tt.have); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestConditionsAreAllNeeded(t *testing.T) {
	p := must(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
		"StringEquals":{"my:A":"1","my:B":["2","3"]}, "NumericLessThan":{"MY:c":5}}}}`)
	tests := []struct {
		a, b, c string
		want    bool
	}{
		{"1", "3", "4", true}, {"0", "3", "4", false}, {"1", "4", "4", false}, {"1", "2", "5", false},
	}
	for _, tt := range tests {
		keys := Keys{}
		keys.Set("My:A", tt.a)
		keys.Set("my:b", tt.b)
		keys.Set("my:c", tt.c)
		r := Request{Principal: Principal{Kind: User, Account: "1"}, Action: "a:B", Resource: "*", Context: keys}
		if got := Evaluate(&r, &Sets{Identity: []*Policy{p}}).Allowed; got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

func TestPrincipalKeys(t *testing.T) {
	const acct = "123456789012"
	tests := []struct {
		name string
		p    Principal
		want map[string]string // "" means missing
	}{
		{"user", Principal{Kind: User, Account: acct, ARN: "arn:aws:iam::" + acct + ":user/ann", UserID: "AIDA", UserName: "ann"}, map[string]string{
			"aws:PrincipalArn": "arn:aws:iam::" + acct + ":user/ann", "aws:PrincipalAccount": acct, "aws:PrincipalType": "User",
			"aws:userid": "AIDA", "aws:UserName": "ann", "aws:PrincipalIsAWSService": "false", "aws:PrincipalServiceName": "", "aws:ResourceAccount": "210987654321"}},
		{"role", Principal{Kind: Role, Account: acct, ARN: "arn:aws:sts::" + acct + ":assumed-role/r/s", RoleARN: "arn:aws:iam::" + acct + ":role/p/r", UserID: "AROA:s"}, map[string]string{
			"aws:PrincipalArn": "arn:aws:iam::" + acct + ":role/p/r", "aws:PrincipalType": "AssumedRole", "aws:userid": "AROA:s", "aws:username": ""}},
		{"root", Principal{Kind: Root, Account: acct, ARN: "arn:aws:iam::" + acct + ":root", UserID: acct}, map[string]string{
			"aws:PrincipalArn": "arn:aws:iam::" + acct + ":root", "aws:PrincipalType": "Account", "aws:userid": acct, "aws:username": ""}},
		{"service", Principal{Kind: Service, Service: "sns.amazonaws.com"}, map[string]string{
			"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": "sns.amazonaws.com", "aws:PrincipalArn": "", "aws:PrincipalAccount": ""}},
		{"anonymous", Principal{}, map[string]string{
			"aws:PrincipalType": "Anonymous", "aws:userid": "anonymous", "aws:PrincipalArn": "", "aws:username": ""}},
	}
	for _, tt := range tests {
		e := evaluation{request: &Request{Principal: tt.p, ResourceAccount: "210987654321"}}
		for name, want := range tt.want {
			k := newKey(name)
			got := ""
			if v := e.lookup(&k); len(v) > 0 {
				got = v[0]
			}
			if got != want {
				t.Errorf("%s: %s = %q, want %q", tt.name, name, got, want)
			}
		}
	}
}

func TestContextCannotForgeThePrincipal(t *testing.T) {
	e := evaluation{request: &Request{
		Principal: Principal{Kind: User, UserName: "ann"},
		Context:   Keys{"aws:username": {"root"}},
	}}
	k := newKey("aws:username")
	if got := e.lookup(&k); got[0] != "ann" {
		t.Errorf("got %q", got)
	}
}

func TestParseInstant(t *testing.T) {
	const newYear = 1577836800
	good := map[string]instant{
		"0": {}, "1577836800": {sec: newYear}, "2020": {sec: 2020}, "2020-01": {sec: newYear}, "2020-01-01": {sec: newYear},
		"2020-01-01T00": {sec: newYear}, "2020-01-01T00:00": {sec: newYear}, "2020-01-01T00:00Z": {sec: newYear},
		"2020-01-01t00:00:00z": {sec: newYear}, "2020-01-01T00:00:00.25Z": {sec: newYear, nsec: 250_000_000},
		"2020-01-01T02:30:00+02:30": {sec: newYear}, "2019-12-31T19:00:00-0500": {sec: newYear}, "2019-12-31T19-05": {sec: newYear},
		"2020-02-29": {sec: newYear + 59*86400}, "1969-12-31": {sec: -86400},
	}
	for s, want := range good {
		if got, ok := parseInstant(s); !ok || got != want {
			t.Errorf("%q: got %v %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "x", "-1", "2020-", "2020-1-1", "2020-13", "2020-00", "2021-02-29", "2020-01-01T", "2020-01-01TZ", "2020-01-01T24",
		"2020-01-01T00:60", "2020-01-01T00:00:00.", "2020-01-01T00:00.5", "2020/01/01", "2020-01-01T00:00:00+1", "2020-01-01T00:00:00+",
		"2020-01-01T00:00:00.1234567890Z", "99999999999999999999", "2020-01-01 00:00:00"} {
		if got, ok := parseInstant(s); ok {
			t.Errorf("%q: accepted as %v", s, got)
		}
	}
}

// sharing answers every single value in the same place, as a context may.
type sharing struct {
	keys map[string]string
	one  [1]string
}

func (s *sharing) Lookup(key string) []string {
	s.one[0] = s.keys[key]
	return s.one[:]
}

func TestContextMaySharePlaces(t *testing.T) {
	for operator, want := range map[string]bool{
		"StringEquals": true, "StringNotEquals": false, "StringEqualsIgnoreCase": true, "StringNotEqualsIgnoreCase": false, "StringLike": true,
		"StringNotLike": false, "ForAllValues:StringNotEquals": false, "ForAnyValue:StringNotLike": false, "ForAnyValue:StringEquals": true,
	} {
		p := must(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{"my:A":["${my:B}","x${my:C}"]}}}}`, operator))
		r := Request{Principal: ann, Action: "a:B", Resource: "*", Context: &sharing{keys: map[string]string{"my:a": "2", "my:b": "2", "my:c": "3"}}}
		if got := Evaluate(&r, &Sets{Identity: []*Policy{p}}).Allowed; got != want {
			t.Errorf("%s: got %v", operator, got)
		}
	}
}
