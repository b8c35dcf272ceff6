"""
Find out what a terminal can show: its size, and its graphics protocol.

Some terminals name themselves in the environment, and that is enough. Others are asked:
all answer with their primary device attributes, and Sixel is part of the answer. Typed
input stays for whoever reads next.
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

with suppress(ImportError):  # Windows has neither
    import fcntl
    import termios

if TYPE_CHECKING:
    from krea_cli.output.streams import Stream

# The size of a cell in pixels, and what a terminal is.
_QUESTION = b"\x1b[16t\x1b[c"
_CELL, _ATTRIBUTES = rb"\x1b\[6;(\d+);(\d+)t", rb"\x1b\[\?([\d;]*)c"
_SIXEL = b"4"
PATIENCE_SECONDS = 1.0
# That of the terminals Sixel was made for, and of those that imitate it exactly.
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
    A terminal of *columns* x *rows* cells, each of *cell* pixels (width, height).
    *protocol* is None where there is none, or none is known.
    """

    columns: int
    rows: int
    cell: tuple[int, int]
    protocol: Protocol | None


def look(stream: Stream, env: Mapping[str, str]) -> TerminalSize:
    """
    Examine the terminal behind *stream*; it takes at most a second.
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
    Return the protocol that the environment names. TERM and LC_TERMINAL come along over
    SSH, TERM_PROGRAM does not; on Windows no protocol passes through the console
    reliably.
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
    Tell whether tmux or the like is in between: what it says of itself is not what the
    terminal around it can show, and the environment may be outdated.
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
    Return columns and rows of the terminal behind *stream*; both may be 0.
    """
    descriptor = _descriptor(stream)
    found = shutil.get_terminal_size(_USUAL_WINDOW)
    if descriptor is not None:
        with suppress(OSError):
            found = os.get_terminal_size(descriptor)
    return found.columns or _USUAL_WINDOW[0], found.lines or _USUAL_WINDOW[1]


def _cell(descriptor: int | None) -> tuple[int, int] | None:
    """
    Return width and height of a cell in pixels, if the system knows them.
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
    Return the terminal's answer; empty if it cannot be asked.
    """
    if sys.platform == "win32":
        return b""
    try:
        # Standard output may be open for writing alone.
        terminal = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        # Who is in the background may not touch it.
        in_front = os.tcgetpgrp(terminal) == os.getpgrp()
        return _ask(terminal) if in_front else b""
    except (OSError, termios.error):
        return b""
    finally:
        os.close(terminal)


def _ask(terminal: int) -> bytes:
    """
    Ask without an echo and without waiting for the end of a line. If something was
    already typed, do not ask: it belongs to whoever reads next, and the answer would
    stand behind it.
    """
    if sys.platform == "win32":
        return b""
    before, silent = termios.tcgetattr(terminal), termios.tcgetattr(terminal)
    if not before[3] & termios.ICANON:
        # Somebody else is reading key by key.
        return b""
    silent[3] &= ~(termios.ICANON | termios.ECHO)
    silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
    try:
        # Unlike the default of `tty`, this leaves alone what was typed.
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
