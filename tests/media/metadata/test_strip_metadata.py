from __future__ import annotations

import io
import json
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media.metadata import marked
from media.metadata.marked import GPS, MARKED, ORIENTATION, PICTURES, PROFILE, WORD
from media.samples import (
    MP4_AT_THE_END,
    SAMPLES,
    box,
    element,
    encoded,
    mp3,
    picture,
)

from krea_cli import media
from krea_cli.media.boxes import whole_file
from krea_cli.media.file_pieces import copy
from krea_cli.media.formats import strip_metadata
from krea_cli.media.reader import DamagedError, FileReader
from krea_cli.media.sample_tables import SampleChunk, chunks, ranges
from krea_cli.media.webm import elements

NAMES = [each.name for each in MARKED]


def removed(content, kind):
    """
    What is sent of a file.
    """
    file, target = io.BytesIO(content), io.BytesIO()
    pieces = strip_metadata(file, kind)
    if pieces is None:
        return content
    copy(file, pieces, target)
    return target.getvalue()


def top_elements(content):
    """
    The elements of a WebM that are in no other one.
    """
    return elements(FileReader(io.BytesIO(content)), 0, len(content))


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
    assert strip_metadata(io.BytesIO(sample.content), sample.media) is None


def test_a_heic_without_metadata_is_sent_to_the_letter():
    """
    It has items, and none of them describes it.
    """
    content = encoded("AVIF")

    assert strip_metadata(io.BytesIO(content), media.HEIC) is None


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


@pytest.mark.parametrize("marker", [0x02, 0xBF, 0xC8, 0xF0, 0xFD])
def test_segments_that_no_decoder_knows_are_left_out(marker):
    """
    What remains is the JPEG as it would be without them.
    """
    whole = encoded("JPEG")
    content = whole[:2] + marked.segment(marker, WORD) + whole[2:]

    assert whole == removed(content, media.JPEG)


def test_the_pictures_of_a_film_stay():
    """
    Those of its index and those of a fragment; what lies among them does not.
    """
    before = marked.full_film()
    after = removed(before, media.MP4)
    start, end = MP4_AT_THE_END.index(b"mdat") + 4, MP4_AT_THE_END.index(b"moov") - 4

    assert MP4_AT_THE_END[start:end] in after
    assert b"mdatframe" + bytes(len(WORD)) in after
    assert len(before) == len(after)


def test_a_film_of_360_degrees_stays_one():
    """
    The program that made it and the time do not.
    """
    fields = {"Spherical": "true", "ProjectionType": "equirectangular"}
    notes = {"StitchingSoftware": "CANARY", "Timestamp": "1577934245"}
    text = "".join(
        f"<GSpherical:{name}>{value}</GSpherical:{name}>"
        for name, value in {**fields, **notes}.items()
    )
    name = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
    content = (
        name + b'<?xml version="1.0"?>' + b" " * 200 + text.encode() + b"<x>CANARY</x>"
    )
    whole = MP4_AT_THE_END
    track, moov = whole.index(b"trak") - 4, whole.index(b"moov") - 4
    extra = box(b"uuid", content)
    for at in (track, moov):
        length = int.from_bytes(whole[at : at + 4]) + len(extra)
        whole = marked.overwritten(whole, at, struct.pack(">I", length))

    after = removed(whole + extra, media.MP4)

    assert name + b"<?xml" in after
    assert b"<GSpherical:ProjectionType>equirectangular<" in after
    assert WORD not in after
    assert b"Timestamp" not in after


def test_uncompressed_sound_ends_where_the_next_chunk_starts():
    """
    QuickTime says that each of its samples has one byte, whatever it has.
    """
    entry = box(b"sowt", bytes(8) + bytes(8) + struct.pack(">HH", 2, 16) + bytes(8))
    chunk = SampleChunk(100, 10, 40)
    tables = box(b"stsz", struct.pack(">III", 0, 1, 10)) + box(
        b"stsd", struct.pack(">II", 0, 1) + entry
    )
    tables += box(b"stsc", struct.pack(">5I", 0, 1, 1, 10, 1))
    tables += box(b"stco", struct.pack(">3I", 0, 1, 100))
    file = whole_file(FileReader(io.BytesIO(tables)))
    table = {each.kind: each for each in file.children()}

    assert [chunk] == list(chunks(table))
    assert [range(100, 140)] == list(ranges([chunk], [100, 200]))
    assert [range(100, 120)] == list(ranges([chunk], [100, 120]))
    assert [range(100, 110)] == list(ranges([chunk], [100, 105]))


def test_a_scene_keeps_its_meshes_and_pictures():
    """
    Nothing in its binary part moves; pictures only end earlier.
    """
    before = marked.glb()
    after = removed(before, media.GLB)
    length = int.from_bytes(after[12:16], "little")
    scene = json.loads(after[20 : 20 + length])
    binary = after[28 + length :]
    texture, mesh = scene["bufferViews"]
    drawn = binary[: texture["byteLength"]]

    assert len(after) == int.from_bytes(after[8:12], "little")
    assert {"version": "2.0"} == scene["asset"]
    assert ["KHR_materials_unlit"] == scene["extensionsUsed"]
    assert [{"name": "Root"}] == scene["nodes"]
    assert b"mesh" == binary[mesh["byteOffset"] :]
    assert scene["buffers"][0]["byteLength"] == len(binary)
    assert marked.opened(marked.jpeg()).tobytes() == marked.opened(drawn).tobytes()


