"""
Read and write the journal's data about jobs: model, request, files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.errors import JournalError

if TYPE_CHECKING:
    from krea_cli.api.models import Job, SavedFile
    from krea_cli.journal.journal import JobOutput, Journal, RunResult
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.journal.record import Record


class JobRecords:
    """
    Read and write the journal's data about jobs.

    `folder` holds the journal, or None for a journal in memory. If there is no journal
    in the folder, all methods return nothing and write nothing. `journal` and `queries`
    are called only when needed, so that SQLite is loaded late.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        journal: Callable[[], Journal],
        queries: Callable[[], JournalQueries],
    ) -> None:
        self._folder = folder
        self._journal = journal
        self._queries = queries

    def with_journal_data(self, job: Job) -> Job:
        """
        Return the job with its model, seed, cost and saved files from the journal.
        """
        return self._journal().with_journal_data(job) if self._exists() else job

    def request_body(self, job_id: str) -> Mapping[str, Any]:
        """
        Return the body of the request that made the job; empty if it is not known.
        """
        return self._journal().request_body(job_id) if self._exists() else {}

    def record_outcome(
        self,
        job: Job,
        *,
        files: Sequence[SavedFile] = (),
        first_index: int | None = None,
    ) -> None:
        """
        Record the final status of a job and the `files` that were saved now, the first
        of them with the `{index}` `first_index`. Do nothing for a job without a record.
        """
        if self._exists():
            self._journal().ended(job, files=files, first_index=first_index)

    def outputs(self, job_ids: Sequence[str]) -> Mapping[str, JobOutput]:
        """
        Return the run and the output options of each job that has a record.
        """
        return self._journal().outputs(job_ids) if self._exists() else {}

    def run_results(self, run: str) -> Sequence[RunResult]:
        """
        Return the jobs of a run with their results so far; () if the journal cannot be
        read.
        """
        with suppress(JournalError):
            return self._journal().run_results(run) if self._exists() else ()
        return ()

    def find(self, job_id: str) -> Record | None:
        """
        Return the record of the job.

        Raises:
            JournalError: the journal cannot be read.
        """
        return self._queries().record_of_job(job_id) if self._exists() else None

    def find_if_readable(self, job_id: str) -> Record | None:
        """
        Return the record of the job, or None if it or the journal cannot be read.
        """
        with suppress(JournalError):
            return self.find(job_id)
        return None

    def _exists(self) -> bool:
        try:
            return self._folder is None or (self._folder / "journal.db").exists()
        except OSError:
            return False
