package expr

// KeyCondition selects items of one partition: by the partition key's value, and
// maybe by a range of sort keys.
type KeyCondition struct {
	Hash *Value
	// Op is "" (the whole partition), =, <, <=, >, >=, BETWEEN or begins_with.
	Op string
	// Low is what Op compares with; High is the upper bound of BETWEEN.
	Low, High *Value
}

// KeyCondition reads a key condition expression for a table or index whose
// partition key is hash and whose sort key is rng, "" if it has none.
func (s *Scope) KeyCondition(src, hash, rng string) (*KeyCondition, error) {
	c, err := s.condition(src)
	if err != nil {
		return nil, invalid(kindKeyCondition, err)
	}
	var parts []Condition
	if err := conjuncts(c, &parts); err != nil {
		return nil, err
	}
	return keyCondition(parts, hash, rng)
}

// conjuncts takes a conjunction apart.
func conjuncts(c Condition, out *[]Condition) error {
	switch c := c.(type) {
	case and:
		if err := conjuncts(c.left, out); err != nil {
			return err
		}
		return conjuncts(c.right, out)
	case or:
		return badKeyOperator("OR")
	case not:
		return badKeyOperator("NOT")
	case in:
		return badKeyOperator("IN")
	case exists:
		name := "attribute_exists"
		if !c.want {
			name = "attribute_not_exists"
		}
		return badKeyOperator(name)
	case hasType:
		return badKeyOperator("attribute_type")
	case contains:
		return badKeyOperator("contains")
	case compare:
		if c.op == "<>" {
			return badKeyOperator("<>")
		}
	}
	*out = append(*out, c)
	return nil
}

func badKeyOperator(name string) error {
	return errorf("Invalid operator used in KeyConditionExpression: %s", name)
}

func unsupportedKeyCondition() error { return errorf("Query key condition not supported") }

func keyCondition(parts []Condition, hash, rng string) (*KeyCondition, error) {
	var out KeyCondition
	seen := map[string]bool{}
	for _, c := range parts {
		path, op, low, high, err := keyPart(c)
		if err != nil {
			return nil, err
		}
		if path.Nested() {
			return nil, errorf("KeyConditionExpressions cannot have conditions on nested attributes")
		}
		name := path.Top()
		if seen[name] {
			return nil, errorf("KeyConditionExpressions must only contain one condition per key")
		}
		seen[name] = true
		switch name {
		case hash:
			if op != "=" {
				return nil, unsupportedKeyCondition()
			}
			out.Hash = low
		case rng:
			out.Op, out.Low, out.High = op, low, high
		}
	}
	switch {
	case out.Hash == nil:
		return nil, errorf("Query condition missed key schema element: %s", hash)
	case len(seen) > 1 && out.Op == "":
		if rng != "" {
			return nil, errorf("Query condition missed key schema element: %s", rng)
		}
		return nil, unsupportedKeyCondition()
	case len(seen) > 2:
		return nil, errorf("Conditions can be of length 1 or 2 only")
	}
	return &out, nil
}

// keyPart takes one condition on a key apart.
func keyPart(c Condition) (path Path, op string, low, high *Value, err error) {
	switch c := c.(type) {
	case compare:
		left, right, o := c.left, c.right, c.op
		if _, ok := left.(valueOperand); ok {
			left, right, o = right, left, flipped(o)
		}
		p, isPath := left.(pathOperand)
		v, isValue := right.(valueOperand)
		if isPath && isValue {
			return p.path, o, v.v, nil, nil
		}
	case between:
		p, isPath := c.of.(pathOperand)
		l, isLow := c.low.(valueOperand)
		h, isHigh := c.high.(valueOperand)
		if isPath && isLow && isHigh {
			return p.path, "BETWEEN", l.v, h.v, nil
		}
	case beginsWith:
		p, isPath := c.of.(pathOperand)
		v, isValue := c.prefix.(valueOperand)
		if isPath && isValue {
			return p.path, "begins_with", v.v, nil, nil
		}
	}
	return nil, "", nil, nil, errorf("Invalid KeyConditionExpression: A key condition compares a key attribute with a value")
}

func flipped(op string) string {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}
