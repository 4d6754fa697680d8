//go:build !linux

package main

// settle lets go of memory that only the start needed; the system does so itself.
func settle() {}
