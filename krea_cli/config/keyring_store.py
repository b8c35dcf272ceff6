"""
Store the token in the operating system's keyring.

This is the only module that imports keyring. Each API origin has its own item. Tokens
are never stored in plain text, and no call can hang. Error messages do not quote a
backend that may hold a token.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TypeVar

from krea_cli import errors
from krea_cli.config.token import (
    KEYRING,
    PROGRAM_HINT,
    NoKeyringError,
    Token,
    read_token,
)
from krea_cli.runtime.clock import run_with_timeout

try:
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.backends.chainer import ChainerBackend
    from keyring.errors import InitError, KeyringLocked, PasswordDeleteError
    from keyring.util.platform_ import config_root
except Exception as exc:
    raise errors.KeyringError(
        f"Cannot load the keyring library: {type(exc).__name__}.",
        hint=(
            "Set KREA_API_KEY, or reinstall krea-cli.",
            PROGRAM_HINT,
        ),
    ) from exc

SERVICE = "krea-cli"
# After an update of Python, the macOS Keychain asks the user before it answers.
LIMIT = 60.0 if sys.platform == "darwin" else 3.0
_SET = "Set KREA_API_KEY to the token."
_SET_KEY_HINT = (_SET, PROGRAM_HINT)
_MAX_DELETIONS = 5
_WINDOWS_TOO_LONG = 1783

# Do not log tracebacks of plugins that fail to load: they do not concern users.
logging.getLogger("keyring").addHandler(logging.NullHandler())

T = TypeVar("T")


class KeyringStore:
    """
    Stores the token of one origin.

    `backend` (a class name) and `config_file` (if any) are known after the first call.
    Each method waits at most `limit` seconds. It raises KeyringError if the keyring
    does not answer, fails, or does not store tokens safely.
    """

    def __init__(
        self,
        origin: str,
        *,
        load: Callable[[], KeyringBackend] | None = None,
        limit: float = LIMIT,
    ) -> None:
        self.backend: str | None = None
        self.config_file: str | None = None
        self._origin = origin
        self._load = load or _load
        self._limit = limit

    def check(self) -> None:
        """
        Check that a token can be stored, before asking the user for one.
        """
        self._call(lambda _: None)

    def find(self) -> Token | None:
        """
        Return the stored token, or None. Reads the keyring once.

        Raises:
            NoTokenError: the stored value cannot be a token.
        """
        text = self._call(self._read)
        return read_token(text, f"the {KEYRING}") if text else None

    def _read(self, backend: KeyringBackend) -> str | None:
        text: object = backend.get_password(SERVICE, self._origin)
        if text is None or isinstance(text, str):
            return text
        raise TypeError

    def store(self, token: Token) -> None:
        """
        Store the token, replacing an older one, and read it back to verify it.
        """

        def store(backend: KeyringBackend) -> str | None:
            backend.set_password(SERVICE, self._origin, token.reveal())
            return backend.get_password(SERVICE, self._origin)

        if self._call(store) != token.reveal():
            raise errors.KeyringError(
                f"The keyring ({self.backend}) did not store the token.",
                hint=_SET_KEY_HINT,
            )

    def remove(self) -> bool:
        """
        Remove the token from every backend. Return False if there was none.
        """

        def remove(backend: KeyringBackend) -> bool:
            removed = [self._remove_from(part) for part in _parts(backend)]
            return any(removed)

        return self._call(remove)

    def _remove_from(self, backend: KeyringBackend) -> bool:
        is_removed = False
        for _ in range(_MAX_DELETIONS):
            try:
                backend.delete_password(SERVICE, self._origin)
                is_removed = True
            except (PasswordDeleteError, NotImplementedError):
                pass  # usually because there is none
            if backend.get_password(SERVICE, self._origin) is None:
                return is_removed
        raise errors.KeyringError(
            f"Cannot remove the token from the keyring ({_name(backend)}).",
            hint=f"Delete the item {SERVICE!r} in your system's keyring app.",
        )

    def _call(self, work: Callable[[KeyringBackend], T]) -> T:
        def attempt() -> T:
            try:
                return work(self._open())
            except errors.KreaError:
                raise
            # Plugins may raise anything, even SystemExit.
            except BaseException as exc:  # noqa: BLE001
                raise self._explain(exc) from None

        try:
            return run_with_timeout(self._limit, attempt)
        except errors.KreaError:
            raise
        except Exception as exc:  # noqa: BLE001  (too late, or no thread to be had)
            raise self._explain(exc) from None

    def _open(self) -> KeyringBackend:
        try:
            backend = self._load()
            config_file = config_root() / "keyringrc.cfg"
        except Exception as exc:
            raise errors.KeyringError(
                f"Cannot open the keyring: its backend failed ({_reason(exc)}).",
                hint=_SET_KEY_HINT,
            ) from exc
        self.backend = _name(backend)
        self.config_file = str(config_file) if config_file.exists() else None
        if not _is_safe(backend):
            raise NoKeyringError(
                f"This system has no secure keyring ({self.backend}).",
                hint=_SET_KEY_HINT,
            )
        return backend

    def _explain(self, failure: BaseException) -> errors.KeyringError:
        if isinstance(failure, TimeoutError):
            return errors.KeyringError(
                f"The keyring did not respond within {self._limit:g} s.",
                hint=(
                    "Unlock it if it asks you to, then try again.",
                    _SET,
                    PROGRAM_HINT,
                ),
            )
        # -25308 is the macOS error over SSH, where nobody can be asked to unlock the
        # keychain.
        is_locked = isinstance(failure, KeyringLocked | InitError)
        if is_locked or "-25308" in str(failure):
            return errors.KeyringError(
                f"The keyring ({self.backend}) is locked or not set up.",
                hint=("Unlock it, then try again.", _SET, PROGRAM_HINT),
            )
        if getattr(failure, "winerror", None) == _WINDOWS_TOO_LONG:
            return errors.KeyringError(
                "The token is too long for Windows Credential Manager (at most 1280 "
                "characters).",
                hint=_SET_KEY_HINT,
            )
        return errors.KeyringError(
            f"The keyring ({self.backend}) failed: {type(failure).__name__}.",
            hint=_SET_KEY_HINT,
        )


def _load() -> KeyringBackend:
    keyring.core.init_backend(limit=_is_safe)
    return keyring.get_keyring()


def _is_safe(backend: KeyringBackend) -> bool:
    """
    Return whether the backend stores tokens, and does so encrypted.
    """
    if type(backend).__module__.startswith("keyrings.alt"):
        return False
    if backend.priority < 1:
        return False
    return all(_is_safe(part) for part in _parts(backend) if part is not backend)


def _parts(backend: KeyringBackend) -> list[KeyringBackend]:
    return backend.backends if isinstance(backend, ChainerBackend) else [backend]


def _reason(exc: Exception) -> str:
    return " ".join(f"{type(exc).__name__}: {exc}".split())


def _name(backend: KeyringBackend) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"
