package logs

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
)

func TestResources(t *testing.T) {
	w, s := room(t)
	types := map[string]*resource.Type{}
	for _, ty := range s.ResourceTypes() {
		types[ty.Name] = &ty
	}
	rq := &resource.Request{
		Caller: w, As: w.As, Account: calltest.Account, Region: calltest.Region, StackTags: map[string]string{"stack": "yes"},
		Name: func(int) string { return "stack-thing-ABC" },
	}
	g, ctx := types["AWS::Logs::LogGroup"], t.Context()
	first := map[string]any{"RetentionInDays": "7", "Tags": []any{map[string]any{"Key": "a", "Value": "b"}}}
	st, err := g.Create(ctx, rq, first)
	if err != nil || st.ID != "stack-thing-ABC" || st.Attributes["Arn"] != "arn:aws:logs:us-east-1:000000000000:log-group:stack-thing-ABC:*" {
		t.Fatalf("create: %v %v", st, err)
	}
	stream, err := types["AWS::Logs::LogStream"].Create(ctx, rq, map[string]any{"LogGroupName": st.ID, "LogStreamName": "s"})
	if err != nil || stream.ID != "s" {
		t.Errorf("stream: %v %v", stream, err)
	}
	group := func() api.LogGroup {
		t.Helper()
		return calltest.Must(t, w, api.DescribeLogGroups, &api.DescribeLogGroupsRequest{}).LogGroups[0]
	}
	tags := func() map[string]string {
		t.Helper()
		return calltest.Must(t, w, api.ListTagsLogGroup, &api.ListTagsLogGroupRequest{LogGroupName: &st.ID}).Tags
	}
	if got := group(); *got.RetentionInDays != 7 || len(tags()) != 2 {
		t.Errorf("made: %s %v", calltest.JSON(got), tags())
	}
	if _, err := g.Update(ctx, rq, st.ID, first, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if got := group(); got.RetentionInDays != nil || len(tags()) != 1 {
		t.Errorf("what was taken out is still there: %s %v", calltest.JSON(got), tags())
	}
	if bad := g.Check(map[string]any{"RetentionInDays": 8}); len(bad) != 1 {
		t.Errorf("eight days: %v", bad)
	}
	if bad := g.Check(map[string]any{"KmsKeyId": "k"}); len(bad) != 1 {
		t.Errorf("a key: %v", bad)
	}
	for range 2 {
		if err := types["AWS::Logs::LogStream"].Delete(ctx, rq, "s", map[string]any{"LogGroupName": st.ID}); err != nil {
			t.Error(err)
		}
		if err := g.Delete(ctx, rq, st.ID, first); err != nil {
			t.Error(err)
		}
	}
}
