package policy

// operator is a condition operator without its qualifiers.
type operator struct {
	kind    operatorKind
	compare comparison
	negated bool
}

type operatorKind uint8

const (
	isString operatorKind = iota
	isStringFold
	isLike
	isNumeric
	isDate
	isBool
	isBinary
	isIP
	isARN
	isNull
)

// comparison is what a value of the request must be to the policy's value.
type comparison uint8

const (
	equal comparison = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// accepts takes the outcome of cmp.Compare(request's value, policy's value).
func (c comparison) accepts(order int) bool {
	switch c {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	}
	return order == 0
}

// operatorOf knows the operators by their names in lower case.
func operatorOf(name string) (operator, bool) {
	switch name {
	case "stringequals":
		return operator{kind: isString}, true
	case "stringnotequals":
		return operator{kind: isString, negated: true}, true
	case "stringequalsignorecase":
		return operator{kind: isStringFold}, true
	case "stringnotequalsignorecase":
		return operator{kind: isStringFold, negated: true}, true
	case "stringlike":
		return operator{kind: isLike}, true
	case "stringnotlike":
		return operator{kind: isLike, negated: true}, true
	case "numericequals":
		return operator{kind: isNumeric}, true
	case "numericnotequals":
		return operator{kind: isNumeric, negated: true}, true
	case "numericlessthan":
		return operator{kind: isNumeric, compare: less}, true
	case "numericlessthanequals":
		return operator{kind: isNumeric, compare: lessOrEqual}, true
	case "numericgreaterthan":
		return operator{kind: isNumeric, compare: greater}, true
	case "numericgreaterthanequals":
		return operator{kind: isNumeric, compare: greaterOrEqual}, true
	case "dateequals":
		return operator{kind: isDate}, true
	case "datenotequals":
		return operator{kind: isDate, negated: true}, true
	case "datelessthan":
		return operator{kind: isDate, compare: less}, true
	case "datelessthanequals":
		return operator{kind: isDate, compare: lessOrEqual}, true
	case "dategreaterthan":
		return operator{kind: isDate, compare: greater}, true
	case "dategreaterthanequals":
		return operator{kind: isDate, compare: greaterOrEqual}, true
	case "bool":
		return operator{kind: isBool}, true
	case "binaryequals":
		return operator{kind: isBinary}, true
	case "ipaddress":
		return operator{kind: isIP}, true
	case "notipaddress":
		return operator{kind: isIP, negated: true}, true
	case "arnequals", "arnlike":
		return operator{kind: isARN}, true
	case "arnnotequals", "arnnotlike":
		return operator{kind: isARN, negated: true}, true
	case "null":
		return operator{kind: isNull}, true
	}
	return operator{}, false
}
