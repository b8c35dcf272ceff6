"""
Sizes of pictures, by their headers.
"""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sandbox.asking import picture

from krea_cli.media import JPEG, MP4, PNG, WEBP, sniff
from krea_cli.media.formats import dimensions

SIZES = [(1, 1), (80, 60), (300, 1), (17, 999)]


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

    assert size == Image.open(io.BytesIO(content)).size
    assert size == dimensions(io.BytesIO(content), sniff(content))


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
    for kind in (PNG, JPEG, WEBP, MP4):
        size = dimensions(io.BytesIO(content), kind)

        assert size is None or (size[0] > 0 and size[1] > 0)
