package template

// bracket reads a flow collection.
func (y *yamlReader) bracket(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, y.tooDeep()
	}
	y.flow++
	defer func() { y.flow-- }()
	pos := y.pos()
	closing, list := byte('}'), &Node{Kind: List, Pos: pos}
	m := newMapping(pos)
	if y.peek(0) == '[' {
		closing = ']'
	}
	y.advance(1)
	for {
		if err := y.skip(); err != nil {
			return nil, err
		}
		if y.peek(0) == closing {
			y.advance(1)
			if closing == ']' {
				return build(list)
			}
			return m.done()
		}
		at := y.pos()
		key, value, pair, err := y.entry(depth)
		if err != nil {
			return nil, err
		}
		switch {
		case closing == '}':
			err = m.add(key, at, value)
		case pair: // [a: b] holds a map
			one := newMapping(at)
			if err = one.add(key, at, value); err == nil {
				key, err = one.done()
			}
			fallthrough
		default:
			list.items = append(list.items, key)
		}
		if err != nil {
			return nil, err
		}
		if err := y.skip(); err != nil {
			return nil, err
		}
		switch y.peek(0) {
		case ',':
			y.advance(1)
		case closing:
		default:
			return nil, y.fail("expected ',' or '%c'", closing)
		}
	}
}

// entry reads an entry of a flow collection; value is null unless it is a pair.
func (y *yamlReader) entry(depth int) (key, value *Node, pair bool, err error) {
	value = &Node{Pos: y.pos(), size: 1}
	if y.peek(0) == '?' && space(y.peek(1)) {
		y.advance(1)
		if err = y.skip(); err != nil {
			return
		}
		pair = true
	}
	json := y.peek(0) == '"' || y.peek(0) == '\''
	if key, err = y.inFlow(depth); err != nil {
		return
	}
	if err = y.skip(); err != nil {
		return
	}
	if y.peek(0) != ':' || !json && key.Kind == Scalar && !space(y.peek(1)) && !flowMark(y.peek(1)) {
		return
	}
	y.advance(1)
	pair = true
	if err = y.skip(); err != nil {
		return
	}
	value, err = y.inFlow(depth)
	return
}

// inFlow reads a node within brackets, null if there is none.
func (y *yamlReader) inFlow(depth int) (*Node, error) {
	p, err := y.properties()
	if err != nil {
		return nil, err
	}
	if p.any() {
		if err := y.skip(); err != nil {
			return nil, err
		}
	}
	var n *Node
	if c := y.peek(0); c == ',' || c == ']' || c == '}' || c == ':' && (space(y.peek(1)) || flowMark(y.peek(1))) {
		n = &Node{Pos: y.pos(), size: 1}
	} else if n, err = y.atom(-1, depth+1); err != nil {
		return nil, err
	}
	return y.apply(p, n)
}
