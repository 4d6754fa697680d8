import io
import os
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from expect import client, equal, refused

s3 = client("s3")
s3.create_bucket(Bucket="bucket")
with refused("BucketAlreadyOwnedByYou", 409):
    client("s3", region_name="eu-west-1").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
with refused("InvalidBucketName", 400):
    s3.create_bucket(Bucket="Not.A.Bucket")

# In parts, with what else an upload can carry.
big = os.urandom(17 * 1024 * 1024)
s3.upload_fileobj(
    io.BytesIO(big), "bucket", "big",
    ExtraArgs={"ContentType": "application/x-test", "Metadata": {"who": "me"},
               "CacheControl": "max-age=60", "ContentDisposition": "attachment", "Tagging": "a=1&b=2", "StorageClass": "STANDARD"},
    Config=TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024))
head = s3.head_object(Bucket="bucket", Key="big")
equal((head["ContentLength"], head["ContentType"], head["CacheControl"], head["ContentDisposition"]), (len(big), "application/x-test", "max-age=60", "attachment"))
equal(head["Metadata"]["who"], "me")
assert head["ETag"].endswith('-4"'), head["ETag"]
equal({t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket="bucket", Key="big")["TagSet"]}, {"a": "1", "b": "2"})
out = io.BytesIO()
s3.download_fileobj("bucket", "big", out)
assert out.getvalue() == big

# Streams and ranges.
body = s3.get_object(Bucket="bucket", Key="big")["Body"]
assert b"".join(body.iter_chunks(100_000)) == big
r = s3.get_object(Bucket="bucket", Key="big", Range="bytes=10-19")
equal((r["Body"].read(), r["ContentRange"], r["ResponseMetadata"]["HTTPStatusCode"]), (big[10:20], f"bytes 10-19/{len(big)}", 206))
equal(s3.get_object(Bucket="bucket", Key="big", Range="bytes=-5")["Body"].read(), big[-5:])
equal(s3.get_object(Bucket="bucket", Key="big", PartNumber=4)["Body"].read(), big[15 * 1024 * 1024:])
with refused("InvalidRange", 416):
    s3.get_object(Bucket="bucket", Key="big", Range=f"bytes={len(big)}-")
with refused("304"):
    s3.get_object(Bucket="bucket", Key="big", IfNoneMatch=head["ETag"])
with refused("PreconditionFailed", 412):
    s3.get_object(Bucket="bucket", Key="big", IfMatch='"x"')
with refused("PreconditionFailed", 412):
    s3.put_object(Bucket="bucket", Key="big", Body=b"", IfNoneMatch="*")
equal(s3.head_object(Bucket="bucket", Key="big")["ETag"], head["ETag"], "a refused write changed the object")

# By hand, and given up.
up = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
part = s3.upload_part(Bucket="bucket", Key="parts", UploadId=up, PartNumber=1, Body=b"x")
with refused("InvalidPart", 400):
    s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=up, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"0"'}]})
s3.upload_part(Bucket="bucket", Key="parts", UploadId=up, PartNumber=2, Body=b"y")
with refused("EntityTooSmall", 400):
    s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=up, MultipartUpload={"Parts": [
        {"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in s3.list_parts(Bucket="bucket", Key="parts", UploadId=up)["Parts"]]})
equal([u["Key"] for u in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]], ["parts"])
s3.abort_multipart_upload(Bucket="bucket", Key="parts", UploadId=up)
with refused("NoSuchUpload", 404):
    s3.upload_part(Bucket="bucket", Key="parts", UploadId=up, PartNumber=1, Body=b"x")

# Presigned addresses, both versions of signatures, read and write.
for version in ("s3v4", "s3"):
    signer = client("s3", config=Config(signature_version=version, s3={"addressing_style": "path"}))
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "big", "ResponseContentType": "text/x-other"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as r:
        assert r.read() == big
        equal(r.headers["Content-Type"], "text/x-other")
    url = signer.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "put-" + version}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(url, data=b"presigned", method="PUT", headers={"Content-Type": ""})).close()
    equal(s3.get_object(Bucket="bucket", Key="put-" + version)["Body"].read(), b"presigned")
    try:
        urllib.request.urlopen(url.replace("put-", "xxx-"))
        raise AssertionError("a changed address was accepted")
    except urllib.error.HTTPError as e:
        equal(e.code, 403)
        assert b"<Code>SignatureDoesNotMatch</Code>" in e.read()

# Listing, in pages.
for i in range(25):
    s3.put_object(Bucket="bucket", Key=f"list/{i % 5}/{i:02}", Body=b"x")
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="list/", PaginationConfig={"PageSize": 7}))
equal([len(p["Contents"]) for p in pages], [7, 7, 7, 4])
folders = s3.list_objects_v2(Bucket="bucket", Prefix="list/", Delimiter="/")
equal([p["Prefix"] for p in folders["CommonPrefixes"]], [f"list/{i}/" for i in range(5)])
gone = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": f"list/{i % 5}/{i:02}"} for i in range(25)]})
equal(len(gone["Deleted"]), 25)

# Versions.
s3.create_bucket(Bucket="versions")
s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
ids = [s3.put_object(Bucket="versions", Key="k", Body=str(i).encode())["VersionId"] for i in range(3)]
equal(s3.get_object(Bucket="versions", Key="k", VersionId=ids[0])["Body"].read(), b"0")
marker = s3.delete_object(Bucket="versions", Key="k")
assert marker["DeleteMarker"]
with refused("NoSuchKey", 404):
    s3.get_object(Bucket="versions", Key="k")
with refused("NoSuchVersion", 404):
    s3.get_object(Bucket="versions", Key="other", VersionId=ids[0])
with refused("InvalidArgument", 400, "Invalid version id specified"):
    s3.get_object(Bucket="versions", Key="k", VersionId="none")
s3.delete_object(Bucket="versions", Key="k", VersionId=marker["VersionId"])
equal(s3.get_object(Bucket="versions", Key="k")["Body"].read(), b"2")
equal([v["VersionId"] for v in s3.list_object_versions(Bucket="versions")["Versions"]], ids[::-1])
with refused("BucketNotEmpty", 409):
    s3.delete_bucket(Bucket="versions")
boto3.resource("s3").Bucket("versions").object_versions.delete()
s3.delete_bucket(Bucket="versions")

# Errors.
with refused("NoSuchBucket", 404):
    s3.list_objects_v2(Bucket="none")
with refused("NoSuchKey", 404):
    s3.get_object(Bucket="bucket", Key="none")
with refused("404", 404):
    s3.head_object(Bucket="bucket", Key="none")
with refused("NoSuchBucketPolicy", 404):
    s3.get_bucket_policy(Bucket="bucket")
with refused("BadDigest", 400):
    s3.put_object(Bucket="bucket", Key="bad", Body=b"x", ChecksumSHA256="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
equal(s3.get_bucket_location(Bucket="bucket").get("LocationConstraint"), None)
s3.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "put-s3"}, MetadataDirective="REPLACE", Metadata={"x": "y"})
equal(s3.head_object(Bucket="bucket", Key="copy")["Metadata"], {"x": "y"})
s3.get_waiter("object_exists").wait(Bucket="bucket", Key="copy")
