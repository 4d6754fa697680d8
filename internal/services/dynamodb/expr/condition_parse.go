package expr

import "slices"

// Condition reads a condition expression.
func (s *Scope) Condition(src string) (Condition, error) {
	c, err := s.condition(src)
	return c, invalid(kindCondition, err)
}

// Filter reads a filter expression: the same language.
func (s *Scope) Filter(src string) (Condition, error) {
	c, err := s.condition(src)
	return c, invalid(kindFilter, err)
}

func (s *Scope) condition(src string) (Condition, error) {
	p, err := newParser(src, s)
	if err != nil {
		return nil, err
	}
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokEnd {
		return nil, p.unexpected()
	}
	return c, nil
}

func (p *parser) or() (Condition, error) {
	left, err := p.and()
	for err == nil && p.keyword("OR") {
		var right Condition
		if err = p.operator(); err != nil {
			break
		}
		if right, err = p.and(); err == nil {
			left = or{left, right}
		}
	}
	return left, err
}

func (p *parser) and() (Condition, error) {
	left, err := p.not()
	for err == nil && p.keyword("AND") {
		var right Condition
		if err = p.operator(); err != nil {
			break
		}
		if right, err = p.not(); err == nil {
			left = and{left, right}
		}
	}
	return left, err
}

func (p *parser) not() (Condition, error) {
	if p.keyword("NOT") {
		if err := p.operator(); err != nil {
			return nil, err
		}
		c, err := p.not()
		return not{c}, err
	}
	if p.peek().punct("(") {
		return p.parenthesis()
	}
	return p.predicate()
}

func (p *parser) parenthesis() (Condition, error) {
	open := p.at
	p.at++
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	// ((…)) says nothing that (…) does not.
	if p.toks[open+1].punct("(") && p.closes(open+1) == p.at-2 {
		return nil, errorf("The expression has redundant parentheses;")
	}
	return c, nil
}

