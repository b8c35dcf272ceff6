"""
Find out how krea was installed, for hints that change the installation.

uv and pipx install into an environment of their own. Only their own commands should
change it, and they link programs into a folder shared by all of them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from krea_cli.runtime import shell_words

_PACKAGE = "krea-cli"
# Files that each tool leaves in its environments.
_MARKS: dict[str, Literal["uv", "pipx"]] = {
    "uv-receipt.toml": "uv",
    "pipx_metadata.json": "pipx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """
    How krea was installed.

    `tool` is the tool that made the environment, or None. `source` is a requirement for
    pip or uv that installs krea.
    """

    tool: Literal["uv", "pipx"] | None = None
    source: str = _PACKAGE

    def add_package(self, name: str) -> str:
        """
        Return the command that adds a package to krea's environment.

        The package stays installed when krea is upgraded.
        """
        if self.tool == "uv":
            words = ["uv", "tool", "install", "--with", name, self.source]
        elif self.tool == "pipx":
            words = ["pipx", "inject", _PACKAGE, name]
        else:
            words = [sys.executable, "-m", "pip", "install", name]
        return shell_words.join(words)

    @property
    def extend_path(self) -> str | None:
        """
        Return the command that puts the tool's programs folder on PATH, or None.
        """
        return {"uv": "uv tool update-shell", "pipx": "pipx ensurepath", None: None}[
            self.tool
        ]


def installation() -> Installation:
    """
    Return the installation of the running program.
    """
    tools = (tool for mark, tool in _MARKS.items() if Path(sys.prefix, mark).exists())
    return Installation(tool=next(tools, None), source=_source())


def has_package(name: str) -> bool:
    """
    Return whether a package can be imported, without importing it.
    """
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except ValueError:  # its import is blocked
        return False


def _source() -> str:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    url = origin.get("url", _PACKAGE)
    return f"git+{url}" if "vcs_info" in origin else url
