"""
What a step of GitHub Actions hands on: outputs for the next steps, and a summary.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from krea_cli.cli.context import CliContext
from krea_cli.errors import StorageError, UsageError
from krea_cli.output import github_actions

if TYPE_CHECKING:
    from krea_cli.api.models import Job

if sys.platform != "win32":
    import fcntl

OUTPUT, SUMMARY = "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"
# A larger one is not shown at all.
MOST_SUMMARY_BYTES = 2**20


def begin(session: CliContext) -> None:
    """
    From now on errors are annotations, and `report` has something to do.

    Raises:
        UsageError: this is no such step.
        StorageError: a file of the step cannot be written to.
    """
    if not session.env.get(OUTPUT):
        raise UsageError(
            f"--github needs a step of GitHub Actions: {OUTPUT} is not set.",
            hint="Run it in a workflow, or leave out --github.",
        )
    session.annotate()
    session.reports = True
    for name in (OUTPUT, SUMMARY):
        if session.env.get(name):
            _append(session, name, "")


def report(
    session: CliContext, jobs: Sequence[Job], *, is_paid: bool
) -> StorageError | None:
    """
    Write outputs and summary for the jobs, behind what stands there, if the step wants
    them: what went wrong with that.  *is_paid* says whether this call submitted them;
    jobs that were submitted before are not paid again.
    """
    if not session.reports:
        return None
    try:
        paid = {job.job_id for job in jobs} if is_paid else set[str]()
        # One whose id could not be kept is not among the jobs, and is billed.
        is_open = bool(session.in_doubt) or (
            is_paid and not paid.issuperset(session.jobs)
        )
        _write_outputs(session, jobs, paid, is_open=is_open)
        if session.env.get("GITHUB_STEP_SUMMARY"):
            _summarise(session, jobs, paid)
    except StorageError as exc:
        return exc.but("What is told here of the jobs is so all the same.")
    return None


def _write_outputs(
    session: CliContext, jobs: Sequence[Job], paid: Container[str], *, is_open: bool
) -> None:
    path = Path(session.env[OUTPUT])
    try:
        with path.open("ab") as file, _locked(file):
            # A pipe in its place is not read.
            before = path.read_bytes() if path.is_file() else b""
            text = github_actions.outputs(
                jobs,
                paid=paid,
                in_doubt=is_open,
                before=before.decode("utf-8", "replace"),
            )
            file.write(text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as exc:
        raise _cannot(OUTPUT, exc) from exc


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """
    Keep other calls of the step from adding to the same outputs meanwhile, where the
    system can; the lock ends with the file.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _summarise(session: CliContext, jobs: Sequence[Job], paid: Container[str]) -> None:
    path = Path(session.env[SUMMARY])
    try:
        before = path.read_bytes().decode("utf-8", "replace")
    except OSError as exc:
        raise _cannot(SUMMARY, exc) from exc
    steps = session.next_steps
    doubtful = [steps.find_lost(record.record) for record in session.in_doubt]
    rows = github_actions.summary(jobs, paid=paid, in_doubt=doubtful, before=before)
    if len((before + rows).encode()) > MOST_SUMMARY_BYTES:
        session.out.warn(f"{SUMMARY} is full: nothing more is written to it.")
        return
    _append(session, SUMMARY, rows)


def _append(session: CliContext, name: str, text: str) -> None:
    try:
        with Path(session.env[name]).open("ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as exc:
        raise _cannot(name, exc) from exc


def _cannot(name: str, exc: Exception) -> StorageError:
    reason = getattr(exc, "strerror", None) or exc
    return StorageError(f"{name} cannot be written to: {reason}.")
