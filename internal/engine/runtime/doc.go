// Package runtime executes functions: an Environment is one sandboxed process
// that handles one event at a time, in the way that its runtime is spoken to.
// It knows AWS's runtimes and their protocols, but no AWS API.
//
// Custom runtimes ("provided", "go1.x") speak the Runtime API of 2018-06-01
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) over an
// HTTP/1.1 loop of our own: net/http would cost more than all the rest of an
// invocation. Each environment has a listener of its own. In a private network
// it is inside, at 127.0.0.1:9001, where nobody else is. On the host's network
// it is a loopback port: the clients send no secret, so connections are told
// apart by the host's user that the sandbox alone has; where the server is an
// ordinary user's, all processes of that user can reach it.
// Whoever has an event reads the answer from the connection himself (httpturn.go).
//
// Node.js and Python run on bootstraps of our own (bootstrap/), which speak
// length-framed messages over a socket that is their descriptor 3 (framed.go).
// They are written for the handlers' semantics that AWS documents, error and log
// formats included. An event passes through no goroutine but its caller's.
//
// A response that the function streams is passed on as it comes, to the caller who
// asked for that (Invocation.Stream), else gathered. A runtime that is faster than
// who reads waits for it. Node.js streams with awslambda.streamifyResponse, custom
// runtimes with Lambda-Runtime-Function-Response-Mode.
//
// Ruby runs on a bootstrap of our own as well, and Java on AWS's client of the
// Runtime API, which the function's package or the user's Maven repository has
// (java.go).
//
// Extensions (extension.go, extapi.go) speak HTTP at the address of the Runtime
// API. External ones, programs of a layer, are processes of their own in the
// function's sandbox, which start before the runtime. What the platform, the
// function and the extensions say goes to those who subscribed (telemetry.go).
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
//
// What a function writes is put together to lines. When a response is handed
// to the caller all lines written before it have been handed to the log sink.
//
// An event that an environment did not take, because it had ended, is reported
// as ErrNotDelivered, so that no event is lost or given twice.
//
// Interpreters of Node.js and Python can be started before it is known for which
// function (Templates, ahead.go): each waits in a sandbox of its own and becomes
// the environment of one function.
//
// # Deliberate limits
//
// Python answers a named tuple as a list, where AWS's runtime makes an object of
// it: the interpreter's own encoder, which is several times faster, sees no name.
//
// In an environment that was started ahead, /proc/self/environ and
// /proc/self/cmdline are those of the start, and its control group is not named
// after the function.
//
// Programs of a function's own (custom runtimes, images) have GOMAXPROCS=1 where
// the function has less than the memory that comes with one processor and does not
// set that variable itself; AWS does not set it.
//
// A runtime that has answered an event and then asks on the same connection for
// anything but the next one is answered with the next event.
//
// Lines are cut at 256 KiB less 26 bytes, what an event of CloudWatch Logs
// holds; what is written without a line feed ends with the invocation.
// Functions in Node.js, Python and Ruby have AWS_LAMBDA_RUNTIME_API only with
// layers or AWS_LAMBDA_EXEC_WRAPPER, for extensions: without, nobody listens. An
// extension goes on between invocations, where AWS freezes it. In the tier without
// namespaces there are no external extensions, and in the unprivileged tier no
// telemetry in private networks. Deliveries are not repeated: what a subscriber
// does not take within five seconds is counted in platform.logsDropped.
package runtime
