"""
What krea keeps: the list of models, and the journal of what was paid for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from krea_cli.cli.context import CliContext
from krea_cli.errors import Action, JournalError, Step
from krea_cli.jobs.job_refs import ELSEWHERE
from krea_cli.output.results.checks import CheckResult, fault, ok, warning

OLD_DAYS = 30


def models(session: CliContext) -> Iterator[CheckResult]:
    """
    How old the list of models is, with the prices in it.
    """
    catalog = session.catalog
    today = datetime.fromtimestamp(session.clock.wall(), UTC).date()
    days = (today - date.fromisoformat(catalog.date)).days
    said = f"{len(catalog.models)} models as of {catalog.date}"
    if days > OLD_DAYS and not session.settings.sandbox:
        yield warning(
            "models",
            f"{said}, {days} days ago: there may be others, at other prices",
            Step(Action.REFRESH_MODELS),
        )
    else:
        yield ok("models", said)


def journal(session: CliContext) -> Iterator[CheckResult]:
    """
    Whether it is whole, and could be written.
    """
    folder = session.folders.state
    count = session.inspection.count()
    if trouble := _unwritable(folder):
        yield fault(
            "journal",
            JournalError(
                f"The journal cannot be written in {folder}: {trouble}.",
                hint="Nothing is paid for without it. Name another folder: "
                "KREA_STATE_DIR=DIR",
            ),
        )
    elif count is None:
        yield ok("journal", f"none yet; it will be in {folder}")
    else:
        yield ok("journal", f"whole, {count} records, in {folder}")


def doubt(session: CliContext) -> Iterator[CheckResult]:
    """
    The requests of which nobody knows whether the service took them.
    """
    found = session.inspection.in_doubt(session.service)
    others = ", ".join(session.inspection.others_in_doubt(session.service))
    if not found and others:
        yield warning(
            "doubt",
            f"no request is in doubt here, but of another service: {others}",
            f"For that one {ELSEWHERE}",
        )
        return
    if not found:
        yield ok("doubt", "no request is in doubt")
        return
    requests = "1 request is" if len(found) == 1 else f"{len(found)} requests are"
    yield warning(
        "doubt",
        f"{requests} in doubt: a job may have been made, and billed",
        Step(Action.FIND_LOST),
    )


def _unwritable(folder: Path) -> str:
    """
    Why no file could be made or changed there, in words; nothing is tried.
    """
    there = next(each for each in (folder, *folder.parents) if _exists(each))
    if not there.is_dir():
        return f"{there} is no folder"
    kept = folder / "journal.db"
    for path, needed in ((there, os.W_OK | os.X_OK), (kept, os.W_OK)):
        if path.exists() and not os.access(path, needed):
            return f"{path} may not be written"
    return ""


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # It may not even be looked at.
        return True
    return True
