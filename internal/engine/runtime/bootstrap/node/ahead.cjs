// Starts Node.js before it is known for which function (see the engine's ahead.go).
//
// Loads what functions commonly load, reports itself ready, waits for the
// function's environment variables, and becomes the bootstrap. No code of a
// function has run in this process before, and that of one function only runs after it.
'use strict';

const fs = require('fs');
const path = require('path');
const Module = require('module');
for (const name of ['async_hooks', 'buffer', 'crypto', 'events', 'http', 'https', 'net', 'os', 'stream', 'timers', 'tls', 'url', 'util', 'zlib']) require(name);

const FD = 3;
const bootstrap = path.join(__dirname, 'bootstrap.cjs');

function take(n) {
  const buf = Buffer.alloc(n);
  for (let at = 0; at < n;) {
    try {
      const got = fs.readSync(FD, buf, at, n - at, null);
      if (got === 0) process.reallyExit(0);
      at += got;
    } catch (e) {
      if (e.code !== 'EINTR' && e.code !== 'EAGAIN') process.reallyExit(0);
    }
  }
  return buf;
}

fs.readFileSync(bootstrap); // so that it is in memory
fs.writeSync(FD, Buffer.from([0, 0, 0, 0, 2]));
const variables = take(take(5).readUInt32LE(0)).toString('utf8').split('\0');
for (const name of Object.keys(process.env)) delete process.env[name];
for (const variable of variables) {
  const i = variable.indexOf('=');
  process.env[variable.slice(0, i)] = variable.slice(i + 1);
}
process.chdir(process.env.LAMBDA_TASK_ROOT);
process.argv[1] = bootstrap;
delete Module._cache[__filename];
Module._load(bootstrap, null, true);
