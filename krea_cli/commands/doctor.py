"""
`krea doctor`: find what is wrong here, and say how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from krea_cli.cli.context import CliContext
from krea_cli.config.token import TokenSources
from krea_cli.doctor import credentials, network, program, settings, storage, terminal
from krea_cli.doctor.run import Check, run_checks
from krea_cli.errors import KreaError
from krea_cli.output.results.checks import CheckResult


def doctor(session: CliContext) -> None:
    """
    Check everything that krea needs, and say how to mend it.

    It changes nothing, and sends one request, which is free. With a fault it ends with
    the exit code of the first one.

    \b
    Example:
      krea doctor
    """
    first: KreaError | None = None
    for finding in run_checks(_checks(session)):
        lines = session.next_steps.lines(finding.advice)
        session.out.result([replace(finding, advice=lines)])
        first = first or finding.error
    if first:
        raise first


def _checks(session: CliContext) -> dict[str, Check]:
    """
    Return all checks by their names, those first that others depend on.

    What a check needs is taken out of the context when the check runs: broken settings
    are a result as any other.
    """
    env = session.env

    def token_sources() -> TokenSources | None:
        return None if session.settings.sandbox else session.token_state

    def check_service() -> Iterator[CheckResult]:
        sources = token_sources()
        token = sources.token if sources else None
        return network.check_service(
            partial(session.probe, token, seconds=network.SECONDS),
            service_name=session.settings.api_url if sources else "the sandbox",
            has_token=token is not None,
            now=session.clock.now,
        )

    return {
        "krea": program.check_version,
        "path": lambda: program.check_path(env.get("PATH", "")),
        "codecs": program.check_codecs,
        "settings": lambda: settings.check_settings(session.resolved, session.folders),
        "proxy": lambda: settings.check_proxy(env, lambda: session.is_local),
        "certificates": lambda: settings.check_certificates(
            session.trusted, session.missing_certificates, env
        ),
        "token": lambda: credentials.check_token(token_sources()),
        "keyring": lambda: credentials.check_keyring(token_sources()),
        "service": check_service,
        "models": lambda: storage.check_models(
            session.catalogue,
            now=session.clock.wall(),
            may_be_refreshed=not session.settings.sandbox,
        ),
        "journal": lambda: storage.check_journal(
            session.folders.state, session.inspection
        ),
        "doubt": lambda: storage.check_unconfirmed(session.inspection, session.service),
        "terminal": lambda: terminal.check_terminal(session.out.stdout, env),
    }
