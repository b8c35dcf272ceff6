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
from krea_cli.jobs.job_refs import service_name, service_option_hint
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
            f"{summary} ({days} days old; models and prices may have changed)",
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
                f"Cannot write the journal in {folder}: {trouble}.",
                hint="Paid requests need it. Set KREA_STATE_DIR to another folder.",
            ),
        )
    elif count is None:
        yield ok("journal", f"not created yet, will be in {folder}")
    else:
        yield ok("journal", f"intact, {_counted(count, 'record')} in {folder}")


def check_unconfirmed(journal: ReadOnlyJournal, service: str) -> Iterator[CheckResult]:
    """
    Report requests whose response was lost: the service may have accepted them.
    """
    found = journal.unconfirmed(service)
    others = journal.unconfirmed_elsewhere(service)
    if not found and others:
        names = " and ".join(map(service_name, others))
        have = "has" if len(others) == 1 else "have"
        way = service_option_hint(others[0], current=service)
        yield warning(
            "doubt",
            f"none here, but {names} {have} some",
            f"To check them, {way}.",
        )
        return
    if not found:
        yield ok("doubt", "none")
        return
    yield warning(
        "doubt",
        f"{_counted(len(found), 'unconfirmed request')}, which may be billed",
        Step(Action.FIND_LOST),
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _unwritable(folder: Path) -> str:
    """
    Say why no file can be created or changed there, without trying it.
    """
    there = next(each for each in (folder, *folder.parents) if _exists(each))
    if not there.is_dir():
        return f"{there} is not a folder"
    kept = folder / "journal.db"
    for path, needed in ((there, os.W_OK | os.X_OK), (kept, os.W_OK)):
        if path.exists() and not os.access(path, needed):
            return f"{path} is not writable"
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
