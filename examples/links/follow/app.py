"""Follows a short link (GET /l/{code}) and counts it."""
import os

import boto3
from botocore.exceptions import ClientError

# Region, endpoint and the credentials of the function's role come from its
# environment.
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    code = event["pathParameters"]["code"]
    try:
        link = table.update_item(
            Key={"code": code},
            UpdateExpression="ADD hits :one",
            ConditionExpression="attribute_exists(code)",
            ExpressionAttributeValues={":one": 1},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as e:
        if e.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return {"statusCode": 404, "headers": {"Content-Type": "text/plain"}, "body": "There is no such link.\n"}
    print(f"followed {code}, {link['hits']} times so far")
    return {"statusCode": 302, "headers": {"Location": link["url"], "Cache-Control": "no-store"}, "body": ""}
