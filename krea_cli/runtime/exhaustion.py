"""
Recognize that the system has run out of threads, open files or memory.
"""

from __future__ import annotations

import errno

from krea_cli.errors import ExhaustedError

_THREADS = "Cannot start another thread: the process limit is reached (ulimit -u)"
_FILES = "Cannot open another file: the open-file limit is reached (ulimit -n)"
_SYSTEM_FILES = "Cannot open another file: the system-wide limit is reached"
_MEMORY = "Out of memory"
_BY_ERRNO = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _SYSTEM_FILES,
    errno.ENOMEM: _MEMORY,
}
# Python's message; there is no special exception for it.
_NO_THREAD = "can't start new thread"


def exhausted_error(exc: BaseException) -> ExhaustedError | None:
    """
    Return the error that names the exhausted resource, or None if `exc` has another
    cause.

    Causes are followed, because libraries wrap such errors in their own.
    """
    cause: BaseException | None = exc
    while cause is not None:
        if limit := _limit(cause):
            return ExhaustedError(
                f"{limit}.",
                hint="Close other programs, or give krea more memory."
                if limit == _MEMORY
                else "Raise the limit, or close other programs.",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _limit(exc: BaseException) -> str | None:
    if isinstance(exc, MemoryError):
        return _MEMORY
    if isinstance(exc, RuntimeError) and _NO_THREAD in str(exc):
        return _THREADS
    return _BY_ERRNO.get(exc.errno or 0) if isinstance(exc, OSError) else None
