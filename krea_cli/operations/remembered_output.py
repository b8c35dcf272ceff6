"""
Save results where an earlier run was going to save them.

The journal has the location and the options of that run.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from krea_cli.downloads.output_options import OutputOptions
from krea_cli.downloads.output_target import relative_output
from krea_cli.files.file_identity import FileIdentity
from krea_cli.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.errors import KreaError
    from krea_cli.operations.result_indexes import RunIndexes
    from krea_cli.operations.save import ResultSaver
    from krea_cli.output.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedOutput:
    """
    How a run of `count` jobs saves its results.

    The location in `options` is absolute. `is_default` says that the user did not
    specify one. `replaces` has the files that --force may replace, as they were at that
    time.
    """

    options: OutputOptions
    count: int
    is_default: bool = False
    replaces: Sequence[FileIdentity] = ()

    @classmethod
    def of(
        cls,
        options: OutputOptions,
        target: OutputTarget,
        *,
        count: int,
        names: FilenameFields,
    ) -> RememberedOutput | None:
        """
        Describe how a run saves to `target`.

        Return None for standard output, which a later run cannot reach.
        """
        place = target.absolute
        if place is None:
            return None
        taken = (
            target.existing_paths(count=count, naming=names) if options.force else ()
        )
        seen = [FileIdentity.of(path) for path in taken]
        return cls(
            options=replace(options, output=place),
            count=count,
            is_default=target.is_default,
            replaces=[each for each in seen if each],
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RememberedOutput:
        names = OutputOptions.__dataclass_fields__.keys() - {"force"}
        return cls(
            options=OutputOptions(
                **{name: stored[name] for name in names & stored.keys()}
                | {"output": relative_output(stored["output"])}
            ),
            count=stored["count"],
            is_default=bool(stored.get("is_default")),
            replaces=[FileIdentity(*each) for each in stored.get("replaces", ())],
        )

    def as_json(self) -> Mapping[str, Any]:
        options = {
            name: getattr(self.options, name)
            for name in OutputOptions.__dataclass_fields__
        }
        return {
            **options,
            "count": self.count,
            "is_default": self.is_default,
            "replaces": self.replaces,
        }

    def elsewhere(self, place: str | None) -> RememberedOutput:
        """
        Return a copy with another location. None means the default name in this folder.
        """
        return replace(self, options=replace(self.options, output=place))

    def with_given(self, given: OutputOptions) -> RememberedOutput:
        """
        Return a copy with the options of this run, which override the remembered ones.
        """
        remembered = self.options
        return replace(
            self,
            options=OutputOptions(
                output=remembered.output,
                force=given.force,
                sidecar=given.sidecar or remembered.sidecar,
                max_size=given.max_size or remembered.max_size,
                quality_out=given.quality_out or remembered.quality_out,
                expect=given.expect or remembered.expect,
            ),
        )


class RunSaver(NamedTuple):
    """
    The jobs of one run, and their `saver`.

    `target` is where `output` saves them. `indexes` are those of a run in the journal.
    `unmet` returns a sentence for each unmet expectation of a job.
    """

    job_ids: frozenset[str]
    output: RememberedOutput
    target: OutputTarget
    indexes: RunIndexes | None
    saver: ResultSaver
    unmet: Callable[[Job], Sequence[str]]

    def of(self, jobs: Sequence[Job | None]) -> list[Job]:
        """
        Return those of `jobs` that belong to this run.
        """
        found = [job for job in jobs if job and job.job_id in self.job_ids]
        if self.indexes:
            self.indexes.update(found)
        return found


class RememberedSaver:
    """
    Saves each job where its own run was going to save it, with a shared thread pool.

    Use it like `ResultSaver`. Jobs that belong to no run are ignored.
    """

    def __init__(self, runs: Sequence[RunSaver], pool: WorkerPool) -> None:
        self.pool = pool
        self._runs = runs

    @property
    def job_ids(self) -> set[str]:
        """
        The jobs that are saved.
        """
        return {job_id for run in self._runs for job_id in run.job_ids}

    @property
    def saved(self) -> Mapping[str, Job]:
        return ChainMap(*(run.saver.saved for run in self._runs))

    @property
    def failed(self) -> Mapping[str, KreaError]:
        return ChainMap(*(run.saver.failed for run in self._runs))

    @property
    def without_sidecar(self) -> Mapping[str, KreaError]:
        return ChainMap(*(run.saver.without_sidecar for run in self._runs))

    def check(self, jobs: Sequence[Job]) -> None:
        """
        Fail early if a target file already exists: running jobs cannot have created it.

        Runs with a completed job are not checked, because that job may have created the
        file.

        Raises:
            StorageError: a file exists and may not be replaced.
        """
        for run in self._runs:
            if not any(job.status == "completed" for job in run.of(jobs)):
                run.target.check(
                    count=run.output.count,
                    force=run.output.options.force,
                    replaces=run.output.replaces,
                )

    def unmet(self, job: Job) -> Sequence[str]:
        """
        Return a sentence for each expectation that a file of the job does not meet.
        """
        return [
            each
            for run in self._runs
            if job.job_id in run.job_ids
            for each in run.unmet(job)
        ]

    def offer(self, slots: Sequence[Job | None], progress: Progress) -> None:
        """
        Start saving results whose index is certain, like `ResultSaver.offer`.
        """
        for run in self._runs:
            if run.output.count > 1:
                run.saver.offer(run.of(slots), progress)

    def finish(
        self,
        jobs: Sequence[Job],
        progress: Progress,
        *,
        is_batch: bool,
    ) -> None:
        """
        Save the results of all completed jobs, and wait until they are saved.
        """
        for run in self._runs:
            # The journal knows how many jobs the run had, even if only some of them are
            # here.
            is_several = run.output.count > 1 if run.indexes else is_batch
            run.saver.finish(run.of(jobs), progress, is_batch=is_several)
