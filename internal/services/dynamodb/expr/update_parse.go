package expr

import "strings"

// Update reads an update expression.
func (s *Scope) Update(src string) (*Update, error) {
	u, err := s.update(src)
	return u, invalid(kindUpdate, err)
}

func (s *Scope) update(src string) (*Update, error) {
	p, err := newParser(src, s)
	if err != nil {
		return nil, err
	}
	u, seen := &Update{}, map[string]bool{}
	for p.peek().kind != tokEnd {
		section := strings.ToUpper(p.peek().text)
		if p.peek().kind != tokWord {
			return nil, p.unexpected()
		}
		switch section {
		case "SET", "REMOVE", "ADD", "DELETE":
		default:
			return nil, p.unexpected()
		}
		if seen[section] {
			return nil, errorf("The \"%s\" section can only be used once in an update expression;", section)
		}
		seen[section] = true
		p.at++
		for {
			if err := p.action(u, section); err != nil {
				return nil, err
			}
			if !p.accept(",") {
				break
			}
		}
	}
	return u, disjoint(u.Paths())
}

func (p *parser) action(u *Update, section string) error {
	path, err := p.path()
	if err != nil {
		return err
	}
	switch section {
	case "REMOVE":
		u.removes = append(u.removes, path)
		return nil
	case "SET":
		if err := p.expect("="); err != nil {
			return err
		}
		rhs, err := p.sum()
		if err != nil {
			return err
		}
		u.sets = append(u.sets, assignment{path, rhs})
		return nil
	}
	t := p.peek()
	if t.kind != tokValue {
		return p.unexpected()
	}
	p.at++
	v, err := p.scope.value(t.text)
	if err != nil {
		return err
	}
	if err := p.operator(); err != nil {
		return err
	}
	set := v.SS != nil || v.NS != nil || v.BS != nil
	if section == "ADD" {
		if !set && v.N == nil {
			return errorf("Incorrect operand type for operator or function; operator: ADD, operand type: %s, typeSet: ALLOWED_FOR_ADD_OPERAND", longType(v))
		}
		u.adds = append(u.adds, assignment{path, valueSource{v}})
		return nil
	}
	if !set {
		return errorf("Incorrect operand type for operator or function; operator: DELETE, operand type: %s, typeSet: ALLOWED_FOR_DELETE_OPERAND", longType(v))
	}
	u.deletes = append(u.deletes, assignment{path, valueSource{v}})
	return nil
}

// longType is how messages about ADD and DELETE name a type.
func longType(v *Value) string {
	switch t := TypeOf(v); t {
	case typeS:
		return "STRING"
	case typeN:
		return "NUMBER"
	case typeB:
		return "BINARY"
	case typeM:
		return "MAP"
	case typeL:
		return "LIST"
	case typeBOOL:
		return "BOOLEAN"
	default:
		return t
	}
}

// sum reads the right side of an assignment: an operand, or two with + or -.
func (p *parser) sum() (source, error) {
	left, err := p.source()
	if err != nil {
		return nil, err
	}
	op := p.peek()
	if !op.punct("+") && !op.punct("-") {
		return left, nil
	}
	p.at++
	if err := p.operator(); err != nil {
		return nil, err
	}
	right, err := p.source()
	if err != nil {
		return nil, err
	}
	for _, s := range []source{left, right} {
		if v, ok := s.(valueSource); ok && v.v.N == nil {
			return nil, operandType(op.text, TypeOf(v.v))
		}
		if _, ok := s.(listAppend); ok {
			return nil, operandType(op.text, typeL)
		}
	}
	return arithmetic{op.text == "-", left, right}, nil
}

func (p *parser) source() (source, error) {
	t := p.peek()
	switch {
	case t.punct("("):
		p.at++
		s, err := p.sum()
		if err != nil {
			return nil, err
		}
		return s, p.expect(")")
	case t.kind == tokValue:
		p.at++
		v, err := p.scope.value(t.text)
		return valueSource{v}, err
	case t.kind == tokWord && p.toks[p.at+1].punct("("):
		return p.sourceFunction()
	}
	path, err := p.path()
	return pathSource{path}, err
}

func (p *parser) sourceFunction() (source, error) {
	name := p.next().text
	if !updateFunction(name) {
		if conditionOperands(name) != 0 || name == "size" {
			return nil, errorf("The function is not allowed in an update expression; function: %s", name)
		}
		return nil, errorf("Invalid function name; function: %s", name)
	}
	if err := p.operator(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var args []source
	for {
		a, err := p.source()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
		if p.accept(")") {
			break
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
	if len(args) != 2 {
		return nil, operands(name, len(args))
	}
	if name == "if_not_exists" {
		path, ok := args[0].(pathSource)
		if !ok {
			return nil, errorf("Operator or function requires a document path; operator or function: if_not_exists")
		}
		return ifNotExists{path.path, args[1]}, nil
	}
	for _, a := range args {
		if v, ok := a.(valueSource); ok && v.v.L == nil {
			return nil, operandType(name, TypeOf(v.v))
		}
	}
	return listAppend{args[0], args[1]}, nil
}
