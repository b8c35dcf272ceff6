"""
Track the state of a run: its jobs, their outcomes, and what is still to be reported.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krea_cli.journal.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """
    The state of a run at one moment.

    - `order`: ids of all jobs to be collected, in the order of their `{index}`
    - `pending`: ids of jobs that are submitted and not collected
    - `completed`: pending jobs that have completed, but are not saved
    - `unseen`: pending jobs that the user named and the service has not confirmed
    - `unreported`: ids of jobs that are saved, but not reported to the user
    - `saved_count`: number of jobs whose results are on disk
    - `count`, `is_batch`: number of jobs that the run should have, and if it is over 1
    - `not_submitted`: number of requests that will not be submitted any more
    - `unconfirmed`: records of requests that may have been accepted
    - `run_id`: id of the run in the journal if it has exactly these jobs, else None
    - `is_remembered`: True if the journal has the run's output options
    """

    order: Sequence[str] = ()
    pending: Sequence[str] = ()
    unreported: Sequence[str] = ()
    is_batch: bool = False
    not_submitted: int = 0
    unconfirmed: Sequence[Record] = ()
    run_id: str | None = None
    is_remembered: bool = False
    count: int = 0
    completed: Sequence[str] = ()
    saved_count: int = 0
    unseen: Sequence[str] = ()

    @property
    def running(self) -> list[str]:
        """
        Return the pending jobs that are not known to have finished.
        """
        others = {*self.completed, *self.unseen}
        return [job_id for job_id in self.pending if job_id not in others]


class RunTracker:
    """
    The only owner of the state of a run. Final reports, also after a signal, use it.

    A job is pending until it is collected, then unreported until the user knows where
    its files are, so that each paid job is reported once. The class is thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Insertion order is the order of the indexes.
        self._jobs: dict[str, None] = {}
        self._pending: dict[str, None] = {}
        self._unreported: dict[str, None] = {}
        self._indexed: dict[str, None] = {}
        self._unconfirmed: dict[str, Record] = {}
        self._completed: set[str] = set()
        self._unseen: set[str] = set()
        self._saved: set[str] = set()
        self._count = 0
        self._not_submitted = 0
        self._run_id: str | None = None
        self._is_remembered = False

    def expect(self, count: int) -> None:
        """
        Set how many jobs the run should have.
        """
        with self._lock:
            self._count = count

    def set_run(self, run_id: str | None, *, is_remembered: bool) -> None:
        """
        Set the id of the run, None unless the journal has exactly these jobs under it.
        `is_remembered` is True if the journal has the run's output options.
        """
        with self._lock:
            self._run_id, self._is_remembered = run_id, is_remembered

    def submitted(self, *job_ids: str) -> None:
        """
        Add jobs that exist at the service. Ignore those already added, except that they
        are no longer `unseen`.
        """
        with self._lock:
            for job_id in job_ids:
                if job_id not in self._jobs:
                    self._jobs[job_id] = self._pending[job_id] = None
                self._unseen.discard(job_id)

    def requested(self, *job_ids: str) -> None:
        """
        Add jobs that the user named. They may not exist, and are `unseen` until
        `submitted` is called for them, too.
        """
        with self._lock:
            for job_id in job_ids:
                if job_id not in self._jobs:
                    self._jobs[job_id] = self._pending[job_id] = None
                    self._unseen.add(job_id)

    def set_order(self, job_ids: Iterable[str]) -> None:
        """
        Put the jobs in the order of `job_ids`. Others follow in their old order.
        """
        places = {job_id: at for at, job_id in enumerate(job_ids)}
        with self._lock:
            for jobs in (self._jobs, self._pending):
                ordered = sorted(jobs, key=lambda each: places.get(each, len(places)))
                jobs.clear()
                jobs.update(dict.fromkeys(ordered))

    def assigned_index(self, job_id: str) -> None:
        """
        Record that the results of a job have the next `{index}` numbers.
        """
        with self._lock:
            self._indexed[job_id] = None

    def completed(self, job_id: str) -> None:
        """
        Record that a job has completed.
        """
        with self._lock:
            self._completed.add(job_id)

    def saved(self, job_id: str) -> None:
        """
        Record that the files of a job are on disk.
        """
        with self._lock:
            self._saved.add(job_id)
            self._pending.pop(job_id, None)
            self._unreported[job_id] = None

    def ended_without_result(self, job_id: str) -> None:
        """
        Record that a job has nothing to collect. It does not use up an `{index}`.
        """
        with self._lock:
            self._pending.pop(job_id, None)
            self._jobs.pop(job_id, None)

    def reported_saved(self) -> None:
        """
        Record that the user knows where the saved files are.
        """
        with self._lock:
            self._unreported.clear()

    def reported(self) -> None:
        """
        Record that all jobs were reported to the user.
        """
        with self._lock:
            self._pending.clear()
            self._unreported.clear()

    def unconfirmed(self, record: Record) -> None:
        """
        Record an unconfirmed request.
        """
        with self._lock:
            self._unconfirmed[record.record] = record

    def resolved(self, record: Record) -> None:
        """
        Record that the job of an unconfirmed request was found.
        """
        with self._lock:
            self._unconfirmed.pop(record.record, None)

    def not_submitted(self, count: int) -> None:
        """
        Set how many requests will not be submitted any more.
        """
        with self._lock:
            self._not_submitted = count

    def summary(self) -> RunSummary:
        """
        Return the current state of the run.
        """
        with self._lock:
            rest = (job for job in self._jobs if job not in self._indexed)
            order = (*self._indexed, *rest)
            # `@RUN` collects jobs in the journal's order, so the indexes would differ.
            is_in_order = self._is_remembered or order == tuple(self._jobs)
            return RunSummary(
                order=order,
                pending=tuple(self._pending),
                unreported=tuple(self._unreported),
                is_batch=self._count > 1,
                not_submitted=self._not_submitted,
                unconfirmed=tuple(self._unconfirmed.values()),
                run_id=self._run_id if is_in_order else None,
                is_remembered=self._is_remembered,
                count=self._count,
                completed=tuple(j for j in self._pending if j in self._completed),
                saved_count=len(self._saved),
                unseen=tuple(j for j in self._pending if j in self._unseen),
            )
