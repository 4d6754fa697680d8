"""CloudFormation: stacks, change sets, outputs, rollback, and the waiters."""
from botocore.exceptions import WaiterError

from expect import client, equal, refused

cf, db, s3 = client("cloudformation"), client("dynamodb"), client("s3")
TEMPLATE = """
Parameters:
  Name: {Type: String, Default: first, AllowedPattern: "[a-z]+"}
Conditions:
  WithBucket: !Not [!Equals [!Ref Name, plain]]
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "${Name}-table"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Bucket:
    Type: AWS::S3::Bucket
    Condition: WithBucket
Outputs:
  Arn: {Value: !GetAtt Table.Arn, Export: {Name: !Sub "${AWS::StackName}-arn"}}
  Joined: {Value: !Join ["-", [!Ref "AWS::Region", !Select [1, [a, b]]]]}
"""
fast = {"Delay": 1, "MaxAttempts": 60}

equal([p["ParameterKey"] for p in cf.validate_template(TemplateBody=TEMPLATE)["Parameters"]], ["Name"])
with refused("ValidationError", 400, "does not exist"):
    cf.describe_stacks(StackName="none")
cf.create_stack(StackName="shop", TemplateBody=TEMPLATE, Tags=[{"Key": "a", "Value": "b"}])
cf.get_waiter("stack_create_complete").wait(StackName="shop", WaiterConfig=fast)
with refused("AlreadyExistsException", 400):
    cf.create_stack(StackName="shop", TemplateBody=TEMPLATE)
stack = cf.describe_stacks(StackName="shop")["Stacks"][0]
equal({o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}, {"Arn": "arn:aws:dynamodb:us-east-1:000000000000:table/first-table", "Joined": "us-east-1-b"})
bucket = cf.describe_stack_resource(StackName="shop", LogicalResourceId="Bucket")["StackResourceDetail"]["PhysicalResourceId"]
s3.head_bucket(Bucket=bucket)
equal([e["Name"] for e in cf.list_exports()["Exports"]], ["shop-arn"])
events = [e for p in cf.get_paginator("describe_stack_events").paginate(StackName="shop") for e in p["StackEvents"]]
equal((events[-1]["ResourceStatus"], events[0]["ResourceStatus"]), ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"))

# A change that replaces.
with refused("ValidationError", 400, "No updates are to be performed"):
    cf.update_stack(StackName="shop", UsePreviousTemplate=True)
cf.create_change_set(StackName="shop", ChangeSetName="c", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Name", "ParameterValue": "second"}])
cf.get_waiter("change_set_create_complete").wait(StackName="shop", ChangeSetName="c", WaiterConfig=fast)
changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in cf.describe_change_set(StackName="shop", ChangeSetName="c")["Changes"]}
equal((changes["Table"]["Action"], changes["Table"]["Replacement"], "Bucket" in changes), ("Modify", "True", False))
equal(db.list_tables()["TableNames"], ["first-table"])
cf.execute_change_set(StackName="shop", ChangeSetName="c")
cf.get_waiter("stack_update_complete").wait(StackName="shop", WaiterConfig=fast)
equal(db.list_tables()["TableNames"], ["second-table"])

# A change that fails is undone.
db.create_table(TableName="taken-table", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])
cf.update_stack(StackName="shop", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Name", "ParameterValue": "taken"}])
try:
    cf.get_waiter("stack_update_complete").wait(StackName="shop", WaiterConfig=fast)
    raise AssertionError("a stack took over somebody else's table")
except WaiterError:
    pass
equal(cf.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"], "UPDATE_ROLLBACK_COMPLETE")
equal(sorted(db.list_tables()["TableNames"]), ["second-table", "taken-table"])

# A creation that fails leaves nothing.
cf.create_stack(StackName="broken", TemplateBody=TEMPLATE, Parameters=[{"ParameterKey": "Name", "ParameterValue": "taken"}])
try:
    cf.get_waiter("stack_create_complete").wait(StackName="broken", WaiterConfig=fast)
    raise AssertionError("a stack took over somebody else's table")
except WaiterError:
    pass
equal(cf.describe_stacks(StackName="broken")["Stacks"][0]["StackStatus"], "ROLLBACK_COMPLETE")
failed = [e for e in cf.describe_stack_events(StackName="broken")["StackEvents"] if e["ResourceStatus"] == "CREATE_FAILED"]
equal(failed[-1]["LogicalResourceId"], "Table")
equal(len(s3.list_buckets()["Buckets"]), 1)
cf.delete_stack(StackName="broken")
cf.get_waiter("stack_delete_complete").wait(StackName="broken", WaiterConfig=fast)
with refused("ValidationError", 400, "Name"):
    cf.create_stack(StackName="bad", TemplateBody=TEMPLATE, Parameters=[{"ParameterKey": "Name", "ParameterValue": "NOT GOOD"}])
with refused("InsufficientCapabilitiesException", 400):
    cf.create_stack(StackName="bad", TemplateBody='{"Resources":{"R":{"Type":"AWS::IAM::User"}}}')

# Imports hold what they import.
cf.create_stack(StackName="reader", TemplateBody="""
Resources: {B: {Type: AWS::S3::Bucket}}
Outputs: {Got: {Value: !ImportValue shop-arn}}
""")
cf.get_waiter("stack_create_complete").wait(StackName="reader", WaiterConfig=fast)
with refused("ValidationError", 400, "in use by reader"):
    cf.delete_stack(StackName="shop")
cf.delete_stack(StackName="reader")
cf.get_waiter("stack_delete_complete").wait(StackName="reader", WaiterConfig=fast)
cf.delete_stack(StackName="shop")
cf.get_waiter("stack_delete_complete").wait(StackName="shop", WaiterConfig=fast)
equal(db.list_tables()["TableNames"], ["taken-table"])
equal(s3.list_buckets()["Buckets"], [])
with refused("ValidationError", 400):
    cf.describe_stacks(StackName="shop")
