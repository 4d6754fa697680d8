// Runs a Node.js handler: reads events from the engine's socket, answers on it.
//
// The messages are described in the engine's framed.go. The socket is read
// synchronously: between two events there is nothing to do, as on AWS, where the
// environment is frozen then; and an idle event loop has no handle of ours, so
// that its emptiness can be waited for. Timers and I/O get a turn of the event
// loop before each event.
'use strict';

const fs = require('fs');

const FD = Number(process.env._TIERRA_FD || 3);
delete process.env._TIERRA_FD;
const NODE = Number(process.env._TIERRA_NODE || 0); // the major version that was asked for
delete process.env._TIERRA_NODE;
const READY = 2, INIT_ERROR = 3, RESPONSE = 4, ERROR = 5, FATAL = 6, STREAM = 7, CHUNK = 8, END = 9;
const MAX = 6 * 1024 * 1024 + 100;

let requestId; // of the present event
let initialised = false;
let active = false; // an event is being handled
let whenEmpty = null; // what to do when the event loop runs empty

// ---- messages

// Under a debugger the event loop goes on between events, as it hears the editor.
const debugged = process.execArgv.some((a) => a.startsWith('--inspect'));

let input = Buffer.allocUnsafeSlow(16 * 1024);
let output = Buffer.allocUnsafeSlow(16 * 1024);

function readSome(buf, at) {
  for (;;) {
    try {
      const n = fs.readSync(FD, buf, at, buf.length - at, null);
      if (n === 0) process.reallyExit(0);
      return n;
    } catch (e) {
      if (e.code !== 'EINTR' && e.code !== 'EAGAIN') process.reallyExit(0);
    }
  }
}

// receive returns a buffer that holds a message's body from 5 to end; input has
// the beginning of it.
function receive(have) {
  while (have < 5) have += readSome(input, have);
  const end = 5 + input.readUInt32LE(0);
  let buf = input;
  if (end > buf.length) {
    buf = Buffer.allocUnsafeSlow(end);
    input.copy(buf, 0, 0, have);
  }
  while (have < end) have += readSome(buf, have);
  return { buf, end };
}

