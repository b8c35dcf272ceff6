"""
The reasons that the operating system gives for a failure, in words that fit folders.
"""

from __future__ import annotations


def reason_of(exc: OSError) -> str:
    """
    Return why a file or folder cannot be used.
    """
    if isinstance(exc, FileExistsError | NotADirectoryError):
        # The system calls this "File exists" or "Not a directory".
        return "there is a file where a folder is needed"
    return exc.strerror or str(exc)