// closes returns the index of the token that closes the parenthesis at open.
func (p *parser) closes(open int) int {
	for i, depth := open, 0; i < len(p.toks); i++ {
		if p.toks[i].punct("(") {
			depth++
		} else if p.toks[i].punct(")") {
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// predicate reads a comparison, BETWEEN, IN, or a function that is a condition.
func (p *parser) predicate() (Condition, error) {
	if p.peek().kind == tokWord && p.toks[p.at+1].punct("(") && !p.peek().is("size") {
		return p.conditionFunction()
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	t := p.peek()
	switch {
	case t.is("BETWEEN"):
		return p.between(left)
	case t.is("IN"):
		return p.in(left)
	case t.kind == tokPunct && comparator(t.text):
		p.at++
	default:
		if size, ok := left.(sizeOperand); ok && size.of != nil {
			return nil, errorf("The function is not allowed to be used this way in an expression; function: size")
		}
		return nil, p.unexpected()
	}
	if err := p.operator(); err != nil {
		return nil, err
	}
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if t.text != "=" && t.text != "<>" {
		for _, o := range []operand{left, right} {
			if err := ordered(t.text, o); err != nil {
				return nil, err
			}
		}
	}
	if err := distinct(t.text, left, right); err != nil {
		return nil, err
	}
	return compare{t.text, left, right}, nil
}

func comparator(s string) bool {
	switch s {
	case "=", "<>", "<", "<=", ">", ">=":
		return true
	}
	return false
}

// ordered checks that a value can be compared by order.
func ordered(op string, o operand) error {
	if v, ok := o.(valueOperand); ok && v.v.S == nil && v.v.N == nil && v.v.B == nil {
		return errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", op, TypeOf(v.v))
	}
	return nil
}

// distinct checks that a path is not compared with itself.
func distinct(op string, first operand, rest ...operand) error {
	a, ok := first.(pathOperand)
	if !ok {
		return nil
	}
	for _, o := range rest {
		if b, ok := o.(pathOperand); ok && a.path.String() == b.path.String() {
			return errorf("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", op, a.path)
		}
	}
	return nil
}

func (p *parser) between(of operand) (Condition, error) {
	p.at++
	if err := p.operator(); err != nil {
		return nil, err
	}
	low, err := p.operand()
	if err != nil {
		return nil, err
	}
	if !p.keyword("AND") {
		return nil, p.unexpected()
	}
	high, err := p.operand()
	if err != nil {
		return nil, err
	}
	for _, o := range []operand{of, low, high} {
		if err := ordered("BETWEEN", o); err != nil {
			return nil, err
		}
	}
	if l, ok := low.(valueOperand); ok {
		if h, ok := high.(valueOperand); ok {
			if err := bounds(l.v, h.v); err != nil {
				return nil, err
			}
		}
	}
	if err := distinct("BETWEEN", of, low, high); err != nil {
		return nil, err
	}
	return between{of, low, high}, nil
}

// bounds checks the literal bounds of a BETWEEN.
func bounds(low, high *Value) error {
	d, ok := Compare(low, high)
	if !ok {
		return errorf("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", literal(low), literal(high))
	}
	if d > 0 {
		return errorf("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", literal(low), literal(high))
	}
	return nil
}

// literal writes a scalar as AWS's messages do.
func literal(v *Value) string {
	switch {
	case v.S != nil:
		return "{S:" + *v.S + "}"
	case v.N != nil:
		return "{N:" + *v.N + "}"
	}
	return "{B:" + string(v.B) + "}"
}

func (p *parser) in(of operand) (Condition, error) {
	p.at++
	if err := p.operator(); err != nil {
		return nil, err
	}
	list, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > 100 {
		return nil, errorf("Incorrect number of operands for operator or function; operator or function: IN, number of operands: %d", len(list)+1)
	}
	if err := distinct("IN", of, list...); err != nil {
		return nil, err
	}
	return in{of, list}, nil
}

// arguments reads "(a, b, …)".
func (p *parser) arguments() ([]operand, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.accept(")") {
		p.at--
		return nil, p.unexpected()
	}
	var list []operand
	for {
		o, err := p.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
		if p.accept(")") {
			return list, nil
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

// operand reads a value, a path or size(…).
func (p *parser) operand() (operand, error) {
	t := p.peek()
	switch {
	case t.kind == tokValue:
		p.at++
		v, err := p.scope.value(t.text)
		return valueOperand{v}, err
	case t.kind == tokWord && p.toks[p.at+1].punct("("):
		return p.sizeFunction()
	}
	path, err := p.path()
	return pathOperand{path}, err
}

func (p *parser) sizeFunction() (operand, error) {
	name := p.next().text
	if name != "size" {
		if conditionOperands(name) != 0 || updateFunction(name) {
			return nil, errorf("The function is not allowed to be used this way in an expression; function: %s", name)
		}
		return nil, errorf("Invalid function name; function: %s", name)
	}
	if err := p.operator(); err != nil {
		return nil, err
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, operands(name, len(args))
	}
	switch a := args[0].(type) {
	case sizeOperand:
		return nil, errorf("The function is not allowed to be used this way in an expression; function: size")
	case valueOperand:
		switch t := TypeOf(a.v); t {
		case typeN, typeBOOL, typeNULL:
			return nil, operandType(name, t)
		}
	}
	return sizeOperand{args[0]}, nil
}

// conditionOperands returns the number of operands of a function that is a
// condition; 0 for any other name.
func conditionOperands(name string) int {
	switch name {
	case "attribute_exists", "attribute_not_exists":
		return 1
	case "attribute_type", "begins_with", "contains":
		return 2
	}
	return 0
}

func updateFunction(name string) bool { return name == "if_not_exists" || name == "list_append" }

func operands(function string, n int) error {
	return errorf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", function, n)
}

func operandType(function, typ string) error {
	return errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", function, typ)
}

func (p *parser) conditionFunction() (Condition, error) {
	name := p.next().text
	want := conditionOperands(name)
	if want == 0 {
		if updateFunction(name) {
			return nil, errorf("The function is not allowed in a condition expression; function: %s", name)
		}
		return nil, errorf("Invalid function name; function: %s", name)
	}
	if err := p.operator(); err != nil {
		return nil, err
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if len(args) != want {
		return nil, operands(name, len(args))
	}
	path, isPath := args[0].(pathOperand)
	switch name {
	case "attribute_exists", "attribute_not_exists":
		if !isPath {
			return nil, errorf("Operator or function requires a document path; operator or function: %s", name)
		}
		return exists{path.path, name == "attribute_exists"}, nil
	case "attribute_type":
		if !isPath {
			return nil, errorf("Operator or function requires a document path; operator or function: %s", name)
		}
		return p.attributeType(path, args[1])
	}
	if err := distinct(name, args[0], args[1]); err != nil {
		return nil, err
	}
	if name == "begins_with" {
		for _, a := range args {
			if v, ok := a.(valueOperand); ok && v.v.S == nil && v.v.B == nil {
				return nil, operandType(name, TypeOf(v.v))
			}
		}
		return beginsWith{args[0], args[1]}, nil
	}
	return contains{args[0], args[1]}, nil
}

func (p *parser) attributeType(of operand, name operand) (Condition, error) {
	v, ok := name.(valueOperand)
	switch {
	case !ok:
		return nil, operandType("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
	case v.v.S == nil:
		return nil, operandType("attribute_type", TypeOf(v.v))
	case !slices.Contains([]string{typeB, typeNULL, typeSS, typeBOOL, typeL, typeBS, typeN, typeNS, typeS, typeM}, *v.v.S):
		return nil, errorf("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", *v.v.S)
	}
	return hasType{of, *v.v.S}, nil
}
