from __future__ import annotations

import io
import json
import re
import threading
from pathlib import Path

import pytest
from conftest import png
from PIL import Image
from service import file

from krea_cli.media import decoding, images

RESULT = "GET /results/"
SQUARE = ("generate", "a cat", "--aspect-ratio", "1:1")


def noisy(size):
    drawn, content = Image.effect_noise(size, 99), io.BytesIO()
    drawn.save(content, "PNG")
    return content.getvalue()


def test_what_was_not_asked_for_is_told(logged_in, service):
    """
    A warning with both values by each command that saves, from what the journal knows;
    the file is there, and exit 0.
    """
    service.picture = noisy((64, 48))
    said = "is 64x48, but aspect ratio 1:1 was requested.\n"

    made = logged_in(*SQUARE, "-o", "a.png")
    waited = logged_in("wait", "-o", "b.png")
    saved = logged_in("download", "-o", "c.png", "--json")

    assert [0, 0, 0] == [run.code for run in (made, waited, saved)]
    assert made.err.endswith(f"warning: a.png {said}")
    assert waited.err.endswith(f"warning: b.png {said}")
    assert f"c.png {said.strip()}" == json.loads(saved.err)["warning"]["message"]


def test_without_a_journal_it_is_told_too(logged_in):
    """
    The run itself knows what it asked for.
    """
    made = logged_in(*SQUARE, "--no-journal")

    assert "but aspect ratio 1:1" in made.err


@pytest.mark.parametrize("command", ["generate", "wait", "download"])
def test_what_is_not_as_expected_is_exit_7(logged_in, service, command):
    """
    All that is not, each in a sentence; the file is kept and named, nothing paid again.
    """
    if command == "generate":
        words = ("generate", "a cat")
    else:
        logged_in("generate", "a cat", "--no-download")
        words = (command, "@last")
    expected = ("aspect=4:3", "min-side=99", "format=jpg", "not-blank")

    result = logged_in(
        *words, "--json", "-o", "a.jpg", *(f"--expect={word}" for word in expected)
    )

    error = json.loads(result.err.splitlines()[-1])["error"]
    assert (7, "unexpected_result") == (result.code, error["code"])
    assert ["min-side=99", "not-blank"] == [
        detail.split(" ")[1].rstrip(":") for detail in error["details"]
    ]
    assert error["hint"].startswith("The file was saved: a.jpg")
    assert "The file was saved" in error["hint"]
    [told] = json.loads(result.out)["files"]
    assert ("a.jpg", "image/png") == (told["path"], told["converted_from"])
    assert Path("a.jpg").exists()
    assert 1 == service.bills


def test_what_is_as_expected_is_exit_0(logged_in, service):
    """
    Of the file on disk, whatever was received.
    """
    service.picture = noisy((128, 72))

    result = logged_in(
        *("generate", "a cat", "-o", "a.webp", "--expect", "format=webp"),
        *("--expect", "aspect=16:9", "--expect", "min-side=72"),
        *("--expect", "not-blank"),
    )

    assert (0, "a.webp\n") == (result.code, result.out)


def test_a_decoder_that_takes_too_long_is_left_behind(logged_in, monkeypatch):
    """
    It cannot be interrupted, so nothing waits for it without end, nor does Ctrl-C.
    """
    enough = threading.Event()
    monkeypatch.setattr(decoding, "TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(images, "is_blank", lambda _: enough.wait(9))

    result = logged_in("generate", "a cat", "-o", "a.png", "--expect", "not-blank")

    enough.set()
    assert 7 == result.code
    assert "took too long" in result.err


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_picture_is_as_large_as_it_is_shown(logged_in, service, name):
    """
    A camera held upright says so beside the pixels: the same to the letter and turned.
    """
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(content, "JPEG", exif=exif)
    service.picture = content.getvalue()

    result = logged_in(
        *("generate", "a cat", "--aspect-ratio", "3:4", "-o", name, "--json"),
        *("--expect", "aspect=3:4", "--expect", "min-side=60"),
    )

    [told] = json.loads(result.out)["files"]
    assert (0, 60, 80) == (result.code, told["width"], told["height"])
    assert "was requested" not in result.err


@pytest.mark.parametrize(
    "words",
    [
        ["--expect", "format=bmp"],
        ["--expect", "format=jpg", "-o", "a.png"],
        ["--expect", "not-blank", "-o", "-"],
        ["--expect", "not-blank", "--no-wait"],
        ["--expect", "not-blank", "--no-download"],
        ["--expect", "not-blank", "-m", "seedance-2"],
        ["--quality-out", "0"],
        ["--quality-out", "101"],
        ["-o", "a.bmp"],
    ],
    ids=" ".join,
)
def test_what_can_never_be_is_exit_2_before_it_is_paid(logged_in, service, words):
    """
    Nothing is sent at all.
    """
    result = logged_in("generate", "a cat", *words)

    assert 2 == result.code
    assert [] == service.seen
    assert 2 == logged_in("wait", "12345678", "--expect", "not-blank").code


def test_a_picture_that_cannot_be_converted_is_kept(logged_in, service):
    """
    Exit 7, under its true extension, which is told and known later: nothing is left to
    be collected; and to be had again free of charge.
    """
    logged_in("generate", "a cat", "--no-download")
    whole = png()
    at = whole.index(b"IDAT") + 10
    broken = whole[:at] + bytes(20) + whole[at + 20 :]
    service.faults[RESULT] = [file(broken)]

    result = logged_in("download", "-o", "a.webp")

    assert (7, "a.png\n") == (result.code, result.out)
    assert f"{Path('a.png').absolute()}\n" == logged_in("download").out
    assert 1 == len(service.requests(RESULT))
    assert "Saved unconverted: a.png\n" in result.err
    assert "Collect it with" not in result.err
    assert broken == Path("a.png").read_bytes()
    assert (0, 1) == (logged_in("download", "-o", "a.webp").code, service.bills)


def test_the_way_out_asks_for_the_same(logged_in, service):
    """
    Whoever pastes it gets the file, and the exit code, that this call was to give.
    """
    words = ("--quality-out", "20", "--expect", "aspect=1:1")

    result = logged_in("generate", "a cat", "-o", "a.webp", "--timeout", "1s", *words)
    logged_in.is_terminal = True
    quality = words[:2]
    sent = logged_in("generate", "a cat", "-o", "b.webp", "--no-wait", *quality)

    assert 8 == result.code
    [wait] = re.findall("krea (wait .*)", result.err)
    [wait_later] = re.findall("krea (wait .*)", sent.out)
    assert 7 == logged_in(*wait.split()).code
    assert 0 == logged_in(*wait_later.split()).code
    assert 2 == len(list(Path().glob("*.webp")))


def test_quality_is_a_matter_of_bytes(logged_in, service):
    """
    By each command that saves; a kind that has none to choose is refused at once.
    """
    service.picture = noisy((128, 72))
    logged_in("generate", "a cat", "-o", "a.jpg", "--quality-out", "90")

    logged_in("wait", "-o", "b.jpg", "--quality-out", "10")
    logged_in("download", "-o", "c.jpg", "--quality-out", "10")
    before = len(service.seen)
    refused = logged_in("download", "-o", "d.png", "--quality-out", "10")

    assert Path("b.jpg").stat().st_size * 2 < Path("a.jpg").stat().st_size
    assert Path("b.jpg").read_bytes() == Path("c.jpg").read_bytes()
    assert (2, before) == (refused.code, len(service.seen))
