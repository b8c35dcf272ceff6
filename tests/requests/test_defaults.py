from __future__ import annotations

import math

import pytest

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import find_violations
from krea_cli.requests.defaults import automatic_fields, choose_defaults

CATALOG = Catalog.bundled()
SIZES = [
    (1, 1),
    (96, 64),
    (512, 512),
    (1920, 1080),
    (1000, 3000),
    (20000, 15),
    (30000, 40000),
    (7, 9999),
]
URL = "https://app-uploads.krea.ai/a.png"


def chosen(name, fields, size):
    choices = choose_defaults(CATALOG.find(name), fields, size)
    return {choice.field: choice.value for choice in choices}


def model_with(**fields):
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    data = {"name": "Cat", "schema": {**schema, "additionalProperties": False}}
    return Model.from_json("image/acme/cat", data)


@pytest.mark.parametrize("size", [*SIZES, None])
def test_no_model_refuses_what_is_chosen(size):
    """
    Whatever the size of the picture, each choice is a required field, but for strength,
    and has a value that the model allows.
    """
    for model in CATALOG.models:
        for choice in choose_defaults(model, {"image_url": URL}, size):
            assert choice.field in (*model.required, "strength"), model.path
            assert [] == find_violations(model.fields[choice.field], choice.value), (
                model.path
            )


def test_nothing_is_chosen_but_what_is_missing():
    """
    What the user gave stays, whatever it is; what need not be there is left out.
    """
    for model in CATALOG.models:
        given = dict.fromkeys([*model.required, "strength"])

        assert [] == choose_defaults(model, given, (512, 512)), model.path


@pytest.mark.parametrize(
    ("model", "size", "ratio"),
    [
        ("krea-2/large", (1000, 1000), "1:1"),
        ("krea-2/large", (1920, 1080), "16:9"),
        ("krea-2/large", (1080, 1920), "9:16"),
        ("krea-2/large", (4000, 3000), "4:3"),
        ("krea-2/large", (2400, 1000), "2.35:1"),
        ("krea-2/large", (2050, 1000), "2.35:1"),
        ("krea-2/large", (1, 5000), "9:16"),
        ("gpt-image-2.5-flare", (2000, 1000), "2:1"),
        ("gpt-image-2.5-flare", (1000, 1600), "2:3"),
        ("grok-imagine-2", (1950, 900), "19.5:9"),
        ("z-image/z-image", (1100, 1000), "1:1"),
    ],
)
def test_aspect_ratio_is_the_nearest_to_the_image(model, size, ratio):
    """
    Nearest in proportion, so that wide and tall pictures are treated alike.
    """
    assert ratio == chosen(model, {}, size)["aspect_ratio"]


@pytest.mark.parametrize(
    ("options", "ratio"),
    [
        (["adaptive", "16:9", "9:16"], "9:16"),
        (["1280:720", "720:1280", "960:960"], "720:1280"),
        (["auto", "1:0"], "auto"),
    ],
)
def test_ratio_may_be_a_word_or_pixels(options, ratio):
    """
    A word is taken only where no ratio is to be had.
    """
    model = model_with(aspect_ratio={"type": "string", "enum": options})

    assert [ratio] == [
        choice.value for choice in choose_defaults(model, {}, (600, 1000))
    ]


@pytest.mark.parametrize(
    ("options", "smallest"),
    [
        (["4K", "1K", "2K"], "1K"),
        (["1080p", "720p", "4k"], "720p"),
        (["1024", "512"], "512"),
        (["auto", "2K"], "2K"),
    ],
)
def test_resolution_is_the_smallest(options, smallest):
    """
    The cheapest, with a picture or without one.
    """
    model = model_with(resolution={"type": "string", "enum": options})

    assert [smallest] == [choice.value for choice in choose_defaults(model, {}, None)]


