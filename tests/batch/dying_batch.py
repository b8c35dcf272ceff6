"""
krea, killed at one point of a batch as by `kill -9`.

    python dying_batch.py POINT WORD...
"""

from __future__ import annotations

import os
import sys

from faults.dying import POINTS as POINTS_OF_JOB
from faults.dying import after, before, die, is_result

from krea_cli.batch import lock_file
from krea_cli.batch.lock_file import LockFile
from krea_cli.cli.entry import run
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.journal.keys import JournalKeys


def torn():
    """
    Half of a line has been written.
    """
    real = lock_file._write

    def write(file, data):
        real(file, data[: len(data) // 2])
        die()

    lock_file._write = write


def has_state(state):
    return lambda _, __, lines: any(line.state == state for line in lines)


POINTS = {
    "before_claim": lambda: before(JournalKeys, "claim"),
    "claimed": lambda: after(JournalKeys, "claim"),
    "sent": POINTS_OF_JOB["sent"],
    "response": POINTS_OF_JOB["response"],
    "id_saved": POINTS_OF_JOB["id_saved"],
    "line_torn": torn,
    "submitted_line": lambda: after(LockFile, "append", has_state("submitted")),
    "mid_download": POINTS_OF_JOB["mid_download"],
    "before_publish": lambda: before(os, "link", lambda _, to: is_result(to)),
    "after_publish": lambda: after(os, "link", lambda *args: is_result(args[2])),
    "completed_line": lambda: after(LockFile, "append", has_state("completed")),
    "before_replace": lambda: before(
        AtomicFile, "publish", lambda _, to, **__: to.suffix == ".lock"
    ),
}

if __name__ == "__main__":
    POINTS[sys.argv.pop(1)]()
    run()
