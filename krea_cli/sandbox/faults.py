"""
Parse faults for the sandbox to inject, and keep the pending ones.

The syntax is ROUTE:FAULT[=VALUE][*TIMES][+SKIP][@TEXT]. For example,
"submit:reset-after*2+5@owl" applies to requests about an owl: the first five succeed,
the next two lose their response.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from krea_cli.errors import UsageError

ANY = "any"
ROUTES = (
    "submit",
    "jobs",
    "job",
    "cancel",
    "upload",
    "assets",
    "styles",
    "result",
    ANY,
)
# Routes that concern a job, and therefore a prompt.
JOB_ROUTES = ("submit", "job", "cancel", "result")


class _Kind(NamedTuple):
    """
    A kind of fault.

    `route` is the only route where it makes sense. `value` names its optional value.
    `may_follow` allows it after the request was carried out. `changes_job` means that
    it affects the job, not the response.
    """

    route: str = ANY
    value: str = ""
    may_follow: bool = False
    changes_job: bool = False


_KINDS = {
    "reset": _Kind(may_follow=True),
    "close": _Kind(may_follow=True),
    "hang": _Kind(value="SECONDS", may_follow=True),
    "html": _Kind(value="STATUS", may_follow=True),
    "empty": _Kind(may_follow=True),
    "junk": _Kind(may_follow=True),
    "slow": _Kind(value="SECONDS"),
    "trickle": _Kind(),
    "fails": _Kind(route="submit", value="CODE", changes_job=True),
    "takes": _Kind(route="submit", value="DURATION", changes_job=True),
    "missing": _Kind(route="job"),
    "no-urls": _Kind(route="job"),
    "expired": _Kind(route="result"),
    "cut": _Kind(route="result", value="BYTES"),
}
NAMES = (*_KINDS, "400..599")

_VALUES = {
    "SECONDS": r"\d{1,4}(\.\d{1,3})?",
    "DURATION": r"\d{1,5}(\.\d{1,3})?(-\d{1,5}(\.\d{1,3})?)?",
    "BYTES": r"\d{1,9}",
    "STATUS": r"200|[45]\d\d",
    "CODE": r"[\w.-]{1,60}",
    "RETRY-AFTER": r"[ -~]{1,60}",
}
_FAULT = re.compile(
    r"(?P<route>[^:]*):(?P<name>[^=*+@]*?)(?P<after>-after)?"
    r"(=(?P<value>[^*+@]*))?(?P<star>\*(?P<times>[1-9]\d{0,5})?)?"
    r"(\+(?P<skip>[1-9]\d{0,5}))?(@(?P<text>.+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    A fault on a route.

    With `is_after`, it happens after the request was carried out. It happens `times`
    times (None: always), after the first `skip` requests, and only to requests about a
    job whose prompt contains `text`.
    """

    route: str
    name: str
    value: str = ""
    is_after: bool = False
    times: int | None = 1
    skip: int = 0
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """
        Parse the syntax described at the top of this module.

        Raises:
            UsageError: the text is not a fault, or the fault makes no sense on its
                route.
        """
        match = _FAULT.fullmatch(text)
        if not match:
            problem = "Invalid fault" if ":" in text else "No route in the fault"
            raise UsageError(
                f"{problem}: {text!r}",
                hint=(
                    "Format: ROUTE:FAULT[=VALUE][*TIMES][+SKIP][@TEXT]",
                    "Example: submit:reset-after*2",
                ),
            )
        fault = cls(
            route=match["route"],
            name=match["name"],
            value=match["value"] or "",
            is_after=bool(match["after"]),
            times=None if match["star"] == "*" else int(match["times"] or 1),
            skip=int(match["skip"] or 0),
            text=match["text"] or "",
        )
        fault._check(has_value=match["value"] is not None)
        return fault

    def __str__(self) -> str:
        after = "-after" if self.is_after else ""
        value = f"={self.value}" if self.value else ""
        times = {None: "*", 1: ""}.get(self.times, f"*{self.times}")
        skip = f"+{self.skip}" if self.skip else ""
        text = f"@{self.text}" if self.text else ""
        return f"{self.route}:{self.name}{after}{value}{times}{skip}{text}"

    @property
    def changes_job(self) -> bool:
        """
        Return whether the fault affects the job instead of the response.
        """
        kind = _kind(self.name)
        return kind is not None and kind.changes_job

    def _check(self, *, has_value: bool) -> None:
        if self.route not in ROUTES:
            hint = f"Routes: {', '.join(ROUTES)}."
            raise UsageError(f"Unknown route {self.route!r}.", hint=hint)
        kind = _kind(self.name)
        if kind is None:
            raise UsageError(
                f"Unknown fault {self.name!r}.",
                hint=(
                    f"Faults: {', '.join(NAMES)}.",
                    f"After the request is carried out: {', '.join(_names_after())}.",
                ),
            )
        if kind.route not in (ANY, self.route):
            raise UsageError(f"{self.name} works on route {kind.route} only.")
        if self.is_after and not kind.may_follow:
            raise UsageError(
                f"{self.name} does not work with -after.",
                hint=f"These do: {', '.join(_names_after())}.",
            )
        if self.text and self.route not in JOB_ROUTES:
            hint = f"Routes with a prompt: {', '.join(JOB_ROUTES)}."
            raise UsageError(f"@TEXT does not work with route {self.route}.", hint=hint)
        if has_value and not kind.value:
            raise UsageError(f"{self.name} takes no value.")
        if has_value and not re.fullmatch(_VALUES[kind.value], self.value, re.ASCII):
            raise UsageError(f"Invalid {kind.value} for {self.name}: {self.value}")


def _names_after() -> list[str]:
    """
    Return the faults that may also hit a request after it was accepted.
    """
    found = [name for name in _KINDS if _KINDS[name].may_follow]
    return [f"{name}-after" for name in (*found, "408", "500..599")]


def _kind(name: str) -> _Kind | None:
    if not re.fullmatch(r"[45]\d\d", name, re.ASCII):
        return _KINDS.get(name)
    return _Kind(
        value="RETRY-AFTER" if name in ("429", "503") else "",
        # Other statuses mean that the request was not accepted.
        may_follow=name == "408" or name >= "500",
    )


class FaultQueue:
    """
    The pending faults, shared by all connections of a sandbox.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, texts: Iterable[str]) -> None:
        """
        Parse and add faults.

        Raises:
            UsageError: one of the texts is not a fault. Then none is added.
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
        The pending faults, in the order in which they were added.
        """
        with self._lock:
            return [str(fault) for fault in self._faults]

    def pop(self, route: str, applies: Callable[[Fault], bool]) -> Fault | None:
        """
        Return the fault for a request to `route`, and count it as used.

        It is the first fault for which `applies` is true; faults for this route come
        before faults for any route. Faults that still skip requests count this one.
        """
        with self._lock:
            fitting = [
                fault
                for fault in self._faults
                if fault.route in (route, ANY) and applies(fault)
            ]
            for fault in sorted(fitting, key=lambda fault: fault.route == ANY):
                place = self._faults.index(fault)
                if fault.skip:
                    self._faults[place] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times is not None:
                    left = fault.times - 1
                    rest = [replace(fault, times=left)] if left else []
                    self._faults[place : place + 1] = rest
                return fault if fault.times is None else replace(fault, times=1)
        return None
