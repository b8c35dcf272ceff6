"""
What the user set: the settings, the proxies, and whose certificates are trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from krea_cli.api.proxies import SOCKS
from krea_cli.cli.context import CliContext
from krea_cli.config.settings import KEYS
from krea_cli.output.results.checks import CheckResult, fault, ok, warning
from krea_cli.output.results.settings import Setting
from krea_cli.runtime.installation import has_package, installation

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
# Of other programs, but a sign that the system's own store is not enough here.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def settings(session: CliContext) -> Iterator[CheckResult]:
    """
    Each with its source, as `krea config list`.
    """
    values, sources = session.resolved
    if session.folders.has_config:
        file = session.folders.config_file
        absent = "" if file.exists() else " (none yet)"
        yield ok("settings", f"file: {file}{absent}")
    else:
        yield ok("settings", "no file: there is no home folder")
    for key in KEYS:
        setting = Setting(key, getattr(values, key), sources[key])
        text = setting.text or "not set"
        if key == "token_command" and setting.text:  # an argument may be a secret
            text = f"{setting.text.split()[0]} ..."
        yield ok("settings", f"{key}: {text} ({setting.source})")


def proxy(session: CliContext) -> Iterator[CheckResult]:
    """
    The variables that lead requests another way, without what they hold of names and
    passwords.
    """
    found = _proxies(session.env)
    if not found:
        yield ok("proxy", "no variable names one")
    for name, value in found.items():
        unused = _unused(name, found)
        note = " (not for a service on this machine)" if session.is_local else unused
        if name.upper() == "NO_PROXY":
            yield ok("proxy", f"{name}={value}")
        elif unused or _scheme(value) in ("http", "https"):
            yield ok("proxy", f"{name}={_without_user(value)}{note}")
        elif _scheme(value) in SOCKS:
            yield _socks(name, value)
        else:
            yield warning(
                "proxy",
                f"{name}={_without_user(value)} is no proxy that krea can use",
                f"Let {name} begin with http://, https:// or socks5://, or unset it.",
            )


def certificates(session: CliContext) -> Iterator[CheckResult]:
    """
    Who is trusted to say that a service is itself.
    """
    trusted = session.trusted
    if problem := session.missing_certificates:
        yield fault("certificates", problem)
        return
    yield ok("certificates", f"trusted are those of {trusted}")
    set_ = [name for name in _BUNDLES if session.env.get(name)]
    if set_ and "SSL_CERT" not in trusted:
        name = set_[0]
        yield warning(
            "certificates",
            f"{name} is set, which krea does not read",
            f'If the service is not trusted: export SSL_CERT_FILE="${name}"',
        )


def _proxies(env: Mapping[str, str]) -> dict[str, str]:
    """
    The variables that count: in lower case before upper case, and no empty one.
    """
    found = {}
    for name in PROXIES:
        used = name.lower() if env.get(name.lower()) else name
        if env.get(used):
            found[used] = env[used]
    return found


def _unused(name: str, found: Mapping[str, str]) -> str:
    """
    Why no request goes through a proxy; empty if one may.
    """
    if name.upper() == "HTTP_PROXY":
        return " (not used: requests are https)"
    first = next(iter(found))
    if name.upper() == "ALL_PROXY" and first.upper() == "HTTPS_PROXY":
        return f" (not used: {first} comes first)"
    return ""


def _scheme(value: str) -> str:
    scheme, mark, _ = value.partition("://")
    return scheme.lower() if mark else "http"


def _socks(name: str, value: str) -> CheckResult:
    shown = f"{name}={_without_user(value)}"
    if has_package("socksio"):
        return ok("proxy", shown)
    return warning(
        "proxy",
        f"{shown} needs the package socksio",
        f"Unset {name}, or install it: {installation().add_package('socksio')}",
    )


def _without_user(value: str) -> str:
    """
    Scheme, host and port; *** stands for a user and a password.
    """
    scheme, _, rest = value.partition("://")
    # A password may hold anything, also the marks that divide a URL.
    has_scheme = scheme.isalnum() and rest
    _, at, host = (rest if has_scheme else value).rpartition("@")
    host = re.split(r"[/?#]", host)[0]
    return f"{f'{scheme}://' if has_scheme else ''}{'***@' if at else ''}{host}"
