"""
Arrange the results of a batch in the rows and columns of a contact sheet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from krea_cli.batch.item import local_input
from krea_cli.batch.plan import Plan, PlanStep, Sign
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.output.human.format_text import dollars

_STATES = {
    Sign.MAKE: "to make",
    Sign.CHANGE: "to change",
    Sign.WAIT: "running",
    Sign.FETCH: "to fetch",
    Sign.UNCONFIRMED: "unconfirmed",
    Sign.UNUSABLE: "unusable input",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """
    One result. `before` is its first input file, and `after` the result file; each is
    None if there is no file. `state` says in a word or two why the result is missing or
    differs.
    """

    output: str
    prompt: str = ""
    before: Path | None = None
    after: Path | None = None
    state: str = ""
    facts: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """
    The cells of one input or table row, grouped by column.
    """

    label: str
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    title: str
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]

    @property
    def is_grid(self) -> bool:
        """
        Return whether the columns have a meaning. Without a matrix, cells simply follow
        each other.
        """
        return len(self.columns) > 1

    @property
    def cells(self) -> list[Cell]:
        return [cell for row in self.rows for cells in row.cells for cell in cells]

    @property
    def summary(self) -> str:
        """
        Return how many results exist, such as "3 of 4 results".
        """
        there = sum(cell.after is not None for cell in self.cells)
        count = len(self.cells)
        return f"{there} of {count} result{'s' if count != 1 else ''}"


def sheet_of(plan: Plan, disk: ResultsOnDisk, title: str) -> Sheet:
    """
    Return the contact sheet of a plan, with the files that exist now.
    """
    columns = list(dict.fromkeys(step.planned.item.column for step in plan.steps))
    rows: dict[str, dict[str, list[Cell]]] = {}
    for step in plan.steps:
        item = step.planned.item
        row = rows.setdefault(item.row, defaultdict(list))
        row[item.column].append(_cell(step, disk))
    return Sheet(
        title=title,
        columns=tuple(columns),
        rows=tuple(
            SheetRow(
                label=label,
                cells=tuple(tuple(row.get(column, ())) for column in columns),
            )
            for label, row in rows.items()
        ),
    )


def _cell(step: PlanStep, disk: ResultsOnDisk) -> Cell:
    item, line = step.planned.item, step.line
    after = disk.path(item.output)
    has_file = after.is_file() and step.sign in (Sign.SAME, Sign.EDITED, Sign.FETCH)
    state = _STATES.get(step.sign, "")
    if step.sign == Sign.ENDED and line is not None:
        state = line.state
    if step.sign == Sign.EDITED:
        state = "edited by hand"
    return Cell(
        output=item.output,
        prompt=item.prompt or "",
        before=_before(item.images, disk),
        after=after if has_file else None,
        state="" if has_file and step.sign == Sign.FETCH else state,
        facts=tuple(_facts(step)),
        error=step.error.message if step.error else "",
    )


def _facts(step: PlanStep) -> list[str]:
    item, line = step.planned.item, step.line
    facts = []
    if step.planned.request is not None:
        facts.append(step.planned.request.model.id)
    if "seed" in item.fields:
        facts.append(f"seed {item.fields['seed']}")
    usd = line.usd if line is not None else step.usd
    if usd:
        facts.append(dollars(usd))
    if line is not None and line.job:
        facts.append(f"job {line.job[:8]}")
    return facts


def _before(images: Sequence[str], disk: ResultsOnDisk) -> Path | None:
    path = local_input(images[0], disk.folder) if images else None
    return path if path is not None and path.is_file() else None


def name_of(cell: Cell) -> str:
    return PurePosixPath(cell.output).name