function writeAll(fd, buf, at, end) {
  while (at < end) {
    try {
      at += fs.writeSync(fd, buf, at, end - at);
    } catch (e) {
      if (e.code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      else if (e.code !== 'EINTR') throw e;
    }
  }
}

// send returns false if the body is too large.
function send(kind, text) {
  // A character takes three bytes at most.
  let buf = output, n;
  if (5 + 3 * text.length > buf.length) {
    n = Buffer.byteLength(text);
    if (n > MAX) return false;
    if (5 + n > buf.length) buf = Buffer.allocUnsafeSlow(5 + n);
  }
  n = buf.utf8Write(text, 5);
  buf.writeUInt32LE(n, 0);
  buf[4] = kind;
  writeAll(FD, buf, 0, 5 + n);
  return true;
}

// ---- streamed responses

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const PRELUDE = 'application/vnd.awslambda.http-integration-response';

globalThis.awslambda = {
  streamifyResponse(fn, options) {
    fn[STREAMING] = 'response';
    if (typeof options?.highWaterMark === 'number') fn[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
    return fn;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType(PRELUDE);
      stream._onBeforeFirstWrite = (write) => {
        write(Buffer.from(JSON.stringify(metadata)));
        write(Buffer.alloc(8));
      };
      return stream;
    },
  },
};

function sendBytes(kind, bytes) {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32LE(bytes.length, 0);
  head[4] = kind;
  writeAll(FD, head, 0, 5);
  writeAll(FD, bytes, 0, bytes.length);
}

// newResponseStream makes the stream that a streaming handler writes to.
function newResponseStream(highWaterMark = 64 * 1024) {
  const { Writable } = require('stream');
  const piece = 1 << 20;
  const write = (bytes) => {
    for (let at = 0; at < bytes.length; at += piece) sendBytes(CHUNK, bytes.subarray(at, at + piece));
  };
  const stream = new Writable({
    highWaterMark,
    write(chunk, _, done) {
      try {
        this._begin();
        write(chunk);
        done();
      } catch (e) {
        done(e);
      }
    },
    final(done) {
      this._begin();
      done();
    },
  });
  stream._begun = false;
  stream._type = '';
  stream._begin = () => {
    if (stream._begun) return;
    stream._begun = true;
    sendBytes(STREAM, Buffer.from(stream._type));
    if (stream._onBeforeFirstWrite) stream._onBeforeFirstWrite(write);
  };
  stream.setContentType = (type) => {
    if (stream._begun) throw fault('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    stream._type = String(type);
  };
  const plain = stream.write;
  stream.write = function (chunk, ...rest) {
    if (typeof chunk !== 'string' && !Buffer.isBuffer(chunk) && chunk?.constructor !== Uint8Array) chunk = JSON.stringify(chunk);
    return plain.call(this, chunk, ...rest);
  };
  return stream;
}

// ---- log

const JSON_LOG = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const RANKS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const LEAST = JSON_LOG ? Math.max(0, RANKS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase())) : 0;

function log(level, args) {
  if (RANKS.indexOf(level) < LEAST) return;
  const line = JSON_LOG ? jsonLine(level, args) : textLine(level, args);
  const b = Buffer.from(line + '\n');
  writeAll(1, b, 0, b.length);
}

function textLine(level, args) {
  const line = `${new Date().toISOString()}\t${requestId}\t${level}\t${require('util').format(...args)}`;
  return line.replace(/\n/g, '\x1e'); // one event of the log
}

// jsonLine is one argument as it is, or several as text.
function jsonLine(level, args) {
  const util = require('util');
  const record = { timestamp: new Date().toISOString(), level, requestId };
  if (args.length === 1) {
    record.message = args[0];
    try {
      return JSON.stringify(record, (_, v) => (isError(v) ? { ...describe(v), ...v } : v));
    } catch (_) {
      record.message = util.format(args[0]);
      return JSON.stringify(record);
    }
  }
  record.message = util.format(...args);
  const e = args.find(isError);
  if (e !== undefined) Object.assign(record, describe(e));
  return JSON.stringify(record);
}

function describe(e) {
  return {
    errorType: e.constructor && e.constructor.name ? e.constructor.name : 'UnknownError',
    errorMessage: e.message,
    stackTrace: typeof e.stack === 'string' ? e.stack.split('\n') : [],
  };
}

// logError logs an error that ended something.
function logError(what, e) {
  const error = isError(e) ? e : new Error(e);
  log('ERROR', JSON_LOG ? [error] : [what + ' \t' + forLog(error)]);
}

const levels = { log: 'INFO', info: 'INFO', debug: 'DEBUG', warn: 'WARN', error: 'ERROR', trace: 'TRACE', fatal: 'FATAL' };
for (const name of Object.keys(levels)) {
  console[name] = (...args) => log(levels[name], args);
}
console.trace = (...args) => {
  const e = { name: 'Trace', message: require('util').format(...args) };
  Error.captureStackTrace(e, console.trace);
  log('TRACE', [e.stack]);
};

// ---- errors

function isError(e) {
  if (e instanceof Error || Object.prototype.toString.call(e) === '[object Error]') return true;
  // What is of the shape of one counts as one, too.
  return e !== null && typeof e === 'object' && [e.name, e.message, e.stack].every((v) => typeof v === 'string' && v !== '');
}

function errorObject(e) {
  try {
    if (isError(e)) {
      return {
        errorType: String(e.name).replace(/\x7f/g, '%7F'),
        errorMessage: String(e.message).replace(/\x7f/g, '%7F'),
        trace: String(e.stack).replace(/\x7f/g, '%7F').split('\n'),
      };
    }
    return { errorType: typeof e, errorMessage: String(e), trace: [] };
  } catch (_) {
    return { errorType: 'handled', errorMessage: 'callback called with an error argument, but there was a problem while retrieving one or more of its message, name, and stack', trace: [] };
  }
}

// forLog is an error as the log shows it: all of its own fields too, and the errors
// that are among them.
function forLog(e) {
  const seen = new WeakSet();
  try {
    return JSON.stringify(e, (_, v) => {
      if (typeof v === 'bigint') return v.toString();
      if (v === null || typeof v !== 'object') return v;
      if (seen.has(v)) return '[Circular]';
      seen.add(v);
      if (!isError(v)) return v;
      return {
        errorType: v.name === undefined ? 'UnknownError' : v.name,
        errorMessage: v.message,
        ...(v.code === undefined ? {} : { code: v.code }),
        ...v,
        stack: typeof v.stack === 'string' ? v.stack.split('\n') : v.stack,
      };
    });
  } catch (_) {
    return JSON.stringify(errorObject(e));
  }
}

function fault(name, message) {
  const e = new Error(message);
  Object.defineProperty(e, 'name', { value: name }); // and not among the fields that are logged
  return e;
}

// die ends the process with an error that no handler caught.
function die(what, e, code) {
  logError(what, e);
  const text = JSON.stringify(errorObject(e));
  if (!initialised) send(INIT_ERROR, text);
  else if (active) send(FATAL, text);
  process.exit(code);
}

process.on('uncaughtException', (e) => die('Uncaught Exception', e, 129));
process.on('unhandledRejection', (reason, promise) => {
  const e = fault('Runtime.UnhandledPromiseRejection', isError(reason) ? reason.toString() : require('util').format(reason));
  e.reason = reason;
  e.promise = promise;
  if (isError(reason)) e.stack = e.name + ': ' + reason.stack;
  die('Unhandled Promise Rejection', e, 128);
});
process.on('beforeExit', () => {
  const f = whenEmpty;
  whenEmpty = null;
  if (f) f();
});

// ---- the handler

function packageType(file) {
  const path = require('path');
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    if (path.basename(dir) === 'node_modules') return 'commonjs';
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).type || 'commonjs';
    } catch (e) {
      if (e.code !== 'ENOENT' && e.code !== 'ENOTDIR') throw e;
    }
    if (dir === path.dirname(dir)) return 'commonjs';
  }
}

