"""
How the costs of jobs look to a person: a part for `views`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.layout import Parts
from krea_cli.output.human.model_text import dollars
from krea_cli.output.human.responsive_table import ResponsiveTable
from krea_cli.output.results.costs import CostRow


def costs(first: CostRow, results: Sequence[CostRow]) -> Parts:
    """
    A row for each group; a column without any jobs in it is left out.
    """
    rows = [
        (
            Text(
                "total"
                if row.group.name is None
                else collapse_whitespace(row.group.name)
            ),
            Text(str(row.group.jobs)),
            Text(dollars(row.group.estimated_usd)),
            _count(row.group.unfinished, row.group.unfinished_usd),
            Text(str(row.group.unbilled) if row.group.unbilled else "", "dim"),
            _count(row.group.unconfirmed, row.group.unconfirmed_usd),
            Text(str(row.group.unpriced) if row.group.unpriced else "", "yellow"),
        )
        for row in results
    ]
    titles = (
        (first.by or "group").upper(),
        "JOBS",
        "ESTIMATE",
        "UNFINISHED",
        "NOT BILLED",
        "UNCONFIRMED",
        "NO PRICE",
    )
    yield ResponsiveTable(titles, rows, gives_way=titles[3:], right="ESTIMATE")


def _count(count: int, usd: float) -> Text:
    return Text(f"{count} ({dollars(usd)})" if count else "", "yellow")
