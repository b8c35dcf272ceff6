"""
Results of `krea sandbox`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SandboxStarted:
    """
    A sandbox that listens at `url`: `sandbox serve`.
    """

    url: str

    @property
    def uses(self) -> tuple[tuple[str, str], ...]:
        """
        Return descriptions of uses of a running sandbox, each with its command.
        """
        faults, fault = f"{self.url}/sandbox/faults", '{"fault": "submit:503*2"}'
        return (
            (
                "try it",
                f'KREA_API_KEY=anything krea generate "an owl" --api-url {self.url}',
            ),
            ("inject a fault", f"curl -d '{fault}' {faults}"),
            ("see the bill", f"curl {self.url}/sandbox/ledger"),
        )

    @property
    def plain(self) -> list[str]:
        return [self.url]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SandboxReset:
    """
    A sandbox whose `jobs` jobs were deleted: `sandbox reset`.
    """

    jobs: int

    @property
    def plain(self) -> list[str]:
        return [str(self.jobs)]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
