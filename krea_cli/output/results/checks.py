"""
Results of `krea doctor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from krea_cli.errors import ExitCode, Hint, KreaError
from krea_cli.output.escape import collapse_whitespace

State = Literal["ok", "warning", "fault"]
# The JSON value is a contract. People read this label instead.
_LABELS = {"doubt": "unconfirmed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """
    The result of a check.

    A warning or failure has hints; a failure has its `error`.
    """

    check: str
    state: State
    message: str
    advice: Sequence[Hint] = ()
    error: KreaError | None = None

    @property
    def hint(self) -> str | None:
        return "\n".join(line for line in self.advice if isinstance(line, str)) or None

    @property
    def label(self) -> str:
        return _LABELS.get(self.check, self.check)

    @property
    def plain(self) -> list[str]:
        cells = (self.label, self.state, self.message, self.hint or "")
        return ["\t".join(map(collapse_whitespace, cells))]

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "state": self.state,
            "message": self.message,
            "hint": self.hint,
            "code": self.error.code if self.error else None,
            "exit_code": int(self.error.exit_code if self.error else ExitCode.OK),
        }


def ok(check: str, message: str) -> CheckResult:
    return CheckResult(check=check, state="ok", message=message)


def warning(check: str, message: str, *hints: Hint) -> CheckResult:
    return CheckResult(check=check, state="warning", message=message, advice=hints)


def fault(check: str, error: KreaError) -> CheckResult:
    return CheckResult(
        check=check,
        state="fault",
        message=error.message,
        advice=error.advice,
        error=error,
    )
