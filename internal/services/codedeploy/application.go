package codedeploy

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) applicationBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateApplication, onApplication("CreateApplication", func(in *api.CreateApplicationInput) *string { return in.ApplicationName }), s.createApplication),
		call.Bind(api.GetApplication, onApplication("GetApplication", func(in *api.GetApplicationInput) *string { return in.ApplicationName }), s.getApplication),
		call.Bind(api.DeleteApplication, onApplication("DeleteApplication", func(in *api.DeleteApplicationInput) *string { return in.ApplicationName }), s.deleteApplication),
		call.Bind(api.ListApplications, call.Any[api.ListApplicationsInput]("codedeploy:ListApplications"), s.listApplications),
	}
}

// validName reports whether a name has up to 100 of the characters that names may have.
func validName(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("._+=,@-", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

// lambdaOnly refuses the platforms that are not there.
func lambdaOnly(platform *string) error {
	if p := opt.Or(platform, api.ComputePlatformServer); p != api.ComputePlatformLambda {
		return api.InvalidComputePlatformException("computePlatform %s is not supported: there are no instances and no ECS services on this platform, only Lambda", p)
	}
	return nil
}

func tagMap(list []api.Tag) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, t := range list {
		m[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	if err := tags.Check(m); err != nil {
		return nil, api.InvalidTagsToAddException("%s", err.Error())
	}
	return m, nil
}

func (s *Service) createApplication(ctx context.Context, rq *call.Authorized, in *api.CreateApplicationInput) (*api.CreateApplicationOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.ApplicationName)
	if !validName(name) {
		return nil, api.InvalidApplicationNameException("Application names may have up to 100 letters, numbers, and the characters . _ + = , @ -")
	}
	if err := lambdaOnly(in.ComputePlatform); err != nil {
		return nil, err
	}
	m, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	rec := &applicationRecord{V: version, ID: s.d.IDs.UUID(), Name: name, Created: s.d.Clock.Now(), Tags: m}
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		old, err := data.Load[applicationRecord](tx, sc.applicationKey(name))
		if err != nil {
			return err
		}
		if old != nil {
			return api.ApplicationAlreadyExistsException("Application already exists with name: %s", name)
		}
		return data.Save(tx, sc.applicationKey(name), rec)
	})
	return &api.CreateApplicationOutput{ApplicationId: new(rec.ID)}, err
}

// application reads an application, or fails.
func (sc scope) application(rd data.Reader, name string) (*applicationRecord, error) {
	a, err := data.Load[applicationRecord](rd, sc.applicationKey(name))
	if err == nil && a == nil {
		err = api.ApplicationDoesNotExistException("No application found for name: %s", name)
	}
	return a, err
}

func (s *Service) getApplication(ctx context.Context, rq *call.Authorized, in *api.GetApplicationInput) (out *api.GetApplicationOutput, err error) {
	err = s.d.Store.View(ctx, func(rd data.Reader) error {
		a, err := scopeOf(rq.Decoded).application(rd, opt.Val(in.ApplicationName))
		if err == nil {
			out = &api.GetApplicationOutput{Application: &api.ApplicationInfo{
				ApplicationId: new(a.ID), ApplicationName: new(a.Name), CreateTime: new(a.Created), LinkedToGitHub: new(false), ComputePlatform: new(api.ComputePlatformLambda),
			}}
		}
		return err
	})
	return out, err
}

// deleteApplication removes the application and its groups; one that is gone is fine.
func (s *Service) deleteApplication(ctx context.Context, rq *call.Authorized, in *api.DeleteApplicationInput) (*call.None, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.ApplicationName)
	return &call.None{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		groups, err := data.LoadAll[groupRecord](tx, sc.key("group", name))
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := s.dropGroup(tx, sc, g); err != nil {
				return err
			}
		}
		return tx.Delete(sc.applicationKey(name))
	})
}

