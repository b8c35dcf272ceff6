"""
Check that the service answers, accepts the token, and has the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from krea_cli.errors import ResponseLostError, TokenRejectedError
from krea_cli.output.results.checks import CheckResult, fault, ok, warning

if TYPE_CHECKING:
    from krea_cli.api.client import HealthCheck

# How long to wait for the only request that the checks send; it is free.
SECONDS = 7.0
# A response states whole seconds, and takes some to arrive.
MAX_CLOCK_SKEW_SECONDS = 60.0


def check_service(
    probe: Callable[[], HealthCheck],
    *,
    service_name: str,
    has_token: bool,
    now: Callable[[], float],
) -> Iterator[CheckResult]:
    """
    Send one request with `probe`, and report what the response says.
    """
    began = now()
    try:
        health = probe()
    except ResponseLostError as exc:
        hint = "Check your proxy and firewall, then try again."
        raise exc.but(hint) from exc.__cause__
    took = (now() - began) * 1000
    rejection = health.rejection
    is_rejected = isinstance(rejection, TokenRejectedError)
    if rejection and not is_rejected:
        yield fault("service", rejection)
    else:
        yield ok("service", f"{service_name} responds in {took:.0f} ms")
    if has_token and rejection and is_rejected:
        yield fault("access", rejection)
    elif has_token and not rejection:
        yield ok("access", "token accepted")
    if health.clock_skew is not None:
        yield _check_clock(health.clock_skew)


def _check_clock(clock_skew: float) -> CheckResult:
    if abs(clock_skew) <= MAX_CLOCK_SKEW_SECONDS:
        return ok("clock", "correct")
    direction = "behind" if clock_skew > 0 else "ahead"
    return warning(
        "clock",
        f"this computer's clock is {_duration(abs(clock_skew))} {direction}",
        "Set the clock, or turn on automatic time. A wrong clock breaks certificates "
        "and job times.",
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
