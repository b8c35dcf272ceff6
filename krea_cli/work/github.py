"""
What a step of GitHub Actions hands on: outputs for the next steps, and a summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.errors import StorageError, UsageError
from krea_cli.output import workflow
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.api.resources import Job

OUTPUT, SUMMARY = "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"
# A larger one is not shown at all.
MOST_SUMMARY_BYTES = 2**20


def begin(session: Session) -> None:
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


def report(session: Session, jobs: Sequence[Job]) -> StorageError | None:
    """
    Write outputs and summary for the jobs, behind what stands there, if the step wants
    them: what went wrong with that.
    """
    if not session.reports:
        return None
    try:
        _append(
            session, OUTPUT, workflow.outputs(jobs, in_doubt=bool(session.in_doubt))
        )
        if session.env.get("GITHUB_STEP_SUMMARY"):
            _summarise(session, jobs)
    except StorageError as exc:
        return exc.but("What is told here of the jobs is so all the same.")
    return None


def _summarise(session: Session, jobs: Sequence[Job]) -> None:
    path = Path(session.env[SUMMARY])
    try:
        before = path.read_bytes().decode("utf-8", "replace")
    except OSError as exc:
        raise _cannot(SUMMARY, exc) from exc
    steps = session.next_steps
    doubtful = [steps.find_lost(record.record) for record in session.in_doubt]
    rows = workflow.summary(jobs, in_doubt=doubtful, before=before)
    if len((before + rows).encode()) > MOST_SUMMARY_BYTES:
        session.out.warn(f"{SUMMARY} is full: nothing more is written to it.")
        return
    _append(session, SUMMARY, rows)


def _append(session: Session, name: str, text: str) -> None:
    try:
        with Path(session.env[name]).open("ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as exc:
        raise _cannot(name, exc) from exc


def _cannot(name: str, exc: Exception) -> StorageError:
    reason = getattr(exc, "strerror", None) or exc
    return StorageError(f"{name} cannot be written to: {reason}.")
