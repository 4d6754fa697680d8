package cloudformation

import (
	"slices"

	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// How an operation on a stack set goes through its targets: region by region or in
// all at once, in each some accounts at a time, until too many have failed.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSetOperationPreferences.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/concurrency-mode.html

// preferences are those of an operation, nil where none were given.
type preferences struct {
	Concurrency, Mode           string   `json:",omitempty"`
	Order                       []string `json:",omitempty"`
	Tolerance, TolerancePercent *int32   `json:",omitempty"`
	Most, MostPercent           *int32   `json:",omitempty"`
}

// readPreferences checks an operation's preferences.
func readPreferences(in *api.StackSetOperationPreferences) (preferences, error) {
	if in == nil {
		return preferences{}, nil
	}
	p := preferences{
		Concurrency: opt.Val(in.RegionConcurrencyType), Mode: opt.Val(in.ConcurrencyMode), Order: in.RegionOrder,
		Tolerance: in.FailureToleranceCount, TolerancePercent: in.FailureTolerancePercentage,
		Most: in.MaxConcurrentCount, MostPercent: in.MaxConcurrentPercentage,
	}
	switch {
	case p.Tolerance != nil && p.TolerancePercent != nil:
		return p, fault.Of(fault.Validation, "FailureToleranceCount and FailureTolerancePercentage cannot be specified together")
	case p.Most != nil && p.MostPercent != nil:
		return p, fault.Of(fault.Validation, "MaxConcurrentCount and MaxConcurrentPercentage cannot be specified together")
	case len(p.Order) > 0 && p.Concurrency == api.RegionConcurrencyTypeParallel:
		return p, fault.Of(fault.Validation, "RegionOrder cannot be specified when RegionConcurrencyType is PARALLEL")
	}
	for i, r := range p.Order {
		if slices.Contains(p.Order[:i], r) {
			return p, fault.Of(fault.Validation, "RegionOrder contains the region %s twice", r)
		}
	}
	return p, nil
}

// describe returns the preferences as they were given.
func (p preferences) describe() *api.StackSetOperationPreferences {
	return &api.StackSetOperationPreferences{
		RegionConcurrencyType: opt.NonZero(p.Concurrency), ConcurrencyMode: opt.NonZero(p.Mode), RegionOrder: append([]string{}, p.Order...),
		FailureToleranceCount: p.Tolerance, FailureTolerancePercentage: p.TolerancePercent,
		MaxConcurrentCount: p.Most, MaxConcurrentPercentage: p.MostPercent,
	}
}

// order puts regions into the order in which an operation goes through them: those that
// the preferences name come first, the others as they are.
func (p preferences) order(regions []string) []string {
	var out []string
	for _, r := range append(slices.Clone(p.Order), regions...) {
		if slices.Contains(regions, r) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// quota says how many accounts of a region may be worked on at a time, and how many
// may fail.
type quota struct {
	most, tolerance int
	soft            bool // failures do not lower the concurrency
}

// quota is that of a region with so many accounts. Percentages are rounded down, but the
// concurrency is at least one.
func (p preferences) quota(accounts int) quota {
	q := quota{most: 1, tolerance: int(opt.Val(p.Tolerance)), soft: p.Mode == api.ConcurrencyModeSoftFailureTolerance}
	if p.TolerancePercent != nil {
		q.tolerance = accounts * int(*p.TolerancePercent) / 100
	}
	if p.Most != nil {
		q.most = int(*p.Most)
	}
	if p.MostPercent != nil {
		q.most = max(1, accounts*int(*p.MostPercent)/100)
	}
	return q
}

// exceeded reports whether more accounts have failed than may.
func (q quota) exceeded(failed int) bool { return failed > q.tolerance }

// room is how many more accounts may be begun. Strictly, there are never more under way
// than could fail without the failures being more than one above what is tolerated.
func (q quota) room(running, failed int) int {
	most := q.most
	if !q.soft {
		most = min(most, q.tolerance-failed+1)
	}
	if q.exceeded(failed) {
		return 0
	}
	return max(0, most-running)
}
