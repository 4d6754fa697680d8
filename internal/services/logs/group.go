package logs

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) groupBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateLogGroup, call.Rule(createLogGroupNeeds, "logs:CreateLogGroup", "logs:TagResource"), s.createLogGroup),
		call.Bind(api.DeleteLogGroup, onGroup("logs:DeleteLogGroup", func(in *api.DeleteLogGroupRequest) *string { return in.LogGroupName }), s.deleteLogGroup),
		call.Bind(api.DescribeLogGroups, call.Allow("logs:DescribeLogGroups", func(rq *call.Decoded, _ *api.DescribeLogGroupsRequest) string {
			return streamARN(rq.Region(), rq.Account(), "", "")
		}), s.describeLogGroups),
		call.Bind(api.ListLogGroups, call.Allow("logs:ListLogGroups", func(rq *call.Decoded, _ *api.ListLogGroupsRequest) string {
			return streamARN(rq.Region(), rq.Account(), "", "")
		}), s.listLogGroups),
		call.Bind(api.PutRetentionPolicy, onGroup("logs:PutRetentionPolicy", func(in *api.PutRetentionPolicyRequest) *string { return in.LogGroupName }), s.putRetentionPolicy),
		call.Bind(api.DeleteRetentionPolicy, onGroup("logs:DeleteRetentionPolicy", func(in *api.DeleteRetentionPolicyRequest) *string { return in.LogGroupName }), s.deleteRetentionPolicy),
		call.Bind(api.PutLogGroupDeletionProtection, onGroup("logs:PutLogGroupDeletionProtection", func(in *api.PutLogGroupDeletionProtectionRequest) *string { return in.LogGroupIdentifier }), s.putLogGroupDeletionProtection),
	}
}

func createLogGroupNeeds(_ context.Context, rq *call.Decoded, in *api.CreateLogGroupRequest) ([]call.Need, error) {
	resource := streamARN(rq.Region(), rq.Account(), opt.Val(in.LogGroupName), "")
	needs := []call.Need{{Action: "logs:CreateLogGroup", Resource: resource, Keys: tagKeys(in.Tags)}}
	if len(in.Tags) > 0 {
		needs = append(needs, call.Need{Action: "logs:TagResource", Resource: groupARN(rq.Region(), rq.Account(), opt.Val(in.LogGroupName)), Keys: tagKeys(in.Tags)})
	}
	return needs, nil
}

func (s *Service) area(rq *call.Authorized) area { return area{rq.Account(), rq.Region()} }

func (s *Service) now() int64 { return s.clock.Now().UnixMilli() }

func noGroup() error { return api.ResourceNotFoundException("The specified log group does not exist.") }

// findGroup reads a group; a missing one is the fault.
func findGroup(r data.Reader, a area, name string) (*group, error) {
	g, err := data.Load[group](r, a.group(name))
	if err == nil && g == nil {
		err = noGroup()
	}
	return g, err
}

// changeGroup rewrites a group's record.
func (s *Service) changeGroup(ctx context.Context, a area, name string, change func(*group) error) error {
	return s.store.Update(ctx, func(t data.Txn) error {
		g, err := findGroup(t, a, name)
		if err != nil {
			return err
		}
		if err := change(g); err != nil {
			return err
		}
		return data.Save(t, a.group(name), g)
	})
}

func (s *Service) createLogGroup(ctx context.Context, rq *call.Authorized, in *api.CreateLogGroupRequest) (*call.None, error) {
	if in.KmsKeyId != nil {
		return nil, api.InvalidParameterException("kmsKeyId is not supported yet: log groups are not encrypted with a key of KMS.")
	}
	if c := opt.Or(in.LogGroupClass, "STANDARD"); c != "STANDARD" {
		return nil, api.InvalidParameterException("logGroupClass %s is not supported: there is only the class STANDARD here.", c)
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	a, name := s.area(rq), *in.LogGroupName
	g := group{V: 1, Name: name, ID: s.ids.Of(alphabet, 12), Created: s.now(), Protected: opt.Val(in.DeletionProtectionEnabled), Tags: in.Tags}
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		if old, err := data.Load[group](t, a.group(name)); err != nil || old != nil {
			if err == nil {
				err = api.ResourceAlreadyExistsException("The specified log group already exists")
			}
			return err
		}
		return data.Save(t, a.group(name), &g)
	})
}

