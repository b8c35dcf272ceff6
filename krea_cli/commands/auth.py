"""
`krea auth`: the API token in the keyring.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from krea_cli.cli.context import CliContext
from krea_cli.config.token import (
    KEYRING,
    Token,
    overriding_sources,
    read_stream,
    read_token,
)
from krea_cli.errors import Action, KreaError, Step, UsageError
from krea_cli.output.results.settings import TokenStatus

if TYPE_CHECKING:
    from krea_cli.config.keyring_store import KeyringStore


def login(
    ctx: CliContext,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Store the token without checking it.")
    ] = False,
) -> None:
    """
    Store an API token in the keyring.

    Asks for the token without showing it, or reads it from standard input. Checks it
    with one free request before storing it.

    \b
    Examples:
      krea auth login
      krea auth login < token.txt
    """
    _refuse_sandbox(ctx)
    ctx.connection.keyring.check()
    token = _take_token(ctx)
    if not no_verify:
        ctx.connection.api_with(token).jobs(limit=1)

    ctx.connection.keyring.store(token)

    others = _overriding(ctx)
    _report(ctx, [*others, KEYRING], ctx.connection.keyring)
    ctx.console.note(f"Token stored for {ctx.service.origin} in the {KEYRING}.")
    for name in others:
        ctx.console.warn(f"{name} is set and overrides the stored token.")


def logout(ctx: CliContext) -> None:
    """
    Remove the API token from the keyring.

    \b
    Example:
      krea auth logout
    """
    _refuse_sandbox(ctx)

    is_removed = ctx.connection.keyring.remove()

    others = _overriding(ctx)
    _report(ctx, others, ctx.connection.keyring)
    origin = ctx.service.origin
    if is_removed:
        ctx.console.note(f"Token for {origin} removed from the {KEYRING}.")
    else:
        ctx.console.note(f"No token was stored for {origin}.")
    for name in others:
        ctx.console.warn(f"{name} is still set, so commands keep using that token.")


def status(ctx: CliContext) -> None:
    """
    Show where the API token comes from, never the token itself.

    \b
    Example:
      krea auth status
    """
    if ctx.settings.sandbox:
        _report(ctx, ["sandbox"])
        ctx.console.note("The sandbox does not need a token.")
        return

    state = ctx.connection.token_sources

    _report(ctx, state.sources, state.keyring, problem=state.problem)
    if state.error:
        raise state.error


def _overriding(ctx: CliContext) -> list[str]:
    has_command = ctx.settings.token_command is not None
    return overriding_sources(ctx.env, has_command=has_command)


def _refuse_sandbox(ctx: CliContext) -> None:
    if ctx.settings.sandbox:
        raise UsageError(
            "The sandbox does not need a token.",
            hint="To use Krea, remove --sandbox, KREA_SANDBOX and the sandbox setting.",
        )


def _take_token(ctx: CliContext) -> Token:
    if ctx.prompter.is_interactive:
        return read_token(ctx.prompter.ask_secret("Krea API token: "), "the prompt")
    if ctx.prompter.stdin.isatty():  # typing there would show it
        raise UsageError(
            "Cannot ask for the token here.",
            hint=Step(Action.PIPE_TOKEN),
        )
    return read_stream(ctx.prompter.stdin)


def _report(
    ctx: CliContext,
    sources: Sequence[str],
    keyring: KeyringStore | None = None,
    *,
    problem: KreaError | None = None,
) -> None:
    ctx.console.result(
        [
            TokenStatus(
                source=sources[0] if sources else None,
                shadows=tuple(sources[1:]),
                origin=ctx.service.origin,
                backend=keyring.backend if keyring else None,
                keyring_config=keyring.config_file if keyring else None,
                problem=problem.message if problem else None,
            )
        ]
    )


COMMANDS = {"login": login, "logout": logout, "status": status}
