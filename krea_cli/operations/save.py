"""
Save the results of completed jobs, several at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from krea_cli.downloads.parallel import MAX_THREADS
from krea_cli.errors import KreaError
from krea_cli.operations.result_indexes import CountedIndexes
from krea_cli.operations.wait import EarlySaver
from krea_cli.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.downloads.downloader import ResultDownloader
    from krea_cli.jobs.job_records import JobRecords
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.operations.result_indexes import ResultIndexes
    from krea_cli.operations.result_names import ResultNames
    from krea_cli.operations.sidecars import SidecarWriter
    from krea_cli.output.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveContext:
    """
    The collaborators of saving.

    With `keeps_indexes`, the journal records the indexes, so that later runs use the
    same names.
    """

    downloader: ResultDownloader
    names: ResultNames
    sidecars: SidecarWriter
    records: JobRecords
    tracker: RunTracker
    indexes: ResultIndexes = field(default_factory=CountedIndexes)
    keeps_indexes: bool = False
    pool: WorkerPool | None = None


class Saver(EarlySaver, Protocol):
    """
    Saves results while other jobs are running, and then the remaining ones.

    By job id, `saved` has the jobs with their files, `failed` the error that prevented
    saving a file, and `without_sidecar` the error that prevented writing a sidecar.
    """

    @property
    def saved(self) -> Mapping[str, Job]: ...
    @property
    def failed(self) -> Mapping[str, KreaError]: ...
    @property
    def without_sidecar(self) -> Mapping[str, KreaError]: ...

    def finish(
        self, jobs: Sequence[Job], progress: Progress, *, is_batch: bool
    ) -> None: ...


class ResultSaver:
    """
    Saves the results of jobs with their indexes.

    An error with one job does not stop the others.
    """

    def __init__(self, context: SaveContext) -> None:
        self.pool = context.pool or WorkerPool(MAX_THREADS)
        self.saved: dict[str, Job] = {}
        self.failed: dict[str, KreaError] = {}
        self.without_sidecar: dict[str, KreaError] = {}
        self._progress: Progress | None = None
        self._downloader = context.downloader
        self._names = context.names
        self._sidecars = context.sidecars
        self._records = context.records
        self._tracker = context.tracker
        self._indexes = context.indexes
        self._keeps_indexes = context.keeps_indexes
        self._next_slot = 0

    def offer(self, slots: Sequence[Job | None], progress: Progress) -> None:
        """
        Start saving results whose index is certain, because all earlier jobs have
        finished.

        None stands for a job that may still come.
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
        Save the results of all completed jobs, and wait until that is done.

        `is_batch` says that the run has several jobs, so that file names get an index.
        """
        self._progress = progress
        if not is_batch and any(map(_has_results, jobs)):
            progress.doing("Saving")
        for job in jobs[self._next_slot :]:
            if is_batch:
                self._start(job)
            elif _has_results(job):
                # Save in this thread: signals reach it even while writing to a pipe
                # blocks.
                self._save(job, self._indexes.take(job), is_batch=False)
        self.pool.rest()

    def _start(self, job: Job) -> None:
        if _has_results(job):
            first = self._indexes.take(job)
            self.pool.start(partial(self._save, job, first, is_batch=True))
            self._tracker.assigned_index(job.job_id)

    def _save(self, job: Job, first_index: int, *, is_batch: bool) -> None:
        def received(size_bytes: int, length: int | None) -> None:
            if self._progress:
                self._progress.received(job, size_bytes, length)

        # The journal may list files saved by an earlier run.
        saved = replace(job, files=())
        try:
            for saved in self._downloader.save(
                job,
                self._names.of_job(job),
                first=first_index,
                several=is_batch,
                on_progress=received,
                pool=self.pool,
            ):
                self._records.record_outcome(
                    saved,
                    files=saved.files,
                    first_index=first_index if self._keeps_indexes else None,
                )
        except KreaError as exc:
            self.failed[job.job_id] = exc
            return
        finally:
            self.saved[job.job_id] = saved
            if self._progress:
                self._progress.saved(saved)
        try:
            self._sidecars.write(saved)
        except KreaError as exc:
            self.without_sidecar[job.job_id] = exc
        self._tracker.saved(job.job_id)


def _has_results(job: Job) -> bool:
    return job.status == "completed" and not job.lacks_result
