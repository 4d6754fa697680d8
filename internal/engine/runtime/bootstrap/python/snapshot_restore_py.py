"""Keeps the hooks that functions register for snapshots, as in AWS's Python runtimes.

No version of a function is started from a snapshot, so nothing calls them, as
nothing does on AWS where SnapStart is off.
"""

_before_snapshot = []
_after_restore = []


def register_before_snapshot(func, *args, **kwargs):
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot():
    return _before_snapshot


def get_after_restore():
    return _after_restore