// names pages through sorted names.
func names(all []string, token *string) ([]string, *string, error) {
	after, err := page.After(opt.Val(token))
	if err != nil {
		return nil, nil, api.InvalidNextTokenException("The next token was specified in an invalid format.")
	}
	out := []string{}
	for _, n := range all {
		if after != "" && n <= after {
			continue
		}
		if len(out) == 100 {
			return out, new(page.Token(out[99])), nil
		}
		out = append(out, n)
	}
	return out, nil, nil
}

func (s *Service) listApplications(ctx context.Context, rq *call.Authorized, in *api.ListApplicationsInput) (*api.ListApplicationsOutput, error) {
	out := &api.ListApplicationsOutput{}
	err := s.d.Store.View(ctx, func(rd data.Reader) error {
		all, err := data.LoadAll[applicationRecord](rd, scopeOf(rq.Decoded).key("application"))
		if err != nil {
			return err
		}
		var found []string
		for _, a := range all {
			found = append(found, a.Name)
		}
		out.Applications, out.NextToken, err = names(found, in.NextToken)
		return err
	})
	return out, err
}

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ListTagsForResource, call.Allow("codedeploy:ListTagsForResource", func(_ *call.Decoded, in *api.ListTagsForResourceInput) string { return opt.Val(in.ResourceArn) }), s.listTags),
		call.Bind(api.TagResource, call.Allow("codedeploy:TagResource", func(_ *call.Decoded, in *api.TagResourceInput) string { return opt.Val(in.ResourceArn) }), s.tagResource),
		call.Bind(api.UntagResource, call.Allow("codedeploy:UntagResource", func(_ *call.Decoded, in *api.UntagResourceInput) string { return opt.Val(in.ResourceArn) }), s.untagResource),
	}
}

// tagged changes, or only reads, the tags of what an ARN names.
func (s *Service) tagged(ctx context.Context, sc scope, arn string, change func(map[string]string) error) (m map[string]string, err error) {
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		if name, ok := strings.CutPrefix(arn, sc.arn("application", "")); ok {
			a, err := sc.application(tx, name)
			if err != nil {
				return err
			}
			if m, err = changed(a.Tags, change); err != nil || change == nil {
				return err
			}
			a.Tags = m
			return data.Save(tx, sc.applicationKey(name), a)
		}
		path, ok := strings.CutPrefix(arn, sc.arn("deploymentgroup", ""))
		application, name, both := strings.Cut(path, "/")
		if !ok || !both {
			return api.InvalidArnException("The ARN %s is not that of an application or deployment group of this account", arn)
		}
		g, err := sc.group(tx, application, name)
		if err != nil {
			return err
		}
		if m, err = changed(g.Tags, change); err != nil || change == nil {
			return err
		}
		g.Tags = m
		return data.Save(tx, sc.groupKey(application, name), g)
	})
	return m, err
}

func changed(m map[string]string, change func(map[string]string) error) (map[string]string, error) {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v
	}
	if change == nil {
		return out, nil
	}
	return out, change(out)
}

func (s *Service) listTags(ctx context.Context, rq *call.Authorized, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	m, err := s.tagged(ctx, scopeOf(rq.Decoded), opt.Val(in.ResourceArn), nil)
	out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
	for _, k := range sortedKeys(m) {
		out.Tags = append(out.Tags, api.Tag{Key: new(k), Value: new(m[k])})
	}
	return out, err
}

func (s *Service) tagResource(ctx context.Context, rq *call.Authorized, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	more, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = s.tagged(ctx, scopeOf(rq.Decoded), opt.Val(in.ResourceArn), func(m map[string]string) error {
		for k, v := range more {
			m[k] = v
		}
		if len(m) > 50 {
			return api.TagLimitExceededException("A resource can have at most 50 tags")
		}
		return nil
	})
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.tagged(ctx, scopeOf(rq.Decoded), opt.Val(in.ResourceArn), func(m map[string]string) error {
		for _, k := range in.TagKeys {
			delete(m, k)
		}
		return nil
	})
	return &api.UntagResourceOutput{}, err
}
