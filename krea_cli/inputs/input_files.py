"""
Check local input files before anything is sent.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from krea_cli.errors import Action, InputError, Step
from krea_cli.inputs import limits
from krea_cli.inputs.local_file import LocalFile, state
from krea_cli.media import HEAD_BYTES, UPLOAD_TYPES, MediaType, sniff
from krea_cli.media.formats import Completeness, completeness
from krea_cli.runtime.os_reasons import reason_of


def check_file(
    path: Path,
    name: str | None = None,
    *,
    max_bytes: int = limits.MAX_BYTES,
    stdin_option: str = "-i -",
) -> LocalFile:
    """
    Return the file as an input to send.  `name` is used in error messages, by default
    the path.  `stdin_option` is the option that reads standard input instead.

    Raises:
        InputError: it is missing, not a regular file, unreadable, empty, longer than
            `max_bytes`, of an unsupported type, or truncated.  The service would bill
            a job even if it cannot read its input.
    """
    name = name or str(path)
    if "\0" in str(path):
        raise InputError(f"Cannot read {name}: its name has a NUL character.")
    try:
        # Otherwise, opening a FIFO would block until there is a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _not_regular_error(name, found.st_mode, stdin_option)
            media = _media(file.read(HEAD_BYTES), name)
            if found.st_size > max_bytes:
                raise limits.too_many_bytes(name, found.st_size, media)
            checked_state = state(file)
            _check_end(file, media, name)
    except IsADirectoryError:
        raise _not_regular_error(name, stat.S_IFDIR, stdin_option) from None
    except FileNotFoundError:
        # A bare word, such as krea, does not look like the name of a file.
        shown = name if Path(name).suffix or os.sep in name else f"'{name}'"
        raise InputError(f"File {shown} does not exist.") from None
    except (OSError, ValueError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else exc
        raise InputError(f"Cannot read {name}: {reason}.") from exc
    return LocalFile(name, path, media, checked_state, found.st_size)


def _not_regular_error(name: str, mode: int, stdin_option: str) -> InputError:
    if stat.S_ISDIR(mode):
        return InputError(
            f"{name} is a folder, not an image.", hint=Step(Action.EDIT_FOLDER, (name,))
        )
    return InputError(
        f"{name} is a pipe or device, not a regular file.",
        hint=f"Pass it on standard input: {stdin_option}",
    )


def _check_end(file: IO[bytes], media: MediaType, name: str) -> None:
    # The length of a file on disk is known, so an open end is no problem.
    found = completeness(file, media, is_all=True)
    if found == Completeness.COMPLETE:
        return
    kind = media.extension.upper()
    if found == Completeness.CROWDED:
        problem = f"is damaged: the {kind} has too many parts"
    else:
        problem = f"is incomplete or damaged: the {kind} ends early"
    raise InputError(
        f"{name} {problem}.",
        hint="Open it and save it again, or use another copy.",
    )


def _media(head: bytes, name: str) -> MediaType:
    if not head:
        raise InputError(f"{name} is empty.")
    media = sniff(head)
    if media is None:
        raise InputError(
            f"{name} is not a JPEG, PNG, WebP or HEIC image.",
        )
    if media not in UPLOAD_TYPES:
        raise InputError(
            f"{name} is {media.extension.upper()}, which Krea does not accept.",
            hint="Convert it to PNG or JPEG first.",
        )
    return media
