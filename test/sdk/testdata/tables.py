from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key

from expect import CONFIG, client, equal, refused

db = client("dynamodb")
made = db.create_table(
    TableName="orders", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("who", "S"), ("at", "N"), ("state", "S"))],
    KeySchema=[{"AttributeName": "who", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    GlobalSecondaryIndexes=[{"IndexName": "by-state", "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                             "Projection": {"ProjectionType": "ALL"}}])
equal(made["TableDescription"]["TableArn"], "arn:aws:dynamodb:us-east-1:000000000000:table/orders")
db.get_waiter("table_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
with refused("ResourceInUseException", 400):
    db.create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}])

orders = boto3.resource("dynamodb", config=CONFIG).Table("orders")
first = {"who": "ada", "at": 1, "state": "open", "amount": Decimal("12.50"), "rows": [{"what": "tea", "n": 2}], "tags": {"x", "y"}, "raw": b"\x00\xff", "nil": None, "paid": False}
orders.put_item(Item=first)
got = orders.get_item(Key={"who": "ada", "at": 1}, ConsistentRead=True)["Item"]
got["raw"] = got["raw"].value
equal(got, first)

# Conditions.
with refused("ConditionalCheckFailedException", 400, "The conditional request failed"):
    orders.put_item(Item=first, ConditionExpression=Attr("who").not_exists())
with refused("ConditionalCheckFailedException", 400):
    orders.delete_item(Key={"who": "ada", "at": 1}, ConditionExpression=Attr("amount").gt(100) & Attr("state").is_in(["open", "shut"]))

# Updates.
after = orders.update_item(
    Key={"who": "ada", "at": 1}, UpdateExpression="SET #s = :s, #r[1] = :l, seen = if_not_exists(seen, :zero) + :one REMOVE nil ADD amount :half DELETE tags :y",
    ExpressionAttributeNames={"#s": "state", "#r": "rows"},
    ExpressionAttributeValues={":s": "sent", ":l": {"what": "milk"}, ":zero": 0, ":one": 1, ":half": Decimal("0.5"), ":y": {"y"}}, ReturnValues="ALL_NEW")["Attributes"]
equal((after["state"], after["rows"][1], after["seen"], after["amount"], after["tags"], "nil" in after), ("sent", {"what": "milk"}, 1, Decimal("13.00"), {"x"}, False))
with refused("ValidationException", 400, "reserved keyword: status"):
    orders.update_item(Key={"who": "ada", "at": 1}, UpdateExpression="SET status = :s", ExpressionAttributeValues={":s": "x"})
with refused("ValidationException", 400, "part of the key"):
    orders.update_item(Key={"who": "ada", "at": 1}, UpdateExpression="SET who = :s", ExpressionAttributeValues={":s": "x"})

# Query, Scan, pages.
with orders.batch_writer() as batch:
    for i in range(2, 62):
        batch.put_item(Item={"who": "ada", "at": i, "state": "odd" if i % 2 else "even", "pad": "x" * 1000})
answer = orders.query(KeyConditionExpression=Key("who").eq("ada") & Key("at").between(10, 19), ScanIndexForward=False, FilterExpression=Attr("state").eq("odd"))
equal([int(i["at"]) for i in answer["Items"]], [19, 17, 15, 13, 11])
equal(answer["ScannedCount"], 10)
pages = list(db.get_paginator("query").paginate(
    TableName="orders", KeyConditionExpression="who = :w", ExpressionAttributeValues={":w": {"S": "ada"}}, PaginationConfig={"PageSize": 25}))
equal([p["Count"] for p in pages], [25, 25, 11])
equal(len(orders.query(IndexName="by-state", KeyConditionExpression=Key("state").eq("even") & Key("at").lt(20))["Items"]), 9)
equal(orders.scan(Select="COUNT")["Count"], 61)
halves = [orders.scan(TotalSegments=2, Segment=i, Select="COUNT")["Count"] for i in range(2)]
equal(sum(halves), 61)
with refused("ValidationException", 400):
    orders.query(KeyConditionExpression=Key("at").eq(1))

# Transactions: all or nothing.
put = lambda at, **more: {"Put": {"TableName": "orders", "Item": {"who": {"S": "bob"}, "at": {"N": str(at)}}, **more}}
db.transact_write_items(TransactItems=[put(1), put(2)], ClientRequestToken="once")
try:
    db.transact_write_items(TransactItems=[put(3), put(1, ConditionExpression="attribute_not_exists(who)")])
    raise AssertionError("a transaction whose condition fails succeeded")
except db.exceptions.TransactionCanceledException as e:
    equal([r["Code"] for r in e.response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
answers = db.transact_get_items(TransactItems=[{"Get": {"TableName": "orders", "Key": {"who": {"S": "bob"}, "at": {"N": str(n)}}}} for n in (1, 3)])["Responses"]
equal(["Item" in a for a in answers], [True, False])
batch = db.batch_get_item(RequestItems={"orders": {"Keys": [{"who": {"S": "bob"}, "at": {"N": str(n)}} for n in (1, 2, 3)]}})
equal(len(batch["Responses"]["orders"]), 2)

# Errors.
with refused("ResourceNotFoundException", 400):
    db.get_item(TableName="none", Key={"a": {"S": "b"}})
with refused("ValidationException", 400, "The provided key element does not match the schema"):
    orders.get_item(Key={"who": "ada"})
with refused("ValidationException", 400):
    orders.put_item(Item={"who": "", "at": 1})
with refused("ValidationException", 400):
    orders.put_item(Item={"who": "big", "at": 1, "x": "x" * 410_000})
db.update_time_to_live(TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
equal(db.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]["AttributeName"], "until")
db.delete_table(TableName="orders")
db.get_waiter("table_not_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
