"""
Detect the size and the graphics protocol of a terminal.

Some terminals identify themselves in the environment. Others are queried: all of them
respond with their primary device attributes, which include Sixel support. Input that
was already typed is left for the next reader.
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
_QUERY = b"\x1b[16t\x1b[c"
_CELL, _ATTRIBUTES = rb"\x1b\[6;(\d+);(\d+)t", rb"\x1b\[\?([\d;]*)c"
# Complete control sequences, followed by the beginning of one.
_PARTIAL = rb"(\x1b\[[0-?]*[@-~])*(\x1b(\[[0-?]*)?)?"
_SIXEL = b"4"
RESPONSE_TIMEOUT_SECONDS = 1.0
_POLL_SECONDS = 0.02
# Cell size of the terminals that Sixel was made for, and of exact emulators.
_DEFAULT_CELL = (10, 20)
_MAX_CELL = 200
_DEFAULT_WINDOW = (80, 24)


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
    Query the capabilities of the terminal of `stream` in the background.

    The response may take a second. Without a response, the terminal has no graphics
    protocol.
    """

    def __init__(self, stream: Stream, env: Mapping[str, str]) -> None:
        self._stream, self._env = stream, env
        self._descriptor = _descriptor(stream)
        self._response = b""
        self._is_awaited = False
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def start(self) -> None:
        """
        Send the query, unless the environment identifies the terminal or there is no
        terminal.
        """
        env = self._env
        is_known = _protocol_from_env(env) is not None or _is_inside_another(env)
        if self._descriptor is None or is_known or env.get("CI"):
            return
        thread = threading.Thread(target=self._send_query, daemon=True)
        # If no thread can be started, there is no preview.
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def size(self) -> TerminalSize:
        """
        Return the size and protocol, as far as they are known.
        """
        columns, rows = size(self._stream)
        cell, protocol = _cell(self._descriptor), _protocol_from_env(self._env)
        response = self._response
        if attributes := re.search(_ATTRIBUTES, response):
            is_sixel = _SIXEL in attributes[1].split(b";")
            protocol = Protocol.SIXEL if is_sixel else None
        if found := re.search(_CELL, response):
            cell = cell or (int(found[2]), int(found[1]))
        if cell is None or min(cell) < 1 or max(cell) > _MAX_CELL:
            cell = _DEFAULT_CELL
        return TerminalSize(columns=columns, rows=rows, cell=cell, protocol=protocol)

    def wait(self) -> None:
        """
        Wait for the response, up to a second.
        """
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """
        End the query, restore the terminal, and discard a late response, which a shell
        would read as a command.
        """
        self._closing.set()
        self.wait()
        if self._is_awaited:
            with suppress(OSError), _raw_terminal(self._descriptor) as terminal:
                if terminal is not None:
                    self._read(terminal, until=0)

    def _send_query(self) -> None:
        with suppress(OSError), _raw_terminal(self._descriptor) as terminal:
            # Pending input belongs to the next reader, and would precede the response.
            is_typed = terminal is not None and select([terminal], [], [], 0)[0]
            if terminal is None or is_typed or self._closing.is_set():
                return
            self._is_awaited = True
            os.write(terminal, _QUERY)
            self._read(terminal, until=time.monotonic() + RESPONSE_TIMEOUT_SECONDS)

    def _read(self, terminal: int, *, until: float) -> None:
        """
        Read the response byte by byte. Stop at the first byte of other input.
        """
        while self._is_awaited:
            left = max(0.0, until - time.monotonic())
            if select([terminal], [], [], min(left, _POLL_SECONDS))[0]:
                byte = os.read(terminal, 1)
                if not byte:  # the terminal is closed
                    break
                self._response += byte
                is_partial = re.fullmatch(_PARTIAL, self._response)
                is_complete = re.search(_ATTRIBUTES, self._response)
                self._is_awaited = bool(is_partial and not is_complete)
            elif left <= 0 or self._closing.is_set():
                break


def query_terminal(stream: Stream, env: Mapping[str, str]) -> TerminalSize:
    """
    Examine the terminal of `stream`. This takes at most a second.
    """
    query = TerminalQuery(stream, env)
    query.start()
    query.wait()
    return query.size()


def _protocol_from_env(env: Mapping[str, str]) -> Protocol | None:
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
    Return True inside a multiplexer such as tmux.

    Its responses are not those of the outer terminal, and the environment may be
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
    found = shutil.get_terminal_size(_DEFAULT_WINDOW)
    if descriptor is not None:
        with suppress(OSError):
            found = os.get_terminal_size(descriptor)
    return found.columns or _DEFAULT_WINDOW[0], found.lines or _DEFAULT_WINDOW[1]


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
def _raw_terminal(descriptor: int | None) -> Iterator[int | None]:
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
    Return True if this process is in the foreground and may change the terminal.
    """
    return sys.platform != "win32" and os.tcgetpgrp(terminal) == os.getpgrp()
