// Makes short links (POST /links) and lists them (GET /links).
const { randomBytes } = require("node:crypto");
const { DynamoDBClient, PutItemCommand, ScanCommand } = require("@aws-sdk/client-dynamodb");

// Region, endpoint and the credentials of the function's role come from its
// environment.
const db = new DynamoDBClient({});
const TableName = process.env.TABLE;

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" },
  body: JSON.stringify(body),
});

async function make(event) {
  let url;
  try {
    url = new URL(JSON.parse(event.body).url);
  } catch {
    return answer(400, { message: "Please give an address that begins with http:// or https://." });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return answer(400, { message: "Only http and https addresses can be shortened." });
  }
  const code = randomBytes(4).toString("base64url");
  await db.send(new PutItemCommand({
    TableName,
    Item: { code: { S: code }, url: { S: url.href }, hits: { N: "0" }, made: { S: new Date().toISOString() } },
    ConditionExpression: "attribute_not_exists(code)",
  }));
  console.log(`made ${code} for ${url.href}`);
  return answer(201, { code, url: url.href, hits: 0 });
}

async function list() {
  const { Items } = await db.send(new ScanCommand({ TableName }));
  const links = Items.map(i => ({ code: i.code.S, url: i.url.S, hits: Number(i.hits.N), made: i.made.S }));
  links.sort((a, b) => b.made.localeCompare(a.made));
  return answer(200, { links });
}

exports.handler = event => event.httpMethod === "POST" ? make(event) : list();
