from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media.metadata import marked
from media.metadata.marked import GPS, MARKED, ORIENTATION, PICTURES, PROFILE, WORD
from media.samples import SAMPLES, box, encoded, picture

from krea_cli import media
from krea_cli.media.metadata.pieces import DamagedError, copy
from krea_cli.media.metadata.removal import without_metadata

NAMES = [each.name for each in MARKED]


def removed(content, kind):
    """
    What is sent of a file.
    """
    file, target = io.BytesIO(content), io.BytesIO()
    pieces = without_metadata(file, kind)
    if pieces is None:
        return content
    copy(file, pieces, target)
    return target.getvalue()


@pytest.mark.parametrize("each", MARKED, ids=NAMES)
def test_no_word_is_left(each):
    """
    Of EXIF, place, XMP, IPTC, comments, text, previews, and what lies behind the end.
    """
    assert WORD in each.content
    assert WORD not in removed(each.content, each.media)


@pytest.mark.parametrize("each", PICTURES, ids=lambda each: each.name)
def test_the_picture_stays_what_it_is(each):
    """
    The same pixels in the same colours, the same way up, and nothing else in its EXIF.
    """
    before = marked.opened(each.content)
    after = marked.opened(removed(each.content, each.media))

    assert (before.mode, before.size) == (after.mode, after.size)
    assert before.tobytes() == after.tobytes()
    assert before.info.get("transparency") == after.info.get("transparency")
    assert PROFILE == after.info["icc_profile"]
    assert {ORIENTATION: 6} == dict(after.getexif())
    assert {} == after.getexif().get_ifd(GPS)
    assert "gamma" not in before.info or before.info["gamma"] == after.info["gamma"]


@pytest.mark.parametrize("orientation", [*range(1, 9), None, 9])
@pytest.mark.parametrize("kind", [media.JPEG, media.WEBP])
def test_the_way_up_stays(orientation, kind):
    """
    Every one of the eight; what needs no turning needs no EXIF.
    """
    content = (marked.jpeg if kind == media.JPEG else marked.webp)(orientation)
    after = marked.opened(removed(content, kind))
    turned = {ORIENTATION: orientation} if orientation in range(2, 9) else {}

    assert turned == dict(after.getexif())
    assert ("exif" in after.info) == bool(turned)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("header", [b"", b"Exif\0\0"])
def test_exif_of_every_byte_order_is_understood(order, header):
    """
    With and without the header that belongs to JPEG alone.
    """
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(f"{order}HHIHH", 0x010F, 2, 1, 65, 0)
    entries += struct.pack(f"{order}HHIHH", ORIENTATION, 3, 1, 8, 0)
    tiff = mark + struct.pack(f"{order}IH", 8, 2) + entries + bytes(4)
    content = encoded("PNG").replace(
        b"\0\0\0\0IEND", marked.chunk(b"eXIf", header + tiff) + b"\0\0\0\0IEND"
    )

    after = marked.opened(removed(content, media.PNG))

    assert {ORIENTATION: 8} == dict(after.getexif())


@pytest.mark.parametrize(
    "sample",
    [
        sample
        for sample in SAMPLES
        if sample.name not in ("jpeg with a thumbnail", "gif", "avif", "glb")
        and sample.media != media.MP3
    ],
    ids=lambda sample: sample.name,
)
def test_a_file_without_metadata_is_sent_to_the_letter(sample):
    """
    Others have a preview, a tag or the name of a program, or are not accepted as input.
    """
    assert without_metadata(io.BytesIO(sample.content), sample.media) is None


def test_a_heic_without_metadata_is_sent_to_the_letter():
    """
    It has items, and none of them describes it.
    """
    content = encoded("AVIF")

    assert without_metadata(io.BytesIO(content), media.HEIC) is None


@pytest.mark.parametrize("each", MARKED, ids=NAMES)
def test_what_was_removed_stays_removed(each):
    """
    So a picture that is sent again has the hash that it is remembered by.
    """
    once = removed(each.content, each.media)

    assert once == removed(once, each.media)


def test_exif_among_the_small_items_is_overwritten():
    """
    In its place, by EXIF that says nothing.
    """
    before = marked.small_heic()

    after = removed(before, media.HEIC)

    assert WORD not in after
    assert len(before) == len(after)
    assert before.index(b"idat") + 8 == after.index(b"Exif\0\0MM\0*")


