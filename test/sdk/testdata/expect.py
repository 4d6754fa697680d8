"""What the scripts share: clients, and the two ways to say what must be."""
import contextlib
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# What fails must fail at once: no retries hide it.
CONFIG = Config(retries={"total_max_attempts": 1, "mode": "standard"}, s3={"addressing_style": "path"})


def client(service, session=None, **kwargs):
    kwargs.setdefault("config", CONFIG)
    return (session or boto3).client(service, **kwargs)


def equal(got, want, what=""):
    assert got == want, f"{what}: {got!r} is not {want!r}"


@contextlib.contextmanager
def refused(code, status=None, says=""):
    """The block must fail with AWS's error code, and the status and words if given."""
    try:
        yield
    except ClientError as e:
        equal(e.response["Error"]["Code"], code, str(e))
        if status is not None:
            equal(e.response["ResponseMetadata"]["HTTPStatusCode"], status, str(e))
        assert says in str(e), f"{e} does not say {says!r}"
        return
    raise AssertionError(f"{code} was expected, and the call succeeded")


def eventually(is_so, what, patience=60):
    """What happens behind an answer happens in the end."""
    end = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < end, f"{what}: still not so after {patience} s"
        time.sleep(0.05)
