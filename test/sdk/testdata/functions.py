"""Lambda: a function from a zip, called, failing, changed; and its API.

argv[1] is a statically linked bootstrap.
"""
import base64
import io
import json
import sys
import urllib.request
import zipfile

from expect import client, equal, eventually, refused

lam, iam, gw, logs = client("lambda"), client("iam"), client("apigateway"), client("logs")


def package(**files):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        for name, body in files.items():
            info = zipfile.ZipInfo(name.replace("__", "."))
            info.external_attr = 0o755 << 16
            z.writestr(info, body, zipfile.ZIP_DEFLATED)
    return b.getvalue()


trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
role = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.attach_role_policy(RoleName="runner", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
zipped = package(bootstrap=open(sys.argv[1], "rb").read())
make = dict(FunctionName="hello", Runtime="provided.al2023", Handler="bootstrap", Role=role, Code={"ZipFile": zipped})

with refused("InvalidParameterValueException", 400, "role"):
    lam.create_function(**{**make, "Role": "arn:aws:iam::000000000000:role/none"})
with refused("ResourceNotFoundException", 404):
    lam.get_function(FunctionName="hello")
made = lam.create_function(**make, Timeout=5, MemorySize=128, Environment={"Variables": {"MODE": "test"}}, Tags={"t": "u"})
equal((made["FunctionArn"], made["CodeSize"], made["Timeout"]), ("arn:aws:lambda:us-east-1:000000000000:function:hello", len(zipped), 5))
lam.get_waiter("function_active_v2").wait(FunctionName="hello")
with refused("ResourceConflictException", 409):
    lam.create_function(**make)

answer = lam.invoke(FunctionName="hello", Payload=json.dumps({"path": "/x"}), LogType="Tail")
equal((answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer), (200, "$LATEST", False))
equal(json.loads(json.load(answer["Payload"])["body"]), {"hello": "/x"})
tail = base64.b64decode(answer["LogResult"]).decode()
assert tail.startswith("START RequestId: ") and "REPORT RequestId: " in tail and 'asked for "/x"' in tail, tail
answer = lam.invoke(FunctionName="hello", Payload=json.dumps({"fail": "no luck"}))
equal(answer["FunctionError"], "Unhandled")
equal(json.load(answer["Payload"]), {"errorMessage": "no luck", "errorType": "errorString"})
equal(lam.invoke(FunctionName="hello", InvocationType="Event", Payload=b"{}")["StatusCode"], 202)
equal(lam.invoke(FunctionName="hello", InvocationType="DryRun", Payload=b"{}")["StatusCode"], 204)
with refused("ResourceNotFoundException", 404):
    lam.invoke(FunctionName="none")
with refused("InvalidRequestContentException", 400):
    lam.invoke(FunctionName="hello", Payload=b"not JSON")


def logged():
    groups = [g["logGroupName"] for g in logs.describe_log_groups()["logGroups"]]
    return [e["message"] for g in groups for e in logs.filter_log_events(logGroupName=g, filterPattern='"asked for"')["events"]]


eventually(lambda: any('asked for \\"/x\\"' in m or 'asked for "/x"' in m for m in logged()), "the log")

version = lam.publish_version(FunctionName="hello")["Version"]
equal(version, "1")
lam.create_alias(FunctionName="hello", Name="live", FunctionVersion=version)
equal(lam.invoke(FunctionName="hello", Qualifier="live", Payload=b"{}")["ExecutedVersion"], "1")
lam.update_function_configuration(FunctionName="hello", Timeout=7)
lam.get_waiter("function_updated_v2").wait(FunctionName="hello")
equal((lam.get_function_configuration(FunctionName="hello")["Timeout"], lam.get_function_configuration(FunctionName="hello", Qualifier="live")["Timeout"]), (7, 5))

# Its API, made by hand.
api = gw.create_rest_api(name="hand-made")["id"]
root = gw.get_resources(restApiId=api)["items"][0]["id"]
any_ = gw.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
gw.put_method(restApiId=api, resourceId=any_, httpMethod="ANY", authorizationType="NONE")
uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{made['FunctionArn']}/invocations"
gw.put_integration(restApiId=api, resourceId=any_, httpMethod="ANY", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
gw.create_deployment(restApiId=api, stageName="dev")
base = f"{gw.meta.endpoint_url}/_aws/execute-api/{api}/dev"


def call(path, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, method=method)) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read().replace(b": ", b":")


equal(call("/any/where"), (500, b'{"message":"Internal server error"}'), "API Gateway may not call the function yet")
lam.add_permission(FunctionName="hello", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
                   SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*")
equal(call("/any/where"), (200, b'{"hello":"/any/where"}'))
equal(call("/"), (403, b'{"message":"Missing Authentication Token"}'))
gw.create_resource(restApiId=api, parentId=root, pathPart="later")
equal(call("/later")[0], 200, "a change is not live before it is deployed")
with refused("NotFoundException", 404):
    gw.get_rest_api(restApiId="none")
with refused("ConflictException", 409):
    gw.create_resource(restApiId=api, parentId=root, pathPart="later")
equal([a["id"] for p in gw.get_paginator("get_rest_apis").paginate() for a in p["items"]], [api])
gw.delete_rest_api(restApiId=api)
assert call("/any/where")[0] in (403, 404)
lam.delete_function(FunctionName="hello")
with refused("ResourceNotFoundException", 404):
    lam.get_function(FunctionName="hello")
