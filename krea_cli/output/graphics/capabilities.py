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
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum, auto
from select import select
from typing import TYPE_CHECKING, NamedTuple

with suppress(ImportError):  # not available on Windows
    import fcntl
    import termios

if TYPE_CHECKING:
    from krea_cli.output.streams import Stream

# Query the size of a cell in pixels, and the device attributes.
_QUESTION = b"\x1b[16t\x1b[c"
_CELL, _ATTRIBUTES = rb"\x1b\[6;(\d+);(\d+)t", rb"\x1b\[\?([\d;]*)c"
# Any number of sequences of a terminal, and the beginning of one.
_PARTIAL = rb"(\x1b\[[0-?]*[@-~])*(\x1b(\[[0-?]*)?)?"
_SIXEL = b"4"
PATIENCE_SECONDS = 1.0
_GLANCE_SECONDS = 0.02
# Cell size of the terminals that Sixel was made for, and of exact emulators.
_USUAL_CELL = (10, 20)
_MAX_CELL = 200
_USUAL_WINDOW = (80, 24)


class Protocol(Enum):
    KITTY = auto()
    ITERM2 = auto()
    SIXEL = auto()


class TerminalSize(NamedTuple):
    """
    A terminal of `columns` x `rows` cells.

    `cell` is the size of a cell in pixels (width, height). `protocol` is None if it is
    unknown or unsupported.
    """

    columns: int
    rows: int
    cell: tuple[int, int]
    protocol: Protocol | None


class TerminalQuery:
    """
    Ask the terminal of `stream` what it can show while other work goes on.

    The answer may take a second, and nothing waits for it: without an answer, the
    terminal has no graphics protocol.
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
        Ask, unless the environment already tells, or nobody is there to answer.
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
        Return what is known about the terminal so far.
        """
        columns, rows = size(self._stream)
        cell, protocol = _cell(self._descriptor), _named(self._env)
        answer = self._answer
        if attributes := re.search(_ATTRIBUTES, answer):
            is_sixel = _SIXEL in attributes[1].split(b";")
            protocol = Protocol.SIXEL if is_sixel else None
        if found := re.search(_CELL, answer):
            cell = cell or (int(found[2]), int(found[1]))
        if cell is None or min(cell) < 1 or max(cell) > _MAX_CELL:
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
        Stop asking, restore the terminal, and discard a late answer: the shell would
        read it as a command.
        """
        self._closing.set()
        self.wait()
        if self._is_awaited:
            with suppress(OSError), _silent(self._descriptor) as terminal:
                if terminal is not None:
                    self._read(terminal, until=0)

    def _ask(self) -> None:
        with suppress(OSError), _silent(self._descriptor) as terminal:
            # Input that is already waiting belongs to the next reader, and the answer
            # would come after it.
            is_typed = terminal is not None and select([terminal], [], [], 0)[0]
            if terminal is None or is_typed or self._closing.is_set():
                return
            self._is_awaited = True
            os.write(terminal, _QUESTION)
            self._read(terminal, until=time.monotonic() + PATIENCE_SECONDS)

    def _read(self, terminal: int, *, until: float) -> None:
        """
        Read the answer byte by byte, and stop at the first byte of anything else.
        """
        while self._is_awaited:
            left = max(0.0, until - time.monotonic())
            if select([terminal], [], [], min(left, _GLANCE_SECONDS))[0]:
                byte = os.read(terminal, 1)
                if not byte:  # the terminal has gone
                    break
                self._answer += byte
                is_partial = re.fullmatch(_PARTIAL, self._answer)
                is_whole = re.search(_ATTRIBUTES, self._answer)
                self._is_awaited = bool(is_partial and not is_whole)
            elif left <= 0 or self._closing.is_set():
                break


def look(stream: Stream, env: Mapping[str, str]) -> TerminalSize:
    """
    Examine the terminal of `stream`. This takes at most a second.
    """
    query = TerminalQuery(stream, env)
    query.start()
    query.wait()
    return query.size()


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


@contextmanager
def _silent(descriptor: int | None) -> Iterator[int | None]:
    """
    Open the terminal for reading single keys without echo, and restore it at the end.
    Yield None if another program is using it.
    """
    if sys.platform == "win32" or descriptor is None:
        yield None
        return
    # Standard output may be opened write-only.
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
            # Unlike the default of `tty`, this keeps typed input.
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
    Return whether this process may change the terminal: a background one may not.
    """
    return sys.platform != "win32" and os.tcgetpgrp(terminal) == os.getpgrp()
