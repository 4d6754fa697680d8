//go:build !linux || (!amd64 && !arm64)

package sandbox

import (
	"context"
	"runtime"
)

func open(_ context.Context, cfg Config) (Launcher, Report, error) {
	l, err := openProcess(cfg)
	if err != nil {
		return nil, Report{}, err
	}
	report := Report{Tier: l.Tier(), Checks: []Check{{
		Name: "namespaces", Detail: "not on " + runtime.GOOS + "/" + runtime.GOARCH,
		Fix: "functions run as plain processes of your user here; use Linux on amd64 or arm64 for isolation",
	}}}
	return l, report, nil
}
