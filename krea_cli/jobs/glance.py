"""
A look at the journal that takes no time and leaves no trace, for completion.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

MOST = 50
_WAIT_SECONDS = 0.05
_QUERY = """
SELECT job_id, state, model FROM records
WHERE service = ? AND job_id IS NOT NULL ORDER BY number DESC LIMIT ?
"""


def jobs(folder: Path, service: str) -> list[tuple[str, str, str]]:
    """
    Id, state and model of the service's newest jobs, the newest first; none from a
    journal that is missing, locked, or cannot be read.
    """
    path = folder / "journal.db"
    try:
        # Without a log nobody is writing, and SQLite makes no files of its own.
        log = path.with_name(f"{path.name}-wal")
        mode = "ro" if log.exists() else "ro&immutable=1"
        url = f"{path.as_uri()}?mode={mode}"
        with closing(sqlite3.connect(url, uri=True, timeout=_WAIT_SECONDS)) as db:
            rows = db.execute(_QUERY, (service, MOST)).fetchall()
    except (sqlite3.Error, OSError, ValueError):
        return []
    return [(str(job), str(state), str(model)) for job, state, model in rows]
