"""
Whose certificates are trusted.  The only module that imports truststore.

It is what the operating system trusts, and so what a company added there, too; where
SSL_CERT_FILE or SSL_CERT_DIR is set it is what these name, and nothing else.  There is
no way to trust everybody (hazard N10).
"""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

import truststore

from krea_cli.errors import ConfigError
from krea_cli.user_paths import expand_home

FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"


def context() -> ssl.SSLContext:
    """
    What a connection is checked with: authority, host name and dates.

    Raises:
        ConfigError: a variable names what cannot be used.
    """
    named = _named()
    if not named:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Not that of `create_default_context`: from Python 3.13 on it refuses authorities
    # as companies have made them for years.
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if FILE in named:
        _load(own, named[FILE])
    if FOLDER in named:
        _check_folder(named[FOLDER])
        own.load_verify_locations(capath=named[FOLDER])
    return own


def trusted() -> str:
    """
    Where those who are trusted are listed, in words.

    Raises:
        ConfigError: as `context`.
    """
    context()
    named = [f"{name}={value}" for name, value in _named().items()]
    return " and ".join(named) or "the operating system"


def _named() -> dict[str, str]:
    """
    The variables that are set; an empty one is not.
    """
    found = {name: os.environ.get(name) for name in (FILE, FOLDER)}
    return {name: expand_home(value) for name, value in found.items() if value}


def _load(own: ssl.SSLContext, file: str) -> None:
    try:
        if not stat.S_ISREG(Path(file).stat().st_mode):  # a pipe is waited for
            raise _unusable(FILE, file, "is no regular file")
        own.load_verify_locations(cafile=file)
    except ssl.SSLError as exc:
        raise _unusable(FILE, file, "has no certificates that can be read") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise _unusable(FILE, file, f"cannot be read: {reason}") from exc


def _check_folder(folder: str) -> None:
    """
    OpenSSL says nothing of a folder that is not there, and then trusts nobody.
    """
    if not any(_may_enter(part) for part in folder.split(os.pathsep)):
        raise _unusable(FOLDER, folder, "is no folder that can be entered")


def _may_enter(folder: str) -> bool:
    try:
        return Path(folder).is_dir() and os.access(folder, os.X_OK)
    except OSError:  # of a name that is too long, or in a closed folder
        return False


def _unusable(variable: str, value: str, fault: str) -> ConfigError:
    return ConfigError(
        f"{variable} names {value}, which {fault}.",
        hint=f"Let {variable} name certificates in PEM form, or unset it to trust "
        "whom the operating system trusts.",
    )
