"""
List recent jobs for shell completion, quickly and without changing any file.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

MAX_JOBS = 50
_WAIT_SECONDS = 0.05
_QUERY = """
SELECT job_id, state, model, run, CAST(created_at AS REAL),
  CASE WHEN json_valid(request) THEN json_extract(request, '$.body.prompt') END
FROM records
WHERE service = ? AND job_id IS NOT NULL ORDER BY number DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentJob:
    """
    A job according to its record. `run` is the id of the run that submitted it, and
    `created_at` is in seconds since the epoch.
    """

    job_id: str
    state: str
    model: str
    run: str
    created_at: float
    prompt: str


def find_recent_jobs(folder: Path, service: str) -> list[RecentJob]:
    """
    Return the service's newest jobs, newest first.

    Return none if the journal is missing, locked or unreadable.
    """
    path = folder / "journal.db"
    try:
        # Without a log nobody is writing, and SQLite creates no files of its own.
        log = path.with_name(f"{path.name}-wal")
        mode = "ro" if log.exists() else "ro&immutable=1"
        url = f"{path.as_uri()}?mode={mode}"
        with closing(sqlite3.connect(url, uri=True, timeout=_WAIT_SECONDS)) as db:
            rows = db.execute(_QUERY, (service, MAX_JOBS)).fetchall()
        return [
            RecentJob(
                job_id=str(job),
                state=str(state),
                model=str(model),
                run=str(run),
                created_at=float(created_at),
                prompt=str(prompt or ""),
            )
            for job, state, model, run, created_at, prompt in rows
        ]
    except (sqlite3.Error, OSError, ValueError):
        return []
