"""
Complete files of each type, real ones if Pillow or the sandbox can create them.
"""

from __future__ import annotations

import hashlib
import io
import random
import struct
import wave
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from krea_cli import media
from krea_cli.inputs.local_file import Digest, LocalFile
from krea_cli.media import MediaType
from krea_cli.sandbox.renderer import glb as mesh
from krea_cli.sandbox.renderer import mp4 as movie


@dataclass(frozen=True)
class Sample:
    name: str
    media: MediaType
    content: bytes


def picture(size=(64, 48), seed=7):
    """
    Return a picture with noise, so that it stays large when compressed.
    """
    noise = random.Random(seed).randbytes(size[0] * size[1] * 3)
    drawn = Image.frombytes("RGB", size, noise)
    ImageDraw.Draw(drawn).ellipse((5, 5, 40, 40), fill="orange")
    return drawn


def encoded(kind, drawn=None, **options):
    file = io.BytesIO()
    (drawn or picture()).save(file, kind, **options)
    return file.getvalue()


def sound():
    """
    Return half a second of noise.
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(random.Random(7).randbytes(8000))
    return file.getvalue()


def jpeg_with_thumbnail():
    """
    Return a JPEG with a complete second JPEG in its APP1 segment.
    """
    whole = encoded("JPEG", quality=80)
    small = encoded("JPEG", picture((16, 16)))
    segment = b"Exif\0\0" + bytes(20) + small
    return (
        whole[:2]
        + b"\xff\xe1"
        + struct.pack(">H", len(segment) + 2)
        + segment
        + whole[2:]
    )


def webm(*, is_live=False):
    """
    Return an EBML header and a segment of clusters. A live segment has unknown length.
    """
    header = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm"))
    block = element(b"\xa3", b"\x81" + random.Random(7).randbytes(2990))
    cluster = element(b"\x1f\x43\xb6\x75", block)
    if is_live:
        return header + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + cluster * 3
    return header + element(b"\x18\x53\x80\x67", cluster * 3)


def element(name, content):
    return name + (len(content) | 1 << 56).to_bytes(8, "big") + content


def box(name, content=b""):
    return struct.pack(">I4s", len(content) + 8, name) + content


def movies():
    """
    Return the same film twice: with its index after the frames, and before them.
    """
    frames = [encoded("JPEG", picture((32, 32))) for _ in range(3)]
    whole = movie.mp4(frames, (32, 32), per_second=3)
    at, kind = whole.index(b"mdat") - 4, whole[: whole.index(b"mdat") - 4]
    size = int.from_bytes(whole[at : at + 4], "big")
    return whole, kind + moved(whole[at + size :]) + whole[at : at + size]


def moved(index):
    """
    Return the index of a film, adjusted to frames that follow it.
    """
    at = index.index(b"stco") + 12
    places = struct.unpack(f">{(len(index) - at) // 4}I", index[at:])
    return index[:at] + struct.pack(
        f">{len(places)}I", *(place + len(index) for place in places)
    )


def generic(avif):
    """
    Return the same AVIF with the generic image brand as its main brand.
    """
    size = int.from_bytes(avif[:4])
    brands = b"mif1miaf" + b"MA1B" + b"avif"
    return box(b"ftyp", b"mif1" + bytes(4) + brands.ljust(size - 16)) + avif[size:]


def big_endian_tiff():
    """
    Return a TIFF whose only strip is grey and follows its directory.
    """
    pixels = random.Random(7).randbytes(64 * 48)
    fields = [(256, 64), (257, 48), (258, 8), (259, 1), (262, 1), (277, 1), (278, 48)]
    fields = sorted([*fields, (273, 8 + 2 + 9 * 12 + 4), (279, len(pixels))])
    page = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in fields)
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", 9) + page + bytes(4) + pixels


def mp3(*, frames=4, declared=None, tag=b"ID3\x04\x00\x00\x00\x00\x00\x00"):
    """
    Return frames of silence after an ID3 tag. The first frame may declare their number.
    """
    first = frame = b"\xff\xfb\x90\x00" + bytes(413)
    if declared is not None:
        info = b"Info" + struct.pack(">II", 1, declared)
        first = frame[:36] + info + frame[36 + len(info) :]
    return tag + first + frame * (frames - 1)


MP4_AT_THE_END, MP4_AT_THE_START = movies()
SAMPLES = [
    Sample("png", media.PNG, encoded("PNG")),
    Sample("jpeg", media.JPEG, encoded("JPEG", quality=85)),
    Sample("progressive jpeg", media.JPEG, encoded("JPEG", progressive=True)),
    Sample("jpeg with a thumbnail", media.JPEG, jpeg_with_thumbnail()),
    Sample("webp", media.WEBP, encoded("WEBP")),
    Sample("gif", media.GIF, encoded("GIF")),
    Sample(
        "gif with frames",
        media.GIF,
        encoded("GIF", save_all=True, append_images=[picture(seed=8)]),
    ),
    Sample("avif", media.AVIF, encoded("AVIF")),
    Sample("avif of any image", media.AVIF, generic(encoded("AVIF"))),
    Sample("tiff", media.TIFF, encoded("TIFF")),
    Sample("tiff for Macs", media.TIFF, big_endian_tiff()),
    Sample("bmp", media.BMP, encoded("BMP")),
    Sample("mp4", media.MP4, MP4_AT_THE_END),
    Sample("mp4 with its index first", media.MP4, MP4_AT_THE_START),
    Sample("mov", media.MOV, box(b"ftyp", b"qt  " * 4) + MP4_AT_THE_END[24:]),
    Sample("wav", media.WAV, sound()),
    Sample("glb", media.GLB, mesh.glb(encoded("PNG"))),
    Sample("webm", media.WEBM, webm()),
    Sample("live webm", media.WEBM, webm(is_live=True)),
    Sample("mp3", media.MP3, mp3()),
    Sample("mp3 of declared length", media.MP3, mp3(declared=3)),
]
OPEN_ENDED = ("mp3", "mp3 of declared length", "live webm")
# MP3 and live WebM files do not state their length, so anything may follow.
ENDED = [sample for sample in SAMPLES if sample.name not in OPEN_ENDED]


def unread(name, kind):
    """
    Return a checked file that does not exist.
    """
    digest = Digest(hashlib.sha256(name.encode()).hexdigest())
    return LocalFile(name, Path(name), kind, (0, 0, 0), 10, digest=digest)


@pytest.fixture(params=SAMPLES, ids=[sample.name for sample in SAMPLES])
def sample(request):
    """
    Return a complete file. The fixture runs once for each type.
    """
    return request.param
