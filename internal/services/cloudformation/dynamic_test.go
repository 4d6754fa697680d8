package cloudformation_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	smapi "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	ssmapi "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/kms"
	"github.com/tierra-cloud/tierra/internal/services/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/services/ssm"
)

// TestDynamicReferences deploys what refers to a secret and to parameters: the
// resource gets the values, events and stored properties never show them.
func TestDynamicReferences(t *testing.T) {
	w, store := calltest.New(), mem.New()
	defer store.Close()
	keys, err := kms.New(kms.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	params := ssm.New(ssm.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w})
	room := cloudformation.New(cloudformation.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w, Types: func() []resource.Type { return params.ResourceTypes() }, Linger: time.Hour})
	w.Plug(keys, params, secretsmanager.New(secretsmanager.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w}), room)
	t.Cleanup(func() { _ = room.Stop(t.Context()) })
	calltest.Must(t, w, smapi.CreateSecret, &smapi.CreateSecretRequest{Name: new("db"), SecretString: new(`{"password":"hush-hush"}`)})
	calltest.Must(t, w, ssmapi.PutParameter, &ssmapi.PutParameterRequest{Name: new("/host"), Value: new("h1"), Type: new("String")})
	body := `{"Parameters":{"Host":{"Type":"AWS::SSM::Parameter::Value<String>","Default":"/host"}},"Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{
		"Name":"/out","Type":"String","Value":{"Fn::Sub":"${Host} {{resolve:ssm:/host:1}} {{resolve:secretsmanager:db:SecretString:password}}"}}}}}`
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: &body})
	st := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("s")}).Stacks[0]
	events := calltest.JSON(calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: new("s")}))
	if *st.StackStatus != api.StackStatusCreateComplete {
		t.Fatalf("%s: %s", *st.StackStatus, events)
	}
	if *st.Parameters[0].ParameterValue != "/host" || *st.Parameters[0].ResolvedValue != "h1" {
		t.Errorf("parameters: %s", calltest.JSON(st.Parameters))
	}
	if strings.Contains(events, "hush-hush") || !strings.Contains(events, "{{resolve:secretsmanager:db") {
		t.Errorf("events: %s", events)
	}
	if v := *calltest.Must(t, w, ssmapi.GetParameter, &ssmapi.GetParameterRequest{Name: new("/out")}).Parameter.Value; v != "h1 h1 hush-hush" {
		t.Errorf("the resource got %q", v)
	}
}
