"""
The state of one run: the jobs that it is about, what became of them, and what it still
has to report.
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

    *pending* has the ids of jobs that are submitted and not collected yet, *unreported*
    those of jobs that are saved while nobody knows where, *order* all whose results are
    wanted, in the order of their `{index}`. *is_batch* is true for a run of several
    jobs, whether or not all of them exist yet. *not_submitted* counts the requests that
    will not be submitted any more, and *unconfirmed* has the records of those that may
    have been.
    """

    order: Sequence[str] = ()
    pending: Sequence[str] = ()
    unreported: Sequence[str] = ()
    is_batch: bool = False
    not_submitted: int = 0
    unconfirmed: Sequence[Record] = ()


class RunTracker:
    """
    The one owner of the state of a run. Every report about money is made from it.

    A job is pending from its submission until it is collected, then unreported until
    the user has been told where its files are: each paid job is reported once, however
    the run ends. Any thread may call any method.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Insertion order is the order of the indexes.
        self._wanted: dict[str, None] = {}
        self._pending: dict[str, None] = {}
        self._unreported: dict[str, None] = {}
        self._indexed: dict[str, None] = {}
        self._unconfirmed: dict[str, Record] = {}
        self._is_batch = False
        self._not_submitted = 0

    def expect(self, count: int) -> None:
        """
        Note that the run is about *count* jobs.
        """
        with self._lock:
            self._is_batch = count > 1

    def submitted(self, *job_ids: str) -> None:
        """
        Add jobs whose results are wanted. A job that is known already stays as it is.
        """
        with self._lock:
            for job_id in job_ids:
                if job_id not in self._wanted:
                    self._wanted[job_id] = self._pending[job_id] = None

    def set_order(self, job_ids: Iterable[str]) -> None:
        """
        Sort the jobs as *job_ids*; the others follow.
        """
        places = {job_id: at for at, job_id in enumerate(job_ids)}
        with self._lock:
            for jobs in (self._wanted, self._pending):
                ordered = sorted(jobs, key=lambda each: places.get(each, len(places)))
                jobs.clear()
                jobs.update(dict.fromkeys(ordered))

    def indexed(self, job_id: str) -> None:
        """
        Note that the results of a job have got the next `{index}` numbers.
        """
        with self._lock:
            self._indexed[job_id] = None

    def saved(self, job_id: str) -> None:
        """
        Note that the files of a job are on disk.
        """
        with self._lock:
            self._pending.pop(job_id, None)
            self._unreported[job_id] = None

    def ended_without_result(self, job_id: str) -> None:
        """
        Note that there is nothing to collect. Such a job does not use up an `{index}`.
        """
        with self._lock:
            self._pending.pop(job_id, None)
            self._wanted.pop(job_id, None)

    def reported_saved(self) -> None:
        """
        Note that the user was told where the saved files are.
        """
        with self._lock:
            self._unreported.clear()

    def reported(self) -> None:
        """
        Note that the user was told about every job.
        """
        with self._lock:
            self._pending.clear()
            self._unreported.clear()

    def unconfirmed(self, record: Record) -> None:
        """
        Note that a request was submitted whose response was lost.
        """
        with self._lock:
            self._unconfirmed[record.record] = record

    def resolved(self, record: Record) -> None:
        """
        Note that the job of such a request was found.
        """
        with self._lock:
            self._unconfirmed.pop(record.record, None)

    def not_submitted(self, count: int) -> None:
        """
        Note how many requests will not be submitted any more.
        """
        with self._lock:
            self._not_submitted = count

    def summary(self) -> RunSummary:
        """
        Return the state of the run as it is now.
        """
        with self._lock:
            rest = (job for job in self._wanted if job not in self._indexed)
            return RunSummary(
                order=(*self._indexed, *rest),
                pending=tuple(self._pending),
                unreported=tuple(self._unreported),
                is_batch=self._is_batch,
                not_submitted=self._not_submitted,
                unconfirmed=tuple(self._unconfirmed.values()),
            )
