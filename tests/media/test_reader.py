from __future__ import annotations

import io

import pytest

from krea_cli.media import RESULT_TYPES, UPLOAD_TYPES, formats
from krea_cli.media.file_pieces import (
    Overwrite,
    apply_overwrites,
    join_pieces,
    zero_gaps,
)
from krea_cli.media.reader import DamagedError, FileReader, TooManyPartsError

CONTENT = bytes(range(256)) * 100


# In one order for all processes that run the tests.
ALL = sorted(RESULT_TYPES | UPLOAD_TYPES, key=lambda media: media.extension)
SENT = [media for media in ALL if media in UPLOAD_TYPES]


def reader(content=CONTENT):
    return FileReader(io.BytesIO(content))


@pytest.mark.parametrize("count", [0, 1, 100, 8192, 8193, 20_000])
@pytest.mark.parametrize("at", [0, 50, 8191, 17_000, 25_599])
def test_reader_peek_anywhere_returns_the_bytes_there(at, count):
    found = reader()
    found.peek(17_000, 10)

    assert CONTENT[at : at + count] == found.peek(at, count)


@pytest.mark.parametrize("at", [-1, len(CONTENT), 1 << 70])
def test_reader_outside_the_file_finds_damage(at):
    assert reader().peek(at, 1) == b""
    with pytest.raises(DamagedError):
        reader().read(at, 1)


def test_joined_same_bytes_become_one_range():
    pieces = [range(2), CONTENT[2:9], b"", range(9, 300), CONTENT[300:]]

    assert [range(len(CONTENT))] == join_pieces(reader(), pieces)


def test_joined_other_bytes_stay():
    pieces = [range(2), b"xy", CONTENT[4:6], range(4, 9)]

    assert [range(2), b"xy", range(4, 6), range(4, 9)] == join_pieces(reader(), pieces)


def test_overwritten_overlapping_changes_are_damage():
    changes = [Overwrite(3, 6), Overwrite(5, 8)]

    with pytest.raises(DamagedError):
        list(apply_overwrites(range(10), changes))


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], [(10, 20)]),
        ([range(12, 14)], [(10, 12), (14, 20)]),
        ([range(16, 25), range(5, 12), range(11, 13)], [(13, 16)]),
        ([range(30), range(40, 50)], []),
        ([range(3), range(40, 50)], [(10, 20)]),
    ],
)
def test_gaps_cover_all_that_is_not_kept(kept, expected):
    found = zero_gaps(kept, 10, 20)

    assert expected == [(each.start, each.end) for each in found]


def test_gaps_begin_at_the_start_of_the_file():
    assert [Overwrite(0, 5)] == list(zero_gaps([range(5, 9)], 0, 9))


@pytest.mark.parametrize("media", ALL, ids=lambda each: each.extension)
def test_formats_empty_file_is_cut_in_each_of_them(media):
    found = formats.completeness(io.BytesIO(), media, is_all=True)

    assert formats.Completeness.CUT == found


@pytest.mark.parametrize("media", SENT, ids=lambda each: each.extension)
def test_strip_metadata_too_many_parts_are_damage(media, monkeypatch):
    def strip(_reader, **_options):
        raise TooManyPartsError("it has too many parts")
        yield

    monkeypatch.setattr(formats._module(media), "strip", strip)

    with pytest.raises(DamagedError, match="too many parts"):
        formats.strip_metadata(io.BytesIO(), media)
