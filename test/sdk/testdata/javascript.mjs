// The SDK for JavaScript v3: S3 with streams and checksums, DynamoDB.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

// The SDK comes from NODE_PATH, which only require knows.
const require = createRequire(import.meta.url);
const { S3 } = require("@aws-sdk/client-s3");
const { DynamoDB } = require("@aws-sdk/client-dynamodb");

const s3 = new S3({ forcePathStyle: true, maxAttempts: 1 });
const Bucket = "bucket";
await s3.createBucket({ Bucket });
const big = randomBytes(300_000);
await s3.putObject({ Bucket, Key: "buffer", Body: big, Metadata: { who: "me" } });
// A stream goes in chunks, with its checksum in a trailer.
await s3.putObject({ Bucket, Key: "stream", Body: Readable.from([big.subarray(0, 1000), big.subarray(1000)]), ContentLength: big.length, ChecksumAlgorithm: "SHA256" });
for (const Key of ["buffer", "stream"]) {
  const got = await s3.getObject({ Bucket, Key, ChecksumMode: "ENABLED" });
  assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), big);
  assert.equal(got.ContentEncoding, undefined);
}
assert.deepEqual((await s3.headObject({ Bucket, Key: "buffer" })).Metadata, { who: "me" });
await assert.rejects(s3.getObject({ Bucket, Key: "none" }), { name: "NoSuchKey" });
assert.deepEqual((await s3.listObjectsV2({ Bucket })).Contents.map(o => o.Key), ["buffer", "stream"]);
await s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key: "buffer" }, { Key: "stream" }] } });
await s3.deleteBucket({ Bucket });

const db = new DynamoDB({ maxAttempts: 1 });
const TableName = "t";
await db.createTable({ TableName, BillingMode: "PAY_PER_REQUEST", AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }], KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }] });
await db.putItem({ TableName, Item: { pk: { S: "a" }, raw: { B: new Uint8Array([0, 255]) }, n: { N: "1" } } });
assert.deepEqual((await db.getItem({ TableName, Key: { pk: { S: "a" } } })).Item.raw.B, new Uint8Array([0, 255]));
await assert.rejects(db.putItem({ TableName, Item: { pk: { S: "a" } }, ConditionExpression: "attribute_not_exists(pk)" }), { name: "ConditionalCheckFailedException" });
await assert.rejects(db.getItem({ TableName: "none", Key: { pk: { S: "a" } } }), { name: "ResourceNotFoundException" });
