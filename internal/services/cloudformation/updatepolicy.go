package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// UpdatePolicy of an alias: CodeDeploy moves the traffic to the new version.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-updatepolicy.html#cfn-attributes-updatepolicy-codedeploylambdaaliasupdate

// aliasType is the type whose updates CodeDeploy may carry out.
const aliasType = "AWS::Lambda::Alias"

// aliasUpdate says which deployment group moves an alias.
type aliasUpdate struct {
	Application, Group, Before, After string
}

// aliasPolicy reads a resource's UpdatePolicy; nil if it has none. Values that are
// not known yet are "".
func (p *plan) aliasPolicy(id string, v intrinsic.Resources) (*aliasUpdate, error) {
	r := p.tmpl.Resources[id]
	if r.UpdatePolicy == nil {
		return nil, nil
	}
	refuse := func(text string, path ...string) (*aliasUpdate, error) {
		return nil, p.refuse(text, append([]string{"Resources", id, "UpdatePolicy"}, path...)...)
	}
	m, ok := r.UpdatePolicy.(map[string]any)
	if !ok {
		return refuse("Template format error: UpdatePolicy of resource " + id + " must be an object")
	}
	raw, ok := m["CodeDeployLambdaAliasUpdate"].(map[string]any)
	if !ok || len(m) != 1 || r.Type != aliasType {
		return refuse("UpdatePolicy of resource " + id + " is not supported: only CodeDeployLambdaAliasUpdate of " + aliasType + " is")
	}
	out := &aliasUpdate{}
	eval := p.eval
	eval.Resources = v
	into := map[string]*string{
		"ApplicationName": &out.Application, "DeploymentGroupName": &out.Group, "BeforeAllowTrafficHook": &out.Before, "AfterAllowTrafficHook": &out.After,
	}
	for k, x := range raw {
		if into[k] == nil {
			return refuse("Template format error: CodeDeployLambdaAliasUpdate has no property "+k, "CodeDeployLambdaAliasUpdate", k)
		}
		value, err := eval.Eval(x)
		if err != nil {
			return nil, p.invalid(err, "Resources", id, "UpdatePolicy", "CodeDeployLambdaAliasUpdate", k)
		}
		if !intrinsic.Known(value) || value == nil {
			continue
		}
		if *into[k], ok = template.Text(value); !ok {
			return refuse("Template format error: "+k+" must be a string", "CodeDeployLambdaAliasUpdate", k)
		}
	}
	for _, k := range []string{"ApplicationName", "DeploymentGroupName"} {
		if raw[k] == nil {
			return refuse("Template format error: CodeDeployLambdaAliasUpdate must contain "+k, "CodeDeployLambdaAliasUpdate")
		}
	}
	return out, nil
}

// deploymentLook is how often a deployment is looked at; soon at first.
const deploymentLook = 2 * time.Second

// shift lets CodeDeploy move an alias to its new version before the alias is
// updated in all else. Only an update does so: its rollback sets the alias at once.
func (r *run) shift(ctx context.Context, rec *resourceRecord, old map[string]any, step string) error {
	if rec.Type != aliasType || step != "update" {
		return nil
	}
	u, err := r.plan.aliasPolicy(rec.ID, r.live())
	if err != nil || u == nil {
		return err
	}
	text := func(m map[string]any, k string) string { s, _ := template.Text(m[k]); return s }
	function, alias, target := text(rec.Properties, "FunctionName"), text(rec.Properties, "Name"), text(rec.Properties, "FunctionVersion")
	current := text(old, "FunctionVersion")
	if current == target {
		return nil
	}
	is, err := call.Do(ctx, r.s.d.Caller, r.as, lambda.GetAlias, &lambda.GetAliasRequest{FunctionName: &function, Name: &alias})
	if err != nil {
		return err
	}
	if *is.FunctionVersion == target {
		return nil // done before a restart, or by hand
	}
	deployment, err := r.deployment(ctx, rec.ID, u, map[string]any{
		"version": 0.0,
		"Resources": []any{map[string]any{rec.ID: map[string]any{"Type": "AWS::Lambda::Function", "Properties": map[string]any{
			"Name": function, "Alias": alias, "CurrentVersion": *is.FunctionVersion, "TargetVersion": target,
		}}}},
		"Hooks": u.hooks(),
	})
	if err != nil {
		return err
	}
	pause := firstLook
	for {
		out, err := call.Do(ctx, r.s.d.Caller, r.as, codedeploy.GetDeployment, &codedeploy.GetDeploymentInput{DeploymentId: &deployment})
		if err != nil {
			return err
		}
		switch status := opt.Val(out.DeploymentInfo.Status); status {
		case codedeploy.DeploymentStatusSucceeded:
			return nil
		case codedeploy.DeploymentStatusFailed, codedeploy.DeploymentStatusStopped:
			why := ""
			if e := out.DeploymentInfo.ErrorInformation; e != nil {
				why = ": " + opt.Val(e.Message)
			}
			if err := r.given(ctx, out.DeploymentInfo); err != nil {
				return err
			}
			return &saidError{fmt.Sprintf("CodeDeploy deployment %s of the alias %s ended as %s%s", deployment, alias, status, why)}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.failing.Done():
			if r.isHalted() { // the update was cancelled
				_, _ = call.Do(ctx, r.s.d.Caller, r.as, codedeploy.StopDeployment, &codedeploy.StopDeploymentInput{DeploymentId: &deployment, AutoRollbackEnabled: new(true)})
			}
			if err := r.sleep(ctx, pause); err != nil {
				return err
			}
		case <-r.s.d.Clock.After(pause):
		}
		pause = min(pause*2, deploymentLook)
	}
}

