"""
Kinds and sizes of files, by their first bytes.
"""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sandbox.asking import picture

from krea_cli.sandbox import media

SIZES = [(1, 1), (80, 60), (300, 1), (17, 999)]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypmif1", "image/heic"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x01", "video/webm"),
        (b"glTF\x02\0\0\0", "model/gltf-binary"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\x04\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", None),
        (b"\0\0\0\x18ftypavif", None),
        (b"WXYZ\0\0\0\0WEBP", None),
        (b"GIF89a", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_kind_is_told_by_the_first_bytes(head, kind):
    """
    The ten kinds that the API takes, and none else.
    """
    assert kind == media.media_type(head)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"x" * 700}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0"}),
    ],
)
def test_size_is_read_from_the_header(size, form, options):
    """
    As Pillow finds it, without decoding anything.
    """
    content = picture(size, form, **options)
    kind = media.media_type(content)

    assert size == Image.open(io.BytesIO(content)).size
    assert size == media.dimensions(io.BytesIO(content), kind)


@given(
    start=st.sampled_from([picture((9, 9), form) for form in ("PNG", "JPEG", "WEBP")]),
    at=st.integers(0, 40),
    junk=st.binary(max_size=40),
)
def test_damaged_header_has_no_size_and_no_crash(start, at, junk):
    """
    Whatever the bytes are, the size is a size or None.
    """
    content = start[:at] + junk
    for kind in ("image/png", "image/jpeg", "image/webp", "video/mp4"):
        size = media.dimensions(io.BytesIO(content), kind)

        assert size is None or (size[0] > 0 and size[1] > 0)
