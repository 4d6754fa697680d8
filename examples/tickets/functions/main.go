// Command bootstrap is the code of all four functions. Each function has a role
// that allows no more than its own route needs, so sharing the code shares no
// permission.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Request and Response are those of API Gateway's proxy integration.
type (
	Request  = events.APIGatewayProxyRequest
	Response = events.APIGatewayProxyResponse
)

// Ticket is one booking.
type Ticket struct {
	ID    string `json:"id" dynamodbav:"id"`
	Name  string `json:"name" dynamodbav:"name"`
	Show  string `json:"show" dynamodbav:"show"`
	Seats int    `json:"seats" dynamodbav:"seats"`
	Time  string `json:"bookedAt" dynamodbav:"bookedAt"`
}

// desk holds what is made once and used by every event.
type desk struct {
	db    *dynamodb.Client
	table *string
}

func main() {
	// Region, endpoint and the credentials of the function's role come from its
	// environment.
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatalf("configuration: %v", err)
	}
	d := &desk{db: dynamodb.NewFromConfig(cfg), table: aws.String(os.Getenv("TABLE"))}
	routes := map[string]func(context.Context, Request) (Response, error){
		"GET /tickets":         d.list,
		"POST /tickets":        d.book,
		"GET /tickets/{id}":    d.show,
		"DELETE /tickets/{id}": d.cancel,
	}
	lambda.Start(func(ctx context.Context, rq Request) (Response, error) {
		handle := routes[rq.HTTPMethod+" "+rq.Resource]
		if handle == nil {
			return problem(404, "There is no "+rq.HTTPMethod+" "+rq.Resource+".")
		}
		return handle(ctx, rq)
	})
}

func key(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}
}

// answer makes a response. Its header lets the page call from its own address.
func answer(status int, body any) (Response, error) {
	b, err := json.Marshal(body)
	return Response{StatusCode: status, Body: string(b), Headers: map[string]string{
		"Content-Type": "application/json", "Access-Control-Allow-Origin": "*",
	}}, err
}

func problem(status int, message string) (Response, error) {
	return answer(status, map[string]string{"message": message})
}
