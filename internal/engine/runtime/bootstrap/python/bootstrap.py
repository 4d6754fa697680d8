"""Runs a Python handler: reads events from the engine's socket, answers on it.

The messages are described in the engine's framed.go. What costs time to import
(logging, traceback) is only imported when it is needed.
"""

import os
import sys
import time

import json

_FD = int(os.environ.pop("_TIERRA_FD", "3"))
_READY, _INIT_ERROR, _RESPONSE, _ERROR, _FATAL = 2, 3, 4, 5, 6
_MAX = 6 * 1024 * 1024 + 100
_HERE = __file__
_ENSURE_ASCII = sys.version_info < (3, 12)

_JSON_LOG = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
_FEED = "\x1e"  # a line feed within one event of the log
_LOG_LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}

_request_id = ""


class Fault(Exception):
    """An error of the runtime itself: its type, message and trace are given."""

    def __init__(self, kind, message, trace=None):
        Exception.__init__(self, message)
        self.kind, self.message, self.trace = kind, message, trace or []


def _send(kind, body):
    head = len(body).to_bytes(4, "little") + bytes((kind,))
    n = os.writev(_FD, (head, body))
    rest = len(head) + len(body) - n
    if rest:
        view = memoryview(body)
        while rest:
            rest -= os.write(_FD, view[len(view) - rest:])


class _Reader:
    """Reads messages: a small one with one system call, a large one into its place."""

    def __init__(self):
        self.buf = bytearray(16 * 1024)
        self.view = memoryview(self.buf)
        self.have = 0

    def next(self):
        while self.have < 5:
            n = os.readv(_FD, (self.view[self.have:],))
            if n == 0:
                os._exit(0)
            self.have += n
        size = int.from_bytes(self.view[:4], "little")
        if 5 + size <= len(self.buf):
            while self.have < 5 + size:
                n = os.readv(_FD, (self.view[self.have:],))
                if n == 0:
                    os._exit(0)
                self.have += n
            self.have = 0  # the engine sends one message at a time
            return self.view[5:5 + size]
        body = bytearray(size)
        view = memoryview(body)
        at = self.have - 5
        view[:at] = self.view[5:self.have]
        self.have = 0
        while at < size:
            n = os.readv(_FD, (view[at:],))
            if n == 0:
                os._exit(0)
            at += n
        return view


class CognitoIdentity(object):
    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]

    def __init__(self):
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None

    def __repr__(self):
        return "CognitoIdentity([cognito_identity_id={},cognito_identity_pool_id={}])".format(
            self.cognito_identity_id, self.cognito_identity_pool_id)


class Client(object):
    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]

    def __init__(self, data):
        for name in self.__slots__:
            setattr(self, name, data.get(name))

    def __repr__(self):
        return "Client([{}])".format(",".join("{}={}".format(n, getattr(self, n)) for n in self.__slots__))


class ClientContext(object):
    __slots__ = ["custom", "env", "client"]

    def __init__(self, data):
        self.custom = data.get("custom")
        self.env = data.get("env")
        self.client = Client(data["client"]) if isinstance(data.get("client"), dict) else None

    def __repr__(self):
        return "ClientContext([custom={},env={},client={}])".format(self.custom, self.env, self.client)


class LambdaContext(object):
    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def __init__(self, request_id, arn, deadline, client_context, identity):
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self._deadline = deadline
        self.tenant_id = None
        self.client_context = None
        if client_context:
            data = _header(client_context, "Client Context")
            if isinstance(data, dict):
                self.client_context = ClientContext(data)
        self.identity = CognitoIdentity()
        if identity:
            data = _header(identity, "Cognito Identity")
            self.identity.cognito_identity_id = data.get("cognitoIdentityId")
            self.identity.cognito_identity_pool_id = data.get("cognitoIdentityPoolId")

    def get_remaining_time_in_millis(self):
        if not self._deadline:
            return 0
        return max(int(self._deadline - time.time() * 1000), 0)

    def log(self, msg):
        sys.stdout.write(str(msg))

    def __repr__(self):
        return "LambdaContext([aws_request_id={},log_group_name={},log_stream_name={},function_name={},memory_limit_in_mb={},function_version={},invoked_function_arn={},client_context={},identity={},tenant_id={}])".format(
            self.aws_request_id, self.log_group_name, self.log_stream_name, self.function_name, self.memory_limit_in_mb,
            self.function_version, self.invoked_function_arn, self.client_context, self.identity, self.tenant_id)


def _header(text, name):
    try:
        return json.loads(text)
    except ValueError as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse {} JSON: {}".format(name, e))


def _configure_logging(logging):
    """Gives the root logger AWS's format, as soon as logging is there."""

    class Handler(logging.Handler):
        def emit(self, record):
            sys.stdout.write(self.format(record).replace("\n", _FEED) + "\n")

    usual = set(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"aws_request_id", "message", "asctime", "taskName"}

    class Formatter(logging.Formatter):
        """One JSON object a line; what was given as extra is in it, too."""

        def format(self, record):
            message = record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage()
            out = {"timestamp": self.formatTime(record, self.datefmt), "level": record.levelname, "message": message,
                   "logger": record.name}
            if record.exc_info:
                import traceback
                kind, error, trace = record.exc_info
                if kind is not None:
                    out["stackTrace"] = traceback.format_tb(trace)
                    out["errorType"], out["errorMessage"] = kind.__name__, str(error)
                out["location"] = "{}:{}:{}".format(record.pathname, record.funcName, record.lineno)
            out["requestId"] = record.aws_request_id or None
            for name, value in vars(record).items():
                if name not in usual and name not in out:
                    out[name] = value
            return json.dumps({k: v for k, v in out.items() if v is not None}, ensure_ascii=False, default=str)

    class RequestId(logging.Filter):
        def filter(self, record):
            record.aws_request_id = _request_id
            return True

    handler = Handler()
    if _JSON_LOG:
        formatter = Formatter(datefmt="%Y-%m-%dT%H:%M:%SZ")
        level = _LOG_LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper())
        if level:
            logging.root.setLevel(level)
    else:
        formatter = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(RequestId())
    logging.root.addHandler(handler)


