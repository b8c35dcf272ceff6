"""
The API token: where it comes from and what it may look like.

Knows nothing of the keyring's library, which is loaded only when no variable has a
token.  No message of this module holds any part of a token (hazard C11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from krea_cli.errors import KeyringError, NoTokenError

if TYPE_CHECKING:
    from krea_cli.config.credentials import Credentials

VARIABLES = ("KREA_API_KEY", "KREA_API_TOKEN")
KEYRING = "keyring"
_SHORTEST, _LONGEST = 8, 4096


class NoKeyringError(KeyringError):
    """
    There is no keyring that could have a token.
    """


class Token:
    """
    An API token and the place it came from; shown as `***` unless revealed.
    """

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self.source = source

    def reveal(self) -> str:
        """
        The token itself, for the Authorization header and for the keyring alone.
        """
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """
    Every place that has a token, the one in use first, and that *token*; *keyring* is
    None when its library does not load.

    *problem* is trouble with the keyring, *error* the reason why no token can be used.
    """

    sources: tuple[str, ...]
    token: Token | None
    keyring: Credentials | None
    problem: NoTokenError | None
    error: NoTokenError | None


def read_token(text: str, source: str) -> Token:
    """
    The token in *text*, without one line break at its end.

    Raises:
        NoTokenError: it cannot be a token; names the source and the kind of fault.
    """
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if fault := _fault(text):
        is_variable = source.startswith("KREA_")
        hint = f"Put a whole token into {source}. {_MADE}" if is_variable else _GET_ONE
        raise NoTokenError(f"The API token from {source} {fault}.", hint=hint)
    return Token(text, source)


def read_stream(stream: TextIO) -> Token:
    """
    The token that is all there is to read, as `read_token`.
    """
    try:
        text = stream.read(_LONGEST + 3)
    except UnicodeDecodeError:
        # The error holds the bytes; this stands for "not ASCII" and holds nothing.
        text = "\N{REPLACEMENT CHARACTER}"
    return read_token(text.removeprefix("\ufeff"), "standard input")


def find_in_env(env: Mapping[str, str]) -> Token | None:
    """
    The token of the first variable that is not empty.

    Raises:
        NoTokenError: as `read_token`.
    """
    for name in set_variables(env):
        return read_token(env[name], name)
    return None


def find_token(
    env: Mapping[str, str], origin: str, credentials: Callable[[], Credentials]
) -> Token:
    """
    The token to send to *origin*.  *credentials* is called only when no variable has
    one.

    Raises:
        NoTokenError: there is none, or it cannot be a token.
        KeyringError: no variable has one, and there is a keyring that may have one,
            but it cannot be asked.
    """
    if token := find_in_env(env):
        return token
    try:
        token = credentials().find()
    except KeyringError as exc:
        raise _with_empty_variables(_unasked(exc, origin), env) from None
    if token is None:
        raise _with_empty_variables(_none(origin), env)
    return token


def survey(
    env: Mapping[str, str], origin: str, credentials: Callable[[], Credentials]
) -> TokenState:
    """
    What `find_token` finds, and what that hides; reads the keyring in any case, once.
    """
    sources = set_variables(env)
    keyring = token = problem = error = None
    try:
        keyring = credentials()
        if token := keyring.find():
            sources.append(KEYRING)
    except NoTokenError as exc:
        problem = exc
    try:
        token = find_in_env(env) or token
        if not token:
            missing = _unasked(problem, origin) if problem else _none(origin)
            raise _with_empty_variables(missing, env)
    except NoTokenError as exc:
        error = exc
    return TokenState(
        sources=tuple(sources),
        token=None if error else token,
        keyring=keyring,
        problem=problem,
        error=error,
    )


def set_variables(env: Mapping[str, str]) -> list[str]:
    """
    The variables that hold a token, the one in use first; an empty one is unset.
    """
    return [name for name in VARIABLES if env.get(name)]


def words_of_variables(env: Mapping[str, str]) -> list[str]:
    """
    Whatever in the variables may be a token, also where more than that was put there.
    """
    words = " ".join(env[name] for name in set_variables(env)).split()
    return [word for word in words if len(word) >= _SHORTEST]


_MADE = "Tokens are made at https://www.krea.ai/app/api/tokens"
_GET_ONE = f"Run: krea auth login\nOr set KREA_API_KEY. {_MADE}"


def _none(origin: str) -> NoTokenError:
    return NoTokenError(f"There is no API token for {origin}.", hint=_GET_ONE)


def _unasked(trouble: NoTokenError, origin: str) -> NoTokenError:
    """
    That there is no token, where the last place to look for one is in trouble.
    """
    # Where there is no keyring, there is nothing that could have been found.
    kind = NoTokenError if isinstance(trouble, NoKeyringError) else type(trouble)
    return kind(
        f"There is no API token for {origin}: no variable has one. {trouble.message}",
        hint=f"{trouble.hint or ''} {_MADE}".strip(),
    )


def _with_empty_variables(error: NoTokenError, env: Mapping[str, str]) -> NoTokenError:
    empty = " and ".join(name for name in VARIABLES if env.get(name) == "")
    if not empty:
        return error
    return type(error)(f"{error.message} {empty} is set but empty.", hint=error.hint)


def _fault(text: str) -> str | None:
    faults = {
        "is empty": not text,
        "contains white space": any(char.isspace() for char in text),
        "contains a character that is not ASCII": not text.isascii(),
        "contains a control character": not text.isprintable(),
        f"is too short: fewer than {_SHORTEST} characters": len(text) < _SHORTEST,
        f"is too long: more than {_LONGEST} characters": len(text) > _LONGEST,
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)