// alphabet is that of groups' ids.
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

func (s *Service) deleteLogGroup(ctx context.Context, rq *call.Authorized, in *api.DeleteLogGroupRequest) (*call.None, error) {
	a, name := s.area(rq), *in.LogGroupName
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		g, err := findGroup(t, a, name)
		if err != nil {
			return err
		}
		if g.Protected {
			return api.ValidationException("The log group %s cannot be deleted because deletion protection is enabled. Disable it with PutLogGroupDeletionProtection first.", name)
		}
		if err := t.Delete(a.group(name)); err != nil {
			return err
		}
		return data.Save(t, a.trash(g.ID), trash{V: 1})
	})
}

func (s *Service) putRetentionPolicy(ctx context.Context, rq *call.Authorized, in *api.PutRetentionPolicyRequest) (*call.None, error) {
	if err := checkRetention(*in.RetentionInDays); err != nil {
		return nil, err
	}
	return &call.None{}, s.changeGroup(ctx, s.area(rq), *in.LogGroupName, func(g *group) error {
		g.Days = *in.RetentionInDays
		return nil
	})
}

func (s *Service) deleteRetentionPolicy(ctx context.Context, rq *call.Authorized, in *api.DeleteRetentionPolicyRequest) (*call.None, error) {
	return &call.None{}, s.changeGroup(ctx, s.area(rq), *in.LogGroupName, func(g *group) error {
		g.Days = 0
		return nil
	})
}

func (s *Service) putLogGroupDeletionProtection(ctx context.Context, rq *call.Authorized, in *api.PutLogGroupDeletionProtectionRequest) (*call.None, error) {
	if err := checkIdentifier(in.LogGroupIdentifier, rq.Region(), rq.Account()); err != nil {
		return nil, err
	}
	return &call.None{}, s.changeGroup(ctx, s.area(rq), groupName(*in.LogGroupIdentifier), func(g *group) error {
		g.Protected = *in.DeletionProtectionEnabled
		return nil
	})
}

// maxGroupsPage is the default and greatest page of DescribeLogGroups.
const maxGroupsPage = 50

