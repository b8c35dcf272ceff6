from __future__ import annotations

import itertools

import pytest

from krea_cli.api.models import SavedFile
from krea_cli.catalog.catalog import Catalog
from krea_cli.downloads.result_checks import differences
from krea_cli.sandbox import MAX_RESULT_SIDE
from krea_cli.sandbox.sizes import output_size

NAMES = ("aspect_ratio", "resolution", "width", "height")


def saved(width, height):
    return SavedFile(
        path="out.png",
        url="u",
        media_type="image/png",
        size_bytes=1,
        sha256="0",
        width=width,
        height=height,
    )


def told(body, *size, max_side=None):
    return differences([saved(*size)], body, max_side=max_side)


def values(schema):
    """
    What a field may be: all words, or some numbers, and to be left out.
    """
    least, most = schema.get("minimum", 64), schema.get("maximum", 8192)
    return [None, *schema.get("enum", [least, 777, most])]


def test_the_sandbox_gives_every_model_what_is_asked_for():
    """
    Whatever fields of size and shape: no picture of it has a warning.
    """
    models = [m for m in Catalog.bundled().models if m.result_kind == "image"]
    wrong, count = [], 0
    for model in models:
        fields = [name for name in NAMES if name in model.fields]
        for each in itertools.product(*(values(model.fields[f]) for f in fields)):
            body = {f: v for f, v in zip(fields, each, strict=True) if v is not None}
            for given in (None, (3000, 1000)):
                size = output_size(body, given, enlarges=model.kind == "enhance")
                wrong += told(body, *size, max_side=MAX_RESULT_SIDE)
                count += 1

    assert [] == wrong
    assert count > 1000


@pytest.mark.parametrize(
    ("body", "size", "asked"),
    [
        ({"aspect_ratio": "16:9"}, (1024, 1024), "aspect ratio 16:9"),
        ({"aspect_ratio": "16:9"}, (1376, 768), None),
        ({"aspect_ratio": "2.35:1"}, (1000, 435), "aspect ratio 2.35:1"),
        ({"aspect_ratio": "2.35:1"}, (1000, 426), None),
        ({"aspect_ratio": "adaptive"}, (1000, 10), None),
        ({"aspect_ratio": "1:0"}, (1000, 10), None),
        (
            {"width": 1536, "height": 1024},
            (1024, 1024),
            "1536x1024",
        ),
        ({"width": 1536, "height": 1024}, (1520, 1024), None),
        ({"width": 1536}, (1024, 1024), "width 1536"),
        ({"height": 1000}, (500, 1021), "height 1000"),
        ({"width": 1000, "image_scaling_factor": 2}, (2000, 2000), None),
        ({"width": 1000, "aspect_ratio": "1:1"}, (2000, 1000), None),
        ({"resolution": "2K"}, (1024, 1024), "resolution 2K"),
        ({"resolution": "2K"}, (1376, 768), "resolution 2K"),
        ({"resolution": "2K"}, (2752, 1536), None),
        ({"resolution": "2k"}, (2048, 880), None),
        ({"resolution": "1K"}, (2048, 2048), "resolution 1K"),
        ({"resolution": "1K"}, (1536, 1024), None),
        ({"resolution": "4K"}, (3840, 2160), None),
        ({"resolution": "4K"}, (2880, 2880), None),
        ({"resolution": "4K"}, (2048, 2048), "resolution 4K"),
        ({"resolution": "720p"}, (100, 100), None),
        ({}, (1, 1), None),
    ],
)
def test_a_picture_is_as_it_was_asked_for(body, size, asked):
    """
    By two percent; a resolution is another one only if it is so by every meaning.
    """
    said = told(body, *size)

    assert bool(asked) == bool(said)
    for sentence in said:
        assert sentence.startswith(f"out.png is {size[0]}x{size[1]}, ")
        assert asked in sentence


def test_the_sandbox_makes_nothing_too_large():
    """
    That it makes smaller what is larger than it can is no news; elsewhere it is.
    """
    body = {"width": 8192, "height": 4096}

    assert [] == told(body, 4096, 2048, max_side=4096)
    assert 1 == len(told(body, 4096, 2048))
    assert 1 == len(told(body, 2048, 1024, max_side=4096))
    assert 1 == len(told({"width": 1024}, 4096, 4096, max_side=4096))


def test_what_is_no_picture_has_nothing_to_compare():
    """
    A film of any size, and a picture whose size cannot be told.
    """
    assert [] == told({"width": 512, "resolution": "4K"}, None, None)
