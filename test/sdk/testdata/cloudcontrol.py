"""The Cloud Control API: a resource's life, what fails, and the registry of types."""
import json

from expect import client, equal, eventually, refused

cc, logs, cfn = client("cloudcontrol"), client("logs"), client("cloudformation")
GROUP = "AWS::Logs::LogGroup"


def ended(answer):
    """Waits for a request's end and returns its event."""
    token = answer["ProgressEvent"]["RequestToken"]

    def status():
        return cc.get_resource_request_status(RequestToken=token)["ProgressEvent"]
    eventually(lambda: status()["OperationStatus"] not in ("PENDING", "IN_PROGRESS"), "the request's end")
    return status()


want = json.dumps({"LogGroupName": "made", "RetentionInDays": 7})
made = ended(cc.create_resource(TypeName=GROUP, DesiredState=want, ClientToken="once"))
equal((made["OperationStatus"], made["Operation"], made["Identifier"]), ("SUCCESS", "CREATE", "made"), "creation")
again = cc.create_resource(TypeName=GROUP, DesiredState=want, ClientToken="once")["ProgressEvent"]
equal(again["RequestToken"], made["RequestToken"], "the same client token")
with refused("ClientTokenConflictException"):
    cc.create_resource(TypeName=GROUP, DesiredState="{}", ClientToken="once")


def properties():
    return json.loads(cc.get_resource(TypeName=GROUP, Identifier="made")["ResourceDescription"]["Properties"])


equal(properties()["RetentionInDays"], 7, "as it was made")
assert properties()["Arn"].startswith("arn:aws:logs:"), properties()
equal([r["Identifier"] for r in cc.list_resources(TypeName=GROUP)["ResourceDescriptions"]], ["made"], "the listing")

patch = [{"op": "test", "path": "/RetentionInDays", "value": 7}, {"op": "replace", "path": "/RetentionInDays", "value": 14}]
changed = ended(cc.update_resource(TypeName=GROUP, Identifier="made", PatchDocument=json.dumps(patch)))
equal(changed["OperationStatus"], "SUCCESS", "the change")
equal(logs.describe_log_groups()["logGroups"][0]["retentionInDays"], 14, "the log group")
fixed = ended(cc.update_resource(TypeName=GROUP, Identifier="made", PatchDocument='[{"op": "replace", "path": "/LogGroupName", "value": "other"}]'))
equal((fixed["OperationStatus"], fixed["ErrorCode"]), ("FAILED", "NotUpdatable"), "a name that is fixed")
with refused("InvalidRequestException"):
    cc.update_resource(TypeName=GROUP, Identifier="made", PatchDocument='[{"op": "remove", "path": "/Nothing"}]')

twice = ended(cc.create_resource(TypeName=GROUP, DesiredState='{"LogGroupName": "made"}'))
equal((twice["OperationStatus"], twice["ErrorCode"]), ("FAILED", "AlreadyExists"), "a second one")
wrong = ended(cc.create_resource(TypeName=GROUP, DesiredState='{"Colour": "red"}'))
equal((wrong["OperationStatus"], wrong["ErrorCode"]), ("FAILED", "InvalidRequest"), "a property that there is not")
with refused("ConcurrentModificationException"):
    cc.cancel_resource_request(RequestToken=made["RequestToken"])
with refused("RequestTokenNotFoundException"):
    cc.get_resource_request_status(RequestToken="00000000-0000-0000-0000-000000000000")
with refused("TypeNotFoundException"):
    cc.create_resource(TypeName="AWS::Nothing::Here", DesiredState="{}")
failed = cc.list_resource_requests(ResourceRequestStatusFilter={"Operations": ["CREATE"], "OperationStatuses": ["FAILED"]})
equal(sorted(e["ErrorCode"] for e in failed["ResourceRequestStatusSummaries"]), ["AlreadyExists", "InvalidRequest"], "what failed")

equal(ended(cc.delete_resource(TypeName=GROUP, Identifier="made"))["OperationStatus"], "SUCCESS", "the deletion")
with refused("ResourceNotFoundException"):
    cc.get_resource(TypeName=GROUP, Identifier="made")
equal(ended(cc.delete_resource(TypeName=GROUP, Identifier="made"))["ErrorCode"], "NotFound", "a second deletion")

# A resource that is part of another is listed with what it is part of.
logs.create_log_group(logGroupName="whole")
stream = ended(cc.create_resource(TypeName="AWS::Logs::LogStream", DesiredState='{"LogGroupName": "whole", "LogStreamName": "part"}'))
equal(stream["Identifier"], "whole|part", "the identifier")
with refused("InvalidRequestException"):
    cc.list_resources(TypeName="AWS::Logs::LogStream")
parts = cc.list_resources(TypeName="AWS::Logs::LogStream", ResourceModel='{"LogGroupName": "whole"}')["ResourceDescriptions"]
equal([r["Identifier"] for r in parts], ["whole|part"], "the parts")

# The registry says of each type what can be set, and what is fixed.
schema = json.loads(cfn.describe_type(Type="RESOURCE", TypeName="AWS::S3::Bucket")["Schema"])
equal(schema["primaryIdentifier"], ["/properties/BucketName"], "what names a bucket")
equal(schema["createOnlyProperties"], ["/properties/BucketName"], "what is fixed of a bucket")
with refused("TypeNotFoundException"):
    cfn.describe_type(Type="RESOURCE", TypeName="AWS::Nothing::Here")
types = cfn.list_types(Visibility="PUBLIC", Filters={"TypeNamePrefix": "AWS::Logs::"})["TypeSummaries"]
equal([t["TypeName"] for t in types], [GROUP, "AWS::Logs::LogStream"], "the types of logs")
