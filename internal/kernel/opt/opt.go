// Package opt reads the pointers with which generated types say that a member
// may be absent. To make one, use new(value).
package opt

// Val returns what p points to, or the zero value if p is nil.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Or returns what p points to, or def if p is nil.
func Or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// NonZero returns a pointer to v, or nil if v is the zero value.
func NonZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
