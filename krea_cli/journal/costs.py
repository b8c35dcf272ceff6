"""
Add up the estimated costs of jobs in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from krea_cli.api.models import UNBILLED_STATUSES

UNCONFIRMED_STATE = "unknown"

Grouping = Literal["day", "model", "status"]


class JournalCost(NamedTuple):
    """
    The cost of one record.

    `state` is the record's state, or "unknown" for an unconfirmed request.
    """

    state: str
    created_at: float
    model: str
    cost_usd: float | None


@dataclass(slots=True)
class CostGroup:
    """
    The costs of a group of records.

    `name` is a day, a model or a status; None means the total. `estimated_usd` is the
    sum over `jobs`, without the `unbilled` ones (failed and cancelled) and the
    `unpriced` ones (price unknown). It includes `unfinished_usd`, the sum over the
    `unfinished` jobs, whose end was not recorded. Unconfirmed requests are counted
    separately, because they may not be jobs.
    """

    name: str | None
    jobs: int = 0
    estimated_usd: float = 0.0
    unpriced: int = 0
    unfinished: int = 0
    unfinished_usd: float = 0.0
    unbilled: int = 0
    unconfirmed: int = 0
    unconfirmed_usd: float = 0.0

    def add(self, cost: JournalCost) -> None:
        usd = cost.cost_usd or 0.0
        if cost.state == UNCONFIRMED_STATE:
            self.unconfirmed += 1
            self.unconfirmed_usd = _sum(self.unconfirmed_usd, usd)
            self.unpriced += cost.cost_usd is None
            return
        self.jobs += 1
        if cost.state in UNBILLED_STATUSES:
            self.unbilled += 1
            return
        self.unpriced += cost.cost_usd is None
        self.estimated_usd = _sum(self.estimated_usd, usd)
        if cost.state != "completed":
            self.unfinished += 1
            self.unfinished_usd = _sum(self.unfinished_usd, usd)


def total(costs: Iterable[JournalCost]) -> CostGroup:
    """
    Sum up all costs in one group.
    """
    group = CostGroup(None)
    for cost in costs:
        group.add(cost)
    return group


def grouped(costs: Iterable[JournalCost], by: Grouping) -> list[CostGroup]:
    """
    Group the costs by local day, model or status, sorted by name.
    """
    groups: dict[str, CostGroup] = {}
    for cost in costs:
        name = _name(cost, by)
        groups.setdefault(name, CostGroup(name)).add(cost)
    return [groups[name] for name in sorted(groups)]


def _name(cost: JournalCost, by: Grouping) -> str:
    if by == "day":
        return f"{datetime.fromtimestamp(cost.created_at).astimezone():%Y-%m-%d}"
    return cost.model if by == "model" else cost.state


def _sum(first: float, second: float) -> float:
    # Prices are exact to a millionth of a dollar, but binary sums are not.
    return round(first + second, 6)