@pytest.mark.parametrize("brand", [b"isom", b"qt  "])
def test_a_film_keeps_its_places(brand):
    """
    Its tables say where in the file each frame lies, so nothing may move.
    """
    before = marked.movie(brand)
    after = removed(before, media.MP4)
    at = before.index(b"udta")
    pictures = before.index(b"mdat") - 4
    length = int.from_bytes(before[pictures : pictures + 4])

    assert len(before) == len(after)
    assert before[: pictures + length] == after[: pictures + length]
    assert b"free" == after[at : at + 4]


def test_an_animation_keeps_its_frames():
    """
    Of a PNG and of a WebP.
    """
    for kind in (media.PNG, media.WEBP):
        content = encoded(
            kind.extension.upper(),
            save_all=True,
            append_images=[picture(seed=8)],
            exif=marked.exif(),
        )
        after = marked.opened(removed(content, kind))

        assert (2, {ORIENTATION: 6}) == (after.n_frames, dict(after.getexif()))


def test_webp_of_careless_writers_is_whole():
    """
    The last chunk without its padding: what follows it must be padded, all the same.
    """
    head = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + bytes(6)
    odd = b"VP8L" + struct.pack("<I", 3) + b"abc"
    body = b"WEBP" + head + b"EXIF" + struct.pack("<I", 2) + b"xx" + odd

    content = b"RIFF" + struct.pack("<I", len(body)) + body
    after = removed(content, media.WEBP)

    assert b"EXIF" not in after
    assert (len(after) - 8, 0) == (struct.unpack("<I", after[4:8])[0], after[20])
    assert odd + b"\0" == after[-len(odd) - 1 :]


DAMAGED = {
    "a segment beyond the end": (media.JPEG, marked.jpeg()[:40]),
    "no marker": (media.JPEG, b"\xff\xd8\xff\xdb\0\2hello"),
    "fill bytes without end": (media.JPEG, b"\xff\xd8" + b"\xff" * 300_000),
    "a chunk beyond the end": (media.PNG, marked.png()[:400]),
    "no end chunk": (media.PNG, encoded("PNG")[:-12]),
    "a cut riff": (media.WEBP, marked.webp()[:-40]),
    "a box beyond the end": (media.MP4, marked.movie()[:-4]),
    "a box in a box": (media.MP4, box(b"moov", b"\0\0\1\0udta")),
    "items of too many parts": (
        media.HEIC,
        box(
            b"meta",
            bytes(4)
            + box(b"iinf", bytes(6))
            + box(b"iloc", bytes(6) + b"\0\2" + b"\0\1\0\0\xff\xff" * 2),
        ),
    ),
    "an item beyond the end": (
        media.HEIC,
        marked.heic().replace(b"iloc\0\0\0\0\x44", b"iloc\0\0\0\0\x08", 1),
    ),
    "a cut table": (
        media.HEIC,
        box(b"meta", bytes(4) + box(b"iinf", bytes(6)) + box(b"iloc", bytes(3))),
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_cannot_be_followed_is_damaged(name):
    """
    Nobody knows what is in it, so it is not sent unless the user says so.
    """
    kind, content = DAMAGED[name]

    with pytest.raises(DamagedError):
        removed(content, kind)


def test_a_jpeg_that_breaks_off_in_its_pixels_is_sent():
    """
    What there is of it can be seen; what described it came before.
    """
    whole = marked.jpeg()
    content = whole[: whole.index(b"\xff\xda") + 500]

    after = removed(content, media.JPEG)

    assert WORD not in after
    assert content[-490:] == after[-490:]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(MARKED),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
def test_a_malformed_file_never_crashes(each, changes, end):
    """
    Whatever stands in its lengths and tables: it is followed or damaged.
    """
    content = bytearray(each.content[: 12 + int(end * len(each.content))])
    for place, value in changes:
        # The structure is mostly at the start, and lengths are what hurts.
        content[int(place**3 * (len(content) - 1))] = value
    try:
        once = removed(bytes(content), each.media)
    except DamagedError:
        return

    assert len(once) <= len(content) + 1
