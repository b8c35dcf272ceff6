"""
Results on their way to files, up to ten at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.downloads.parallel import MOST_AT_ONCE
from krea_cli.downloads.result_checks import differences, unexpected
from krea_cli.errors import KreaError
from krea_cli.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.output.progress import Progress


class ResultSaver:
    """
    Saves what jobs gave to *target*, under indexes that count from 1; *naming* is for
    jobs that the journal does not have.  By the id *saved* has the jobs with the files
    that are there, *failed* why these are not all, *lacking* why one has files without
    sidecar.  What goes wrong with one does not stop the others.
    """

    def __init__(
        self,
        session: CliContext,
        target: OutputTarget,
        naming: FilenameFields | None,
    ) -> None:
        self.crew = WorkerPool(MOST_AT_ONCE)
        self.saved: dict[str, Job] = {}
        self.failed: dict[str, KreaError] = {}
        self.lacking: dict[str, KreaError] = {}
        self._progress: Progress | None = None
        self._session = session
        self._results = session.results(target)
        self._naming = naming
        self._place, self._index = 0, 1

    def offer(self, places: Sequence[Job | None], progress: Progress) -> None:
        """
        Begin with the results whose index is known, as the jobs before them are final;
        None is one of the several that may still come.
        """
        self._progress = progress
        for job in places[self._place :]:
            if job is None or not job.is_final or job.lacks_result:
                return
            self._place += 1
            self._begin(job)

    def finish(self, jobs: Sequence[Job], progress: Progress, *, several: bool) -> None:
        """
        Save the results of all that are completed, and wait until they are saved;
        *several* says whether there were to be several jobs.
        """
        self._progress = progress
        progress.doing("saving")
        for job in jobs[self._place :]:
            if several:
                self._begin(job)
            elif _has_results(job):
                # A signal reaches it even where it writes to a pipe that nobody reads.
                self._save(job, self._index, several=False)
        self.crew.rest()

    def remarks(self, saved: Job) -> list[str]:
        """
        What somebody may wonder about the files of a job.
        """
        # Without a model there is nothing to read the catalogue for.
        models = self._session.catalogue.models if saved.model else ()
        body = self._session.body(saved.job_id)
        return [
            *unexpected(saved, models),
            *differences(saved.files, body, most_side=self._session.most_side),
        ]

    def _begin(self, job: Job) -> None:
        if _has_results(job):
            self.crew.start(partial(self._save, job, self._index, several=True))
            self._index += len(job.urls)
            self._session.numbered.append(job.job_id)

    def _save(self, job: Job, first: int, *, several: bool) -> None:
        def received(size_bytes: int, length: int | None) -> None:
            if self._progress:
                self._progress.received(job, size_bytes, length)

        # The journal may know of files from another time.
        saved = replace(job, files=())
        try:
            for saved in self._results.save(
                job,
                self._session.naming_of(job, self._naming),
                first=first,
                several=several,
                received=received,
                pool=self.crew,
            ):
                self._session.ended(saved, files=saved.files)
        except KreaError as exc:
            self.failed[job.job_id] = exc
            return
        finally:
            self.saved[job.job_id] = saved
            if self._progress:
                self._progress.saved(job)
        try:
            self._session.write_sidecars(saved)
        except KreaError as exc:
            self.lacking[job.job_id] = exc
        self._session.settle(job.job_id, has_result=True)


def _has_results(job: Job) -> bool:
    return job.status == "completed" and not job.lacks_result
