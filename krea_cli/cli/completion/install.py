"""
Install completion for the user's shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from krea_cli.cli.completion import scripts
from krea_cli.errors import StorageError
from krea_cli.runtime.os_reasons import reason_of


def install(env: Mapping[str, str]) -> list[Path]:
    """
    Write the script for the login shell and, if the shell needs it, add a line to its
    start-up file. Return the changed files. Repeating this changes nothing.

    Raises:
        UsageError: the shell is not supported, or needs a manual step.
        StorageError: a file cannot be written.
    """
    shell = Path(env.get("SHELL", "")).name.removesuffix(".exe")
    home = Path(env.get("HOME") or Path.home())
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    data = Path(env.get("XDG_DATA_HOME") or home / ".local/share") / "krea-cli"
    try:
        if shell == "fish":
            return [_write(shell, config / "fish/completions")]
        if shell == "bash":
            return _sourced(shell, data, home / ".bashrc")
        if shell == "zsh":
            return _sourced(shell, data, Path(env.get("ZDOTDIR") or home) / ".zshrc")
    except OSError as exc:
        raise StorageError(
            f"Cannot write {exc.filename}: {reason_of(exc)}.",
            hint=f"Print the script instead: krea --show-completion {shell}",
        ) from exc
    raise scripts.unsupported(shell)


def profile_without(env: Mapping[str, str]) -> Path | None:
    """
    Return the profile that a login bash reads, if it does not load ~/.bashrc; else
    None.
    """
    if Path(env.get("SHELL", "")).name != "bash":
        return None
    home = Path(env.get("HOME") or Path.home())
    for name in (".bash_profile", ".bash_login", ".profile"):
        with suppress(OSError):
            text = (home / name).read_text("utf-8", "replace")
            return None if "bashrc" in text else home / name
    return home / ".bash_profile"


def _write(shell: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / scripts.NAMES[shell]
    script.write_text(scripts.text(shell), "utf-8")
    return script


def _sourced(shell: str, folder: Path, startup: Path) -> list[Path]:
    script = _write(shell, folder)
    at = shlex.quote(str(script))
    # If the file is missing, the shell starts without an error.
    line = f"[ ! -r {at} ] || . {at}"
    before = startup.read_text("utf-8", "surrogateescape") if startup.exists() else ""
    if line not in before.splitlines():
        gap = "" if before.endswith("\n") or not before else "\n"
        with startup.open("a", encoding="utf-8") as file:
            file.write(f"{gap}{line}\n")
    return [script, startup]
