"""
Results of `jobs cost`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krea_cli.output.escape import collapse_whitespace

if TYPE_CHECKING:
    from krea_cli.journal.costs import CostGroup


@dataclass(frozen=True, slots=True)
class CostRow:
    """
    The costs of a group of jobs. `by` is the grouping, or None for the total.
    """

    group: CostGroup
    by: str | None

    @property
    def plain(self) -> list[str]:
        """
        A line for pipes: group, jobs, estimate, unconfirmed requests, their estimate.
        """
        group = self.group
        cells = (
            "total" if group.name is None else collapse_whitespace(group.name),
            group.jobs,
            f"{group.estimated_usd:.10g}",
            group.unconfirmed,
            f"{group.unconfirmed_usd:.10g}",
        )
        return ["\t".join(map(str, cells))]

    def as_json(self) -> dict[str, Any]:
        group = self.group
        return {
            "by": self.by,
            "group": group.name,
            "jobs": group.jobs,
            "estimated_usd": group.estimated_usd,
            "unpriced": group.unpriced,
            "unfinished": group.unfinished,
            "unfinished_usd": group.unfinished_usd,
            "unbilled": group.unbilled,
            "unconfirmed": group.unconfirmed,
            "unconfirmed_usd": group.unconfirmed_usd,
        }
