import time

from expect import client, equal, refused

logs = client("logs")
logs.create_log_group(logGroupName="/app", tags={"a": "b"})
with refused("ResourceAlreadyExistsException", 400):
    logs.create_log_group(logGroupName="/app")
logs.create_log_stream(logGroupName="/app", logStreamName="s")
now = int(time.time() * 1000)
lines = [{"timestamp": now + i, "message": f"line {i}" if i % 10 else f'{{"level":"ERROR","n":{i}}}'} for i in range(100)]
logs.put_log_events(logGroupName="/app", logStreamName="s", logEvents=lines)
with refused("ResourceNotFoundException", 400):
    logs.put_log_events(logGroupName="/app", logStreamName="none", logEvents=lines)
with refused("InvalidParameterException", 400):
    logs.put_log_events(logGroupName="/app", logStreamName="s", logEvents=lines[::-1])

got = logs.get_log_events(logGroupName="/app", logStreamName="s", startFromHead=True, limit=30)
equal([e["message"] for e in got["events"]], [e["message"] for e in lines[:30]])
rest = logs.get_log_events(logGroupName="/app", logStreamName="s", startFromHead=True, nextToken=got["nextForwardToken"])
equal(len(rest["events"]), 70)

found = [e["message"] for p in logs.get_paginator("filter_log_events").paginate(logGroupName="/app", filterPattern='{ $.level = "ERROR" && $.n > 40 }') for e in p["events"]]
equal(found, [f'{{"level":"ERROR","n":{i}}}' for i in (50, 60, 70, 80, 90)])
equal(len(logs.filter_log_events(logGroupName="/app", filterPattern='"line 1"', limit=50)["events"]), 10)
equal(len(logs.filter_log_events(logGroupName="/app", startTime=now + 90, endTime=now + 95)["events"]), 6)

logs.put_retention_policy(logGroupName="/app", retentionInDays=7)
group = logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"][0]
equal((group["logGroupName"], group["retentionInDays"]), ("/app", 7))
equal([s["logStreamName"] for s in logs.describe_log_streams(logGroupName="/app")["logStreams"]], ["s"])
logs.delete_log_group(logGroupName="/app")
with refused("ResourceNotFoundException", 400):
    logs.describe_log_streams(logGroupName="/app")
