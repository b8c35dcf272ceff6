from __future__ import annotations

import io
import struct
import time

import pytest
from media.samples import (
    ENDED,
    MP4_AT_THE_START,
    box,
    element,
    encoded,
    jpeg_with_thumbnail,
    picture,
    webm,
)

from krea_cli import media
from krea_cli.media import jpeg, reader
from krea_cli.media.formats import Completeness, completeness

ended = pytest.mark.parametrize("sample", ENDED, ids=lambda sample: sample.name)


def complete(content, kind, *, is_all=False):
    return Completeness.COMPLETE == completeness(
        io.BytesIO(content), kind, is_all=is_all
    )


def is_boxes(sample):
    return sample.media.kind == "video" or sample.media == media.AVIF


def test_a_whole_file_is_complete(sample):
    """
    Wherever the file was read before.
    """
    file = io.BytesIO(sample.content)
    file.seek(7)

    assert Completeness.COMPLETE == completeness(file, sample.media, is_all=False)


@ended
def test_a_cut_file_is_never_complete(sample):
    """
    At two hundred places and at each of the last twenty bytes.
    """
    size = len(sample.content)
    cuts = {*range(0, size, max(1, size // 200)), *range(size - 20, size)}

    assert [] == [at for at in cuts if complete(sample.content[:at], sample.media)]


@ended
@pytest.mark.parametrize("tail", [b"\n", b"\r\n", bytes(1), bytes(4096)])
def test_padding_is_no_cut(sample, tail):
    """
    Where the end is written in the file, it was reached; of boxes, which may begin with
    zeros, it must be known how long the whole is.
    """
    padded = sample.content + tail

    assert complete(padded, sample.media, is_all=True)
    assert is_boxes(sample) != complete(padded, sample.media)


@ended
@pytest.mark.parametrize("tail", [b"garbage", b"<html>" * 999, b" " * 4097, b"\xff"])
def test_what_follows_is_of_the_result_if_it_was_announced(sample, tail):
    """
    A picture with a page behind it is a picture; of a film the page is a broken box.
    """
    longer = sample.content + tail

    assert not complete(longer, sample.media)
    assert is_boxes(sample) != complete(longer, sample.media, is_all=True)


@ended
def test_what_was_announced_may_be_cut_all_the_same(sample):
    """
    The server has no more of it.
    """
    size = len(sample.content)
    cuts = {*range(0, size, max(1, size // 50)), *range(size - 12, size)}

    assert [] == [
        at for at in cuts if complete(sample.content[:at], sample.media, is_all=True)
    ]


@pytest.mark.parametrize("length", [0, 0x7FFFF024, 0xFFFFFFFF])
def test_a_streamed_wav_is_as_long_as_was_announced(length):
    """
    Who writes to a pipe cannot say it; a head alone is no sound.
    """
    size = struct.pack("<I", length)
    head = b"RIFF" + size + b"WAVEfmt \x10\0\0\0" + bytes(16) + b"data" + size
    file = io.BytesIO(head + bytes(999))

    assert Completeness.COMPLETE == completeness(file, media.WAV, is_all=True)
    assert Completeness.OPEN_ENDED == completeness(file, media.WAV, is_all=False)
    assert Completeness.CUT == completeness(io.BytesIO(head), media.WAV, is_all=True)


def test_a_jpeg_cut_behind_its_thumbnail_is_not_complete():
    """
    The thumbnail ends as the whole does, but lies inside a segment.
    """
    whole = jpeg_with_thumbnail()
    end = whole.index(b"\xff\xd9") + 2

    assert end < len(whole) - 100
    assert not complete(whole[:end], media.JPEG)
    assert complete(whole, media.JPEG)


@pytest.mark.parametrize("padding", [0, 1, 7, 4096])
def test_a_jpeg_may_be_padded_with_zeros(padding):
    """
    Some encoders fill their last block.
    """
    assert complete(encoded("JPEG") + bytes(padding), media.JPEG)


def test_a_jpeg_is_not_zeros_without_end():
    """
    Padding has a limit.
    """
    assert not complete(encoded("JPEG") + bytes(4097), media.JPEG)


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 1}, {"optimize": True}])
def test_markers_inside_a_scan_do_not_end_it(options):
    """
    Restart markers and stuffed bytes are of the scan.
    """
    whole = encoded("JPEG", **options)

    assert complete(whole, media.JPEG)
    assert not complete(whole[:-2], media.JPEG)


def test_a_scan_of_many_reads_is_read_to_its_end():
    """
    A marker is found wherever the reads happen to end.
    """
    whole = encoded("JPEG", picture((400, 300)), quality=95)
    start = whole.index(b"\xff\xda") + 14
    scan = b"\x11" * (1 << 16)

    assert len(whole) > 1 << 16
    assert complete(whole, media.JPEG)
    for length in range((1 << 16) - 6, (1 << 16) + 3):
        stretched = whole[:start] + scan[:length] + b"\x11" * 3 + b"\xff\xd9"
        assert complete(stretched, media.JPEG)


def test_a_jpeg_of_several_pictures_is_complete():
    """
    As phones make them: one behind the other.
    """
    whole = encoded("MPO", save_all=True, append_images=[picture(seed=8)])

    assert 2 == whole.count(b"\xff\xd9")
    assert complete(whole, media.JPEG)
    assert not complete(whole[:-1], media.JPEG)


def test_bytes_between_segments_are_no_jpeg():
    """
    A marker has to follow where a segment ends.
    """
    assert not complete(b"\xff\xd8\xff\xe0\x00\x04ab" + b"x" * 99, media.JPEG)


def test_a_film_without_its_pictures_is_not_complete():
    """
    With the index first, a cut between two boxes leaves only whole boxes.
    """
    cut = MP4_AT_THE_START[: MP4_AT_THE_START.index(b"mdat") - 4]

    assert b"moov" in cut
    assert not complete(cut, media.MP4)


def test_a_picture_without_its_data_is_not_complete():
    """
    The same for AVIF.
    """
    whole = encoded("AVIF")

    assert not complete(whole[: whole.index(b"mdat") - 4], media.AVIF)


def test_boxes_may_have_long_lengths_or_none():
    """
    64 bits, or zero for the last one, which reaches to the end.
    """
    head = box(b"ftyp", b"isom") + box(b"moov")
    long = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"hello"
    last = struct.pack(">I4s", 0, b"mdat") + b"hello"

    assert complete(head + long, media.MP4)
    assert not complete(head + long[:-1], media.MP4)
    assert complete(head + last, media.MP4)


@pytest.mark.parametrize("length", [2, 7])
def test_a_box_that_is_shorter_than_its_head_is_none(length):
    """
    The walk would never end.
    """
    broken = struct.pack(">I4s", length, b"free")

    assert not complete(box(b"moov") + box(b"mdat") + broken, media.MP4)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\x00" + bytes(20),
        element(b"\x1a\x45\xdf\xa3", b"webm"),
        b"\x1a\x45\xdf\xa3\xff" + bytes(20),
    ],
)
def test_a_head_alone_is_no_webm(content):
    """
    The segment has to be there, and only it may be of unknown length.
    """
    assert not complete(content, media.WEBM)


def test_lengths_of_every_width_are_read():
    """
    EBML has one to eight bytes for a length.
    """
    header = element(b"\x1a\x45\xdf\xa3", b"webm")
    for width in range(1, 9):
        length = (5 | 1 << 7 * width).to_bytes(width, "big")
        whole = header + b"\x18\x53\x80\x67" + length + b"hello"
        assert complete(whole, media.WEBM)
        assert not complete(whole[:-1], media.WEBM)


def test_a_live_webm_ends_with_an_element():
    """
    Its length is unknown by definition, but not that of what is in it; a cut between
    two elements cannot be seen.
    """
    whole = webm(is_live=True)
    unended = whole[:-3012] + b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7
    block = element(b"\xa3", b"block")

    assert not complete(whole[:-1], media.WEBM)
    assert not complete(whole[:-1000], media.WEBM)
    assert complete(whole[:-3012], media.WEBM)
    assert complete(unended + block * 3, media.WEBM)
    assert not complete(unended + block * 3 + block[:-1], media.WEBM)


def test_a_live_webm_has_more_than_its_heads():
    """
    A segment with nothing in it is no film.
    """
    assert not complete(webm(is_live=True)[:38], media.WEBM)
    heads = element(b"\x1a\x45\xdf\xa3", b"") + b"\x18\x53\x80\x67\xff"
    assert not complete(heads, media.WEBM)
    assert complete(heads + element(b"\xec", b""), media.WEBM)


def test_a_picture_has_pixels():
    """
    A head and an end alone are none.
    """
    png, jpeg, gif = encoded("PNG"), encoded("JPEG"), encoded("GIF")

    assert not complete(png[:33] + png[-12:], media.PNG)
    assert not complete(b"\xff\xd8\xff\xd9", media.JPEG)
    assert not complete(jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9", media.JPEG)
    assert not complete(gif[: 13 + 768] + b";", media.GIF)


def test_an_odd_riff_may_have_its_padding_byte_or_not():
    """
    Writers differ.
    """
    odd = b"RIFF" + struct.pack("<I", 9) + b"WAVEhello"

    assert complete(odd, media.WAV)
    assert complete(odd + b"\0", media.WAV)
    assert not complete(odd + b"\0x", media.WAV)


PNG, JPEG, GIF = encoded("PNG"), encoded("JPEG"), encoded("GIF")
LIVE = webm(is_live=True)
MP4_HEAD = box(b"moov") + box(b"mdat")
# What is repeated, and what stands before and behind it.
CROWDS = [
    ("chunks", media.PNG, PNG[:33], bytes(4) + b"teSt" + bytes(4), PNG[33:]),
    ("segments", media.JPEG, b"\xff\xd8", b"\xff\xfe\0\2", JPEG[2:]),
    ("scans", media.JPEG, JPEG[:-2], b"\xff\xda\0\2", b"\xff\xd9"),
    ("pictures", media.JPEG, JPEG, b"\xff\xd8", b"\xff\xd9"),
    ("blocks", media.GIF, GIF[:-2], b"\1x", b"\0;"),
    ("extensions", media.GIF, GIF[:-1], b"!\xfe\0", b";"),
    ("boxes", media.MP4, MP4_HEAD, box(b"free"), b""),
    ("elements", media.WEBM, LIVE, b"\xec\x80", b""),
    ("top elements", media.WEBM, webm(), b"\xec\x80", b""),
]


class Counted(io.BytesIO):
    """
    Counts how often it is read from.
    """

    reads = 0

    def read(self, *args):
        self.reads += 1
        return super().read(*args)


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd[0])
def test_a_file_of_too_many_parts_is_not_followed_to_its_end(crowd, monkeypatch):
    """
    However long it is: a few megabytes of tiny parts must not keep a processor busy.
    """
    monkeypatch.setattr(reader, "MAX_PARTS", 1000)
    monkeypatch.setattr(jpeg, "_MAX_SCANS", 1000)
    _, kind, head, part, tail = crowd
    file = Counted(head + part * 3_000 + tail)

    assert Completeness.CROWDED == completeness(file, kind, is_all=True)
    assert file.reads < 1_100


@pytest.mark.long
@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd[0])
def test_a_large_file_of_tiny_parts_takes_little_time(crowd):
    """
    Fifty megabytes, as hostile as can be; followed one by one they took up to 40 s.
    """
    _, kind, head, part, tail = crowd
    file = io.BytesIO(head + part * (50_000_000 // len(part)) + tail)
    start = time.process_time()

    assert Completeness.CROWDED == completeness(file, kind, is_all=True)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd[0])
def test_a_file_of_many_parts_is_read_in_large_pieces(crowd):
    """
    As many parts as a real file may have.
    """
    _, kind, head, part, tail = crowd
    file = Counted(head + part * 3_000 + tail)

    assert Completeness.COMPLETE == completeness(file, kind, is_all=True)
    assert file.reads < 3_100


def test_a_large_gif_has_many_blocks(monkeypatch):
    """
    They have at most 255 bytes, so the limit grows with the file.
    """
    monkeypatch.setattr(reader, "MAX_PARTS", 1000)
    blocks = (b"\xff" + bytes(255)) * 1_500

    assert complete(GIF[:-2] + blocks + b"\0;", media.GIF)
