"""
Video, sound and 3D results: small, valid, and playable elsewhere.
"""

from __future__ import annotations

import io
import json
import random
import struct
import wave

import pytest
from sandbox.asking import opened, picture

from krea_cli.media import MP4, sniff
from krea_cli.sandbox.renderer import audio
from krea_cli.sandbox.renderer.glb import glb
from krea_cli.sandbox.renderer.mp4 import mp4

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl"}


def boxes(data, start=0, stop=None):
    """
    Every box of an MP4 by its name, with where its content begins and ends.
    """
    stop = len(data) if stop is None else stop
    found = {}
    while start < stop:
        length, name = struct.unpack_from(">I4s", data, start)
        assert 8 <= length <= stop - start
        found[name] = (start + 8, start + length)
        if name in CONTAINERS:
            found |= boxes(data, start + 8, start + length)
        start += length
    return found


@pytest.fixture
def frames():
    return [picture((64, 48), "JPEG", quality=q) for q in (40, 60, 80)]


def test_film_is_whole(frames):
    """
    The boxes fill the file exactly, and all that a player needs are there.
    """
    film = mp4(frames, (64, 48), per_second=3)
    found = boxes(film)

    assert MP4 == sniff(film)
    assert {b"ftyp", b"mdat", b"mvhd", b"tkhd", b"mdhd", b"hdlr"} <= found.keys()
    assert {b"stsd", b"stts", b"stsc", b"stsz", b"stco"} <= found.keys()


def test_film_s_index_leads_to_its_frames(frames):
    """
    At each offset of the index stands a JPEG of the length that the index says.
    """
    film = mp4(frames, (64, 48), per_second=3)
    found = boxes(film)
    sizes = struct.unpack_from(">3I", film, found[b"stsz"][0] + 12)
    offsets = struct.unpack_from(">3I", film, found[b"stco"][0] + 8)
    cut = [film[at : at + size] for at, size in zip(offsets, sizes, strict=True)]

    assert frames == cut
    assert [(64, 48)] * 3 == [opened(frame).size for frame in cut]


def test_film_says_how_long_it_is(frames):
    """
    Three frames at three a second: one second, in the size given.
    """
    film = mp4(frames, (64, 48), per_second=3)
    found = boxes(film)
    scale, duration = struct.unpack_from(">II", film, found[b"mdhd"][0] + 12)
    width, height = struct.unpack_from(">II", film, found[b"tkhd"][1] - 8)

    assert 1.0 == duration / scale
    assert (64, 48) == (width >> 16, height >> 16)


def test_sound_is_a_wave_file():
    """
    Mono, 16 bits, of the length promised, neither silent nor clipped.
    """
    with wave.open(io.BytesIO(audio.wav(random.Random(1)))) as sound:
        samples = memoryview(sound.readframes(sound.getnframes())).cast("h")

        assert (1, 2, audio.RATE) == sound.getparams()[:3]
        assert audio.SECONDS == sound.getnframes() / sound.getframerate()
    assert 5_000 < max(samples) < 32_000


def test_sound_depends_on_the_generator():
    """
    The same generator, the same tune; another one, another.
    """
    first, again, other = (audio.wav(random.Random(seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_model_is_binary_gltf():
    """
    A header, a JSON chunk and a binary chunk, each of the length that it says.
    """
    data = glb(picture((32, 32), "JPEG"))
    magic, version, length = struct.unpack_from("<4sII", data)
    text_length, text_kind = struct.unpack_from("<I4s", data, 12)
    binary_length, binary_kind = struct.unpack_from("<I4s", data, 20 + text_length)

    assert (b"glTF", 2, len(data)) == (magic, version, length)
    assert (b"JSON", b"BIN\0") == (text_kind, binary_kind)
    assert len(data) == 28 + text_length + binary_length
    assert 0 == text_length % 4 == binary_length % 4


def test_model_carries_the_picture_and_fits_its_views():
    """
    Each accessor lies within its view, each index names a vertex, and the texture is
    the JPEG given.
    """
    jpeg = picture((32, 32), "JPEG")
    data = glb(jpeg)
    (text_length,) = struct.unpack_from("<I", data, 12)
    scene = json.loads(data[20 : 20 + text_length])
    binary = data[28 + text_length :]
    views = [
        binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        for view in scene["bufferViews"]
    ]
    widths = {"VEC3": 12, "VEC2": 8, "SCALAR": 2}

    for accessor in scene["accessors"]:
        wanted = accessor["count"] * widths[accessor["type"]]
        assert wanted == len(views[accessor["bufferView"]])
        assert 0 == scene["bufferViews"][accessor["bufferView"]]["byteOffset"] % 4
    assert set(range(4)) == set(memoryview(views[2]).cast("H"))
    assert jpeg == views[3]
