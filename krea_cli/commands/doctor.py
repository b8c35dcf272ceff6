"""
`krea doctor`: find what is wrong here, and say how to mend it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from krea_cli.cli.context import CliContext
from krea_cli.config.token import TokenSources
from krea_cli.doctor import credentials, network, program, settings, storage, terminal
from krea_cli.doctor.run import Check, run_checks
from krea_cli.errors import KreaError
from krea_cli.output.results.checks import CheckResult


def doctor(ctx: CliContext) -> None:
    """
    Check your setup and suggest fixes.

    Changes nothing and sends one free request. Exits with the code of the first
    problem.

    \b
    Example:
      krea doctor
    """
    first: KreaError | None = None
    states = Counter[str]()
    for finding in run_checks(_checks(ctx)):
        lines = ctx.next_steps.lines(finding.advice)
        ctx.console.result([replace(finding, advice=lines)])
        first = first or finding.error
        states[finding.state] += 1
    ctx.console.note(_summary(problems=states["fault"], warnings=states["warning"]))
    if first:
        raise first


def _summary(*, problems: int, warnings: int) -> str:
    if not problems and not warnings:
        return "Everything works."
    counts = [(problems, "problem"), (warnings, "warning")]
    found = [f"{n} {noun}{'s' * (n > 1)}" for n, noun in counts if n]
    return f"Found {' and '.join(found)}."


def _checks(ctx: CliContext) -> dict[str, Check]:
    """
    Return all checks by their names, those first that others depend on.

    What a check needs is taken out of the context when the check runs: broken settings
    are a result as any other.
    """
    env = ctx.env

    def token_sources() -> TokenSources | None:
        return None if ctx.service.is_sandbox else ctx.connection.token_sources

    def check_certificates() -> Iterator[CheckResult]:

        from krea_cli.api import tls

        return settings.check_certificates(
            tls.describe_trusted(), tls.no_certificates_error(), env
        )

    def check_service() -> Iterator[CheckResult]:
        sources = token_sources()
        token = sources.token if sources else None
        return network.check_service(
            partial(ctx.connection.check_health, token, seconds=network.SECONDS),
            service_name=ctx.settings.api_url if sources else "the sandbox",
            has_token=token is not None,
            now=ctx.clock.now,
        )

    return {
        "krea": program.check_version,
        "path": lambda: program.check_path(env.get("PATH", "")),
        "codecs": program.check_codecs,
        "settings": lambda: settings.check_settings(ctx.resolved_settings, ctx.folders),
        "proxy": lambda: settings.check_proxy(env, lambda: ctx.service.is_local),
        "certificates": check_certificates,
        "token": lambda: credentials.check_token(token_sources()),
        "keyring": lambda: credentials.check_keyring(token_sources()),
        "service": check_service,
        "models": lambda: storage.check_models(
            ctx.catalog,
            now=ctx.clock.wall(),
            may_be_refreshed=not ctx.service.is_sandbox,
        ),
        "journal": lambda: storage.check_journal(
            ctx.folders.state, ctx.readonly_journal
        ),
        "doubt": lambda: storage.check_unconfirmed(
            ctx.readonly_journal, ctx.service.name
        ),
        "terminal": lambda: terminal.check_terminal(ctx.console.stdout, env),
    }
