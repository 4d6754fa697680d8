//go:build !linux

package image

// marked does as inPlace: there is no overlayfs here, and it is not asked for.
type marked struct{ inPlace }

func canMark(string) bool { return false }
