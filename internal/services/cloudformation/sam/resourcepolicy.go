package sam

import (
	"reflect"
	"strings"
)

// wildcards replaces the variables of a path, as ARNs need it; the greedy ones, as in
// {path+}, only if asked to, but for {proxy+}.
func wildcards(path string, greedy bool) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		plain, more := strings.CutSuffix(name, "+")
		if len(rest) == len(name) || plain == "" || more && !greedy && plain != "proxy" || strings.Trim(strings.ToLower(plain), "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			b.WriteByte('{')
			path = rest
			continue
		}
		b.WriteByte('*')
		path = after
	}
}

// resourcePolicy adds the statements that Auth.ResourcePolicy stands for on a path.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-api-resourcepolicystatement.html
func (e *editor) resourcePolicy(p object, path string, stage any) {
	var on []any
	for _, item := range e.items(path) {
		for _, name := range keys(item) {
			verb := strings.ToUpper(name)
			if name == anyMethod || strings.EqualFold(name, "any") {
				verb = "*"
			}
			on = append(on, sub("execute-api:/${__Stage__}/"+verb+wildcards(path, true), object{"__Stage__": stage}))
		}
	}
	statement := func(effect string, principal any, condition object) object {
		s := object{"Effect": effect, "Action": "execute-api:Invoke", "Resource": clone(on), "Principal": principal}
		if condition != nil {
			s["Condition"] = condition
		}
		return s
	}
	for _, who := range [][2]string{{"AwsAccountWhitelist", "Allow"}, {"AwsAccountBlacklist", "Deny"}} {
		if v := p[who[0]]; truthy(v) {
			if _, list := v.([]any); !list {
				v = []any{v}
			}
			s := statement(who[1], object{"AWS": v}, nil)
			if e.policy()["Statement"] == nil {
				e.policy()["Statement"] = s
			} else {
				e.state(false, s)
			}
		}
	}
	for _, from := range [][2]string{{"IpRangeWhitelist", "NotIpAddress"}, {"IpRangeBlacklist", "IpAddress"}} {
		if v := p[from[0]]; truthy(v) {
			if _, list := v.([]any); !list {
				v = []any{v}
			}
			e.state(true, statement("Allow", "*", nil), statement("Deny", "*", object{from[1]: object{"aws:SourceIp": v}}))
		}
	}
	for _, vpc := range [][2]string{{"Blacklist", "StringEquals"}, {"Whitelist", "StringNotEquals"}} {
		condition := object{}
		list, _ := p["SourceVpc"+vpc[0]].([]any)
		for _, x := range list {
			s, ok := x.(string)
			if !ok {
				panic(Problem{Text: "Structure of the SAM template is invalid. SourceVpc" + vpc[0] + " must be a list of strings. Use IntrinsicVpc" + vpc[0] + " instead for values that use Intrinsic Functions"})
			}
			if strings.HasPrefix(s, "vpce-") {
				extend(condition, "aws:SourceVpce", s)
			} else if strings.HasPrefix(s, "vpc-") {
				extend(condition, "aws:SourceVpc", s)
			}
		}
		vpcs, _ := p["IntrinsicVpc"+vpc[0]].([]any)
		extend(condition, "aws:SourceVpc", vpcs...)
		vpces, _ := p["IntrinsicVpce"+vpc[0]].([]any)
		extend(condition, "aws:SourceVpce", vpces...)
		if len(condition) > 0 {
			e.state(true, statement("Allow", "*", nil), statement("Deny", "*", object{vpc[1]: condition}))
		}
	}
}

func extend(m object, key string, values ...any) {
	if len(values) > 0 {
		l, _ := m[key].([]any)
		m[key] = append(l, values...)
	}
}

// policy returns the definition's policy, made if there is none.
func (e *editor) policy() object {
	p := child(e.doc, resourcePol)
	p["Version"] = "2012-10-17"
	return p
}

// state adds statements to the policy; once leaves out those that are there.
func (e *editor) state(once bool, statements ...any) {
	p := e.policy()
	list, ok := p["Statement"].([]any)
	if !ok && p["Statement"] != nil {
		list = []any{p["Statement"]}
	}
next:
	for _, s := range statements {
		for _, old := range list {
			if once && reflect.DeepEqual(old, s) {
				continue next
			}
		}
		list = append(list, s)
	}
	p["Statement"] = list
}

func (e *editor) customStatements(v any) {
	if v == nil {
		return
	}
	if e.policy()["Statement"] == nil {
		e.policy()["Statement"] = v
		return
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	e.state(true, list...)
}
