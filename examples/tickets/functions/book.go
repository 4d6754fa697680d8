package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// book answers POST /tickets.
func (d *desk) book(ctx context.Context, rq Request) (Response, error) {
	var t Ticket
	if err := json.Unmarshal([]byte(rq.Body), &t); err != nil {
		return problem(400, "The booking is not JSON.")
	}
	t.Name, t.Show = strings.TrimSpace(t.Name), strings.TrimSpace(t.Show)
	switch {
	case t.Name == "" || len(t.Name) > 80:
		return problem(400, "Please give a name of at most 80 characters.")
	case t.Show == "" || len(t.Show) > 80:
		return problem(400, "Please choose a show.")
	case t.Seats < 1 || t.Seats > 8:
		return problem(400, "Between 1 and 8 seats can be booked at once.")
	}
	t.ID, t.Time = strings.ToLower(rand.Text()[:10]), time.Now().UTC().Format(time.RFC3339Nano)
	item, err := attributevalue.MarshalMap(t)
	if err != nil {
		return Response{}, err
	}
	_, err = d.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: d.table, Item: item, ConditionExpression: aws.String("attribute_not_exists(id)"),
	})
	if err != nil {
		return Response{}, err
	}
	log.Printf("booked %d for %s: %s (%s)", t.Seats, t.Name, t.Show, t.ID)
	return answer(201, t)
}
