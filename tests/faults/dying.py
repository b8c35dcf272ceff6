"""
Run krea, and kill it at one point as by `kill -9`.

    python dying.py POINT WORD...

A point is right before or right after the event in its name.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from krea_cli.api.client import ApiClient
from krea_cli.cli.entry import run
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.journal.journal import Journal


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def always(*_):
    return True


def before(owner, name, reached=always):
    """
    Die instead of the call, if `reached` returns True for its arguments.
    """
    real = getattr(owner, name)

    def dying(*args, **options):
        if reached(*args):
            die()
        return real(*args, **options)

    setattr(owner, name, dying)


def after(owner, name, reached=always):
    """
    Die after the call, if `reached` returns True for its result and arguments.
    """
    real = getattr(owner, name)

    def dying(*args, **options):
        result = real(*args, **options)
        if reached(result, *args):
            die()
        return result

    setattr(owner, name, dying)


def is_result(path):
    return Path(path).suffix == ".png"


def sent():
    """
    Die after the paid request was sent, before its response is read.
    """
    real = ApiClient.submit

    def submit(*args, **options):
        before(socket.socket, "recv")
        return real(*args, **options)

    ApiClient.submit = submit


POINTS = {
    "before_journal": lambda: before(Journal, "begin"),
    "journaled": lambda: after(Journal, "begin"),
    "sent": sent,
    "response": lambda: after(ApiClient, "submit"),
    "id_saved": lambda: after(Journal, "accepted"),
    "polled": lambda: after(ApiClient, "job"),
    "url_got": lambda: after(ApiClient, "job", lambda job, *_: bool(job.urls)),
    # Zeros are written first, to check that there is space on the disk.
    "mid_download": lambda: after(AtomicFile, "write", lambda _, __, data: any(data)),
    "before_fsync": lambda: before(os, "fsync"),
    "before_publish": lambda: before(os, "link", lambda _, to: is_result(to)),
    "after_publish": lambda: after(os, "link", lambda *args: is_result(args[2])),
    "done_saved": lambda: after(Journal, "ended", lambda _, __, job: bool(job.files)),
}

if __name__ == "__main__":
    POINTS[sys.argv.pop(1)]()
    run()
