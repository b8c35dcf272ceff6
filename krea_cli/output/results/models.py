"""
Results of `krea models`, with their JSON and plain-text forms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krea_cli.catalog.json_schema import UNCHECKED, is_closed
from krea_cli.output.escape import collapse_whitespace, single_line
from krea_cli.output.human.format_text import (
    UNKNOWN,
    amount,
    dimensions,
    dollars,
    price,
)
from krea_cli.output.results.model_json import (
    flag,
    identity,
    inputs,
    price_points,
    price_range,
)

if TYPE_CHECKING:
    from krea_cli.catalog.model import Model
    from krea_cli.catalog.refresh import Change


@dataclass(frozen=True, slots=True)
class ModelRow:
    """
    A row of a list of models: `models list`.
    """

    model: Model

    @property
    def input(self) -> str:
        """
        Return how many files -i accepts, such as "1 image"; "" if none.
        """
        field = self.model.input_field
        return amount(field) if field else ""

    @property
    def plain(self) -> list[str]:
        model = self.model
        name = f"{model.name} (deprecated)" if model.deprecated else model.name
        # Scripts depend on the order, so add new columns at the end.
        cells = (model.id, name, self.input, price(model), model.kind)
        return ["\t".join(map(collapse_whitespace, cells))]

    def as_json(self) -> dict[str, Any]:
        return {
            **identity(self.model),
            "inputs": inputs(self.model),
            "price_usd": price_range(self.model),
            "deprecated": self.model.deprecated,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDetails:
    """
    A field of a model.

    `allowed` describes the allowed values. `is_automatic` means that krea chooses a
    value if the user gives none.
    """

    name: str
    schema: Mapping[str, Any]
    allowed: str
    is_required: bool
    is_automatic: bool

    @property
    def unless_given(self) -> str:
        """
        Return the default as JSON, or `automatic`, `required` or nothing.
        """
        if self.is_automatic:
            return "automatic"
        if self.is_required:
            return "required"
        default = self.schema.get("default")
        return "" if default in (None, [], {}) else json.dumps(default)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDetails:
    """
    All details of a model, and an example command: `models show`.
    """

    model: Model
    fields: tuple[FieldDetails, ...]
    example: str

    @property
    def unchecked(self) -> list[str]:
        """
        Return the rules about combinations of fields that krea does not check.
        """
        schema = self.model.schema
        others = [] if is_closed(schema) else ["other fields"]
        return [*schema.get(UNCHECKED, ()), *others]

    @property
    def prices(self) -> list[tuple[str, str]]:
        """
        Prices, each with its conditions.
        """
        unit = " per second" if self.model.price_unit == "second" else ""
        rows = [(dollars(p.amount) + unit, dimensions(p)) for p in self.model.prices]
        if self.model.prices_incomplete:
            rows.append((UNKNOWN, "otherwise"))
        return rows or [(UNKNOWN, "")]

    @property
    def plain(self) -> list[str]:
        model = self.model
        lines = [
            f"{key}\t{collapse_whitespace(value)}"
            for key, value in identity(model).items()
        ]
        lines += ["deprecated\ttrue"] if model.deprecated else []
        if self.unchecked:
            rules = collapse_whitespace(", ".join(self.unchecked))
            lines.append(f"unchecked\t{rules}")
        lines += [
            f"input\t{collapse_whitespace(field.name)}\t{amount(field)}"
            f"\t{flag(field, model)}"
            for field in model.media_fields
        ]
        for field in self.fields:
            name, allowed = (
                collapse_whitespace(field.name),
                collapse_whitespace(field.allowed),
            )
            lines.append(f"field\t{name}\t{field.unless_given}\t{allowed}")
        date = collapse_whitespace(model.price_date or "")
        lines += [f"price\t{usd}\t{when}\t{date}" for usd, when in self.prices]
        return [*lines, f"example\t{single_line(self.example)}"]

    def as_json(self) -> dict[str, Any]:
        return {
            **identity(self.model),
            "result_kind": self.model.result_kind,
            "deprecated": self.model.deprecated,
            "inputs": inputs(self.model),
            "fields": [
                {
                    "name": field.name,
                    "required": field.is_required,
                    "automatic": field.is_automatic,
                    "allowed": field.allowed,
                    "schema": field.schema,
                }
                for field in self.fields
            ],
            "aliases": self.model.aliases,
            "unchecked": self.unchecked,
            "price_usd": price_points(self.model),
            "example": self.example,
        }


@dataclass(frozen=True, slots=True)
class ModelChange:
    """
    A model that changed: `models refresh`.
    """

    change: Change

    @property
    def details(self) -> str:
        """
        The changed fields, each with +, - or ~, or the prices.
        """
        change = self.change
        if change.what == "price" and change.before and change.after:
            return f"{price(change.before)} -> {price(change.after)}"
        marked = {"+": change.added, "-": change.removed, "~": change.changed}
        return " ".join(
            f"{mark}{collapse_whitespace(name)}"
            for mark, names in marked.items()
            for name in names
        )

    @property
    def plain(self) -> list[str]:
        path = collapse_whitespace(self.change.model.path)
        line = f"{self.change.what}\t{path}\t{self.details}"
        return [line.rstrip("\t")]

    def as_json(self) -> dict[str, Any]:
        change = self.change
        return {
            "change": change.what,
            **identity(change.model),
            "fields": {
                "added": change.added,
                "removed": change.removed,
                "changed": change.changed,
            },
            "price_usd": {
                "before": price_points(change.before) if change.before else None,
                "after": price_points(change.after) if change.after else None,
            },
        }
