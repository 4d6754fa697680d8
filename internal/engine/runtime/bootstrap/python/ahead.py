"""Starts Python before it is known for which function (see the engine's ahead.go).

Imports what functions commonly import, reports it, waits for the function's
environment variables, and becomes the bootstrap. No code of a function has run
in this process before, and that of one function only runs after it.
"""

import importlib
import json
import os
import sys
import time

_SDK = os.environ.pop("_TIERRA_SDK", "")
_BOOTSTRAP = os.path.join(os.path.dirname(__file__), "bootstrap.py")
_usual = {name.partition(".")[0] for name in sys.modules}


def _preload():
    import base64, datetime, decimal, hashlib, logging, re, traceback, typing, urllib.parse, uuid
    if _SDK:
        try:
            import boto3
        except Exception:
            pass  # the function's own import tells


def _send(kind, body):
    data = len(body).to_bytes(4, "little") + bytes((kind,)) + body
    while data:
        data = data[os.write(3, data):]


def _take(n):
    data = b""
    while len(data) < n:
        part = os.read(3, n - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def _begin():
    with open(_BOOTSTRAP, "rb") as f:
        code = compile(f.read(), _BOOTSTRAP, "exec")
    _preload()
    added = {name.partition(".")[0] for name in list(sys.modules)} - _usual
    _send(2, ",".join(sorted(added)).encode())
    variables = _take(int.from_bytes(_take(5)[:4], "little"))
    os.environ.clear()
    for variable in variables.split(b"\0"):
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    sys.argv[0] = _BOOTSTRAP
    main = sys.modules["__main__"].__dict__
    for name in [name for name in main if not name.startswith("__")]:
        del main[name]
    main["__file__"] = code.co_filename
    return code, main


if __name__ == "__main__":
    exec(*_begin())
