"""
Convert paths as users write them: with `~` for the home folder, or as file URIs.

Shells expand `~` only at the start of a word. It stays in settings files, variables,
quotes, `--output=~/x` and `-p image_urls=@~/x`. A file dragged into a terminal may
arrive as `file:///home/me/a%20b.jpg`.
"""

from __future__ import annotations

import os
import sys

from krea_cli.errors import InputError


def local_path(text: str) -> str:
    """
    Return the path that the text means.

    Raises:
        InputError: the home folder is needed but unknown, or the file URI is for
            another computer.
    """
    return expand_home(path_of_uri(text) if is_file_uri(text) else text)


def expand_home(text: str) -> str:
    """
    Replace a leading `~` or `~user` with the home folder.

    A name such as `~draft.png` stays unchanged if there is no such user.

    Raises:
        InputError: the text starts with `~/`, and the home folder is unknown.
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
    Return the path in a file URI.

    Raises:
        InputError: the file is on another computer.
    """
    from urllib.parse import unquote_to_bytes  # rarely needed

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
    # file:///C:/x means C:/x
    return path[1:] if sys.platform == "win32" and path[2:3] == ":" else path
