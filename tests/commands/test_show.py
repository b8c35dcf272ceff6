from __future__ import annotations

import os
import struct
import sys
import threading
import zlib
from pathlib import Path

import pytest
import terminals
from PIL import Image

from krea_cli.media import decoding, images

TRUE = {"COLORTERM": "truecolor"}


@pytest.fixture
def shows(krea, monkeypatch):
    """
    The program on a terminal of 80 x 30 cells, beside two pictures.
    """
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "30")
    Image.new("RGB", (20, 10), "teal").save("a.png")
    Image.new("RGB", (30, 10), "teal").save("b.webp", lossless=True)
    krea.is_terminal = True
    return krea


@pytest.mark.posix
def test_a_picture_is_shown(shows):
    """
    By half blocks where there is nothing better, without being asked for them, and
    though previews are not wanted: this is no preview.
    """
    usual = shows("show", "a.png", env=TRUE)
    better = shows("show", "a.png", env={"TERM": "xterm-kitty"})
    wanted = shows("show", "a.png", "-q", env=TRUE | {"NO_PREVIEW": "1", "CI": "true"})

    assert (0, (20, 10)) == (usual.code, terminals.blocks(usual.out).size)
    assert (0, (20, 20)) == (better.code, terminals.kitty(better.out)[1].size)
    assert (0, usual.out) == (wanted.code, wanted.out)


def test_several_have_their_names(shows):
    """
    In the order asked for.
    """
    result = shows("show", "b.webp", "a.png", env=TRUE)

    first, second = result.out.removeprefix("b.webp\n").split("a.png\n")
    assert (30, 20) == (terminals.blocks(first).width, terminals.blocks(second).width)


def test_one_that_cannot_be_shown_does_not_stop_the_others(shows):
    """
    Each is told on standard error; exit 2.
    """
    result = shows("show", "not there", __file__, "a.png", "b.webp", env=TRUE)

    assert 2 == result.code
    told = " ".join(result.err.split())
    assert "Cannot read 'not there': No such file or directory." in told
    assert f"Cannot show {__file__}. Not a known image" in told
    assert ["a.png", "b.webp"] == [
        line for line in result.out.splitlines() if "▀" not in line
    ]


def bomb():
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + check


def half():
    return Path("a.png").read_bytes()[:-30]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda x: x.write_bytes(bomb()), "50000x50000 is too many"),
        (lambda x: x.write_bytes(half()), "Cannot read the image"),
        (lambda x: x.write_bytes(b""), "Not a known image"),
        (lambda x: x.mkdir(), "Not a known image"),
        (os.mkfifo, "Not a known image"),
        (lambda x: x.symlink_to(x), "Too many levels of symbolic links"),
        (lambda x: x.symlink_to("/dev/zero"), "Not a known image"),
    ],
)
def test_what_is_dangerous_is_not_opened(shows, make, reason):
    """
    At once, and with the reason.
    """
    make(Path("x"))

    result = shows("show", "x", env=TRUE)

    assert (2, "") == (result.code, result.out)
    assert reason in result.err


def test_a_decoder_that_takes_too_long_is_left_behind(shows, monkeypatch):
    """
    It cannot be interrupted, so nothing waits for it without end, nor does Ctrl-C.
    """
    enough = threading.Event()
    monkeypatch.setattr(decoding, "TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(images, "thumbnail", lambda *_: enough.wait(9))

    result = shows("show", "a.png", env=TRUE)

    enough.set()
    assert 2 == result.code
    assert "took too long" in " ".join(result.err.split())


def test_a_pipe_is_refused(shows):
    """
    Exit 2, with the way out.
    """
    shows.is_terminal = False

    result = shows("show", "a.png", env=TRUE)

    assert (2, "") == (result.code, result.out)
    assert "is not a terminal" in result.err
    assert "hint: " in result.err


@pytest.mark.parametrize(
    ("words", "variables"),
    [(("--json",), {}), ((), {"TERM": "dumb"})],
    ids=["json", "dumb"],
)
def test_what_cannot_show_is_refused(shows, words, variables):
    """
    Rather than to draw something else.
    """
    result = shows("show", "a.png", *words, env=variables)

    assert (2, "") == (result.code, result.out)


def test_a_name_does_not_act_on_the_terminal(shows):
    """
    Control characters are made visible.
    """
    Path("a.png").rename("a\x1b[31m.png")

    result = shows("show", "a\x1b[31m.png", "b.webp", env=TRUE)

    assert result.out.startswith("a\\x1b[31m.png\n")


@pytest.mark.posix
def test_a_real_terminal_shows_sixel(shell, tmp_path):
    """
    The whole way, in a process: asked, answered, drawn in the middle of nothing else.
    """
    path = tmp_path / "a.png"
    Image.new("RGB", (50, 30), "red").save(path)

    shown = terminals.run(
        [sys.executable, "-m", "krea_cli", "show", path],
        env=shell.env,
        cell=(10, 20),
        answer=terminals.WITH_SIXEL,
    )
    output = shown.output.removeprefix(terminals.QUESTION).decode()
    picture = terminals.sixel(output)

    assert 0 == shown.code
    assert output.startswith("\x1bP")
    assert output.endswith("\x1b\\\r\n")
    assert ((255, 0, 0, 255), (50, 40)) == (picture.getpixel((49, 29)), picture.size)