def test_sound_stays():
    """
    Of a WAV and an MP3, byte for byte.
    """
    wav = removed(marked.wav(), media.WAV)
    frames = mp3(tag=b"")

    assert len(wav) - 8 == int.from_bytes(wav[4:8], "little")
    assert b"data\x09\0\0\0" + b"\x80" * 9 + b"\0" == wav[-18:]
    assert frames == removed(marked.tagged_mp3(), media.MP3)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_webm_keeps_its_places(is_live):
    """
    What goes becomes void; the checksum over it, too.
    """
    before = marked.webm(is_live=is_live)
    after = removed(before, media.WEBM)

    assert len(before) == len(after)
    assert before.index(b"\x81\0\0\x80pixels") == after.index(b"\x81\0\0\x80pixels")
    assert b"crc!" not in after
    assert [each.start for each in top_elements(before)] == [
        each.start for each in top_elements(after)
    ]


def test_a_live_webm_may_have_many_clusters():
    """
    Each of unknown length ends where the next one starts.
    """
    block = element(b"\xa3", b"\x81pixels")
    head = element(b"\x1a\x45\xdf\xa3", b"") + b"\x18\x53\x80\x67\x01" + b"\xff" * 7
    cluster = b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7 + block
    content = head + cluster * 2000

    assert strip_metadata(io.BytesIO(content), media.WEBM) is None


@pytest.mark.parametrize("length", [*range(12), 126, 127, 128, 129, 130, 300])
def test_a_void_element_has_the_length_of_what_it_replaces(length):
    """
    Its own length is written in one byte or in eight.
    """
    content = element(b"\x1a\x45\xdf\xa3", b"") + bytes([0xEA])
    content += (0x4000 | length).to_bytes(2) + b"x" * length
    after = removed(content, media.WEBM)

    assert len(content) == len(after)
    assert [0x1A45DFA3, 0xEC] == [each.name for each in top_elements(after)]


def refused_film(old, new):
    assert MP4_AT_THE_END.count(old) == 1
    return media.MP4, MP4_AT_THE_END.replace(old, new)


def only_scene(**scene):
    text = json.dumps(scene).encode()
    head = b"glTF" + struct.pack("<II", 2, 20 + len(text))
    return media.GLB, head + struct.pack("<I4s", len(text), b"JSON") + text


DAMAGED = {
    "a png of apple's": (
        media.PNG,
        encoded("PNG")[:8] + marked.chunk(b"CgBI", bytes(4)) + encoded("PNG")[8:],
    ),
    "jpeg-ls": (media.JPEG, b"\xff\xd8" + marked.segment(0xF7, bytes(8))),
    "a compressed index": refused_film(b"mvhd", b"cmov"),
    "an encrypted film": refused_film(b"stts", b"saio"),
    "pictures in another file": refused_film(b"url \0\0\0\1", b"url \0\0\0\0"),
    "an unknown codec": (
        media.MP4,
        MP4_AT_THE_END.replace(b"esds", b"what").replace(b"mp4v", b"SVQ3"),
    ),
    "no index": (media.MP4, box(b"mdat", b"pixels")),
    "a track without media": refused_film(b"minf", b"what"),
    "an unknown main picture": (
        media.HEIC,
        marked.early_heic(1).replace(b"hvc1", b"what"),
    ),
    "a scene with an extension": only_scene(extensionsRequired=["VENDOR_mesh"]),
    "a scene of other types": only_scene(images=[1]),
    "a scene without its pictures": only_scene(images=[{"bufferView": 3}]),
    "a wav without sound": (media.WAV, b"RIFF\4\0\0\0WAVE"),
    "an mp3 without frames": (media.MP3, b"ID3\4\0\0\0\0\0\0" + bytes(40)),
    "a webm element beyond the end": (media.WEBM, marked.webm()[:-4]),
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


def fragment(samples, rest):
    """
    A fragment of a film: its index, and media data of which it uses the first part.
    """
    head = box(b"tfhd", struct.pack(">II", 0x20000, 1))

    def moof(offset):
        run = struct.pack(">IIiI", 0x201, 1, offset, len(samples))
        return box(b"moof", box(b"traf", head + box(b"trun", run)))

    return moof(len(moof(0)) + 8) + box(b"mdat", samples + rest)


@pytest.mark.long
def test_strip_many_fragments_takes_linear_time():
    """
    Each is looked up once: thousands took seconds when each was compared with all.
    """
    film = MP4_AT_THE_END + fragment(b"samples!", WORD) * 6_000
    start = time.process_time()

    after = removed(film, media.MP4)

    assert time.process_time() - start < 3
    assert (6_000, 0) == (after.count(b"samples!"), after.count(WORD))


def test_strip_webm_voids_the_checksum_of_a_changed_segment():
    """
    It would be wrong; that of a segment in which nothing changes stays.
    """
    head = element(b"\x1a\x45\xdf\xa3", b"")
    sum_, tags = element(b"\xbf", b"crc!"), element(b"\x12\x54\xc3\x67", WORD)
    changed = head + element(b"\x18\x53\x80\x67", sum_ + tags)
    same = head + element(b"\x18\x53\x80\x67", sum_)

    assert b"crc!" not in removed(changed, media.WEBM)
    assert same == removed(same, media.WEBM)
