// Package lambda is the room of AWS Lambda: functions from zip packages, their
// versions and aliases, invocations, and the plane that runs them in sandboxes.
//
// Pages followed:
// https://docs.aws.amazon.com/lambda/latest/api/welcome.html
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
//
// # What runs where
//
// A function is a record, and a version for each published version and $LATEST
// (state.go). Functions are kept in memory once they were used (shelf.go); an
// invocation reads no store and takes no lock but that of its version's pool.
// A package is a blob, and is unpacked once into a folder named by its hash,
// which all environments of all functions with that code share, read-only.
//
// A layer's version is a package as well. A function keeps what its layers were
// when it took them (layer.go). One layer is seen as it was unpacked; several are
// joined in one folder named by all their hashes, of hard links.
//
// A pool has the environments of one version (pool.go): the one used last is
// used first, one event at a time. When all are busy and there are as many as
// the cores can use, an event waits for up to 10 ms for one to come free before
// another one is started: many workers on few cores are slower than few. A
// change of code or configuration makes a new pool; environments of the old one
// end when their event is done. Environments that were idle for ten minutes end,
// and so do those whose credentials are about to expire.
//
// Environments that are provisioned (provisioned.go) are a part of the pool that is
// started ahead and kept. All environments share a budget of memory (memory.go):
// idle ones that were not used for longest make room.
//
// A function URL is looked up by its id (url.go) and answered in viewer.go. A
// response that is streamed goes from the environment to who reads it without
// being gathered, and the function waits for who reads.
//
// Extensions of layers run in the environment's sandbox. An answer does not wait
// until they are done with the event, but the environment's next event does, and
// so does its place in the concurrency; Duration contains their time. What the
// platform says of a function goes to its log in its format (logging.go), and to
// the extensions that subscribed to it.
//
// What became of an asynchronous event is told to its destination as the role of
// the function (destination.go). The record waits in the queue in the event's
// place until it is delivered, or refused for good.
//
// A function that is a container image (image.go, imagesource.go) has its layers
// held in the deployment's content of images, unpacked once, and joined to the root
// of its sandboxes. The registry is asked as the service, whose permission
// CreateFunction and UpdateFunctionCode add to the repository's policy if the
// caller may.
//
// # Deliberate differences
//
//   - An image may be an index, whose image for this machine is taken, and may come
//     from any registry, as anybody: who names one asks for its being fetched.
//   - Extensions within an image (/opt/extensions) are not started, and USER has no
//     meaning: functions are never root.
//   - CreateFunction and UpdateFunction… have done their work when they answer.
//     They say Pending and InProgress, because AWS's clients wait for what
//     follows, but the very next call finds the function Active. So no operation
//     is refused because another one is under way.
//   - GetFunction names no Location of the code, nor GetLayerVersion of the layer.
//   - A function URL asks for lambda:InvokeFunctionUrl only. AWS asks those who
//     call URLs made since October 2025 for lambda:InvokeFunction as well.
//   - Initialisation has one try, of ten seconds and the function's timeout,
//     where AWS makes two of each.
//   - What is written to /tmp counts against MemorySize as well.
//   - Provisioned environments serve whoever invokes their version, by whatever
//     name. What an alias with weights asks for is split by the weights.
//   - When no memory is left for another environment, an event waits for up to a
//     second and is then throttled (ConcurrentInvocationLimitExceeded).
//   - A loop of functions is found by the trace header only.
//   - Runtimes are the machine's interpreters, and their versions those of these
//     (management.go). With FunctionUpdate and Manual a function whose version was
//     taken off the machine is not run (InvalidRuntimeException).
//   - One function runs at most 32 asynchronous events at once.
//   - Billed Duration contains the initialisation, as on AWS since August 2025.
//
// # Settings
//
// Accepted without effect, because they have no meaning here: TracingConfig
// PassThrough, SnapStart None, a VpcConfig without subnets and security groups, and
// of interpreted code Architectures: it runs on this machine's all the same, and
// native modules that it loads must be for that.
//
// Refused by name until they act:
// VpcConfig with subnets or security groups, FileSystemConfigs,
// DeadLetterConfig, destinations but functions and (of failures) buckets, TracingConfig Active, SnapStart
// PublishedVersions (see docs/RATIONALE.md), KMSKeyArn, code signing,
// CapacityProviderConfig, DurableConfig, TenancyConfig, PublishTo; OrganizationId
// in permissions of layers; in
// AddPermission EventSourceToken and PrincipalOrgID; for compiled code, architectures
// other than the machine's.
package lambda
