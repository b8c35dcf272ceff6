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
    session: CliContext,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Store it without asking the service.")
    ] = False,
) -> None:
    """
    Store an API token in the keyring.

    Asks for it without echo, or reads it from standard input when that is no terminal.
    The token is tried with one free request before it is stored.

    \b
    Examples:
      krea auth login
      krea auth login < token.txt
    """
    _refuse_sandbox(session)
    session.credentials.check()
    token = _take_token(session)
    if not no_verify:
        session.connect(token).jobs(limit=1)

    session.credentials.store(token)

    others = _overriding(session)
    _tell(session, [*others, KEYRING], session.credentials)
    session.out.note(f"Token stored for {session.origin} in the {KEYRING}.")
    for name in others:
        session.out.warn(f"{name} is set and is used instead of it.")


def logout(session: CliContext) -> None:
    """
    Remove the API token from the keyring.

    \b
    Example:
      krea auth logout
    """
    _refuse_sandbox(session)

    is_removed = session.credentials.remove()

    others = _overriding(session)
    _tell(session, others, session.credentials)
    done = "Token removed" if is_removed else "There was no token"
    session.out.note(f"{done} for {session.origin} in the {KEYRING}.")
    for name in others:
        session.out.warn(f"{name} is still set and is used.")


def status(session: CliContext) -> None:
    """
    Show where the API token comes from, never the token.

    \b
    Example:
      krea auth status
    """
    if session.settings.sandbox:
        _tell(session, ["sandbox"])
        session.out.note("The sandbox needs no token.")
        return

    state = session.token_state

    _tell(session, state.sources, state.keyring, problem=state.problem)
    if state.error:
        raise state.error


def _overriding(session: CliContext) -> list[str]:
    has_command = session.settings.token_command is not None
    return overriding_sources(session.env, has_command=has_command)


def _refuse_sandbox(session: CliContext) -> None:
    if session.settings.sandbox:
        raise UsageError(
            "The sandbox needs no token.",
            hint="For the service, run it without --sandbox and KREA_SANDBOX.",
        )


def _take_token(session: CliContext) -> Token:
    if session.is_interactive:
        return read_token(session.ask_secret("Krea API token: "), "the prompt")
    if session.stdin.isatty():  # typing there would show it
        raise UsageError(
            "The token cannot be asked for here.",
            hint=Step(Action.PIPE_TOKEN),
        )
    return read_stream(session.stdin)


def _tell(
    session: CliContext,
    sources: Sequence[str],
    keyring: KeyringStore | None = None,
    *,
    problem: KreaError | None = None,
) -> None:
    session.out.result(
        [
            TokenStatus(
                source=sources[0] if sources else None,
                shadows=tuple(sources[1:]),
                origin=session.origin,
                backend=keyring.backend if keyring else None,
                keyring_config=keyring.config_file if keyring else None,
                problem=problem.message if problem else None,
            )
        ]
    )


COMMANDS = {"login": login, "logout": logout, "status": status}
