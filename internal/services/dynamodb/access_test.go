package dynamodb

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/dynamodb/expr"
)

// What an operation asks of policies: action, resource, condition keys.
func TestNeeds(t *testing.T) {
	w, _ := newWorld(t)
	calltest.Must(t, w, api.CreateTable, &api.CreateTableInput{
		TableName: new("orders"), BillingMode: new("PAY_PER_REQUEST"), KeySchema: schemaOf("pk", ""),
		AttributeDefinitions:   []api.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new("S")}, {AttributeName: new("g"), AttributeType: new("S")}},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{IndexName: new("byg"), KeySchema: schemaOf("g", ""), Projection: &api.Projection{ProjectionType: new("ALL")}}},
	})
	var asked []string
	w.Gate.Mode = call.Audit
	w.Gate.Denied = func(_ context.Context, _ *call.Decoded, n call.Need, _ string) {
		line := n.Action + " " + strings.TrimPrefix(n.Resource, "arn:aws:dynamodb:us-east-1:000000000000:")
		for _, k := range sortedNames(n.Keys) {
			if k != "dynamodb:attributes" || len(n.Keys[k]) < 2 {
				line += fmt.Sprintf(" %s=%v", k, n.Keys[k])
			} else {
				set := map[string]bool{}
				for _, a := range n.Keys[k] {
					set[a] = true
				}
				line += fmt.Sprintf(" %s=%v", k, sortedNames(set))
			}
		}
		asked = append(asked, line)
	}
	w.As = call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.User, Account: calltest.Account, ARN: "arn:aws:iam::000000000000:user/u", UserName: "u"}}, calltest.Region)
	key := expr.Item{"pk": {S: new("me")}}
	v := expr.Item{":v": {S: new("me")}}
	for _, c := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			_, err := calltest.Do(w, api.GetItem, &api.GetItemInput{TableName: new("orders"), Key: key, ProjectionExpression: new("a.b, #n"), ExpressionAttributeNames: map[string]string{"#n": "name"}})
			return err
		}, "dynamodb:GetItem table/orders dynamodb:attributes=[a name pk] dynamodb:leadingkeys=[me]"},
		{func() error {
			_, err := calltest.Do(w, api.Query, &api.QueryInput{TableName: new("orders"), KeyConditionExpression: new("pk = :v"), ExpressionAttributeValues: v, Select: new("COUNT")})
			return err
		}, "dynamodb:Query table/orders dynamodb:attributes=[pk] dynamodb:leadingkeys=[me] dynamodb:select=[COUNT]"},
		{func() error {
			_, err := calltest.Do(w, api.Query, &api.QueryInput{TableName: new("orders"), IndexName: new("byg"), KeyConditionExpression: new("g = :v"), ExpressionAttributeValues: v})
			return err
		}, "dynamodb:Query table/orders/index/byg dynamodb:attributes=[g] dynamodb:leadingkeys=[me]"},
		{func() error {
			_, err := calltest.Do(w, api.PutItem, &api.PutItemInput{TableName: new("orders"), Item: key})
			return err
		}, "dynamodb:PutItem table/orders dynamodb:attributes=[pk] dynamodb:leadingkeys=[me] dynamodb:returnvalues=[NONE]"},
		{func() error {
			_, err := calltest.Do(w, api.TransactWriteItems, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
				{Delete: &api.Delete{TableName: new("orders"), Key: key}},
				{ConditionCheck: &api.ConditionCheck{TableName: new("orders"), Key: expr.Item{"pk": {S: new("you")}}, ConditionExpression: new("attribute_not_exists(x)")}},
			}})
			return err
		}, "dynamodb:DeleteItem table/orders dynamodb:attributes=[pk] dynamodb:leadingkeys=[me]; dynamodb:ConditionCheckItem table/orders dynamodb:attributes=[pk x] dynamodb:leadingkeys=[you]"},
		{func() error {
			_, err := calltest.Do(w, api.BatchGetItem, &api.BatchGetItemInput{RequestItems: map[string]api.KeysAndAttributes{"orders": {Keys: []map[string]api.AttributeValue{key, {"pk": {S: new("you")}}}}}})
			return err
		}, "dynamodb:BatchGetItem table/orders dynamodb:attributes=[pk] dynamodb:leadingkeys=[me you]"},
		{func() error {
			_, err := calltest.Do(w, api.DescribeTable, &api.DescribeTableInput{TableName: new("arn:aws:dynamodb:us-east-1:000000000000:table/orders")})
			return err
		}, "dynamodb:DescribeTable table/orders"},
	} {
		asked = nil
		if err := c.do(); err != nil {
			t.Error(err)
		}
		if got := strings.Join(asked, "; "); got != c.want {
			t.Errorf("asked %s\nwant  %s", got, c.want)
		}
	}
	// Who is not allowed does not learn whether a table is there.
	w.Gate.Mode = call.Enforce
	for _, name := range []string{"orders", "nothing"} {
		if _, err := calltest.Do(w, api.GetItem, &api.GetItemInput{TableName: &name, Key: key}); !fault.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
