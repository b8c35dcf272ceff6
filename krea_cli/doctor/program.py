"""
Which program this is, and whether `krea` means this one.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from krea_cli import __version__
from krea_cli.cli.context import CliContext
from krea_cli.output.results.checks import CheckResult, ok, warning
from krea_cli.runtime.installation import installation

NAME = "krea"


def krea(_: CliContext) -> Iterator[CheckResult]:
    """
    What a bug report begins with.
    """
    python = f"Python {platform.python_version()} ({sys.executable})"
    system = f"{platform.system()} {platform.machine()}"
    yield ok("krea", f"krea {__version__}, {python}, {system}")


def path(session: CliContext) -> Iterator[CheckResult]:
    """
    Another package on npm has a `krea`, too.
    """
    found = _on_path(session.env.get("PATH", ""))
    own = _own_folder()
    others = [each for each in found if each.resolve().parent != own]
    named = " and ".join(map(str, found))
    if len(found) > 1 and others:
        yield warning(
            "path",
            f"there are several programs called {NAME}: {named}; {found[0]} comes "
            "first",
            f"Say krea-cli instead of {NAME}: it is always this one.",
        )
    elif others:
        yield warning(
            "path",
            f"{named} is another program or another installation",
            f"This one is {_shown_folder() / 'krea-cli'}",
        )
    elif not found:
        yield warning(
            "path",
            f"there is no {NAME} on PATH",
            _extend_path(),
        )
    else:
        yield ok("path", named)


def codecs(_: CliContext) -> Iterator[CheckResult]:
    """
    Which kinds of pictures a result can be converted to.
    """
    from krea_cli.media.codecs import PILLOW, encoders

    found = encoders()
    written = [media.extension.upper() for media, can in found.items() if can]
    missing = [media.extension.upper() for media, can in found.items() if not can]
    if not missing:
        yield ok("codecs", f"{PILLOW} writes {', '.join(written)}")
    else:
        yield warning(
            "codecs",
            f"{PILLOW} cannot write {' or '.join(missing)}",
            "Save results with another extension, or reinstall Pillow with the codec.",
        )


def _on_path(folders: str) -> list[Path]:
    """
    Every program of that name, the one that a shell starts first; links to the same
    one count once.
    """
    found = dict[Path, Path]()
    for folder in folders.split(os.pathsep):
        if folder and (program := shutil.which(NAME, path=folder)):
            found.setdefault(Path(program).resolve(), Path(program))
    return list(found.values())


def _own_folder() -> Path:
    """
    Where this installation has its programs.
    """
    return _script().resolve().parent


def _shown_folder() -> Path:
    """
    The folder of the program as it was started: uv and pipx link to it from a folder
    that is meant for PATH, while its own folder has another python and pip in it.
    """
    return _script().absolute().parent


def _script() -> Path:
    started = Path(sys.argv[0])
    if started.stem in (NAME, "krea-cli"):
        return started
    return Path(sysconfig.get_path("scripts"), NAME)


def _extend_path() -> str:
    if command := installation().extend_path:
        return f"Put it there: {command}"
    return f"Put its folder there: {_shown_folder()}"
