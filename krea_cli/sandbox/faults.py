"""
What the sandbox does wrong on request: faults as they are written, and those in force.

A fault is written ROUTE:FAULT[=VALUE][*TIMES], such as "submit:reset-after*2".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from krea_cli.errors import UsageError

ANY = "any"
ROUTES = ("submit", "jobs", "job", "cancel", "upload", "result", ANY)


class _Kind(NamedTuple):
    """
    *route* is the only one that it makes sense on; *value* is what may follow it;
    *may_follow* is whether it may come after the request was acted on.
    """

    route: str = ANY
    value: str = ""
    may_follow: bool = False


_KINDS = {
    "reset": _Kind(may_follow=True),
    "close": _Kind(may_follow=True),
    "hang": _Kind(value="SECONDS", may_follow=True),
    "html": _Kind(value="STATUS", may_follow=True),
    "empty": _Kind(may_follow=True),
    "junk": _Kind(may_follow=True),
    "slow": _Kind(value="SECONDS"),
    "trickle": _Kind(),
    "fails": _Kind(route="submit", value="CODE"),
    "missing": _Kind(route="job"),
    "no-urls": _Kind(route="job"),
    "expired": _Kind(route="result"),
    "cut": _Kind(route="result", value="BYTES"),
}
NAMES = (*_KINDS, "400..599")

_VALUES = {
    "SECONDS": r"\d{1,4}(\.\d{1,3})?",
    "BYTES": r"\d{1,9}",
    "STATUS": r"200|[45]\d\d",
    "CODE": r"[\w.-]{1,60}",
    "RETRY-AFTER": r"[ -~]{1,60}",
}
_FAULT = re.compile(
    r"(?P<route>[^:]*):(?P<name>[^=*]*?)(?P<after>-after)?"
    r"(=(?P<value>[^*]*))?(?P<star>\*(?P<times>[1-9]\d{0,5})?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    *value* is "" when none was given; with *is_after* the request is acted on first;
    *times* is for how many requests, None for every one until it is taken away.
    """

    route: str
    name: str
    value: str = ""
    is_after: bool = False
    times: int | None = 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """
        Raises:
            UsageError: it is no fault, or none that makes sense on its route.
        """
        match = _FAULT.fullmatch(text)
        if not match:
            raise UsageError(
                f"{text!r} is no fault.",
                hint="Write ROUTE:FAULT[=VALUE][*TIMES], as in submit:reset-after*2.",
            )
        fault = cls(
            route=match["route"],
            name=match["name"],
            value=match["value"] or "",
            is_after=bool(match["after"]),
            times=None if match["star"] == "*" else int(match["times"] or 1),
        )
        fault._check(has_value=match["value"] is not None)
        return fault

    def __str__(self) -> str:
        after = "-after" if self.is_after else ""
        value = f"={self.value}" if self.value else ""
        times = {None: "*", 1: ""}.get(self.times, f"*{self.times}")
        return f"{self.route}:{self.name}{after}{value}{times}"

    def _check(self, *, has_value: bool) -> None:
        if self.route not in ROUTES:
            hint = f"Routes: {', '.join(ROUTES)}."
            raise UsageError(f"{self.route!r} is no route of the sandbox.", hint=hint)
        kind = _kind(self.name)
        if kind is None:
            hint = f"Faults: {', '.join(NAMES)}; some also with -after."
            raise UsageError(f"{self.name!r} is no fault of the sandbox.", hint=hint)
        if kind.route not in (ANY, self.route):
            raise UsageError(f"{self.name} is a fault of {kind.route} alone.")
        if self.is_after and not kind.may_follow:
            found = [name for name in _KINDS if _KINDS[name].may_follow]
            raise UsageError(
                f"{self.name} cannot come after the request was acted on.",
                hint=f"With -after: {', '.join(found)}, 408, 500..599.",
            )
        if has_value and not kind.value:
            raise UsageError(f"{self.name} takes no value.")
        if has_value and not re.fullmatch(_VALUES[kind.value], self.value, re.ASCII):
            raise UsageError(f"{self.value!r} is not the {kind.value} of {self.name}.")


def _kind(name: str) -> _Kind | None:
    if not re.fullmatch(r"[45]\d\d", name, re.ASCII):
        return _KINDS.get(name)
    return _Kind(
        value="RETRY-AFTER" if name in ("429", "503") else "",
        # The others say that the request was not accepted.
        may_follow=name == "408" or name >= "500",
    )


class FaultQueue:
    """
    The faults in force, shared by all connections of a sandbox.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, texts: Iterable[str]) -> None:
        """
        Raises:
            UsageError: one of them is no fault; none is added then.
        """
        parsed = [Fault.parse(text) for text in texts]
        with self._lock:
            self._faults += parsed

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    @property
    def texts(self) -> list[str]:
        """
        What is still to come, in the order in which it was given.
        """
        with self._lock:
            return [str(fault) for fault in self._faults]

    def pop(self, route: str, applies: Callable[[Fault], bool]) -> Fault | None:
        """
        The fault for a request to the route: the first of those that *applies* is true
        of, and one for the route itself before one for any.
        """
        with self._lock:
            fitting = [
                fault
                for fault in self._faults
                if fault.route in (route, ANY) and applies(fault)
            ]
            fault = min(fitting, key=lambda fault: fault.route == ANY, default=None)
            if fault is None or fault.times is None:
                return fault
            place = self._faults.index(fault)
            left = fault.times - 1
            self._faults[place : place + 1] = [replace(fault, times=left)][: left > 0]
            return replace(fault, times=1)
