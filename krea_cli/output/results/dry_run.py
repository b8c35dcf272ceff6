"""
The result of `generate --dry-run`, with its JSON and plain-text forms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from krea_cli.output.escape import safe_json
from krea_cli.output.human.format_text import UNKNOWN, dollar_range


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """
    A request that `generate` would submit `count` times.

    The estimate for all of them ranges from `cost_min_usd` to `cost_usd`, if known, at
    the prices of `price_date`. Each of the `choices` is a field, its automatic value
    and the reason.
    """

    method: str
    url: str
    body: dict[str, Any]
    count: int
    cost_usd: float | None = None
    cost_min_usd: float | None = None
    price_date: str | None = None
    choices: tuple[Mapping[str, Any], ...] = ()
    is_sandbox: bool = False

    @property
    def plain(self) -> list[str]:
        body = safe_json(json.dumps(self.body, indent=2, ensure_ascii=False))
        return [f"{self.method} {self._address}", body, self._estimate]

    @property
    def _address(self) -> str:
        """
        Return the URL, but only its path for the sandbox, which has no port before it
        is started.
        """
        if not self.is_sandbox:
            return self.url
        return f"{urlsplit(self.url).path} (sandbox)"

    @property
    def _estimate(self) -> str:
        times = f" for {self.count} results" if self.count > 1 else ""
        if self.cost_usd is None:
            return f"estimate{times}: {UNKNOWN}"
        date = f" (prices as of {self.price_date})" if self.price_date else ""
        low = self.cost_usd if self.cost_min_usd is None else self.cost_min_usd
        return f"estimate{times}: {dollar_range(low, self.cost_usd)}{date}"

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        del found["is_sandbox"]
        return found
