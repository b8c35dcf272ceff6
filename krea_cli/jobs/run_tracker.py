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
    the ids of jobs that are saved but not reported, *order* the ids of all jobs to be
    collected, in the order of their `{index}`. *is_batch* is true for a run of several
    jobs, whether or not all of them exist yet. *not_submitted* counts the requests that
    will not be submitted any more, and *unconfirmed* has the records of requests that
    may have been accepted. *run_id* is the id under which the journal has all these
    jobs and no others, and *is_remembered* says that it has how their results are
    saved. *completed* has the jobs among the pending that wait only for their results
    to be saved, and *saved_count* counts the jobs whose results are on disk. *unseen*
    has the pending jobs that the user names and the service has not confirmed.
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
        Return the jobs that have not finished, as far as is known.
        """
        others = {*self.completed, *self.unseen}
        return [job_id for job_id in self.pending if job_id not in others]


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
        self._completed: set[str] = set()
        self._unseen: set[str] = set()
        self._saved: set[str] = set()
        self._count = 0
        self._not_submitted = 0
        self._run_id: str | None = None
        self._is_remembered = False

    def expect(self, count: int) -> None:
        """
        Note that the run is about *count* jobs.
        """
        with self._lock:
            self._count = count

    def named(self, run_id: str | None, *, is_remembered: bool) -> None:
        """
        Note the id of the run if the journal has exactly its jobs under it, and whether
        it has how their results are saved.
        """
        with self._lock:
            self._run_id, self._is_remembered = run_id, is_remembered

    def submitted(self, *job_ids: str) -> None:
        """
        Add jobs whose results are wanted. A job that is known already stays as it is.
        """
        with self._lock:
            for job_id in job_ids:
                if job_id not in self._wanted:
                    self._wanted[job_id] = self._pending[job_id] = None
                self._unseen.discard(job_id)

    def requested(self, *job_ids: str) -> None:
        """
        Add jobs that the user names. Until they are `submitted` as well, because the
        service has them, nobody knows whether they exist.
        """
        with self._lock:
            for job_id in job_ids:
                if job_id not in self._wanted:
                    self._wanted[job_id] = self._pending[job_id] = None
                    self._unseen.add(job_id)

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

    def completed(self, job_id: str) -> None:
        """
        Note that a job has completed: it does not run any more.
        """
        with self._lock:
            self._completed.add(job_id)

    def saved(self, job_id: str) -> None:
        """
        Note that the files of a job are on disk.
        """
        with self._lock:
            self._saved.add(job_id)
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
            order = (*self._indexed, *rest)
            # The run has the order of the journal, and so would get other indexes.
            is_in_order = self._is_remembered or order == tuple(self._wanted)
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
