"""
Whose certificates are trusted.  The only module that imports truststore.

It is what the operating system trusts, and so what a company added there, too; where
SSL_CERT_FILE or SSL_CERT_DIR is set it is what these name, and nothing else.  There is
no way to trust everybody.
"""

from __future__ import annotations

import math
import os
import re
import ssl
import stat
import sys
from pathlib import Path

import truststore

from krea_cli.errors import ConfigError, ConnectionFailedError
from krea_cli.runtime import shell_words
from krea_cli.runtime.user_paths import expand_home

FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
# As `openssl rehash` names certificates; OpenSSL looks for no others in a folder.
_IN_FOLDER = re.compile(r"[0-9a-f]{8}\.\d+", re.IGNORECASE)


def context() -> ssl.SSLContext:
    """
    Return the TLS context, which checks authority, host name and dates.

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
    Describe the source of the trusted certificates.

    Raises:
        ConfigError: as `context`.
    """
    context()
    named = [f"{name}={value}" for name, value in _named().items()]
    return " and ".join(named) or "the operating system"


def missing() -> ConnectionFailedError | None:
    """
    The error for any request over TLS when no certificate is trusted at all, as in a
    container image without the package ca-certificates.

    Raises:
        ConfigError: as `context`.
    """
    loaded, named = context(), _named()
    if not named and sys.platform in ("win32", "darwin"):
        return None  # the system itself checks, and tells no list
    if not named:
        # What the system trusts is loaded for a connection. None is made here.
        ends = ssl.MemoryBIO(), ssl.MemoryBIO()
        loaded = loaded.wrap_bio(*ends, server_hostname="localhost").context
    folder = named.get(FOLDER) if named else ssl.get_default_verify_paths().capath
    folders = (folder or "").split(os.pathsep)
    if loaded.cert_store_stats()["x509"] or any(map(_has_certificates, folders)):
        return None
    if named:
        return ConnectionFailedError(
            f"Cannot use {FOLDER}={folder}: its certificates do not have the names "
            "that OpenSSL needs.",
            hint="Create those names: "
            f"{shell_words.join(['openssl', 'rehash', *folders])}",
            retry_after=math.inf,
        )
    return ConnectionFailedError(
        "No CA certificates are installed, so no server can be verified.",
        hint="Install the package ca-certificates, or set SSL_CERT_FILE to a "
        "file of PEM certificates.",
        retry_after=math.inf,
    )


def _named() -> dict[str, str]:
    """
    The variables that are set; an empty one is not.
    """
    found = {name: os.environ.get(name) for name in (FILE, FOLDER)}
    return {name: expand_home(value) for name, value in found.items() if value}


def _load(own: ssl.SSLContext, file: str) -> None:
    try:
        if not stat.S_ISREG(Path(file).stat().st_mode):  # a pipe is waited for
            raise _unusable(FILE, file, "not a regular file")
        own.load_verify_locations(cafile=file)
    except ssl.SSLError as exc:
        raise _unusable(FILE, file, "no valid certificates in it") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise _unusable(FILE, file, f"{reason}") from exc


def _check_folder(folder: str) -> None:
    """
    OpenSSL says nothing of a folder that is not there, and then trusts nobody.
    """
    if not any(_may_enter(part) for part in folder.split(os.pathsep)):
        raise _unusable(FOLDER, folder, "not an accessible folder")


def _has_certificates(folder: str) -> bool:
    try:
        names = [path.name for path in Path(folder).iterdir()] if folder else []
        return any(map(_IN_FOLDER.fullmatch, names))
    except OSError:
        return False


def _may_enter(folder: str) -> bool:
    try:
        return Path(folder).is_dir() and os.access(folder, os.X_OK)
    except OSError:  # of a name that is too long, or in a closed folder
        return False


def _unusable(variable: str, value: str, fault: str) -> ConfigError:
    return ConfigError(
        f"Cannot use {variable}={value}: {fault}.",
        hint=f"Set {variable} to PEM certificates, or unset it to use the system's "
        "certificates.",
    )
