package xmlwire

import (
	"reflect"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Decode reads a structure out of an element. Elements that the shape does not
// know are passed over. What does not fit is a *scalar.Error or an *Error.
func Decode(e *Element, s *model.Service, sh *model.Shape, dst reflect.Value) error {
	fields := value.Struct(dst, sh)
	return DecodeMembers(e, s, sh, &fields, nil)
}

// DecodeMembers reads those members of a structure for which keep answers true;
// a nil keep means all.
func DecodeMembers(e *Element, s *model.Service, sh *model.Shape, fields *value.Fields, keep func(*model.Member) bool) error {
	d := decoder{s}
	for i := range sh.Members {
		m := &sh.Members[i]
		if keep != nil && !keep(m) {
			continue
		}
		t := fields.Target(i)
		found, err := d.member(e, m, t)
		if err != nil {
			return err
		}
		if found {
			fields.Keep(i, t)
		}
	}
	return nil
}

// DecodeValue reads the value of a member out of the element that is it.
func DecodeValue(e *Element, s *model.Service, m *model.Member, dst reflect.Value) error {
	return decoder{s}.value(e, m, m.Shape, dst)
}

type decoder struct{ s *model.Service }

func (d decoder) member(parent *Element, m *model.Member, dst reflect.Value) (bool, error) {
	sh := &d.s.Shapes[m.Shape]
	name := local(m.WireName())
	if m.Attribute {
		text, ok := parent.Attr(name)
		if !ok {
			return false, nil
		}
		return true, scalar.Parse(dst, sh, stamp.Format(m, sh, model.ISO8601), text)
	}
	if flat(m, sh) {
		switch sh.Kind {
		case model.List:
			return d.flatList(parent, m, sh, dst)
		case model.Map:
			return d.flatMap(parent, name, sh, dst)
		}
	}
	e := parent.Child(name)
	if e == nil {
		return false, nil
	}
	return true, d.value(e, m, m.Shape, dst)
}

func (d decoder) value(e *Element, m *model.Member, shape int, dst reflect.Value) error {
	sh := &d.s.Shapes[shape]
	switch sh.Kind {
	case model.Structure:
		return Decode(e, d.s, sh, dst)
	case model.List:
		seq := value.List(dst)
		name := or(sh.ElemName, "member")
		for _, c := range e.Children {
			if c.Name == name {
				if err := d.value(c, nil, sh.Elem, seq.Next()); err != nil {
					return err
				}
			}
		}
		seq.Done()
		return nil
	case model.Map:
		dict := value.Map(dst)
		for _, c := range e.Children {
			if c.Name == "entry" {
				if err := d.entry(c, sh, &dict); err != nil {
					return err
				}
			}
		}
		return nil
	case model.String:
		value.SetString(dst, e.Text)
		return nil
	case model.Document, model.Events:
		return &Error{"The element " + e.Name + " cannot be read"}
	}
	return scalar.Parse(dst, sh, stamp.Format(m, sh, model.ISO8601), strings.TrimSpace(e.Text))
}

// flatList reads the elements of a list that stand in the parent itself, under
// the member's name, or under that of the list's elements where the member has none.
func (d decoder) flatList(parent *Element, m *model.Member, sh *model.Shape, dst reflect.Value) (bool, error) {
	names := [2]string{local(m.WireName()), ""}
	if m.Wire == "" {
		names[1] = sh.ElemName
	}
	found := false
	var seq value.Seq
	for _, c := range parent.Children {
		if c.Name != names[0] && c.Name != names[1] {
			continue
		}
		if !found {
			seq, found = value.List(dst), true
		}
		if err := d.value(c, nil, sh.Elem, seq.Next()); err != nil {
			return false, err
		}
	}
	if found {
		seq.Done()
	}
	return found, nil
}

func (d decoder) flatMap(parent *Element, name string, sh *model.Shape, dst reflect.Value) (bool, error) {
	found := false
	var dict value.Dict
	for _, c := range parent.Children {
		if c.Name != name {
			continue
		}
		if !found {
			dict, found = value.Map(dst), true
		}
		if err := d.entry(c, sh, &dict); err != nil {
			return false, err
		}
	}
	return found, nil
}

func (d decoder) entry(e *Element, sh *model.Shape, dict *value.Dict) error {
	k := e.Child(or(sh.KeyName, "key"))
	if k == nil {
		return &Error{"An entry of a map has no key"}
	}
	t := dict.Next()
	if v := e.Child(or(sh.ElemName, "value")); v != nil {
		if err := d.value(v, nil, sh.Elem, t); err != nil {
			return err
		}
	}
	dict.Keep(k.Text)
	return nil
}
