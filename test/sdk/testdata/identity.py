"""IAM and STS: users, roles, sessions, and refusals that say why."""
import json

import boto3

from expect import client, equal, refused

iam, sts = client("iam"), client("sts")
account = sts.get_caller_identity()["Account"]


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def session(c):
    return boto3.Session(aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c.get("SecretAccessKey"), aws_session_token=c.get("SessionToken"))


db = client("dynamodb")
for name in ("mine", "theirs"):
    db.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])
client("s3").create_bucket(Bucket="private")

# A user has what its policies allow, and no more.
equal(iam.create_user(UserName="eve", Path="/people/")["User"]["Arn"], f"arn:aws:iam::{account}:user/people/eve")
with refused("EntityAlreadyExists", 409):
    iam.create_user(UserName="eve")
with refused("NoSuchEntity", 404):
    iam.get_user(UserName="nobody")
with refused("MalformedPolicyDocument", 400):
    iam.put_user_policy(UserName="eve", PolicyName="p", PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}')
eve = session(iam.create_access_key(UserName="eve")["AccessKey"])
equal(client("sts", eve).get_caller_identity()["Arn"], f"arn:aws:iam::{account}:user/people/eve")
with refused("AccessDeniedException", 400, f"User: arn:aws:iam::{account}:user/people/eve is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:{account}:table/mine because no identity-based policy allows the dynamodb:GetItem action"):
    client("dynamodb", eve).get_item(TableName="mine", Key={"pk": {"S": "a"}})
with refused("AccessDenied", 403):
    client("s3", eve).list_objects_v2(Bucket="private")
with refused("AccessDenied", 403, "iam:ListUsers"):
    client("iam", eve).list_users()
iam.put_user_policy(UserName="eve", PolicyName="p", PolicyDocument=policy(
    allow("dynamodb:*Item", f"arn:aws:dynamodb:*:*:table/mine"), allow("sts:AssumeRole"),
    {"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"}))
theirs = client("dynamodb", eve)
theirs.put_item(TableName="mine", Item={"pk": {"S": "a"}})
with refused("AccessDeniedException", 400, "with an explicit deny in an identity-based policy"):
    theirs.delete_item(TableName="mine", Key={"pk": {"S": "a"}})
with refused("AccessDeniedException", 400, "table/theirs"):
    theirs.put_item(TableName="theirs", Item={"pk": {"S": "a"}})
equal(db.scan(TableName="theirs")["Count"], 0)

# Groups and managed policies.
iam.create_group(GroupName="readers")
iam.attach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
iam.add_user_to_group(GroupName="readers", UserName="eve")
equal(client("s3", eve).list_objects_v2(Bucket="private")["KeyCount"], 0)
with refused("AccessDenied", 403):
    client("s3", eve).put_object(Bucket="private", Key="k", Body=b"")

# Roles: trust, sessions, session policies.
trust = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:user/people/eve"}, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "42"}}})
role = iam.create_role(RoleName="writer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.put_role_policy(RoleName="writer", PolicyName="p", PolicyDocument=policy(allow(["dynamodb:PutItem", "dynamodb:GetItem"])))
with refused("AccessDenied", 403, "sts:AssumeRole"):
    client("sts", eve).assume_role(RoleArn=role, RoleSessionName="session")
made = client("sts", eve).assume_role(RoleArn=role, RoleSessionName="session", ExternalId="42", DurationSeconds=900)
equal(made["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{account}:assumed-role/writer/session")
assert made["Credentials"]["AccessKeyId"].startswith("ASIA")
writer = session(made["Credentials"])
equal(client("sts", writer).get_caller_identity()["Arn"], f"arn:aws:sts::{account}:assumed-role/writer/session")
client("dynamodb", writer).put_item(TableName="theirs", Item={"pk": {"S": "a"}})
with refused("AccessDeniedException", 400, f"assumed-role/writer/session is not authorized to perform: dynamodb:Scan"):
    client("dynamodb", writer).scan(TableName="theirs")
small = session(client("sts", eve).assume_role(RoleArn=role, RoleSessionName="session", ExternalId="42", Policy=policy(allow("dynamodb:GetItem")))["Credentials"])
client("dynamodb", small).get_item(TableName="theirs", Key={"pk": {"S": "a"}})
with refused("AccessDeniedException", 400, "no session policy allows"):
    client("dynamodb", small).put_item(TableName="theirs", Item={"pk": {"S": "b"}})
broken = dict(made["Credentials"], SessionToken=made["Credentials"]["SessionToken"][:-8] + "AAAAAAAA")
with refused("UnrecognizedClientException", 400):
    client("dynamodb", session(broken)).list_tables()
with refused("ValidationError", 400):
    client("sts", eve).assume_role(RoleArn=role, RoleSessionName="session", ExternalId="42", DurationSeconds=40000)
with refused("AccessDenied", 403, "Roles may not be assumed by root accounts"):
    sts.assume_role(RoleArn=role, RoleSessionName="session", ExternalId="42")

# A boundary bounds.
bound = iam.create_policy(PolicyName="bound", PolicyDocument=policy(allow("s3:*")))["Policy"]["Arn"]
iam.put_user_permissions_boundary(UserName="eve", PermissionsBoundary=bound)
with refused("AccessDeniedException", 400, "no permissions boundary allows"):
    theirs.put_item(TableName="mine", Item={"pk": {"S": "b"}})
iam.delete_user_permissions_boundary(UserName="eve")

# A bucket's own policy.
client("s3").put_bucket_policy(Bucket="private", Policy=policy({"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{account}:user/people/eve"}, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::private"}))
with refused("AccessDenied", 403, "explicit deny in a resource-based policy"):
    client("s3", eve).list_objects_v2(Bucket="private")

# A key that is switched off, and one that is gone.
key = eve.get_credentials().access_key
iam.update_access_key(UserName="eve", AccessKeyId=key, Status="Inactive")
with refused("UnrecognizedClientException", 400):
    theirs.list_tables()
with refused("DeleteConflict", 409):
    iam.delete_user(UserName="eve")
iam.delete_access_key(UserName="eve", AccessKeyId=key)
with refused("InvalidClientTokenId", 403):
    client("sts", eve).get_caller_identity()
for i in range(25):
    iam.create_user(UserName=f"user-{i:02}")
equal([len(p["Users"]) for p in iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 10})], [10, 10, 6])
