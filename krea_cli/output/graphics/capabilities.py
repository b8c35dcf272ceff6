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
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
# Any number of sequences of a terminal, and the beginning of one.
_PARTIAL = rb"(\x1b\[[0-?]*[@-~])*(\x1b(\[[0-?]*)?)?"
_SIXEL = b"4"
PATIENCE_SECONDS = 1.0
_GLANCE_SECONDS = 0.02
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


class TerminalQuery:
    """
    Ask the terminal behind *stream* what it can show, beside other work.

    The answer has a second to come. Nobody waits for it: without an answer the terminal
    shows no pictures.
    """

    def __init__(self, stream: Stream, env: Mapping[str, str]) -> None:
        self._stream, self._env = stream, env
        self._descriptor = _descriptor(stream)
        self._answer = b""
        self._is_awaited = False
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def start(self) -> None:
        """
        Ask, unless the environment says enough or nobody is there to answer.
        """
        env = self._env
        is_known = _named(env) is not None or _is_inside_another(env)
        if self._descriptor is None or is_known or env.get("CI"):
            return
        thread = threading.Thread(target=self._ask, daemon=True)
        # Without another thread there is no picture.
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def size(self) -> TerminalSize:
        """
        Return what is known of the terminal by now.
        """
        columns, rows = size(self._stream)
        cell, protocol = _cell(self._descriptor), _named(self._env)
        answer = self._answer
        if attributes := re.search(_ATTRIBUTES, answer):
            is_sixel = _SIXEL in attributes[1].split(b";")
            protocol = Protocol.SIXEL if is_sixel else None
        if found := re.search(_CELL, answer):
            cell = cell or (int(found[2]), int(found[1]))
        if cell is None or min(cell) < 1 or max(cell) > _MOST_CELL:
            cell = _USUAL_CELL
        return TerminalSize(columns=columns, rows=rows, cell=cell, protocol=protocol)

    def wait(self) -> None:
        """
        Wait for the answer, a second at most.
        """
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """
        Give the terminal back as it was, and take away an answer that came late: the
        shell would read it as a command.
        """
        self._closing.set()
        self.wait()
        if self._is_awaited:
            with suppress(OSError), _silent(self._descriptor) as terminal:
                if terminal is not None:
                    self._read(terminal, until=0)

    def _ask(self) -> None:
        with suppress(OSError), _silent(self._descriptor) as terminal:
            # What was typed before belongs to whoever reads next, and the answer would
            # stand behind it.
            is_typed = terminal is not None and select([terminal], [], [], 0)[0]
            if terminal is None or is_typed or self._closing.is_set():
                return
            self._is_awaited = True
            os.write(terminal, _QUESTION)
            self._read(terminal, until=time.monotonic() + PATIENCE_SECONDS)

    def _read(self, terminal: int, *, until: float) -> None:
        """
        Read the answer byte by byte, and stop where something else begins.
        """
        while self._is_awaited:
            left = max(0.0, until - time.monotonic())
            if select([terminal], [], [], min(left, _GLANCE_SECONDS))[0]:
                self._answer += os.read(terminal, 1)
                is_partial = re.fullmatch(_PARTIAL, self._answer)
                is_whole = re.search(_ATTRIBUTES, self._answer)
                self._is_awaited = bool(is_partial and not is_whole)
            elif left <= 0 or self._closing.is_set():
                break


def look(stream: Stream, env: Mapping[str, str]) -> TerminalSize:
    """
    Examine the terminal behind *stream*; it takes at most a second.
    """
    query = TerminalQuery(stream, env)
    query.start()
    query.wait()
    return query.size()


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


@contextmanager
def _silent(descriptor: int | None) -> Iterator[int | None]:
    """
    Open the terminal for reading key by key, without an echo; it is as before in the
    end. None stands for a terminal that somebody else is using.
    """
    if sys.platform == "win32" or descriptor is None:
        yield None
        return
    # Standard output may be open for writing alone.
    terminal = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY)
    try:
        before = termios.tcgetattr(terminal)
        if not _is_in_front(terminal) or not before[3] & termios.ICANON:
            yield None
            return
        silent = termios.tcgetattr(terminal)
        silent[3] &= ~(termios.ICANON | termios.ECHO)
        silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
        try:
            # Unlike the default of `tty`, this leaves alone what was typed.
            termios.tcsetattr(terminal, termios.TCSANOW, silent)
            yield terminal
        finally:
            if _is_in_front(terminal):
                termios.tcsetattr(terminal, termios.TCSANOW, before)
    except termios.error as exc:
        raise OSError(*exc.args) from exc
    finally:
        os.close(terminal)


def _is_in_front(terminal: int) -> bool:
    """
    Tell whether this process may touch the terminal: in the background it may not.
    """
    return sys.platform != "win32" and os.tcgetpgrp(terminal) == os.getpgrp()
