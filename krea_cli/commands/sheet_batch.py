"""
Write the contact sheet of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from krea_cli.batch import sheet_html, sheet_png
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.sheet import sheet_of
from krea_cli.batch.thumbnails import small_webp
from krea_cli.cli.context import CliContext
from krea_cli.commands.plan_batch import BatchGiven, BatchPlanning
from krea_cli.errors import UsageError
from krea_cli.files.atomic_file import AtomicFile


def write_sheet(ctx: CliContext, given: BatchGiven, planning: BatchPlanning) -> None:
    """
    Write a contact sheet of all results that exist now. It replaces an earlier sheet.

    Raises:
        UsageError: the path is the output of an item.
        StorageError: the sheet cannot be written.
    """
    disk = ResultsOnDisk(planning.source.folder)
    plan = planning.plan(given, planning.lock(), disk)
    sheet = sheet_of(plan, disk, planning.source.name)
    path = Path(given.options.sheet or "")
    if path.resolve() in {disk.path(step.output).resolve() for step in plan.steps}:
        raise UsageError(f"{path} is the output of an item, not a contact sheet.")
    if path.suffix.lower() == ".html":
        page = sheet_html.render(sheet, path.absolute().parent, small_webp)
        _write(path, lambda file: file.write(page.encode()))
        ctx.console.note(f"Contact sheet: {path}")
        return
    for number, picture in enumerate(sheet_png.pages(sheet), start=1):
        name = path.stem if number == 1 else f"{path.stem}-{number}"
        place = path.with_name(f"{name}{path.suffix}")
        _write(place, partial(picture.save, format="PNG"))
        ctx.console.note(f"Contact sheet: {place}")


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    with AtomicFile(path.absolute().parent) as new:
        write(new.file)
        new.file.flush()
        new.publish(path.absolute(), force=True)
