package codedeploy

import (
	"reflect"
	"strings"
	"testing"

	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
)

// TestForeign: what is of instances or of ECS is found in both inputs, by AWS's name.
func TestForeign(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{&api.CreateDeploymentGroupInput{}, ""},
		{&api.UpdateDeploymentGroupInput{}, ""},
		{&api.CreateDeploymentGroupInput{Ec2TagFilters: []api.EC2TagFilter{}, TerminationHookEnabled: new(false)}, ""},
		{&api.CreateDeploymentGroupInput{Ec2TagFilters: []api.EC2TagFilter{{}}}, "ec2TagFilters"},
		{&api.UpdateDeploymentGroupInput{LoadBalancerInfo: &api.LoadBalancerInfo{}}, "loadBalancerInfo"},
		{&api.UpdateDeploymentGroupInput{TerminationHookEnabled: new(true)}, "terminationHookEnabled"},
	} {
		if got := foreign(c.in); got != c.want {
			t.Errorf("%+v: %q, not %q", c.in, got, c.want)
		}
	}
	// Every member of the inputs is either read or found there.
	read := " ApplicationName DeploymentGroupName CurrentDeploymentGroupName NewDeploymentGroupName DeploymentConfigName ServiceRoleArn TriggerConfigurations AlarmConfiguration AutoRollbackConfiguration DeploymentStyle Tags "
	for _, in := range []any{&api.CreateDeploymentGroupInput{}, &api.UpdateDeploymentGroupInput{}} {
		for f := range reflect.TypeOf(in).Elem().Fields() {
			v := reflect.New(reflect.TypeOf(in).Elem())
			x := v.Elem().FieldByIndex(f.Index)
			switch x.Kind() {
			case reflect.Slice:
				x.Set(reflect.MakeSlice(x.Type(), 1, 1))
			case reflect.Pointer:
				x.Set(reflect.New(x.Type().Elem()))
				if x.Elem().Kind() == reflect.Bool {
					x.Elem().SetBool(true)
				}
			}
			if known := strings.Contains(read, " "+f.Name+" "); known == (foreign(v.Interface()) != "") {
				t.Errorf("%s: read %v, refused as %q", f.Name, known, foreign(v.Interface()))
			}
		}
	}
}