@pytest.mark.parametrize(
    ("model", "size", "sides"),
    [
        ("seedream-4", (1200, 800), (1200, 800)),
        ("seedream-4", (8192, 4096), (4096, 2048)),
        ("topaz/generative-enhance", (1200, 800), (2400, 1600)),
        ("topaz/generative-enhance", (20000, 10000), (32000, 16000)),
        ("topaz/bloom-enhance", (9000, 3000), (10000, 3333)),
        ("flux-1.1-pro", (100, 50), (512, 256)),
        ("flux-1.1-pro", (2880, 1440), (1440, 720)),
        ("flux-1.1-pro", (20000, 15), (1440, 256)),
        ("wan-2.1", (1200, 800), (1200, 800)),
    ],
)
def test_size_is_the_images(model, size, sides):
    """
    Its own, twice as large for an enhancer; scaled into the range of the model it keeps
    its ratio, as far as that is possible.
    """
    found = chosen(model, {}, size)

    assert sides == (found["width"], found["height"])


@pytest.mark.parametrize("size", SIZES)
def test_scaled_size_keeps_its_ratio(size):
    """
    To the next whole pixel, wherever both sides are within the range.
    """
    least, most = 256, 1440
    found = chosen("flux-1.1-pro", {}, size)
    sides = found["width"], found["height"]

    if max(size) / min(size) <= most / least:
        assert math.isclose(sides[0] / sides[1], size[0] / size[1], rel_tol=1 / least)
    else:
        assert {least, most} == set(sides)


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({"width": 600}, {"height": 400}),
        ({"height": 400}, {"width": 600}),
        ({"width": 6000}, {"height": 4000}),
        ({"width": 60000}, {"height": 4096}),
        ({"width": math.inf}, {"height": 800}),
        ({"width": "600"}, {"height": 800}),
    ],
)
def test_one_side_follows_the_other(given, other):
    """
    Where the user gave one side, the other keeps the picture's ratio; a side that is no
    length is left to the validation.
    """
    assert other == chosen("seedream-4", given, (1200, 800))


def test_model_with_one_side_alone():
    """
    Nothing is asked of a field that the model does not have.
    """
    model = model_with(width={"type": "integer", "maximum": 300})

    assert [300] == [choice.value for choice in choose_defaults(model, {}, (600, 900))]


def test_choice_that_would_be_refused_is_none():
    """
    The missing field is then told as missing, which the user can act on.
    """
    model = model_with(width={"type": "number", "enum": [1024, 2048]})

    assert [] == choose_defaults(model, {}, (600, 900))


@pytest.mark.parametrize(
    ("model", "fields", "strength"),
    [
        ("krea-2/large", {"image_url": URL}, 0.6),
        ("krea-2/medium-turbo", {"image_url": URL}, 0.6),
        ("krea-2/large", {"image_url": URL, "strength": 0.2}, None),
        ("krea-2/large", {"image_url": None}, None),
        ("krea-2/large", {"image_style_references": [{"url": URL}]}, None),
        ("flux-1-dev", {"image_url": URL}, None),
    ],
)
def test_krea_2_keeps_something_of_the_image(model, fields, strength):
    """
    Only there, only with an image, and only where the user gave no strength.
    """
    assert strength == chosen(model, fields, (512, 512)).get("strength")


@pytest.mark.parametrize(
    ("model", "size", "reason"),
    [
        ("seedream-4", (1200, 800), "same as the image"),
        ("seedream-4", (9000, 800), "same as the image, limited to the model's range"),
        ("topaz/bloom-enhance", (1200, 800), "twice the image's"),
        (
            "topaz/bloom-enhance",
            (9000, 800),
            "twice the image's, limited to the model's range",
        ),
        ("krea-2/large", (1200, 800), "closest to the image, 1200x800"),
    ],
)
def test_each_choice_has_its_reason(model, size, reason):
    """
    The line that tells a choice says why.
    """
    reasons = {
        choice.reason for choice in choose_defaults(CATALOG.find(model), {}, size)
    }

    assert reason in reasons


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("krea-2/large", {"aspect_ratio", "resolution"}),
        ("seedream-4", {"width", "height"}),
        ("recraft-v4.1-flash", {"resolution"}),
        ("flux-1.1-pro", set()),
        ("topaz/astra", set()),
    ],
)
def test_automatic_fields_need_not_be_given(model, names):
    """
    Those that the model's own input answers: a model without one has only the
    resolution.
    """
    assert names == automatic_fields(CATALOG.find(model))
