//go:build !linux

package image

import "errors"

// Nothing is believed here: images do not run.

func machineRun() (string, error)     { return "", errors.ErrUnsupported }
func folderID(string) (string, error) { return "", errors.ErrUnsupported }
func syncAll(string) error            { return errors.ErrUnsupported }
