"""
Emulate terminals: interpret written images, and run programs on a pty.
"""

from __future__ import annotations

import base64
import io
import os
import re
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from PIL import Image

PATIENCE_SECONDS = 15
QUESTION = b"\x1b[16t\x1b[c"
WITH_SIXEL, WITHOUT = b"\x1b[?62;4;22c", b"\x1b[?62;22c"
# Makes the pty the controlling terminal, as a login does.
CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass
class Shown:
    code: int
    output: bytes
    seconds: float
    settings: list


def run(
    argv,
    *,
    env,
    size=(80, 30),
    cell=(0, 0),
    answer=WITHOUT,
    late=0,
    typed=b"",
    replies=None,
    patience=PATIENCE_SECONDS,
):
    """
    Run a command on a terminal of `size` cells, with `cell` pixels each.

    The input `typed` is already waiting. The terminal answers capability queries with
    `answer` after `late` seconds, and each text in `replies` with its value, whenever
    it appears.
    """
    # not available on Windows
    fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    (columns, rows), (width, height) = size, cell
    window = struct.pack("4H", rows, columns, columns * width, rows * height)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, window)
    os.write(ours, typed)
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-SEc", CONTROLLED, *map(str, argv)],
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        replies = {QUESTION: answer} | (replies or {})
        output = _talk(ours, process, replies, patience, {QUESTION: late})
    settings = termios.tcgetattr(theirs)
    os.close(ours)
    os.close(theirs)
    return Shown(process.returncode, output, time.monotonic() - began, settings)


def _talk(ours, process, replies, patience, delays):
    output, heard, end = b"", 0, time.monotonic() + patience
    due = []
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.02)[0]:
            output += os.read(ours, 1 << 16)
        if time.monotonic() > end:
            process.kill()
        for question, reply in replies.items():
            at = output.find(question, heard)
            if at >= 0:
                heard = at + len(question)
                due.append((time.monotonic() + delays.get(question, 0), reply))
        while due and time.monotonic() >= due[0][0]:
            os.write(ours, due.pop(0)[1])
    return output


def kitty(text):
    """
    Return the keys and the image of the only kitty sequence.
    """
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    keys = [dict(key.split("=") for key in head.split(",")) for head, _ in chunks]
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [*["1"] * (len(chunks) - 1), "0"] == [key["m"] for key in keys]
    data = base64.b64decode("".join(data for _, data in chunks), validate=True)
    return keys[0], Image.open(io.BytesIO(data))


def iterm2(text):
    """
    Return the keys and the image of the only iTerm2 sequence.
    """
    [(head, encoded)] = re.findall(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", text)
    keys = dict(key.split("=") for key in head.split(";"))
    data = base64.b64decode(encoded, validate=True)
    assert len(data) == int(keys["size"])
    return keys, Image.open(io.BytesIO(data))


def sixel(text):
    """
    Return the image of the only Sixel sequence. Pixels it does not draw are
    transparent.
    """
    [(width, height, data)] = re.findall(
        r'\x1bP0;1q"1;1;(\d+);(\d+)([^\x1b]*)\x1b\\', text
    )
    shown = Image.new("RGBA", (int(width), int(height) + 5))
    colours, colour, x, y = {}, None, 0, 0
    for name, *levels, turn, count, bits in re.findall(
        r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|([$-])|(?:!(\d+))?([?-~])", data
    ):
        if name and levels[0]:
            colours[name] = (*(round(int(part) * 2.55) for part in levels), 255)
        elif name:
            colour = colours[name]
        elif turn:
            x, y = 0, y + 6 * (turn == "-")
        for _ in range(int(count or 1) if bits else 0):
            for row in range(6):
                if (ord(bits) - 63) >> row & 1:
                    shown.putpixel((x, y + row), colour)
            x += 1
    return shown.crop((0, 0, int(width), int(height)))


def blocks(text):
    """
    Return the image formed by half blocks in true color. Other cells are transparent.
    """
    rows = []
    for line in text.splitlines():
        if "▀" in line or "▄" in line:
            rows += _half_blocks(line)
    shown = Image.new("RGBA", (max(map(len, rows)), len(rows)))
    for y, row in enumerate(rows):
        for x, colour in enumerate(row):
            shown.putpixel((x, y), colour)
    return shown


def _half_blocks(line):
    clear = (0, 0, 0, 0)
    upper, lower = [], []
    for codes, block in re.findall(r"((?:\x1b\[[\d;]*m)*)([▀▄ ])", line):
        # Each cell sets all its colors, because the one before was reset.
        front = re.search(r"38;2;(\d+);(\d+);(\d+)", codes)
        back = re.search(r"48;2;(\d+);(\d+);(\d+)", codes)
        front = (*map(int, front.groups()), 255) if front else clear
        back = (*map(int, back.groups()), 255) if back else clear
        upper.append(front if block == "▀" else back)
        lower.append(front if block == "▄" else back)
    return upper, lower
