"""
The token: where it comes from, and the keyring that may keep it.
"""

from __future__ import annotations

from collections.abc import Iterator

from krea_cli.cli.context import CliContext
from krea_cli.output.results.checks import CheckResult, fault, ok, warning


def token(session: CliContext) -> Iterator[CheckResult]:
    """
    Its source, never itself; whether the service takes it is the service's line.
    """
    if session.settings.sandbox:
        yield ok("token", "the sandbox needs none")
        return
    state = session.token_state
    if state.error:
        yield fault("token", state.error)
        return
    source, *shadows = state.sources
    hidden = f", which hides {' and '.join(shadows)}" if shadows else ""
    yield ok("token", f"from {source}{hidden}")


def keyring(session: CliContext) -> Iterator[CheckResult]:
    """
    Its backend, or what is wrong with it.
    """
    if session.settings.sandbox:
        yield ok("keyring", "not asked for the sandbox")
        return
    state = session.token_state
    problem, missing = state.problem, state.error
    if problem and missing and problem.message in missing.message:
        yield warning("keyring", "cannot be used, for the reason above")
    elif problem:
        # The ways out are for those who have no token.
        advice = problem.advice if missing else ()
        yield warning("keyring", problem.message, *advice)
    elif state.keyring:
        file = state.keyring.config_file
        chosen = f", chosen by {file}" if file else ""
        yield ok("keyring", f"{state.keyring.backend}{chosen}")