async function loadModule(root, name) {
  const path = require('path');
  const base = path.resolve(root, name);
  const load = (file) => import(require('url').pathToFileURL(file).href);
  if (fs.existsSync(base + '.js')) {
    return packageType(base + '.js') === 'module' ? load(base + '.js') : require(base + '.js');
  }
  if (fs.existsSync(base + '.mjs')) return load(base + '.mjs');
  if (fs.existsSync(base + '.cjs')) return require(base + '.cjs');
  // A package or a folder.
  return require(require.resolve(fs.existsSync(base) ? base : name, { paths: [root, path.dirname(base)] }));
}

async function loadHandler(root, handler) {
  const slash = handler.lastIndexOf('/') + 1;
  const dot = handler.indexOf('.', slash);
  if (handler.includes('..')) {
    throw fault('Runtime.MalformedHandlerName', `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  if (dot <= slash || dot === handler.length - 1) throw fault('Runtime.MalformedHandlerName', 'Bad handler');
  const moduleName = handler.slice(0, dot);
  let module;
  try {
    module = await loadModule(root, moduleName);
  } catch (e) {
    if (e instanceof SyntaxError) {
      const f = fault('Runtime.UserCodeSyntaxError', e.toString());
      f.stack = f.name + ': ' + e.stack;
      throw f;
    }
    if (e && e.code === 'MODULE_NOT_FOUND') { // and ES modules' own errors are told as they are
      const f = fault('Runtime.ImportModuleError', e.toString());
      f.stack = f.name + ': ' + e.stack;
      throw f;
    }
    throw e;
  }
  const find = (from) => handler.slice(dot + 1).split('.').reduce((o, k) => (o === undefined || o === null ? undefined : o[k]), from);
  let fn = find(module);
  if (fn === undefined && module.default) fn = find(module.default);
  if (fn === undefined || fn === null) throw fault('Runtime.HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof fn !== 'function') throw fault('Runtime.HandlerNotFound', `${handler} is not a function`);
  if (NODE >= 24 && fn.length >= 3 && fn[STREAMING] !== 'response') {
    throw fault('Runtime.CallbackHandlerDeprecated', 'this runtime has no callbacks: use an async handler, or an older runtime');
  }
  return fn;
}

// ---- events

const env = process.env;
const functionName = env.AWS_LAMBDA_FUNCTION_NAME;
const functionVersion = env.AWS_LAMBDA_FUNCTION_VERSION;
const memoryLimitInMB = env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
const logGroupName = env.AWS_LAMBDA_LOG_GROUP_NAME;
const logStreamName = env.AWS_LAMBDA_LOG_STREAM_NAME;
let traced = false;

let handler;

function next(have = 0) {
  if (debugged && have === 0) {
    fs.read(FD, input, 0, 1, null, (e, n) => {
      if (!e && n > 0) next(n);
      else if (e && (e.code === 'EINTR' || e.code === 'EAGAIN')) setImmediate(next);
      else process.reallyExit(0);
    });
    return;
  }
  const { buf, end } = receive(have);
  whenEmpty = null;
  const deadline = buf.readDoubleLE(5);
  let at = 33;
  const text = (i) => {
    const n = buf.readUInt32LE(13 + 4 * i);
    at += n;
    return n === 0 ? '' : buf.utf8Slice(at - n, at);
  };
  const id = text(0), trace = text(1), arn = text(2), client = text(3), identity = text(4);
  requestId = id;
  active = true;
  if (trace !== '') {
    env._X_AMZN_TRACE_ID = trace;
    traced = true;
  } else if (traced) {
    delete env._X_AMZN_TRACE_ID;
    traced = false;
  }
  let settled = false;
  // The first of the promise and the callback to say how it went decides. The answer
  // is sent, or will be once the event loop is empty.
  let ended = false;

  const finish = (kind, body) => {
    if (settled) return;
    settled = true;
    active = false;
    if (!send(kind, body)) {
      const e = fault('Function.ResponseSizeTooLarge', `Response payload size exceeded maximum allowed payload size (${MAX} bytes).`);
      send(ERROR, JSON.stringify({ errorType: e.name, errorMessage: e.message, trace: [] }));
    }
    setImmediate(next);
  };
  const fail = (e) => {
    if (settled) return;
    logError('Invoke Error', e);
    finish(ERROR, JSON.stringify(errorObject(e)));
  };
  const succeed = (result) => {
    if (settled) return;
    let body;
    try {
      body = JSON.stringify(result === undefined ? null : result);
      if (body === undefined) body = 'null';
    } catch (e) {
      fail(Object.assign(new Error('Unable to stringify response body'), { cause: e.message }));
      return;
    }
    finish(RESPONSE, body);
  };

  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName, functionVersion, memoryLimitInMB, logGroupName, logStreamName,
    invokedFunctionArn: arn,
    awsRequestId: id,
    clientContext: undefined,
    identity: undefined,
    getRemainingTimeInMillis: () => (deadline === 0 ? 0 : Math.max(0, deadline - Date.now())),
  };
  const callback = (e, result) => {
    if (ended) return;
    ended = true;
    // An error is told at once, whatever the event loop still has to do.
    if (e !== undefined && e !== null) setImmediate(fail, e);
    else if (context.callbackWaitsForEmptyEventLoop) whenEmpty = () => setImmediate(succeed, result);
    else setImmediate(succeed, result);
  };
  context.done = (e, result) => {
    context.callbackWaitsForEmptyEventLoop = false;
    callback(e, result);
  };
  context.succeed = (result) => context.done(null, result);
  context.fail = (e) => context.done(e === undefined || e === null ? 'handled' : e);

  let event;
  try {
    if (client !== '') context.clientContext = JSON.parse(client);
    if (identity !== '') context.identity = JSON.parse(identity);
    event = JSON.parse(buf.utf8Slice(at, end));
    if (event && typeof event.ResponseURL === 'string') followPort(event.ResponseURL);
  } catch (e) {
    fail(fault('Runtime.UnmarshalError', e.message));
    return;
  }
  if (handler[STREAMING] === 'response') {
    stream(event, context, finish, fail);
    return;
  }
  // An event loop that runs empty without an answer ends the event with none.
  whenEmpty = () => {
    ended = true;
    succeed(null);
  };
  let result;
  try {
    result = handler(event, context, callback);
  } catch (e) {
    if (!ended) fail(e);
    ended = true;
    return;
  }
  if (result !== null && result !== undefined && typeof result.then === 'function') {
    const first = (answer) => (v) => {
      if (ended) return;
      ended = true;
      answer(v);
    };
    result.then(first(succeed), first(fail));
  }
}

// followPort makes requests to a ResponseURL's host and path go to its port, too.
// AWS's own module for answering custom resources, and the CDK's, know no other
// port than 443, whatever the address says.
let answering; // where to, by host and path
function followPort(address) {
  const [, host, port, path] = /^https:\/\/([^/:?#]+):(\d+)(\/[^?#]*)/.exec(address) || [];
  if (port === undefined) return;
  const key = (host, path) => host + String(path).split('?', 1)[0];
  if (answering === undefined) {
    answering = new Map();
    const https = require('https');
    const { request } = https;
    https.request = function (...args) {
      const o = args[0];
      if (o !== null && typeof o === 'object' && !(o instanceof URL) && (o.port === undefined || o.port === null || Number(o.port) === 443)) {
        const to = answering.get(key(o.hostname || o.host, o.path));
        if (to !== undefined) args[0] = { ...o, port: to };
      }
      return request.apply(this, args);
    };
    require('module').syncBuiltinESMExports();
  }
  if (answering.size > 99) answering.clear();
  answering.set(key(host, path), port);
}

// stream runs a streaming handler. The event ends when the handler has returned and
// the stream has ended; one that was left open ends when the event loop is empty.
function stream(event, context, finish, fail) {
  const out = newResponseStream(handler[HIGH_WATER_MARK]);
  let returned = false, failed = false;
  const broken = (e) => {
    if (failed) return;
    failed = true;
    if (!out._begun) fail(e);
    else {
      logError('Invoke Error', e);
      finish(END, JSON.stringify(errorObject(e)));
    }
  };
  out.on('error', broken);
  out.on('finish', () => returned && finish(END, ''));
  out.on('close', () => out.writableFinished || broken(new Error('The response stream was destroyed.')));
  whenEmpty = () => {
    returned = true;
    if (out.writableFinished) finish(END, '');
    else out.end();
  };
  let result;
  try {
    result = handler(event, out, context);
  } catch (e) {
    broken(e);
    return;
  }
  if (result === null || result === undefined || typeof result.then !== 'function') {
    broken('Streaming does not support non-async handlers.');
    return;
  }
  result.then((value) => {
    if (value !== undefined) console.warn('Streaming handlers ignore return values.');
    returned = true;
    if (out.writableFinished) finish(END, '');
  }, broken);
}

async function main() {
  try {
    handler = await loadHandler(env.LAMBDA_TASK_ROOT || '/var/task', env._HANDLER || '');
  } catch (e) {
    die('Uncaught Exception', e, 1);
  }
  initialised = true;
  send(READY, '');
  setImmediate(next);
}

// A module whose top level never comes to its end.
whenEmpty = () => process.exit(13);
main();
