"""
Check the API token: where it comes from, and the keyring that may keep it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from krea_cli.output.results.checks import CheckResult, fault, ok, warning

if TYPE_CHECKING:
    from krea_cli.config.token import TokenSources


def check_token(sources: TokenSources | None) -> Iterator[CheckResult]:
    """
    Report where the token comes from, never the token; None stands for the sandbox.
    Only the service can say whether the token is accepted.
    """
    if sources is None:
        yield ok("token", "not needed in the sandbox")
        return
    if sources.error:
        yield fault("token", sources.error)
        return
    source, *shadows = sources.sources
    hidden = f", overrides {' and '.join(shadows)}" if shadows else ""
    yield ok("token", f"from {source}{hidden}")


def check_keyring(sources: TokenSources | None) -> Iterator[CheckResult]:
    """
    Report the keyring's backend, or why it cannot be used; None stands for the sandbox.
    """
    if sources is None:
        yield ok("keyring", "not used in the sandbox")
        return
    problem, missing = sources.problem, sources.error
    if problem and missing and problem.message in missing.message:
        yield warning("keyring", "not usable (see above)")
    elif problem:
        # The hints are for users without a token.
        advice = problem.advice if missing else ()
        yield warning("keyring", problem.message, *advice)
    elif sources.keyring:
        file = sources.keyring.config_file
        chosen = f", set in {file}" if file else ""
        yield ok("keyring", f"{sources.keyring.backend}{chosen}")
