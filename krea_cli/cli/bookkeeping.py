"""
What a run keeps of paid requests and their jobs, and finds again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.cli.connection import Connection
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.errors import JournalError, KreaError

if TYPE_CHECKING:
    from krea_cli.api.models import Job, SavedFile
    from krea_cli.cli.next_steps import NextSteps
    from krea_cli.journal.corrupt_record import CorruptRecord
    from krea_cli.journal.database import Database
    from krea_cli.journal.journal import Journal
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.journal.readonly import ReadOnlyJournal
    from krea_cli.journal.record import Record


class Bookkeeping(Connection):
    """
    The jobs of this run, and the journal of the service, on disk or, without one, in
    memory.
    """

    keeps_journal = True
    delivery = OutputOptions()
    cancels_on_interrupt = False

    def __init__(self, **world: Any) -> None:
        """
        As `World`.
        """
        super().__init__(**world)
        # The jobs of this run whose results are wanted, in the order of their indexes,
        # and those that are not collected yet, for whoever must say so.
        self.jobs: list[str] = []
        self.pending: list[str] = []
        # Those whose results have got their indexes, in that order, and whether there
        # were to be several jobs: names hang on both.
        self.numbered: list[str] = []
        self.is_for_several = False
        # Those whose results are saved, as long as nobody was told where.
        self.untold: list[str] = []
        # How many requests are not sent yet of those that were asked for.
        self.unsent = 0
        # Paid requests of which it is not known whether they have a job.
        self.in_doubt: list[Record] = []

    def take(self, *job_ids: str) -> None:
        """
        From now on the results of these jobs are wanted.
        """
        for job_id in job_ids:
            if job_id not in self.jobs:
                self.jobs.append(job_id)
                self.pending.append(job_id)

    def arrange(self, job_ids: Sequence[str]) -> None:
        """
        The order of the indexes is that of *job_ids*.
        """
        places = {job_id: at for at, job_id in enumerate(job_ids)}
        for jobs in (self.jobs, self.pending):
            jobs.sort(key=lambda job_id: places.get(job_id, len(places)))

    def settle(self, job_id: str, *, has_result: bool) -> None:
        """
        There is nothing left to collect of the job; one without a result has no index.
        """
        if job_id in self.pending:
            self.pending.remove(job_id)
        if has_result:
            self.untold.append(job_id)
        if job_id in self.jobs and not has_result:
            self.jobs.remove(job_id)

    @cached_property
    def _database(self) -> Database:
        from krea_cli.journal.database import Database

        database = Database(self._journal_folder, now=self.clock.wall)
        self._closing.append(database.close)
        return database

    @cached_property
    def journal(self) -> Journal:
        from krea_cli.journal.journal import Journal

        return Journal(self._database, self.service)

    @cached_property
    def history(self) -> JournalQueries:
        from krea_cli.journal.queries import JournalQueries

        return JournalQueries(
            self._database, self.service, now=self.clock.wall, damaged=self._warn_of
        )

    def _warn_of(self, damaged: CorruptRecord) -> None:
        forget = self.next_steps.forget(damaged.record)
        self.out.warn(f"{damaged.message} See to it: {forget}")

    @property
    def next_steps(self) -> NextSteps:
        """
        The commands that go on with what this run has come to so far.
        """
        from krea_cli.cli.next_steps import NextSteps

        color = self.flags.color
        return NextSteps(
            service=self.service_flags,
            flags=["--color", color] if color else [],
            output=self.delivery,
            run=[*self.numbered, *(j for j in self.jobs if j not in self.numbered)],
            several=self.is_for_several,
            has_journal=self.keeps_journal,
        )

    def report(self, error: KreaError) -> None:
        """
        Show an error with its hints in words.
        """
        self.out.error(self.next_steps.explain(error))

    def damaged(self, name: str) -> CorruptRecord | None:
        """
        As `jobs.damage.find`.
        """
        from krea_cli.journal.corrupt_record import find_corrupt_record

        return find_corrupt_record(self._database, self.service, name)

    @cached_property
    def inspection(self) -> ReadOnlyJournal:
        from krea_cli.journal.readonly import ReadOnlyJournal

        return ReadOnlyJournal(self.folders.state, now=self.clock.wall)

    def described(self, job: Job) -> Job:
        """
        The job with what only the journal knows: its model, its seed, its files.
        """
        return self.journal.with_journal_data(job) if self._has_journal else job

    def body(self, job_id: str) -> Mapping[str, Any]:
        """
        What was asked for by the request that made the job; empty if it is not known.
        """
        return self.journal.request_body(job_id) if self._has_journal else {}

    def ended(self, job: Job, *, files: Sequence[SavedFile] = ()) -> None:
        """
        Keep in the journal how a job ended, if it knows the job, and the *files* that
        it became just now.
        """
        if self._has_journal:
            self.journal.ended(job, files=files)

    @property
    def _journal_folder(self) -> Path | None:
        """
        None for a journal in memory: nothing is paid for in the sandbox, so it also
        works without a home.
        """
        if not self.keeps_journal:
            return None
        if self.settings.sandbox and not self.folders.has_state:
            return None
        return self.folders.state

    @property
    def _has_journal(self) -> bool:
        # Where there is none yet, sqlite3 need not be loaded to find that out.
        try:
            folder = self._journal_folder
            return folder is None or (folder / "journal.db").exists()
        except OSError:
            return False

    def record(self, job_id: str) -> Record | None:
        """
        What the journal has of the job.

        Raises:
            JournalError: it cannot be used.
        """
        return self.history.record_of_job(job_id) if self._has_journal else None

    def _record(self, job_id: str) -> Record | None:
        with suppress(JournalError):
            return self.record(job_id)
        return None
