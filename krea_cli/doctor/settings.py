"""
Check the configuration: settings, proxies, and trusted certificates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from krea_cli.api.proxies import SOCKS_SCHEMES
from krea_cli.config.settings import KEYS, ResolvedSettings
from krea_cli.errors import ConnectionFailedError
from krea_cli.output.results.checks import CheckResult, fault, ok, warning
from krea_cli.output.results.settings import Setting
from krea_cli.runtime.installation import has_package, installation

if TYPE_CHECKING:
    from krea_cli.config.paths import Folders

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
# Other programs read these; krea does not.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def check_settings(
    resolved: ResolvedSettings, folders: Folders
) -> Iterator[CheckResult]:
    """
    Report each setting with its source, as `krea config list` does.
    """
    values, sources = resolved
    if folders.has_config:
        file = folders.config_file
        absent = "" if file.exists() else " (not created yet)"
        yield ok("settings", f"file: {file}{absent}")
    else:
        yield ok("settings", "no file: no home folder found")
    for key in KEYS:
        setting = Setting(key, getattr(values, key), sources[key])
        text = setting.text or "not set"
        if key == "token_command" and setting.text:  # an argument may be a secret
            text = f"{setting.text.split()[0]} ..."
        yield ok("settings", f"{key}: {text} ({setting.source})")


def check_proxy(
    env: Mapping[str, str], is_local: Callable[[], bool]
) -> Iterator[CheckResult]:
    """
    Report the variables that name a proxy, without user names and passwords. No proxy
    is used for a service on this machine.
    """
    found = _proxies(env)
    if not found:
        yield ok("proxy", "not set")
    for name, value in found.items():
        unused = _unused(name, found)
        note = " (not used for this computer)" if is_local() else unused
        if name.upper() == "NO_PROXY":
            yield ok("proxy", f"{name}={value}")
        elif unused or _scheme(value) in ("http", "https"):
            yield ok("proxy", f"{name}={_without_user(value)}{note}")
        elif _scheme(value) in SOCKS_SCHEMES:
            yield _socks(name, value)
        else:
            yield warning(
                "proxy",
                f"{name}={_without_user(value)} is not a supported proxy",
                f"Start {name} with http://, https:// or socks5://, or unset it.",
            )


def check_certificates(
    trusted: str, missing: ConnectionFailedError | None, env: Mapping[str, str]
) -> Iterator[CheckResult]:
    """
    Report which certificates are trusted; `missing` says that there are none.
    """
    if missing:
        yield fault("certificates", missing)
        return
    yield ok("certificates", f"from {trusted}")
    set_ = [name for name in _BUNDLES if env.get(name)]
    if set_ and "SSL_CERT" not in trusted:
        name = set_[0]
        yield warning(
            "certificates",
            f"{name} is set but not used",
            f'If certificates are rejected: export SSL_CERT_FILE="${name}"',
        )


def _proxies(env: Mapping[str, str]) -> dict[str, str]:
    """
    Return the proxy variables that are not empty; lower case wins over upper case.
    """
    found = {}
    for name in PROXIES:
        used = name.lower() if env.get(name.lower()) else name
        if env.get(used):
            found[used] = env[used]
    return found


def _unused(name: str, found: Mapping[str, str]) -> str:
    """
    Say why no request uses the proxy; empty if one may.
    """
    if name.upper() == "HTTP_PROXY":
        return " (not used: requests use https)"
    first = next(iter(found))
    if name.upper() == "ALL_PROXY" and first.upper() == "HTTPS_PROXY":
        return f" (not used: {first} overrides it)"
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
    Return scheme, host and port; *** stands for a user and a password.
    """
    scheme, _, rest = value.partition("://")
    # A password may hold anything, also the marks that divide a URL.
    has_scheme = scheme.isalnum() and rest
    _, at, host = (rest if has_scheme else value).rpartition("@")
    host = re.split(r"[/?#]", host)[0]
    return f"{f'{scheme}://' if has_scheme else ''}{'***@' if at else ''}{host}"
