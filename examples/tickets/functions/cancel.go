package main

import (
	"context"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// cancel answers DELETE /tickets/{id}.
func (d *desk) cancel(ctx context.Context, rq Request) (Response, error) {
	id := rq.PathParameters["id"]
	out, err := d.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: d.table, Key: key(id), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return Response{}, err
	}
	if out.Attributes == nil {
		return problem(404, "There is no such ticket.")
	}
	log.Printf("cancelled %s", id)
	return answer(200, map[string]string{"id": id})
}
