"""
Choose the certificates to trust.  The only module that imports truststore.

They are those of the operating system, including any that a company added there.  If
SSL_CERT_FILE or SSL_CERT_DIR is set, only their certificates are trusted.  Verification
cannot be turned off.
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

CERT_FILE, CERT_DIR = "SSL_CERT_FILE", "SSL_CERT_DIR"
# `openssl rehash` creates such names. In a folder, OpenSSL ignores all other files.
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+", re.IGNORECASE)


def create_context() -> ssl.SSLContext:
    """
    Return a TLS context that checks authority, host name and dates.

    Raises:
        ConfigError: SSL_CERT_FILE or SSL_CERT_DIR cannot be used.
    """
    variables = _variables()
    if not variables:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # From Python 3.13 on, `create_default_context` is so strict that it rejects many
    # companies' certificate authorities.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if CERT_FILE in variables:
        _load(tls, variables[CERT_FILE])
    if CERT_DIR in variables:
        _check_folder(variables[CERT_DIR])
        tls.load_verify_locations(capath=variables[CERT_DIR])
    return tls


def describe_trusted() -> str:
    """
    Describe the source of the trusted certificates.

    Raises:
        ConfigError: as `create_context`.
    """
    create_context()
    variables = [f"{name}={value}" for name, value in _variables().items()]
    return " and ".join(variables) or "the operating system"


def no_certificates_error() -> ConnectionFailedError | None:
    """
    Return the error that explains why every TLS request fails if no certificate is
    trusted, as in a container image without the package ca-certificates; else None.

    Raises:
        ConfigError: as `create_context`.
    """
    loaded, variables = create_context(), _variables()
    if not variables and sys.platform in ("win32", "darwin"):
        return None  # the system verifies certificates, and cannot list them
    if not variables:
        # truststore loads the certificates when a connection is wrapped.
        ends = ssl.MemoryBIO(), ssl.MemoryBIO()
        loaded = loaded.wrap_bio(*ends, server_hostname="localhost").context
    folder = (
        variables.get(CERT_DIR) if variables else ssl.get_default_verify_paths().capath
    )
    folders = (folder or "").split(os.pathsep)
    if loaded.cert_store_stats()["x509"] or any(map(_has_certificates, folders)):
        return None
    if variables:
        return ConnectionFailedError(
            f"Cannot use {CERT_DIR}={folder}: its certificates do not have the names "
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


def _variables() -> dict[str, str]:
    """
    Return the variables that are set and not empty.
    """
    found = {name: os.environ.get(name) for name in (CERT_FILE, CERT_DIR)}
    return {name: expand_home(value) for name, value in found.items() if value}


def _load(tls: ssl.SSLContext, file: str) -> None:
    try:
        # Opening a pipe could block.
        if not stat.S_ISREG(Path(file).stat().st_mode):
            raise _unusable(CERT_FILE, file, "not a regular file")
        tls.load_verify_locations(cafile=file)
    except ssl.SSLError as exc:
        raise _unusable(CERT_FILE, file, "no valid certificates in it") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise _unusable(CERT_FILE, file, f"{reason}") from exc


def _check_folder(folder: str) -> None:
    """
    Raise ConfigError if no folder exists. OpenSSL ignores it, and would then trust no
    certificate.
    """
    if not any(_is_accessible(part) for part in folder.split(os.pathsep)):
        raise _unusable(CERT_DIR, folder, "not an accessible folder")


def _has_certificates(folder: str) -> bool:
    try:
        names = [path.name for path in Path(folder).iterdir()] if folder else []
        return any(map(_HASHED_NAME.fullmatch, names))
    except OSError:
        return False


def _is_accessible(folder: str) -> bool:
    try:
        return Path(folder).is_dir() and os.access(folder, os.X_OK)
    except OSError:  # the name is too long, or its parent is not accessible
        return False


def _unusable(variable: str, value: str, problem: str) -> ConfigError:
    return ConfigError(
        f"Cannot use {variable}={value}: {problem}.",
        hint=f"Set {variable} to PEM certificates, or unset it to use the system's "
        "certificates.",
    )
