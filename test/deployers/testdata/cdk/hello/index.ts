import {DynamoDBClient, PutItemCommand} from '@aws-sdk/client-dynamodb'

const db = new DynamoDBClient({})

export const handler = async (event: {pathParameters: {name: string}}) => {
  await db.send(new PutItemCommand({TableName: process.env.TABLE, Item: {id: {S: event.pathParameters.name}}}))
  return {statusCode: 200, body: `hello ${event.pathParameters.name}`}
}
