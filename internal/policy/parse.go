package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Parse reads a policy document by its strict grammar: unknown elements,
// repeated keys and values that their operator could never match are refused.
// The error's text is meant to go out as the message of a
// MalformedPolicyDocument (or the service's own such) fault. Sizes, and what a
// kind of policy may hold, are checked elsewhere: see the Validate functions.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func Parse(doc []byte) (*Policy, error) {
	r := reader{dec: json.NewDecoder(bytes.NewReader(doc))}
	r.dec.UseNumber()
	d, err := r.document()
	if err != nil {
		if _, ok := errors.AsType[*spoken](err); !ok {
			err = syntax("%v.", err)
		}
		return nil, err
	}
	p := &Policy{version: d.version, id: d.id, statements: make([]Statement, len(d.statements))}
	for i := range d.statements {
		s := &p.statements[i]
		if err := s.compile(&d.statements[i], d.version == V2012); err != nil {
			return nil, inStatement(i, err)
		}
		if s.Allow {
			p.allow = append(p.allow, s)
		} else {
			p.deny = append(p.deny, s)
		}
	}
	return p, nil
}

// spoken is an error whose text is already AWS's own.
type spoken struct{ text string }

func (e *spoken) Error() string { return e.text }

func malformed(format string, args ...any) error {
	return &spoken{fmt.Sprintf(format, args...)}
}

// syntax words what the grammar refuses: AWS's sentence, then what is wrong.
func syntax(format string, args ...any) error {
	return malformed("Syntax errors in policy. "+format, args...)
}

func inStatement(i int, err error) error {
	if _, ok := errors.AsType[*spoken](err); ok {
		return err
	}
	return syntax("Statement %d: %v.", i+1, err)
}

// document and rawStatement are what was written, before it is compiled: the
// Version that decides about variables may come last.
type document struct {
	version, id string
	statements  []rawStatement
}

type rawStatement struct {
	Statement
	effect     string
	conditions []rawCondition
}

type rawCondition struct {
	operator, key string
	values        []string
}

// reader reads the document token by token, because only so does encoding/json
// show repeated keys.
type reader struct{ dec *json.Decoder }