func (r *run) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.s.d.Clock.After(d):
		return nil
	}
}

// given waits until CodeDeploy has given the traffic back, if it does: two must not
// change an alias at once.
func (r *run) given(ctx context.Context, d *codedeploy.DeploymentInfo) error {
	if d.RollbackInfo == nil || d.RollbackInfo.RollbackDeploymentId == nil {
		return nil
	}
	for {
		out, err := call.Do(ctx, r.s.d.Caller, r.as, codedeploy.GetDeployment, &codedeploy.GetDeploymentInput{DeploymentId: d.RollbackInfo.RollbackDeploymentId})
		if err != nil {
			return err
		}
		switch opt.Val(out.DeploymentInfo.Status) {
		case codedeploy.DeploymentStatusSucceeded, codedeploy.DeploymentStatusFailed, codedeploy.DeploymentStatusStopped:
			return nil
		}
		if err := r.sleep(ctx, firstLook); err != nil {
			return err
		}
	}
}

func (u *aliasUpdate) hooks() []any {
	out := []any{}
	if u.Before != "" {
		out = append(out, map[string]any{"BeforeAllowTraffic": u.Before})
	}
	if u.After != "" {
		out = append(out, map[string]any{"AfterAllowTraffic": u.After})
	}
	return out
}

// deployment begins a deployment, or finds the one that was begun before a restart.
func (r *run) deployment(ctx context.Context, id string, u *aliasUpdate, spec map[string]any) (string, error) {
	key := r.sc.askedKey(r.st.ID, r.token(id, "deployment"))
	var rec *askedRecord
	if err := r.s.view(ctx, func(rd data.Reader) (err error) {
		rec, err = get[askedRecord](rd, key)
		return err
	}); err != nil {
		return "", err
	}
	if rec != nil {
		return string(rec.Response), nil
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	revision := &codedeploy.RevisionLocation{RevisionType: new(codedeploy.RevisionLocationTypeAppSpecContent), AppSpecContent: &codedeploy.AppSpecContent{Content: new(string(text))}}
	out, err := call.Do(ctx, r.s.d.Caller, r.as, codedeploy.CreateDeployment, &codedeploy.CreateDeploymentInput{
		ApplicationName: &u.Application, DeploymentGroupName: &u.Group, Revision: revision, Description: new("Update of the stack " + r.st.Name),
	})
	deployment := ""
	switch {
	case err == nil:
		deployment = opt.Val(out.DeploymentId)
	case fault.Is(err, "DeploymentLimitExceededException"):
		// It may be the one that this step began just before the server ended.
		if deployment = r.begun(ctx, u, string(text)); deployment == "" {
			return "", err
		}
	default:
		return "", err
	}
	return deployment, r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		return put(tx, key, &askedRecord{V: version, Response: []byte(deployment)})
	})
}

// begun finds the group's deployment under way that does the very same.
func (r *run) begun(ctx context.Context, u *aliasUpdate, text string) string {
	out, err := call.Do(ctx, r.s.d.Caller, r.as, codedeploy.ListDeployments, &codedeploy.ListDeploymentsInput{
		ApplicationName: &u.Application, DeploymentGroupName: &u.Group, IncludeOnlyStatuses: []string{codedeploy.DeploymentStatusCreated, codedeploy.DeploymentStatusInProgress},
	})
	if err != nil {
		return ""
	}
	for _, id := range out.Deployments {
		d, err := call.Do(ctx, r.s.d.Caller, r.as, codedeploy.GetDeployment, &codedeploy.GetDeploymentInput{DeploymentId: &id})
		if err == nil && d.DeploymentInfo.Revision != nil && d.DeploymentInfo.Revision.AppSpecContent != nil && opt.Val(d.DeploymentInfo.Revision.AppSpecContent.Content) == text {
			return id
		}
	}
	return ""
}