func (s *Service) describeLogGroups(ctx context.Context, rq *call.Authorized, in *api.DescribeLogGroupsRequest) (*api.DescribeLogGroupsResponse, error) {
	switch {
	case opt.Val(in.IncludeLinkedAccounts) || len(in.AccountIdentifiers) > 0:
		return nil, api.InvalidParameterException("includeLinkedAccounts and accountIdentifiers are not supported: there are no linked accounts here.")
	case in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil:
		return nil, api.InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	only := map[string]bool{}
	for _, id := range in.LogGroupIdentifiers {
		only[groupName(id)] = true
	}
	want := func(g *group) bool {
		return (len(only) == 0 || only[g.Name]) && contains(g.Name, in.LogGroupNamePattern)
	}
	if opt.Or(in.LogGroupClass, "STANDARD") != "STANDARD" {
		want = func(*group) bool { return false }
	}
	out := &api.DescribeLogGroupsResponse{LogGroups: []api.LogGroup{}}
	a := s.area(rq)
	next, err := s.groups(ctx, a, opt.Val(in.LogGroupNamePrefix), in.NextToken, int(opt.Or(in.Limit, maxGroupsPage)), want, func(r data.Reader, g *group) error {
		bytes, err := storedBytes(r, a, g)
		if err != nil {
			return err
		}
		arn := groupARN(a.region, a.account, g.Name)
		out.LogGroups = append(out.LogGroups, api.LogGroup{
			LogGroupName: &g.Name, CreationTime: &g.Created, RetentionInDays: opt.NonZero(g.Days), MetricFilterCount: new(int32(0)),
			Arn: new(arn + ":*"), LogGroupArn: &arn, StoredBytes: &bytes, LogGroupClass: new("STANDARD"),
			DeletionProtectionEnabled: &g.Protected,
		})
		return nil
	})
	out.NextToken = next
	return out, err
}

func (s *Service) listLogGroups(ctx context.Context, rq *call.Authorized, in *api.ListLogGroupsRequest) (*api.ListLogGroupsResponse, error) {
	if opt.Val(in.IncludeLinkedAccounts) || len(in.AccountIdentifiers) > 0 || len(in.DataSources) > 0 || len(in.FieldIndexNames) > 0 || len(in.LogGroupTags) > 0 {
		return nil, api.InvalidParameterException("Only logGroupNamePattern and logGroupClass are supported as conditions.")
	}
	if p := in.LogGroupNamePattern; p != nil && !namePattern.MatchString(strings.TrimPrefix(*p, "^")) {
		return nil, api.InvalidParameterException("logGroupNamePattern %s is not supported: letters, digits and . - _ / # are, after an optional ^.", *p)
	}
	want := func(g *group) bool {
		if p, ok := strings.CutPrefix(opt.Val(in.LogGroupNamePattern), "^"); ok {
			return strings.HasPrefix(g.Name, p)
		}
		return contains(g.Name, in.LogGroupNamePattern)
	}
	if opt.Or(in.LogGroupClass, "STANDARD") != "STANDARD" {
		want = func(*group) bool { return false }
	}
	out := &api.ListLogGroupsResponse{LogGroups: []api.LogGroupSummary{}}
	a := s.area(rq)
	next, err := s.groups(ctx, a, "", in.NextToken, int(opt.Or(in.Limit, maxGroupsPage)), want, func(_ data.Reader, g *group) error {
		out.LogGroups = append(out.LogGroups, api.LogGroupSummary{LogGroupName: &g.Name, LogGroupArn: new(groupARN(a.region, a.account, g.Name)), LogGroupClass: new("STANDARD")})
		return nil
	})
	out.NextToken = next
	return out, err
}

// contains is the match of logGroupNamePattern: anywhere, in any case.
func contains(name string, pattern *string) bool {
	return pattern == nil || strings.Contains(strings.ToLower(name), strings.ToLower(*pattern))
}

// groups calls f with up to limit groups whose names begin with prefix and that
// want takes, from where token left off, and returns the next token.
func (s *Service) groups(ctx context.Context, a area, prefix string, token *string, limit int, want func(*group) bool, f func(data.Reader, *group) error) (*string, error) {
	after, err := afterToken(token)
	if err != nil {
		return nil, err
	}
	var next *string
	err = s.store.View(ctx, func(r data.Reader) error {
		from := a.groupsFrom(prefix)
		to := data.PrefixEnd(from)
		if after != "" {
			from = append(a.group(after), 0)
		}
		last, n := "", 0
		for p, err := range r.Scan(from, to, false) {
			if err != nil {
				return err
			}
			g, err := data.Decode[group](p)
			if err != nil {
				return err
			}
			if !want(g) {
				continue
			}
			if n == limit {
				next = new(page.Token(last))
				return nil
			}
			if err := f(r, g); err != nil {
				return err
			}
			last = g.Name
			n++
		}
		return nil
	})
	return next, err
}

func afterToken(token *string) (string, error) {
	after, err := page.After(opt.Val(token))
	if err != nil {
		return "", api.InvalidParameterException("The specified nextToken is invalid.")
	}
	return after, nil
}

// storedBytes sums up the streams of a group.
func storedBytes(r data.Reader, a area, g *group) (int64, error) {
	var sum int64
	prefix := a.streamsFrom(g.ID, "")
	for p, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return 0, err
		}
		st, err := data.Decode[stream](p)
		if err != nil {
			return 0, err
		}
		sum += st.Bytes
	}
	return sum, nil
}
