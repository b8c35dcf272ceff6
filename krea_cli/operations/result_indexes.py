"""
Number the results of a run, for the `{index}` in their names.
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
    Gives each job the index of its first result. The jobs come in their order.
    """

    def take(self, job: Job) -> int: ...


class CountedIndexes:
    """
    Indexes that count the results from 1.
    """

    def __init__(self) -> None:
        self._next = 1

    def take(self, job: Job) -> int:
        first = self._next
        self._next += len(job.urls)
        return first


class RunIndexes:
    """
    Indexes of an earlier run, as far as its journal has them.

    A job keeps the index that it was saved with. Each other job gets the one that it
    would have had, if all jobs before it are going to have a result; where that is
    another job's, the next free one.
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
        # The sum of the sizes before a place: most jobs ask one after the other.
        self._counted = (0, 1)

    def update(self, jobs: Sequence[Job]) -> None:
        """
        Note how many results the jobs have that have finished.
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
