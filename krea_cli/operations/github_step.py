"""
Write outputs and a summary for later steps of a GitHub Actions job.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from krea_cli.errors import StorageError, UsageError
from krea_cli.output import github_actions

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.cli.next_steps import NextSteps
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.journal.record import Record

if sys.platform != "win32":
    import fcntl

OUTPUT, SUMMARY = "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"
# GitHub does not show larger summaries.
MAX_SUMMARY_BYTES = 2**20
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubStep:
    """
    The workflow step in which krea runs, according to the environment.

    Earlier krea commands in the same step contribute to its outputs and summary.
    """

    env: Mapping[str, str]
    tracker: RunTracker
    next_steps: Callable[[], NextSteps]
    warn: Callable[[str], object]

    def check(self) -> None:
        """
        Check that outputs and summary can be written, before anything is sent.

        Raises:
            UsageError: this is not a step of GitHub Actions.
            StorageError: a file of the step cannot be written.
        """
        if not self.env.get(OUTPUT):
            raise UsageError(
                f"--github works only in a GitHub Actions step ({OUTPUT} is not set).",
                hint="Run it in a workflow step, or remove --github.",
            )
        for name in (OUTPUT, SUMMARY):
            if self.env.get(name):
                self._append(name, "")

    def report(
        self, jobs: Sequence[Job], *, is_paid: bool, is_listed: bool = True
    ) -> StorageError | None:
        """
        Add the jobs to outputs and summary. Return the error if that fails.

        `is_paid` says that this command submitted the jobs: only then is their cost
        counted. Without `is_listed`, the summary does not list them.
        """
        try:
            paid = {job.job_id for job in jobs} if is_paid else set[str]()
            summary = self.tracker.summary()
            # A job whose id could not be recorded is missing here, but is billed.
            is_open = bool(summary.unconfirmed) or (
                is_paid and not paid.issuperset(summary.order)
            )
            self._write_outputs(jobs, paid, is_open=is_open)
            if is_listed and self.env.get("GITHUB_STEP_SUMMARY"):
                self._summarise(jobs, paid, summary.unconfirmed)
        except StorageError as exc:
            return exc.but("The jobs themselves are not affected.")
        return None

    def list_items(self, rows: Sequence[Sequence[str]]) -> None:
        """
        Add a table of items of a batch to the summary, each with its file, what to do
        and the estimate.

        Raises:
            StorageError: the summary cannot be written.
        """
        if rows and self.env.get(SUMMARY):
            self._append(SUMMARY, github_actions.item_table(rows[:MAX_ROWS]))

    def _write_outputs(
        self, jobs: Sequence[Job], paid: Container[str], *, is_open: bool
    ) -> None:
        path = Path(self.env[OUTPUT])
        try:
            with path.open("ab") as file, _locked(file):
                # do not read a pipe in its place
                before = path.read_bytes() if path.is_file() else b""
                text = github_actions.outputs(
                    jobs,
                    paid=paid,
                    unconfirmed=is_open,
                    before=before.decode("utf-8", "replace"),
                )
                file.write(text.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError) as exc:
            raise self._cannot_write(OUTPUT, exc) from exc

    def _summarise(
        self, jobs: Sequence[Job], paid: Container[str], unconfirmed: Sequence[Record]
    ) -> None:
        path = Path(self.env[SUMMARY])
        try:
            before = path.read_bytes().decode("utf-8", "replace")
        except OSError as exc:
            raise self._cannot_write(SUMMARY, exc) from exc
        steps = self.next_steps()
        commands = [steps.find_lost(record.record) for record in unconfirmed]
        rows = github_actions.summary(
            jobs, paid=paid, unconfirmed=commands, before=before
        )
        if len((before + rows).encode()) > MAX_SUMMARY_BYTES:
            self.warn(f"{SUMMARY} is full; the rest was left out.")
            return
        self._append(SUMMARY, rows)

    def _append(self, name: str, text: str) -> None:
        try:
            with Path(self.env[name]).open("ab") as file:
                file.write(text.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError) as exc:
            raise self._cannot_write(name, exc) from exc

    def _cannot_write(self, name: str, exc: Exception) -> StorageError:
        reason = getattr(exc, "strerror", None) or exc
        return StorageError(f"Cannot write to {name} ({self.env[name]}): {reason}.")


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """
    Lock the file against other krea commands of the step, if the system supports it.

    Closing the file releases the lock.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
    yield
