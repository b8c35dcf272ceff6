from __future__ import annotations

import sys
from pathlib import Path

import pytest
import terminals
from conftest import png
from media.samples import MP4_AT_THE_START
from PIL import Image
from service import answer

KITTY = {"TERM": "xterm-kitty"}
TRUE = {"COLORTERM": "truecolor"}
TEAL = (0, 128, 128, 255)


@pytest.fixture
def seen(logged_in, time, monkeypatch):
    """
    The program on a terminal of 100 x 50 cells.
    """
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "50")
    logged_in.is_terminal = True
    return logged_in


def after(result):
    """
    What stands below the panel that tells of the file.
    """
    assert 0 == result.code
    lines = result.out.splitlines(keepends=True)
    _, end = (at for at, line in enumerate(lines) if "──" in line)
    assert "owl.png" in "".join(lines[:end])
    return "".join(lines[end + 1 :])


def generate(krea, *words, env=None):
    return krea("generate", "an owl", "-o", "owl.png", *words, env=env)


@pytest.mark.posix
def test_a_picture_is_shown_after_it_was_saved(seen):
    """
    Where a graphics protocol is spoken: the picture itself, below what is told of it.
    """
    keys, shown = terminals.kitty(after(generate(seen, env=KITTY)))

    # Six and a half cells wide, two and a half high: seven and three.
    assert ("7", "3", (70, 60)) == (keys["c"], keys["r"], shown.size)
    assert TEAL == shown.getpixel((63, 47))


def test_half_blocks_are_for_those_who_ask(seen):
    """
    --preview draws them where there is no protocol; without it there is nothing.
    """
    asked = after(generate(seen, "--preview", env=TRUE))
    not_asked = after(generate(seen, "--force", env=TRUE))

    assert (64, 48) == terminals.blocks(asked).size
    assert "" == not_asked


@pytest.mark.posix
@pytest.mark.parametrize("words", [("download",), ("wait",)])
def test_other_commands_that_save_show_as_well(seen, time, words):
    """
    And those that do not save show nothing, though the journal knows of the file.
    """
    seen("generate", "an owl", "--no-wait")
    time.elapsed += 60

    saved = seen(*words, "-o", "owl.png", env=KITTY)
    waited = seen("wait", env=KITTY)

    assert terminals.kitty(after(saved))
    assert "\x1b_G" not in waited.out


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--no-preview",), {}),
        (("--quiet", "--preview"), {}),
        (("--json", "--preview"), {}),
        (("--preview",), {"NO_PREVIEW": "1"}),
        (("--preview",), {"TERM": "dumb"}),
        (("--preview",), {"CI": "true"}),
    ],
)
def test_there_are_many_ways_not_to_be_shown_one(seen, words, variables):
    """
    Nothing is drawn, and nothing is asked of the terminal.
    """
    result = generate(seen, *words, env=KITTY | variables)

    assert 0 == result.code
    assert "\x1b_G" not in result.out
    assert "▀" not in result.out


@pytest.mark.posix
def test_an_empty_variable_counts_as_unset(seen):
    """
    As everywhere.
    """
    assert terminals.kitty(generate(seen, env=KITTY | {"NO_PREVIEW": ""}).out)


def test_a_pipe_gets_the_path_alone(seen):
    """
    Whatever is asked for.
    """
    seen.is_terminal = False

    assert "owl.png\n" == generate(seen, "--preview", env=KITTY).out


def test_before_and_after_stand_side_by_side(seen, photo):
    """
    The first input, when it is a file here; where both have room.
    """
    blue = Image.new("RGB", (900, 900), "blue")
    blue.save("before.png")

    wide = after(generate(seen, "-i", "before.png", "--preview", env=TRUE))

    shown = terminals.blocks(wide)
    row = [shown.getpixel((column, 0)) for column in range(shown.width)]
    clear, blue = (0, 0, 0, 0), (0, 0, 255, 255)
    # The result is 64 pixels wide, of which the box leaves 49.
    assert [blue] * 49 + [clear] * 2 + [TEAL] * 49 == row


