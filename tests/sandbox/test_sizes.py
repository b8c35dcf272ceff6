"""
How large a result is.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.catalog.catalog import Catalog
from krea_cli.sandbox import MAX_RESULT_SIDE
from krea_cli.sandbox.sizes import output_size


def size(given=None, *, enlarges=False, **fields):
    return output_size(fields, given, enlarges=enlarges)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (1024, 1024)),
        ({"width": 832, "height": 1248}, (832, 1248)),
        ({"width": 640.0, "height": 360.0, "aspect_ratio": "1:1"}, (640, 360)),
        ({"width": 500, "aspect_ratio": "2:1"}, (500, 250)),
        ({"height": 500, "aspect_ratio": "2:1"}, (1000, 500)),
        ({"aspect_ratio": "16:9"}, (1024, 576)),
        ({"aspect_ratio": "9:16", "resolution": "2K"}, (1152, 2048)),
        ({"aspect_ratio": "1:1", "resolution": "4K"}, (4096, 4096)),
        ({"aspect_ratio": "2.35:1", "resolution": "1K"}, (1024, 436)),
        ({"aspect_ratio": "16:9", "resolution": "1080p"}, (1920, 1080)),
        ({"aspect_ratio": "9:16", "resolution": "720p"}, (720, 1280)),
        ({"aspect_ratio": "1:8"}, (128, 1024)),
        ({"aspect_ratio": "auto"}, (1024, 1024)),
        ({"ratio": "1104:832"}, (1104, 832)),
        ({"aspect_ratio": "720:1280"}, (720, 1280)),
        ({"width": 8192, "height": 4096}, (4096, 2048)),
        ({"width": 0, "height": 512}, (512, 512)),
        ({"width": float("inf"), "height": 10**400}, (4096, 4096)),
        ({"aspect_ratio": "1:0"}, (1024, 1024)),
        ({"aspect_ratio": None, "resolution": None}, (1024, 1024)),
    ],
)
def test_size_without_a_picture(fields, expected):
    """
    Width and height as they are, else the ratio at the resolution, at most 4096.
    """
    assert expected == size(**fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (1024, 683)),
        ({"resolution": "2K"}, (2048, 1365)),
        ({"aspect_ratio": "1:1"}, (1024, 1024)),
        ({"width": 600}, (600, 400)),
    ],
)
def test_size_follows_the_picture_when_no_ratio_is_asked(fields, expected):
    """
    The picture's own ratio, at the usual size.
    """
    assert expected == size((300, 200), **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (600, 400)),
        ({"image_scaling_factor": 3}, (900, 600)),
        ({"upscale_factor": 1.5}, (450, 300)),
        ({"width": 1000, "height": 1000}, (1000, 1000)),
        ({"image_scaling_factor": 100}, (4096, 2731)),
    ],
)
def test_enhancer_multiplies_the_picture(fields, expected):
    """
    By the factor asked for, else twice; width and height win.
    """
    assert expected == size((300, 200), enlarges=True, **fields)


def ratios():
    """
    Every ratio and resolution that a model of the catalog has.
    """
    for model in Catalog.bundled().models:
        for ratio in model.fields.get("aspect_ratio", {}).get("enum", ()):
            for scale in model.fields.get("resolution", {}).get("enum", ("",)):
                yield ratio, scale


def test_ratios_are_kept_within_a_pixel():
    """
    For all ratios of the catalog: no side is more than one pixel off.
    """
    for ratio, scale in set(ratios()):
        width, height = size(aspect_ratio=ratio, resolution=scale)

        assert max(width, height) <= MAX_RESULT_SIDE
        if ratio[0].isdigit():
            across, down = map(float, ratio.split(":"))
            assert abs(width - height * across / down) <= max(1, across / down)
            assert abs(height - width * down / across) <= max(1, down / across)


@given(
    fields=st.dictionaries(
        st.sampled_from(["width", "height", "target_width", "upscale_factor"]),
        st.floats(allow_nan=True)
        | st.integers()
        | st.booleans()
        | st.sampled_from(["", "9"]),
    ),
    picture=st.none() | st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    enlarges=st.booleans(),
)
def test_any_fields_give_a_size(fields, picture, enlarges):
    """
    Whatever the numbers are, both sides are within 1 and 4096.
    """
    width, height = output_size(fields, picture, enlarges=enlarges)

    assert 1 <= width <= MAX_RESULT_SIDE
    assert 1 <= height <= MAX_RESULT_SIDE
