package main

import (
	"context"
	"sort"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// list answers GET /tickets.
func (d *desk) list(ctx context.Context, _ Request) (Response, error) {
	tickets := []Ticket{}
	pages := dynamodb.NewScanPaginator(d.db, &dynamodb.ScanInput{TableName: d.table})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return Response{}, err
		}
		var some []Ticket
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &some); err != nil {
			return Response{}, err
		}
		tickets = append(tickets, some...)
	}
	sort.Slice(tickets, func(i, j int) bool { return tickets[i].Time < tickets[j].Time })
	return answer(200, map[string]any{"tickets": tickets})
}
