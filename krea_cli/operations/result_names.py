"""
Provide the fields for file names of results.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from krea_cli.downloads.output_target import FilenameFields

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.jobs.job_records import JobRecords
    from krea_cli.requests.request import Request
    from krea_cli.runtime.clock import Clock


class ResultNames:
    """
    Provides the filename fields of jobs.

    They come from the journal, so that a job gets the same names in every run. For jobs
    that are not in the journal, use `default`, or else the job itself.
    """

    def __init__(
        self,
        records: JobRecords,
        clock: Clock,
        *,
        default: FilenameFields | None = None,
    ) -> None:
        self._records = records
        self._clock = clock
        self._default = default

    def of_job(self, job: Job) -> FilenameFields:
        """
        Return the fields for the results of a job.
        """
        record = self._records.find_if_readable(job.job_id)
        if record is None:
            return self._default or _fields(self._clock.wall(), job.model, job.seed)
        return _fields(
            record.created_at,
            record.model,
            record.seed,
            prompt=record.prompt,
            source=record.source,
        )


def names_of_request(request: Request, clock: Clock) -> FilenameFields:
    """
    Return the fields for the results of a request that is submitted now.
    """
    return _fields(
        clock.wall(),
        request.model.id,
        request.seed,
        prompt=request.prompt,
        source=request.source,
    )


def _fields(
    time: float,
    model: str | None,
    seed: int | None,
    *,
    prompt: str | None = None,
    source: str | None = None,
) -> FilenameFields:
    return FilenameFields(
        time=datetime.fromtimestamp(time).astimezone(),
        model=model or "",
        prompt=prompt or "",
        source=source or "",
        seed=seed,
    )
