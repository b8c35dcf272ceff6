"""
Check the installation: its version, whether `krea` starts it, and its image codecs.
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
from krea_cli.output.results.checks import CheckResult, ok, warning
from krea_cli.runtime.installation import installation

NAME = "krea"


def check_version() -> Iterator[CheckResult]:
    """
    Report the versions that a bug report begins with.
    """
    python = f"Python {platform.python_version()} ({sys.executable})"
    system = f"{platform.system()} {platform.machine()}"
    yield ok("krea", f"krea {__version__}, {python}, {system}")


def check_path(folders: str) -> Iterator[CheckResult]:
    """
    Report which programs called `krea` are in the folders of PATH: a package on npm has
    one, too.
    """
    found = _on_path(folders)
    own = _script().resolve().parent
    others = [each for each in found if each.resolve().parent != own]
    named = " and ".join(map(str, found))
    if len(found) > 1 and others:
        yield warning(
            "path",
            f"several programs are called {NAME}: {named}; the first one runs",
            "Use the name krea-cli for this one.",
        )
    elif others:
        yield warning(
            "path",
            f"{NAME} on PATH is another program: {named}",
            f"Run this one: {_shown_folder() / 'krea-cli'}",
        )
    elif not found:
        yield warning(
            "path",
            f"{NAME} is not on PATH",
            _extend_path(),
        )
    else:
        yield ok("path", named)


def check_codecs() -> Iterator[CheckResult]:
    """
    Report the image formats that results can be converted to.
    """
    from krea_cli.media.codecs import PILLOW, encodable_types

    found = encodable_types()
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
    Find every program of that name, first the one that a shell starts. Links to the
    same program count once.
    """
    found = dict[Path, Path]()
    for folder in folders.split(os.pathsep):
        if folder and (program := shutil.which(NAME, path=folder)):
            found.setdefault(Path(program).resolve(), Path(program))
    return list(found.values())


def _shown_folder() -> Path:
    """
    Return the folder of the program as it was started. uv and pipx link to it from a
    folder that is meant for PATH; its own folder also has a python and a pip.
    """
    return _script().absolute().parent


def _script() -> Path:
    started = Path(sys.argv[0])
    if started.stem in (NAME, "krea-cli"):
        return started
    return Path(sysconfig.get_path("scripts"), NAME)


def _extend_path() -> str:
    if command := installation().extend_path:
        return f"Add it to PATH: {command}"
    return f"Add this folder to PATH: {_shown_folder()}"
