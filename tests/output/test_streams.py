from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from krea_cli.errors import ExitCode, StorageError
from krea_cli.output.streams import Stream


def text(file, **options):
    return io.TextIOWrapper(file, encoding="utf-8", **options)


@pytest.fixture
def full():
    with text(Path("/dev/full").open("wb")) as file:
        yield file


@pytest.fixture
def abandoned():
    """
    A pipe that nobody reads any more.
    """
    read, write = os.pipe()
    os.close(read)
    with text(os.fdopen(write, "wb")) as file:
        yield file


def test_a_reader_that_went_away_is_no_error(abandoned):
    """
    What is said to a broken pipe is lost, once and later, and closing it is no error
    either.
    """
    stream = Stream(abandoned, "Standard output")

    stream.write_line("one")
    stream.write_line("two")


def test_a_full_disk_is_exit_7(full):
    """
    One clear error; closing the file later does not meet it again.
    """
    stream = Stream(full, "Standard output")

    with pytest.raises(StorageError, match="No space left on device") as caught:
        stream.write_line("lost")

    assert ExitCode.STORAGE == caught.value.exit_code


def test_a_closed_stream_is_exit_7():
    """
    A program started without standard output does not pretend to have told anything.
    """
    closed = io.StringIO()
    closed.close()

    for file in (None, closed):
        stream = Stream(file, "Standard output")
        assert not stream.is_terminal
        with pytest.raises(StorageError, match=r"(?i)standard output"):
            stream.write_line("lost")


def test_a_stream_that_may_fail_never_does(full, abandoned):
    """
    Work goes on without standard error.
    """
    for file in (None, full, abandoned):
        Stream(file, "Standard error", may_fail=True).write_line("lost")


def test_bytes_that_do_not_get_out_are_an_error(full, abandoned):
    """
    A picture of which a part arrived is no result, whoever stopped reading.
    """
    for file in (None, full, abandoned):
        with pytest.raises(StorageError, match=r"(?i)standard output"):
            Stream(file, "Standard output").send(io.BytesIO(b"x" * 100_000))


def test_bytes_go_out_whole():
    """
    From the start of the file, after the text that was said before.
    """
    file = text(io.BytesIO())
    source = io.BytesIO(b"\x00\xff" * 50_000)
    source.seek(7)

    Stream(file, "Standard output").send(source)

    assert source.getvalue() == file.buffer.getvalue()


def test_a_hidden_secret_is_never_written():
    """
    Neither as it is, nor as JSON has it.
    """
    file = io.StringIO()
    stream = Stream(file, "Standard error")
    stream.hide('to"ken')

    stream.write_line('a to"ken, a "to\\"ken"')

    assert 'a ***, a "***"\n' == file.getvalue()
