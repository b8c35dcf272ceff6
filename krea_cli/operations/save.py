"""
Save the results of completed jobs, several at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from krea_cli.downloads.parallel import MOST_THREADS
from krea_cli.errors import KreaError
from krea_cli.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.downloads.downloader import ResultDownloader
    from krea_cli.jobs.job_records import JobRecords
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.operations.result_names import ResultNames
    from krea_cli.operations.sidecars import SidecarWriter
    from krea_cli.output.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveContext:
    """
    The collaborators of saving.
    """

    downloader: ResultDownloader
    names: ResultNames
    sidecars: SidecarWriter
    records: JobRecords
    tracker: RunTracker


class ResultSaver:
    """
    Saves the results of jobs, with indexes that count from 1.

    By job id, *saved* has the jobs with the files that are there, *failed* the error
    that kept a file from being saved, and *without_sidecar* the error that left files
    without one. An error with one job does not stop the others.
    """

    def __init__(self, context: SaveContext) -> None:
        self.pool = WorkerPool(MOST_THREADS)
        self.saved: dict[str, Job] = {}
        self.failed: dict[str, KreaError] = {}
        self.without_sidecar: dict[str, KreaError] = {}
        self._progress: Progress | None = None
        self._downloader = context.downloader
        self._names = context.names
        self._sidecars = context.sidecars
        self._records = context.records
        self._tracker = context.tracker
        self._next_slot, self._next_index = 0, 1

    def offer(self, slots: Sequence[Job | None], progress: Progress) -> None:
        """
        Start saving the results whose index is certain, because all jobs before them
        have finished; None is a job that may still come.
        """
        self._progress = progress
        for job in slots[self._next_slot :]:
            if job is None or not job.is_final or job.lacks_result:
                return
            self._next_slot += 1
            self._start(job)

    def finish(
        self, jobs: Sequence[Job], progress: Progress, *, is_batch: bool
    ) -> None:
        """
        Save the results of all completed jobs, and wait until they are saved.

        *is_batch* says that the run is about several jobs, so that names get an index.
        """
        self._progress = progress
        progress.doing("Saving")
        for job in jobs[self._next_slot :]:
            if is_batch:
                self._start(job)
            elif _has_results(job):
                # In this thread a signal arrives even while a pipe that nobody reads
                # blocks the write.
                self._save(job, self._next_index, is_batch=False)
        self.pool.rest()

    def _start(self, job: Job) -> None:
        if _has_results(job):
            self.pool.start(partial(self._save, job, self._next_index, is_batch=True))
            self._next_index += len(job.urls)
            self._tracker.indexed(job.job_id)

    def _save(self, job: Job, first_index: int, *, is_batch: bool) -> None:
        def received(size_bytes: int, length: int | None) -> None:
            if self._progress:
                self._progress.received(job, size_bytes, length)

        # The journal may know files that an earlier run saved.
        saved = replace(job, files=())
        try:
            for saved in self._downloader.save(
                job,
                self._names.of_job(job),
                first=first_index,
                several=is_batch,
                received=received,
                pool=self.pool,
            ):
                self._records.record_outcome(saved, files=saved.files)
        except KreaError as exc:
            self.failed[job.job_id] = exc
            return
        finally:
            self.saved[job.job_id] = saved
            if self._progress:
                self._progress.saved(job)
        try:
            self._sidecars.write(saved)
        except KreaError as exc:
            self.without_sidecar[job.job_id] = exc
        self._tracker.saved(job.job_id)


def _has_results(job: Job) -> bool:
    return job.status == "completed" and not job.lacks_result
