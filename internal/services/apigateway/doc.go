// Package apigateway is the room of API Gateway's REST APIs (version 1).
//
// The control plane edits a definition; a deployment freezes it; a stage points
// at a deployment. Stages are compiled into memory and swapped whole, so that a
// change is live only after a deployment, no request sees two deployments, and
// no request reads the store.
//
// Pages followed:
//
//   - https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-xray.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-client-side-ssl-authentication.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
//
// # Refused by name
//
// User pools that no --issuer names the issuer of, VPC links,
// access logs to Firehose, private endpoints, exports for Postman, generated SDKs,
// private domain names, domain names with routing rules, with policies of FIPS or with
// certificates that are not ACM's; #include and #parse in mapping
// templates; request mappings and content handling of proxies to functions.
//
// # Without meaning here
//
//   - The endpoint types EDGE and REGIONAL, and the IP address type: there is
//     one place from which APIs are served. They are kept and told.
//
//   - Models, parameters of methods and method responses without a validator
//     document an API at AWS, too. They are kept and told.
//
//   - Templates and responses of a proxy integration do nothing at AWS, too.
//
//   - The hosted zones of custom domain names: nothing here serves DNS.
//
//   - GenerateDistinctId of an API key: the id always differs from the value.
//
// # Differences
//
//   - A security requirement of an OpenAPI document without an authorizer protects
//     nothing, as at AWS; here the import warns of it. A schema without a name
//     becomes a model whose name is a digest of it: "MODEL1a2b3c".
//   - The types of a document's parameters are not kept: an export says string.
//   - Answers have HAL links only for who accepts application/hal+json.
//   - tracingEnabled decides which requests are sampled, by X-Ray's default rule or
//     as their callers did, and passes the decision on in X-Amzn-Trace-Id, to
//     functions as their trace as well. There is no X-Ray to keep the segments.
//   - Logs are written behind the requests, by the role of the account's settings:
//     what that may not write, or what comes faster than it can be written (4 MiB of
//     a group's lines wait), is not there, as at AWS. A crash forgets the last 200 ms.
//   - In access logs a value between double quotes has quotes and backslashes
//     escaped. Functions tell no request id, so $context.integration.requestId is
//     "-" for them; execution logs do not show the headers of calls to functions.
//   - The role of the account's settings must trust the service when it is set. What
//     it may write is decided when it writes.
//   - Metrics are counted while the server has an address for them (--metrics).
//   - A caller has 30 seconds to send a body: then the answer is 408.
//   - The throttle of accounts is the server's (10,000 requests per second and
//     5,000 at once, as AWS's), and no quota to ask for.
//   - A cache is memory of this server, taken as answers come and at most as its
//     size says, and is there at once. What it keeps is the answer after the mapping
//     of the integration's response, with any status; of cacheDataEncrypted, with
//     AES-256-GCM under a key that is only in memory. A restart forgets it.
//   - A response that is streamed has no limit of its bandwidth, and may pause for
//     five minutes whatever the endpoint's type. Its metadata take 16 KiB at most.
//   - There are no VPC links, because there are no load balancers that they could
//     lead to: an integration reaches a private address by itself, with the
//     connection type INTERNET.
//   - To promote a canary's variables puts them over the stage's.
//   - Counts of usage plans are written a second after they change: a crash
//     forgets at most that second. Weeks begin on Sundays plus the offset.
//   - A mapping template whose #foreach takes more than 1,000 turns fails, as does
//     one that takes too much time or memory (package vtl has the limits).
//   - Regular expressions in templates and selection patterns have no look-around
//     and no back references: they take linear time.
//   - An integration with an action of a service that speaks AWS's query protocol
//     gets its XML, never JSON.
//   - Header names reach functions in canonical spelling ("X-My-Header"),
//     because the HTTP server keeps no other.
//   - A custom domain name answers plain HTTP, too, unless it has mutual TLS or the
//     endpoint access mode STRICT. A trust store is read when the domain name is
//     made or updated. Names are unique among all accounts and regions.
//   - A client certificate is shown to any backend that asks for one, whatever
//     authorities that names. A backend trusts the PEM itself: it is signed with its
//     own key. A stage's connections with it are closed when the stage changes it.
//   - OwnershipVerificationCertificateArn is checked (it must be there and be for the
//     name) and never demanded.
//   - requestContext.domainName has a port where callers need one.
package apigateway
