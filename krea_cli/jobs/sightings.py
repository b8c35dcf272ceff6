"""
Record observations that help to find the job of an unconfirmed submission later, even
if a clock is set in the meantime.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from krea_cli.api.models import Job, is_job_id
from krea_cli.journal.database import Database


class Sighting(NamedTuple):
    """
    The observations about one record.

    `clock_skew` is the number of seconds by which the service's clock was ahead of ours
    when the request was first submitted, measured by the process that submitted it,
    or None if it was not measured. `jobs` are all jobs that have ever been candidates.
    """

    clock_skew: float | None = None
    jobs: tuple[Job, ...] = ()


class Sightings:
    """
    The observations about requests to one service: an origin, or the sandbox.

    Every method raises JournalError if the journal cannot be used.
    """

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service

    def load(self, record: str) -> Sighting:
        """
        Return the observations about a record.
        """
        query = "SELECT ahead, seen FROM records WHERE record = ?"
        for clock_skew, seen in self._database.rows(query, record):
            is_usable = isinstance(clock_skew, float) and math.isfinite(clock_skew)
            return Sighting(
                clock_skew=clock_skew if is_usable else None, jobs=_jobs(seen)
            )
        return Sighting()

    def save_clock_skew(self, record: str, clock_skew: float) -> None:
        """
        Record the clock skew, unless one is recorded already.
        """
        with self._database.writing() as db:
            db.execute(
                "UPDATE records SET ahead = coalesce(ahead, ?) WHERE record = ?",
                (clock_skew, record),
            )

    def keep_jobs(self, record: str, jobs: Sequence[Job]) -> None:
        """
        Add these candidates to the recorded ones.
        """
        with self._database.writing() as db:
            row = db.execute(
                "SELECT seen FROM records WHERE record = ?", (record,)
            ).fetchone()
            kept = {job.job_id: job for job in (*_jobs(row and row[0]), *jobs)}
            text = json.dumps(
                [[job.job_id, job.status, job.created_at] for job in kept.values()]
            )
            db.execute("UPDATE records SET seen = ? WHERE record = ?", (text, record))

    def known_before(self, record: str, job_ids: Iterable[str]) -> set[str]:
        """
        Return the jobs that were known before the record was created. They are older
        than the record's job.
        """
        query = (
            "SELECT 1 FROM records WHERE service = ? AND job_id = ? AND known_by <"
            " (SELECT number FROM records WHERE record = ?)"
        )
        return {
            job_id
            for job_id in job_ids
            if self._database.rows(query, self._service, job_id, record)
        }

    def has_known_before(self, record: str) -> bool:
        """
        Return True if any job was known before the record was created.
        """
        query = (
            "SELECT 1 FROM records WHERE service = ? AND known_by <"
            " (SELECT number FROM records WHERE record = ?) LIMIT 1"
        )
        return bool(self._database.rows(query, self._service, record))


def _jobs(seen: object) -> tuple[Job, ...]:
    """
    Read the column `seen`. Skip entries that krea cannot have written.
    """
    try:
        items = json.loads(seen) if isinstance(seen, str) else []
        return tuple(
            Job(job_id=job_id, status=status, created_at=created_at)
            for job_id, status, created_at in items
            if is_job_id(job_id)
        )
    except (ValueError, TypeError, RecursionError):
        return ()
