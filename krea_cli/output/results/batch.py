"""
Results of `krea batch`: planned items and processed items.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.github_actions import neutralize_path
from krea_cli.output.human.format_text import UNKNOWN, dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """
    An item of a plan, with its `sign`. `item` counts from 1; it is None for a result
    that no longer belongs to an item.

    With `is_bare`, its plain form is only the output.
    """

    item: int | None
    output: str
    key: str
    sign: str
    action: str
    model: str | None
    cost_usd: float | None
    job_id: str | None
    error: str | None
    is_bare: bool = False

    @property
    def plain(self) -> list[str]:
        if self.is_bare:
            return [neutralize_path(self.output)] if self.item is not None else []
        situation = collapse_whitespace(self.error or self.action)
        cells = (self.sign, self.output, situation, self.price)
        return ["\t".join(cells).rstrip("\t")]

    @property
    def price(self) -> str:
        """
        Return the estimate; "" if the item costs nothing.
        """
        if self.sign not in ("+", "~") or self.error or self.cost_usd == 0:
            return ""
        return UNKNOWN if self.cost_usd is None else dollars(self.cost_usd)

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        values.pop("is_bare")
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """
    An item of a run with its outcome. `data` is the JSON job object.
    """

    item: int
    output: str
    key: str
    state: str
    data: dict[str, Any]
    paths: tuple[str, ...] = ()

    @property
    def plain(self) -> list[str]:
        return [neutralize_path(path) for path in self.paths]

    def as_json(self) -> dict[str, Any]:
        return {
            **self.data,
            "output": self.output,
            "key": self.key,
            "item": self.item,
            "outcome": self.state,
        }


@dataclass(frozen=True, slots=True)
class DeletedFile:
    """
    A deleted result that no longer belonged to an item.
    """

    path: str

    @property
    def plain(self) -> list[str]:
        return [neutralize_path(self.path)]

    def as_json(self) -> dict[str, Any]:
        return {"deleted": self.path}


@dataclass(frozen=True, slots=True)
class ManifestSchema:
    """
    The JSON Schema of a manifest.
    """

    text: str
    schema: dict[str, Any]

    @property
    def plain(self) -> list[str]:
        return self.text.splitlines()

    def as_json(self) -> dict[str, Any]:
        return self.schema
