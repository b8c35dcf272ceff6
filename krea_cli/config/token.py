"""
Find the API token, and check its format.

The keyring library is imported only if no variable has a token. No message in this
module contains any part of a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from krea_cli.errors import Action, Hint, KeyringError, NoTokenError, Step

if TYPE_CHECKING:
    from krea_cli.config.keyring_store import KeyringStore

VARIABLES = ("KREA_API_KEY", "KREA_API_TOKEN")
KEYRING = "keyring"
TOKEN_COMMAND = "token_command"  # noqa: S105  (the name of a setting)
_MIN_TOKEN_CHARS, _MAX_TOKEN_CHARS = 8, 4096


class Readable(Protocol):
    """
    A stream from which a token can be read.
    """

    def read(self, max_chars: int, /) -> str: ...


class NoKeyringError(KeyringError):
    """
    No keyring is available that could contain a token.
    """


class Token:
    """
    An API token and its source. It prints as `***`; use `reveal` to get the text.
    """

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self.source = source

    def reveal(self) -> str:
        """
        Return the token. Use this only for the Authorization header and the keyring.
        """
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


class TokenSources(NamedTuple):
    """
    All sources that have a token, the active one first, and the active token.

    `keyring` is None if its library cannot be imported. `problem` describes trouble
    with the keyring, `error` is the reason why no token can be used.
    """

    sources: tuple[str, ...]
    token: Token | None
    keyring: KeyringStore | None
    problem: NoTokenError | None
    error: NoTokenError | None


def read_token(text: str, source: str) -> Token:
    """
    Return the token in `text`, without trailing line breaks.

    Raises:
        NoTokenError: the text cannot be a token. The message names the source and the
            problem.
    """
    text = text.rstrip("\r\n")
    if fault := _problem(text):
        hint: Hint | Sequence[Hint] = _GET_ONE
        if source.startswith("KREA_"):
            hint = (f"Set {source} to the complete token.", _MADE)
        elif source == TOKEN_COMMAND:
            hint = (
                "The program must print only the token.",
                Step(Action.CHECK_TOKEN_COMMAND),
            )
        raise NoTokenError(f"Invalid API token from {source}: it {fault}.", hint=hint)
    return Token(text, source)


def read_stream(stream: Readable, source: str = "standard input") -> Token:
    """
    Read a token from a stream.

    Raises:
        NoTokenError: as in `read_token`.
    """
    try:
        text = stream.read(_MAX_TOKEN_CHARS + 3)
    except UnicodeDecodeError:
        # The original error contains the bytes. This character only means "not ASCII".
        text = "\N{REPLACEMENT CHARACTER}"
    return read_token(text.removeprefix("\ufeff"), source)


def find_in_env(env: Mapping[str, str]) -> Token | None:
    """
    Return the token from the first variable that is not empty, or None.

    Raises:
        NoTokenError: as in `read_token`.
    """
    for name in set_variables(env):
        return read_token(env[name], name)
    return None


def find_token(
    env: Mapping[str, str],
    origin: str,
    open_keyring: Callable[[], KeyringStore],
    run_command: Callable[[], Token] | None = None,
) -> Token:
    """
    Return the token for `origin`.

    Variables come first, then `run_command` (None without a token_command), then the
    keyring that `open_keyring` opens. Later sources are not touched if an earlier one
    has a token. With a token_command, the keyring is never used.

    Raises:
        NoTokenError: there is no token, or its value cannot be a token.
        KeyringError: no variable has a token, and the keyring may have one but cannot
            be read.
    """
    if token := find_in_env(env):
        return token
    if run_command:
        return run_command()
    try:
        token = open_keyring().find()
    except KeyringError as exc:
        raise _unavailable_source_error(exc, env) from None
    if token is None:
        raise _missing_token_error(origin, env)
    return token


def find_all_tokens(
    env: Mapping[str, str],
    origin: str,
    open_keyring: Callable[[], KeyringStore],
    run_command: Callable[[], Token] | None = None,
) -> TokenSources:
    """
    Return the token of `find_token`, and all overridden sources.

    The keyring is always read once. The command runs only if its token is the active
    one.
    """
    sources = overriding_sources(env, has_command=run_command is not None)
    keyring = token = problem = error = None
    try:
        keyring = open_keyring()
        if token := keyring.find():
            sources.append(KEYRING)
    except NoTokenError as exc:
        problem = exc
    try:
        token = find_in_env(env) or (run_command() if run_command else token)
        if not token:
            raise (
                _unavailable_source_error(problem, env)
                if problem
                else _missing_token_error(origin, env)
            )
    except NoTokenError as exc:
        error = exc
    return TokenSources(
        sources=tuple(sources),
        token=None if error else token,
        keyring=keyring,
        problem=problem,
        error=error,
    )


def set_variables(env: Mapping[str, str]) -> list[str]:
    """
    Return the variables that contain a token, the active one first. Empty ones are
    unset.
    """
    return [name for name in VARIABLES if env.get(name)]


def overriding_sources(env: Mapping[str, str], *, has_command: bool) -> list[str]:
    """
    Return the sources that override the keyring, the active one first.
    """
    return set_variables(env) + [TOKEN_COMMAND] * has_command


def possible_secrets(env: Mapping[str, str]) -> list[str]:
    """
    Return everything in the variables that may be a token, even if surrounded by text.
    """
    words = " ".join(env[name] for name in set_variables(env)).split()
    for word in list(words):
        value = word.rpartition("=")[2] if _is_assignment(word) else word
        words += {word.strip(_QUOTES), value, value.strip(_QUOTES)} - {word}
    return [word for word in words if len(word) >= _MIN_TOKEN_CHARS]


PROGRAM_HINT = Step(Action.SET_TOKEN_COMMAND)
_MADE = "Create a token: https://www.krea.ai/app/api/tokens"
_GET_ONE = (
    Step(Action.LOG_IN),
    f"Or set KREA_API_KEY. {_MADE}",
    "Or try krea without a token: add --sandbox",
)


def _missing_token_error(origin: str, env: Mapping[str, str]) -> NoTokenError:
    return NoTokenError(
        f"No API token found: {_unset(env)}, and the keyring has none for {origin}.",
        hint=_GET_ONE,
    )


def _unavailable_source_error(
    trouble: NoTokenError, env: Mapping[str, str]
) -> NoTokenError:
    """
    Build the error for a missing token when the last source cannot be read.
    """
    # Without a keyring there was no other place to look.
    kind = NoTokenError if isinstance(trouble, NoKeyringError) else type(trouble)
    return kind(
        f"No API token found. {_unset(env)}. {trouble.message}",
        hint=(*trouble.advice, _MADE, _GET_ONE[-1]),
    )


def _unset(env: Mapping[str, str]) -> str:
    """
    Report that no variable has a token. An empty one may be a missing CI secret.
    """
    empty = [name for name in VARIABLES if env.get(name) == ""]
    if not empty:
        return "KREA_API_KEY is not set"
    verb = "is" if len(empty) == 1 else "are"
    return f"{' and '.join(empty)} {verb} set but empty"


_QUOTES = "\"'"


def _is_assignment(text: str) -> bool:
    return text.startswith(tuple(f"{name}=" for name in VARIABLES))


def _problem(text: str) -> str | None:
    faults = {
        "is empty": not text,
        f"begins with {text.partition('=')[0]}=, which is not part of the token": (
            _is_assignment(text)
        ),
        "is in quotation marks, which are not part of the token": (
            text[:1] in _QUOTES or text[-1:] in _QUOTES
        ),
        "contains spaces or line breaks": any(char.isspace() for char in text),
        "contains a non-ASCII character": not text.isascii(),
        "contains a control character": not text.isprintable(),
        f"is too short (at least {_MIN_TOKEN_CHARS} characters)": len(text)
        < _MIN_TOKEN_CHARS,
        f"is too long (at most {_MAX_TOKEN_CHARS} characters)": len(text)
        > _MAX_TOKEN_CHARS,
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)
