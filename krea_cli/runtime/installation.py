"""
Find out how this program was installed, for hints that change the installation.

Installed by uv or pipx it has an environment of its own, which other commands than
`pip install` change, and whose programs are linked to from a folder for all of them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from krea_cli.runtime import shell_words

_PACKAGE = "krea-cli"
# What each tool leaves in an environment that it made.
_MARKS: dict[str, Literal["uv", "pipx"]] = {
    "uv-receipt.toml": "uv",
    "pipx_metadata.json": "pipx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """
    *tool* made the environment, or none of the known ones did; *source* is what to
    install krea from, as pip and uv take it.
    """

    tool: Literal["uv", "pipx"] | None = None
    source: str = _PACKAGE

    def add_package(self, name: str) -> str:
        """
        The command that adds a package to the environment of krea, and keeps it there
        when krea is upgraded.
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
        The command that puts the folder of the tool's programs on PATH.
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
    Tell whether a package can be imported, without importing it.
    """
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except ValueError:  # it is barred from being imported
        return False


def _source() -> str:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    url = origin.get("url", _PACKAGE)
    return f"git+{url}" if "vcs_info" in origin else url
