"""
Whether the service answers, takes the token, and has the same time.
"""

from __future__ import annotations

from collections.abc import Iterator

from krea_cli.cli.context import CliContext
from krea_cli.errors import ResponseLostError, TokenRejectedError
from krea_cli.output.results.checks import CheckResult, fault, ok, warning

# The one request that is made; it is free.
SECONDS = 7.0
# An answer tells whole seconds, and was on its way for some.
MOST_AHEAD_SECONDS = 60.0


def service(session: CliContext) -> Iterator[CheckResult]:
    """
    One request, and what its answer says.
    """
    is_sandbox = session.settings.sandbox
    token = None if is_sandbox else session.token_state.token
    began = session.clock.now()
    try:
        probe = session.probe(token, seconds=SECONDS)
    except ResponseLostError as exc:
        hint = "See whether a proxy or a firewall is between, and try again."
        raise exc.but(hint) from exc.__cause__
    took = (session.clock.now() - began) * 1000
    refusal = probe.refusal
    is_rejected = isinstance(refusal, TokenRejectedError)
    if refusal and not is_rejected:
        yield fault("service", refusal)
    else:
        name = "the sandbox" if is_sandbox else session.api_url
        yield ok("service", f"{name} answers, in {took:.0f} ms")
    if token and refusal and is_rejected:
        yield fault("access", refusal)
    elif token and not refusal:
        yield ok("access", "the token is accepted")
    if probe.ahead is not None:
        yield _clock(probe.ahead)


def _clock(ahead: float) -> CheckResult:
    if abs(ahead) <= MOST_AHEAD_SECONDS:
        return ok("clock", "as the service's")
    direction = "behind" if ahead > 0 else "ahead of"
    return warning(
        "clock",
        f"the clock of this machine is {_duration(abs(ahead))} {direction} the "
        "service's",
        "Set it, or have it set by the network: certificates and the times of jobs "
        "hang on it.",
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