class _LoggingHook(object):
    """Finds logging like everybody else, and configures it after its import."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        from importlib.machinery import PathFinder
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _configure_logging(module)

        spec.loader.exec_module = exec_module
        return spec


def _encode(value):
    """What json does not know: bytes are text, and Decimals, as a table gives them, numbers."""
    if isinstance(value, bytes):
        return value.decode()
    if "decimal" in sys.modules and isinstance(value, sys.modules["decimal"].Decimal):
        if value.is_nan():
            return float("nan")
        # All of its digits: json has no way to write them, so they go round it.
        global _mark
        if not _mark:
            _mark = os.urandom(16).hex() + ":"
        return _mark + str(value)
    raise TypeError("Object of type {} is not JSON serializable".format(value.__class__.__name__))


_mark = ""  # before each Decimal of a result


def _marshal(result):
    global _mark
    if isinstance(result, bytes):
        return result
    try:
        text = json.dumps(result, default=_encode, ensure_ascii=_ENSURE_ASCII)
        if _mark:
            import re
            text, _mark = re.sub('"' + _mark + '([^"]*)"', r"\1", text), ""
        return text.encode("utf-8")
    except Exception as e:
        _mark = ""
        raise Fault("Runtime.MarshalError", "Unable to marshal response: {}".format(e))


def _describe(error):
    """The error object and, for the log, its lines."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        import traceback
        kind, message = type(error).__name__, str(error)
        trace = [line for frame, line in zip(traceback.extract_tb(error.__traceback__), traceback.format_tb(error.__traceback__))
                 if frame.filename != _HERE and "importlib" not in frame.filename]
    if _JSON_LOG:
        log = json.dumps({"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": "ERROR",
                          "errorMessage": message, "errorType": kind, "requestId": _request_id, "stackTrace": trace}, ensure_ascii=_ENSURE_ASCII)
    else:
        log = "[ERROR] {}: {}\nTraceback (most recent call last):\n".format(kind, message) + "".join(trace)
    sys.stdout.write(log.rstrip("\n").replace("\n", _FEED) + "\n")
    sys.stdout.flush()
    return json.dumps({"errorMessage": message, "errorType": kind, "requestId": _request_id, "stackTrace": trace},
                      ensure_ascii=_ENSURE_ASCII).encode("utf-8", "surrogatepass" if _ENSURE_ASCII else "replace")


def _load(handler):
    parts = handler.rsplit(".", 1)
    if len(parts) != 2:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '{}': not enough values to unpack (expected 2, got 1)".format(handler))
    name, attribute = parts
    import importlib
    try:
        if name.split(".")[0] in sys.builtin_module_names:
            raise Fault("Runtime.BuiltInModuleConflict", "Cannot use built-in module {} as a handler module".format(name))
        module = importlib.import_module(name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '{}': {}".format(name, e))
    except SyntaxError as e:
        trace = ['  File "{}" Line {}\n    {}'.format(e.filename, e.lineno, e.text)]
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '{}': {}".format(name, e), trace)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", "Handler '{}' missing on module '{}'".format(attribute, name))


def _handle(handler, view):
    global _request_id
    deadline = view[:8].cast("d")[0]
    sizes = view[8:28].cast("I").tolist()
    at, texts = 28, []
    for n in sizes:
        texts.append(str(view[at:at + n], "utf-8"))
        at += n
    _request_id, trace, arn, client_context, identity = texts
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        try:
            event = json.loads(str(view[at:], "utf-8"))
            context = LambdaContext(_request_id, arn, deadline, client_context, identity)
        except Fault:
            raise
        except Exception as e:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: {}".format(e))
        body = _marshal(handler(event, context))
        if len(body) > _MAX:
            raise Fault("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size ({} bytes).".format(_MAX))
        kind = _RESPONSE
    except Exception as e:
        kind, body = _ERROR, _describe(e)
    sys.stdout.flush()
    sys.stderr.flush()
    _send(kind, body)


def main():
    os.set_inheritable(_FD, False)
    sys.stdout.reconfigure(line_buffering=True)
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    here = sys.path.pop(0)  # this file's folder goes behind the user's
    layers = os.environ.pop("_TIERRA_LAYERS", "")
    if layers:
        versions = ["python{}.{}".format(*sys.version_info[:2])]
        named = os.environ.get("AWS_EXECUTION_ENV", "")[len("AWS_Lambda_"):]
        if named and named not in versions:  # another version executes the runtime
            versions.append(named)
        sys.path[:0] = [layers + "/python/lib/" + v + "/site-packages" for v in versions] + [layers + "/python"]
    sys.path[:0] = [root]
    sys.path.append(here)
    if "logging" in sys.modules:
        _configure_logging(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, _LoggingHook())
    try:
        handler = _load(os.environ.get("_HANDLER", ""))
    except Exception as e:
        body = _describe(e)
        sys.stderr.flush()
        _send(_INIT_ERROR, body)
        os._exit(1)
    sys.stdout.flush()
    _send(_READY, b"")
    reader = _Reader()
    while True:
        _handle(handler, reader.next())


if __name__ == "__main__":
    main()
