"""
Build records of paid requests, and read the files of a journal.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

from krea_cli.journal.record import Record

NOW = 1_790_000_000.0
DAY = 24 * 3600.0
JOB = "0{:07x}-0000-4000-8000-000000000000"


def record(body=None, *, webhook=None, run="run", service="service", **fields):
    """
    Return the record of a request that this process is about to send. `fields` override
    its fields.
    """
    made = Record.of(
        run=run,
        service=service,
        model="google/x",
        path="image/google/x",
        body={"prompt": "an owl"} if body is None else body,
        webhook=webhook,
        seed=7,
        cost_usd=0.15,
        now=NOW,
    )
    return replace(made, **fields)


def keep(journal, job_id, **fields):
    """
    Store the record of an accepted request, and return it.
    """
    made = record(**fields)
    journal.begin(made)
    journal.accepted(made.record, job_id)
    return made


def rows(folder, query="SELECT state, job_id FROM records ORDER BY number"):
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        return db.execute(query).fetchall()


def bytes_of(folder):
    """
    Return the content of all files in the folder.
    """
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
