"""
Check what krea stores: the list of models, and the journal of paid requests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.errors import Action, JournalError, Step
from krea_cli.jobs.job_refs import ELSEWHERE
from krea_cli.output.results.checks import CheckResult, fault, ok, warning

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.journal.readonly import ReadOnlyJournal

OLD_DAYS = 30


def check_models(
    catalog: Catalog, *, now: float, may_be_refreshed: bool
) -> Iterator[CheckResult]:
    """
    Report how old the list of models and their prices is.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    days = (today - date.fromisoformat(catalog.date)).days
    summary = f"{len(catalog.models)} models as of {catalog.date}"
    if days > OLD_DAYS and may_be_refreshed:
        yield warning(
            "models",
            f"{summary}, {days} days ago: there may be others, at other prices",
            Step(Action.REFRESH_MODELS),
        )
    else:
        yield ok("models", summary)


def check_journal(folder: Path, journal: ReadOnlyJournal) -> Iterator[CheckResult]:
    """
    Report whether the journal in `folder` is intact, and can be written.
    """
    count = journal.count()
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


def check_unconfirmed(journal: ReadOnlyJournal, service: str) -> Iterator[CheckResult]:
    """
    Report requests whose response was lost: the service may have accepted them.
    """
    found = journal.unconfirmed(service)
    others = ", ".join(journal.unconfirmed_elsewhere(service))
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
    Say why no file can be created or changed there, without trying it.
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
        # Its folder may not be searched.
        return True
    return True
