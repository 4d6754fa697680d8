package awsquery

import (
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Decode implements protocol.Codec. Parameters stand in the query string, in a
// form body, or in both.
func (c Codec) Decode(rq *protocol.Request, into any) error {
	if rq.Op.Input < 0 {
		return nil
	}
	forms := []string{rq.HTTP.URL.RawQuery}
	if rq.HTTP.Method != http.MethodGet {
		body, err := rq.ReadBody(true)
		if err != nil {
			return err
		}
		forms = append(forms, string(body))
	}
	root, err := parse(forms...)
	if err != nil {
		return malformed(err)
	}
	if rq.Service.ID == "SQS" && len(rq.HTTP.URL.Path) > 1 && root.child("QueueUrl") == nil {
		// Requests may be sent to the queue's URL instead of naming it.
		_ = root.insert("QueueUrl", "http://"+rq.HTTP.Host+rq.HTTP.URL.Path)
	}
	d := decoder{s: rq.Service, ec2: c.EC2}
	return malformed(d.structure(root, &rq.Service.Shapes[rq.Op.Input], value.Into(into)))
}

// malformed makes a fault of what is wrong with a form.
func malformed(err error) error {
	var form *formError
	var text *scalar.Error
	if errors.As(err, &form) || errors.As(err, &text) {
		return fault.Of(fault.Serialization, "%s", err.Error())
	}
	return err
}

type decoder struct {
	s   *model.Service
	ec2 bool
}

// names returns the names under which a member's parameter may stand.
func (d decoder) names(m *model.Member, sh *model.Shape) [3]string {
	if d.ec2 {
		if m.QueryName != "" {
			return [3]string{m.QueryName}
		}
		wire := m.WireName()
		return [3]string{strings.ToUpper(wire[:1]) + wire[1:]}
	}
	names := [3]string{m.WireName(), m.QueryName}
	if m.Wire == "" && sh.Kind == model.List && flat(m, sh) {
		names[2] = sh.ElemName
	}
	return names
}

func flat(m *model.Member, sh *model.Shape) bool { return sh.Flat || m != nil && m.Flat }

func (d decoder) structure(n *node, sh *model.Shape, dst reflect.Value) error {
	fields := value.Struct(dst, sh)
	for i := range sh.Members {
		m := &sh.Members[i]
		names := d.names(m, &d.s.Shapes[m.Shape])
		c := n.child(names[:]...)
		if c == nil {
			continue
		}
		t := fields.Target(i)
		set, err := d.value(c, m, m.Shape, t)
		if err != nil {
			return err
		}
		if set {
			fields.Keep(i, t)
		}
	}
	return nil
}

// value reads a parameter; m is the member that it is of, if any. It reports
// false for a parameter that says nothing.
func (d decoder) value(n *node, m *model.Member, shape int, dst reflect.Value) (bool, error) {
	sh := &d.s.Shapes[shape]
	switch sh.Kind {
	case model.Structure:
		return true, d.structure(n, sh, dst)
	case model.List:
		return true, d.list(n, m, sh, dst)
	case model.Map:
		return true, d.dict(n, m, sh, dst)
	case model.Document, model.Events:
		return false, &formError{"A parameter of this form cannot be read"}
	}
	if !n.set || n.value == "" && sh.Kind != model.String && sh.Kind != model.Blob {
		return false, nil
	}
	return true, scalar.Parse(dst, sh, stamp.Format(m, sh, model.ISO8601), n.value)
}

func (d decoder) list(n *node, m *model.Member, sh *model.Shape, dst reflect.Value) error {
	seq := value.List(dst)
	defer seq.Done()
	if !d.ec2 && !flat(m, sh) {
		if n = n.child(sh.ElemName, "member"); n == nil {
			return nil
		}
	}
	items, err := n.items()
	if err != nil {
		return err
	}
	for _, c := range items {
		if _, err := d.value(c, nil, sh.Elem, seq.Next()); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) dict(n *node, m *model.Member, sh *model.Shape, dst reflect.Value) error {
	dict := value.Map(dst)
	if !d.ec2 && !flat(m, sh) {
		if n = n.child("entry"); n == nil {
			return nil
		}
	}
	items, err := n.items()
	if err != nil {
		return err
	}
	for _, c := range items {
		k := c.child(sh.KeyName, "key")
		if k == nil {
			return &formError{"An entry of a map has no key"}
		}
		t := dict.Next()
		if v := c.child(sh.ElemName, "value"); v != nil {
			if _, err := d.value(v, nil, sh.Elem, t); err != nil {
				return err
			}
		}
		dict.Keep(k.value)
	}
	return nil
}
