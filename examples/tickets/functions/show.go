package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// show answers GET /tickets/{id}.
func (d *desk) show(ctx context.Context, rq Request) (Response, error) {
	out, err := d.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: d.table, Key: key(rq.PathParameters["id"])})
	if err != nil {
		return Response{}, err
	}
	if out.Item == nil {
		return problem(404, "There is no such ticket.")
	}
	var t Ticket
	if err := attributevalue.UnmarshalMap(out.Item, &t); err != nil {
		return Response{}, err
	}
	return answer(200, t)
}
