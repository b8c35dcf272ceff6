"""
Number the results of a run, for `{index}` in file names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.journal.journal import RunResult

_WITHOUT_RESULT = ("failed", "cancelled")


class ResultIndexes(Protocol):
    """
    Gives each job the index of its first result. Jobs must be passed in order.
    """

    def take(self, job: Job) -> int: ...


class CountedIndexes:
    """
    Numbers results from 1.
    """

    def __init__(self) -> None:
        self._next = 1

    def take(self, job: Job) -> int:
        first = self._next
        self._next += len(job.urls)
        return first


class RunIndexes:
    """
    Numbers the results of an earlier run, based on its journal records.

    Saved jobs keep their indexes. Each other job gets the index that it will have if
    all jobs before it have a result, or the next free one if that is taken.
    """

    def __init__(self, results: Sequence[RunResult]) -> None:
        self._sizes = {
            each.job_id: 0 if each.state in _WITHOUT_RESULT else max(each.files, 1)
            for each in results
        }
        self._places = {job_id: at for at, job_id in enumerate(self._sizes)}
        self._order = list(self._sizes)
        self._firsts = {
            each.job_id: each.first_index
            for each in results
            if each.first_index is not None
        }
        self._taken = {
            index
            for job_id, first in self._firsts.items()
            for index in range(first, first + self._sizes[job_id])
        }
        # Cache the sum of sizes before a job, because most jobs ask in order.
        self._counted = (0, 1)

    def update(self, jobs: Sequence[Job]) -> None:
        """
        Store how many results the finished jobs have.
        """
        for job in jobs:
            if job.is_final and self._sizes.get(job.job_id) != len(job.urls):
                self._sizes[job.job_id] = len(job.urls)
                self._counted = (0, 1)

    def take(self, job: Job) -> int:
        if job.job_id in self._firsts:
            return self._firsts[job.job_id]
        first = self._sum_before(self._places.get(job.job_id, len(self._order)))
        count = max(len(job.urls), 1)
        while not self._taken.isdisjoint(range(first, first + count)):
            first += 1
        self._firsts[job.job_id] = first
        self._taken.update(range(first, first + count))
        return first

    def _sum_before(self, place: int) -> int:
        at, total = self._counted
        if place < at:
            at, total = 0, 1
        total += sum(self._sizes[job_id] for job_id in self._order[at:place])
        self._counted = (place, total)
        return total