func (r *reader) document() (*document, error) {
	d := &document{version: V2008}
	stated := false
	tok, err := r.next()
	if err != nil {
		return nil, err
	}
	err = r.object(tok, "the policy", func(key string, tok json.Token) (err error) {
		switch key {
		case "Version":
			if d.version, err = text(tok, key); err == nil && d.version != V2008 && d.version != V2012 {
				err = syntax("Version must be %q or %q, not %q.", V2012, V2008, d.version)
			}
		case "Id":
			d.id, err = text(tok, key)
		case "Statement":
			stated = true
			err = r.each(tok, func(tok json.Token) error {
				s := rawStatement{}
				if err := r.statement(tok, &s); err != nil {
					return inStatement(len(d.statements), err)
				}
				d.statements = append(d.statements, s)
				return nil
			})
		default:
			err = syntax("The policy has an unknown element %q.", key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); err != io.EOF {
		return nil, syntax("There is text after the end of the policy.")
	}
	if !stated || len(d.statements) == 0 {
		return nil, syntax("The policy must contain a statement.")
	}
	return d, nil
}

func (r *reader) statement(tok json.Token, s *rawStatement) error {
	err := r.object(tok, "a statement", func(key string, tok json.Token) (err error) {
		switch key {
		case "Sid":
			s.Sid, err = text(tok, key)
		case "Effect":
			s.effect, err = text(tok, key)
		case "Action":
			s.Action, err = r.texts(tok, key)
		case "NotAction":
			s.NotAction, err = r.texts(tok, key)
		case "Resource":
			s.Resource, err = r.texts(tok, key)
		case "NotResource":
			s.NotResource, err = r.texts(tok, key)
		case "Principal":
			s.Principal, err = r.principal(tok, key)
		case "NotPrincipal":
			s.NotPrincipal, err = r.principal(tok, key)
		case "Condition":
			s.HasConditions = true
			s.conditions, err = r.condition(tok)
		default:
			err = fmt.Errorf("unknown element %q", key)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch s.effect {
	case "Allow":
		s.Allow = true
	case "Deny":
	case "":
		return errors.New("its Effect is missing")
	default:
		return fmt.Errorf("its Effect must be \"Allow\" or \"Deny\", not %q", s.effect)
	}
	switch {
	case s.Action != nil && s.NotAction != nil:
		return errors.New("its Action and NotAction exclude each other")
	case s.Resource != nil && s.NotResource != nil:
		return errors.New("its Resource and NotResource exclude each other")
	case s.Principal != nil && s.NotPrincipal != nil:
		return errors.New("its Principal and NotPrincipal exclude each other")
	}
	return nil
}

// principal reads "*" or a map from type to one or more values.
func (r *reader) principal(tok json.Token, element string) ([]PrincipalEntry, error) {
	if s, ok := tok.(string); ok {
		if s != "*" {
			return nil, invalidPrincipal("AWS", s)
		}
		return []PrincipalEntry{{"AWS", "*"}}, nil
	}
	entries := []PrincipalEntry{}
	err := r.object(tok, element, func(kind string, tok json.Token) error {
		switch kind {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return fmt.Errorf("%s has an unknown type %q; it must be AWS, Service, Federated or CanonicalUser", element, kind)
		}
		values, err := r.texts(tok, element+"."+kind)
		for _, v := range values {
			entries = append(entries, PrincipalEntry{kind, v})
		}
		return err
	})
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%s names nobody", element)
	}
	return entries, err
}

func (r *reader) condition(tok json.Token) ([]rawCondition, error) {
	var all []rawCondition
	err := r.object(tok, "Condition", func(op string, tok json.Token) error {
		return r.object(tok, "Condition "+op, func(key string, tok json.Token) error {
			c := rawCondition{operator: op, key: key}
			err := r.each(tok, func(tok json.Token) error {
				switch v := tok.(type) {
				case string:
					c.values = append(c.values, v)
				case json.Number:
					c.values = append(c.values, v.String())
				case bool:
					c.values = append(c.values, fmt.Sprint(v))
				default:
					return fmt.Errorf("the values of %s in Condition %s must be strings, numbers or booleans", key, op)
				}
				return nil
			})
			all = append(all, c)
			return err
		})
	})
	return all, err
}

func (r *reader) next() (json.Token, error) {
	tok, err := r.dec.Token()
	switch {
	case err == nil:
		return tok, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, syntax("The policy ends too early.")
	default:
		return nil, syntax("It is not valid JSON: %v (at byte %d).", err, r.dec.InputOffset())
	}
}

// object calls f for each key of the object that begins with tok.
func (r *reader) object(tok json.Token, what string, f func(key string, value json.Token) error) error {
	if tok != json.Delim('{') {
		return fmt.Errorf("%s must be a JSON object", what)
	}
	var seen []string
	for {
		tok, err := r.next()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		key := tok.(string) // the decoder lets nothing else stand here
		if slices.Contains(seen, key) {
			return fmt.Errorf("%s has %q more than once", what, key)
		}
		seen = append(seen, key)
		if tok, err = r.next(); err != nil {
			return err
		}
		if err := f(key, tok); err != nil {
			return err
		}
	}
}

// each calls f for tok or, if tok begins a list, for each of its elements.
func (r *reader) each(tok json.Token, f func(json.Token) error) error {
	if tok != json.Delim('[') {
		return f(tok)
	}
	for {
		tok, err := r.next()
		if err != nil {
			return err
		}
		if tok == json.Delim(']') {
			return nil
		}
		if err := f(tok); err != nil {
			return err
		}
	}
}

// texts reads a string or a list of strings. The result is never nil.
func (r *reader) texts(tok json.Token, element string) ([]string, error) {
	list := []string{}
	err := r.each(tok, func(tok json.Token) error {
		s, err := text(tok, element)
		list = append(list, s)
		return err
	})
	return list, err
}

func text(tok json.Token, element string) (string, error) {
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%s must be a string", element)
	}
	return s, nil
}

// compile makes s of what was written. Variables act only if the version has them.
func (s *Statement) compile(raw *rawStatement, variables bool) error {
	*s = raw.Statement
	for _, a := range append(s.Action, s.NotAction...) {
		s.actions = append(s.actions, compileAction(a))
	}
	for _, res := range append(s.Resource, s.NotResource...) {
		p, err := compilePattern(res, true, variables)
		if err != nil {
			return err
		}
		s.resources = append(s.resources, p)
	}
	for _, e := range append(s.Principal, s.NotPrincipal...) {
		m, err := compilePrincipal(e)
		if err != nil {
			return err
		}
		s.principals = append(s.principals, m)
	}
	for i := range raw.conditions {
		c, err := compileCondition(&raw.conditions[i], variables)
		if err != nil {
			return err
		}
		s.conditions = append(s.conditions, c)
	}
	return nil
}
