"""
Detect the size and the graphics protocol of a terminal.

Some terminals identify themselves in the environment. Others are queried: all of them
answer with their primary device attributes, which include Sixel support. Input that was
already typed is left for the next reader.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from select import select
from typing import TYPE_CHECKING

with suppress(ImportError):  # not available on Windows
    import fcntl
    import termios

if TYPE_CHECKING:
    from krea_cli.output.streams import Stream

# Query the size of a cell in pixels, and the device attributes.
_QUESTION = b"\x1b[16t\x1b[c"
_CELL, _ATTRIBUTES = rb"\x1b\[6;(\d+);(\d+)t", rb"\x1b\[\?([\d;]*)c"
_SIXEL = b"4"
PATIENCE_SECONDS = 1.0
# Cell size of the terminals that Sixel was made for, and of exact emulators.
_USUAL_CELL = (10, 20)
_MOST_CELL = 200
_USUAL_WINDOW = (80, 24)


class Protocol(Enum):
    KITTY = auto()
    ITERM2 = auto()
    SIXEL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSize:
    """
    A terminal of `columns` x `rows` cells.

    `cell` is the size of a cell in pixels (width, height). `protocol` is None if it is
    unknown or unsupported.
    """

    columns: int
    rows: int
    cell: tuple[int, int]
    protocol: Protocol | None


def look(stream: Stream, env: Mapping[str, str]) -> TerminalSize:
    """
    Examine the terminal of `stream`. This takes at most a second.
    """
    descriptor = _descriptor(stream)
    columns, rows = size(stream)
    cell, protocol = _cell(descriptor), _named(env)
    is_asked = protocol is None and not _is_inside_another(env)
    # In CI nobody is there to answer.
    if is_asked and descriptor is not None and not env.get("CI"):
        answer = _answer(descriptor)
        if attributes := re.search(_ATTRIBUTES, answer):
            is_sixel = _SIXEL in attributes[1].split(b";")
            protocol = Protocol.SIXEL if is_sixel else None
        if found := re.search(_CELL, answer):
            cell = cell or (int(found[2]), int(found[1]))
    if cell is None or min(cell) < 1 or max(cell) > _MOST_CELL:
        cell = _USUAL_CELL
    return TerminalSize(columns=columns, rows=rows, cell=cell, protocol=protocol)


def _named(env: Mapping[str, str]) -> Protocol | None:
    """
    Return the protocol identified by the environment, or None.

    SSH forwards TERM and LC_TERMINAL, but not TERM_PROGRAM. On Windows the console does
    not pass any protocol on reliably.
    """
    if _is_inside_another(env) or sys.platform == "win32":
        return None
    if env.get("TERM") in ("xterm-kitty", "xterm-ghostty"):
        return Protocol.KITTY
    program = env.get("TERM_PROGRAM") or env.get("LC_TERMINAL")
    if program in ("iTerm.app", "iTerm2", "WezTerm"):
        return Protocol.ITERM2
    return Protocol.KITTY if program == "ghostty" else None


def _is_inside_another(env: Mapping[str, str]) -> bool:
    """
    Return whether a multiplexer such as tmux is running.

    Its answers say nothing about the outer terminal, and the environment may be
    outdated.
    """
    term = env.get("TERM", "")
    inside = any(env.get(name) for name in ("TMUX", "STY", "ZELLIJ"))
    return inside or term.startswith(("screen", "tmux"))


def _descriptor(stream: Stream) -> int | None:
    if not stream.is_terminal or stream.file is None:
        return None
    try:
        return stream.file.fileno()
    except (OSError, ValueError):
        return None


def size(stream: Stream) -> tuple[int, int]:
    """
    Return the columns and rows of the terminal of `stream`. Both may be 0.
    """
    descriptor = _descriptor(stream)
    found = shutil.get_terminal_size(_USUAL_WINDOW)
    if descriptor is not None:
        with suppress(OSError):
            found = os.get_terminal_size(descriptor)
    return found.columns or _USUAL_WINDOW[0], found.lines or _USUAL_WINDOW[1]


def _cell(descriptor: int | None) -> tuple[int, int] | None:
    """
    Return the width and height of a cell in pixels, or None if the system does not know
    them.
    """
    if sys.platform == "win32":
        return None
    if descriptor is None:
        return None
    try:
        raw = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("4H", raw)
    return (width // columns, height // rows) if width and columns and rows else None


def _answer(descriptor: int) -> bytes:
    """
    Return the terminal's answer, or nothing if it cannot be queried.
    """
    if sys.platform == "win32":
        return b""
    try:
        # Standard output may be opened write-only.
        terminal = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        # A background process may not change the terminal.
        in_front = os.tcgetpgrp(terminal) == os.getpgrp()
        return _ask(terminal) if in_front else b""
    except (OSError, termios.error):
        return b""
    finally:
        os.close(terminal)


def _ask(terminal: int) -> bytes:
    """
    Query the terminal without echo and line buffering.

    If input is already waiting, do not query: it belongs to the next reader, and the
    answer would come after it.
    """
    if sys.platform == "win32":
        return b""
    before, silent = termios.tcgetattr(terminal), termios.tcgetattr(terminal)
    if not before[3] & termios.ICANON:
        # Another program is reading single keys.
        return b""
    silent[3] &= ~(termios.ICANON | termios.ECHO)
    silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
    try:
        # Unlike the default of `tty`, this keeps typed input.
        termios.tcsetattr(terminal, termios.TCSANOW, silent)
        if select([terminal], [], [], 0)[0]:
            return b""
        os.write(terminal, _QUESTION)
        return _read(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def _read(terminal: int) -> bytes:
    answer, end = b"", time.monotonic() + PATIENCE_SECONDS
    while not re.search(_ATTRIBUTES, answer):
        left = end - time.monotonic()
        if left <= 0 or not select([terminal], [], [], left)[0]:
            break
        answer += os.read(terminal, 1)
    return answer
