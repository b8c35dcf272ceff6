"""
Paths as people write them: with `~` for the home folder, or as a file URI.

A shell replaces `~` only at the start of a word, so it arrives here unchanged from a
settings file, a variable, quotes, `--output=~/x` or `-p image_urls=@~/x`.  A file that
is dragged into a terminal may arrive as `file:///home/me/a%20b.jpg`.
"""

from __future__ import annotations

import os
import sys

from krea_cli.errors import InputError


def local_path(text: str) -> str:
    """
    The path that *text* means.

    Raises:
        InputError: it needs a home folder that is not known, or it is a file URI of
            another computer.
    """
    return expand_home(path_of_uri(text) if is_file_uri(text) else text)


def expand_home(text: str) -> str:
    """
    Replace a leading `~` or `~user` by the home folder.  A name such as `~draft.png`,
    where no such user exists, stays as it is.

    Raises:
        InputError: it starts with `~/`, and the home folder is not known.
    """
    if not text.startswith("~"):
        return text
    expanded = os.path.expanduser(text)  # noqa: PTH111  # Path drops a final slash
    if expanded == text and text[1:2] in ("", os.sep, "/"):
        raise InputError(
            f"Cannot find the home folder for {text}.",
            hint="Set HOME, or use the full path.",
        )
    return expanded


def is_file_uri(text: str) -> bool:
    return text[:6].lower() == "file:/"


def path_of_uri(uri: str) -> str:
    """
    The path in a file URI.

    Raises:
        InputError: it names a file on another computer.
    """
    from urllib.parse import unquote_to_bytes  # not needed for most command lines

    rest = uri[len("file:") :]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            raise InputError(
                f"{uri} is a file on another computer ({host}).",
                hint="Copy it to this computer, then pass its path.",
            )
        rest = slash + path
    path = os.fsdecode(unquote_to_bytes(rest))
    # file:///C:/x is C:/x
    return path[1:] if sys.platform == "win32" and path[2:3] == ":" else path