def test_a_narrow_terminal_shows_the_result_alone(seen, photo, monkeypatch):
    """
    As does one without a picture to compare it with.
    """
    monkeypatch.setenv("COLUMNS", "50")

    narrow = after(generate(seen, "-i", photo, "--preview", env=TRUE))

    assert {TEAL} == {colour for _, colour in terminals.blocks(narrow).getcolors()}


@pytest.mark.posix
def test_several_pictures_have_their_names(seen):
    """
    So that each is known.
    """
    out = seen("generate", "an owl", "-n", "2", "-o", "a.png", env=KITTY).out

    first, second = out.split("\na-2.png\n")
    assert terminals.kitty(first.partition("\na-1.png\n")[2])
    assert terminals.kitty(second)


def test_what_is_no_picture_has_no_preview(seen, service):
    """
    A film is saved, and that is all.
    """
    film = answer(200, content=MP4_AT_THE_START, media="video/mp4")
    service.faults["GET /results/"] = [film]

    result = seen(
        "generate", "waves", "-m", "veo-3.1", "-o", "w.mp4", "--preview", env=KITTY
    )

    assert 0 == result.code
    assert Path("w.mp4").read_bytes() == MP4_AT_THE_START
    assert "\x1b_G" not in result.out


def test_a_preview_that_fails_fails_alone(seen, service):
    """
    What is saved is saved: exit 0, nothing half drawn, and a word of it to who asked.
    """
    whole = png()
    at = whole.index(b"IDAT") + 4
    service.picture = whole[:at] + bytes(len(whole) - at - 16) + whole[-16:]

    unasked, asked = (
        generate(seen, *words, "--force", env=KITTY) for words in ([], ["--preview"])
    )

    assert (0, "") == (asked.code, after(asked))
    assert "Cannot show owl.png. Cannot read the image: " in asked.err
    assert (0, "") == (unasked.code, after(unasked))
    assert "shown" not in unasked.err


@pytest.mark.posix
@pytest.mark.parametrize(("words", "is_shown"), [((), False), (("--preview",), True)])
def test_a_picture_that_takes_much_memory_is_shown_on_demand(
    seen, service, monkeypatch, words, is_shown
):
    """
    Only a JPEG is made smaller while it is decoded: of other kinds, one with many
    pixels takes what nobody expects of a preview (P6).  It says how to see it.
    """
    monkeypatch.setattr("krea_cli.media.images._LIGHT_BYTES", 64 * 48 * 4 - 1)

    result = generate(seen, *words, env=KITTY)

    assert (0, is_shown) == (result.code, "\x1b_G" in result.out)
    assert is_shown != ("krea show owl.png" in result.err)


def test_a_preview_does_not_hide_what_went_wrong(seen, service):
    """
    One of two is shown, and the exit code is that of two.
    """
    Path("a-1.png").write_bytes(b"mine")

    result = seen("generate", "an owl", "-n", "2", "-o", "a.png", env=KITTY)

    assert 7 == result.code


@pytest.mark.long
@pytest.mark.posix
def test_preview_asks_the_terminal_while_the_job_runs_and_never_waits_for_it(
    shell, tmp_path
):
    """
    An answer in that time is enough for a picture; without one the end is as soon as
    without previews.
    """

    def run(name, *words, **terminal):
        path = tmp_path / name
        command = [sys.executable, "-m", "krea_cli", "generate", "an owl", "--sandbox"]
        return terminals.run(
            [*command, "-o", path, *words], env=shell.env, cell=(10, 20), **terminal
        )

    run("first.png", "--no-preview")  # the first one fills caches
    without = run("without.png", "--no-preview")
    silent = run("silent.png", answer=b"")
    answered = run("answered.png", answer=terminals.WITH_SIXEL, late=0.2)

    assert [0, 0, 0] == [shown.code for shown in (without, silent, answered)]
    assert terminals.QUESTION not in without.output
    assert silent.output.index(terminals.QUESTION) < silent.output.index(b"silent.png")
    assert silent.seconds - without.seconds < 0.6
    assert b"\x1bP" not in silent.output
    assert b"\x1bP" in answered.output
