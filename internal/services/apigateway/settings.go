package apigateway

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/time/rate"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// allMethods is the key of the settings that methods have which have none of
// their own.
const allMethods = "*/*"

// methodSetting are the settings of a method at a stage, or of all ("*/*").
// https://docs.aws.amazon.com/apigateway/latest/api/API_MethodSetting.html
type methodSetting struct {
	Throttle throttle `json:"throttle"`
	Caching  caching  `json:"caching,omitzero"`
	Logging  logging  `json:"logging,omitzero"`
}

func (m *methodSetting) answer() api.MethodSetting {
	out := api.MethodSetting{
		ThrottlingRateLimit:  new(opt.Or(m.Throttle.Rate, accountRate)),
		ThrottlingBurstLimit: new(opt.Or(m.Throttle.Burst, accountBurst)),
	}
	m.Caching.tell(&out)
	m.Logging.tell(&out)
	return out
}

// set sets one of the settings by its name in a patch: "caching/enabled". known
// is false if there is none of this name.
func (m *methodSetting) set(name, value string) (known bool, err error) {
	topic, setting, _ := strings.Cut(name, "/")
	switch topic {
	case "throttling":
		return true, m.Throttle.set(setting, value)
	case "caching":
		return m.Caching.set(setting, value)
	}
	return m.Logging.set(name, value)
}

// settingKey names a method among the settings: "~1pets~1{id}/GET".
func settingKey(path, method string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + method
}

// setMethod carries a patch of method settings out:
// "/~1pets/GET/throttling/rateLimit", "/*/*/caching/enabled". known is false if
// it is not one of them.
func (st *stage) setMethod(p api.PatchOperation) (known bool, err error) {
	path := opt.Val(p.Path)
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) < 2 || !methodPart(parts[0], parts[1]) {
		return false, nil
	}
	key := parts[0] + "/" + parts[1]
	switch op := opt.Val(p.Op); {
	case op == api.OpRemove && len(parts) == 2:
		if st.Methods[key] == nil {
			return true, api.BadRequestException("Cannot remove method setting %s because there is no method setting for this method ", key)
		}
		delete(st.Methods, key)
		return true, nil
	case op != api.OpReplace || len(parts) != 4:
		return false, nil
	}
	m := methodSetting{}
	if was := st.Methods[key]; was != nil {
		m = *was
	}
	if known, err = m.set(parts[2]+"/"+parts[3], opt.Val(p.Value)); !known || err != nil {
		return known, err
	}
	if st.Methods == nil {
		st.Methods = map[string]*methodSetting{}
	}
	st.Methods[key] = &m
	return true, nil
}

// methodPart reports whether the first two parts of a patch's path name a method.
func methodPart(path, method string) bool {
	return (path == "*" || strings.HasPrefix(path, "~1")) &&
		slices.Contains([]string{"*", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"}, method)
}

// settings are all method settings as answered.
func (st *stage) settings() map[string]api.MethodSetting {
	all := make(map[string]api.MethodSetting, len(st.Methods))
	for k, m := range st.Methods {
		all[k] = m.answer()
	}
	return all
}

// of returns the settings of a method: its own, else those of all; own tells
// which. The answer is nil if there are neither.
func (st *stage) of(path, method string) (m *methodSetting, own bool) {
	if m := st.Methods[settingKey(path, method)]; m != nil {
		return m, true
	}
	return st.Methods[allMethods], false
}

// methodThrottle returns the bucket of a method at the stage, the same for the
// same method each time.
func (st *stage) methodThrottle(path, method string) *rate.Limiter {
	key := settingKey(path, method)
	if l, ok := st.limiters[key]; ok {
		return l
	}
	m, _ := st.of(path, method)
	if m == nil {
		return nil
	}
	l := m.Throttle.limiter()
	if l == nil {
		return nil
	}
	// A bucket whose settings stay is not filled again by a deployment.
	if was := st.before[key]; was != nil && was.Limit() == l.Limit() && was.Burst() == l.Burst() {
		l = was
	}
	if st.limiters == nil {
		st.limiters = map[string]*rate.Limiter{}
	}
	st.limiters[key] = l
	return l
}

// flag reads a boolean of a patch.
func flag(name, value string) (bool, error) {
	b, err := strconv.ParseBool(value)
	if err != nil || value != "true" && value != "false" {
		return false, api.BadRequestException("Invalid boolean value specified for %s: %s. Must be true or false", name, value)
	}
	return b, nil
}

// boolean sets a flag.
func boolean(into *bool) func(name, value string) error {
	return func(name, value string) (err error) {
		b, err := flag(name, value)
		if err == nil {
			*into = b
		}
		return err
	}
}
