from __future__ import annotations

import pytest

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.model import Model
from krea_cli.catalog.pricing import estimate
from krea_cli.catalog.validation import find_violations

CATALOG = Catalog.bundled()
PRICED = [model for model in CATALOG.models if model.prices]
URL = "https://app-uploads.krea.ai/a.png"

# Which sizes the tier stands for is not published; an edit of no picture is refused.
UNREACHABLE = {
    ("image/bytedance/seedream-5-pro", 0.0473),
    ("image/bytedance/seedream-5-pro", 0.0504),
    ("image/xai/grok-imagine-2-edit", 0.042),
}


def images(model, count):
    """
    Fields that give the model *count* pictures.
    """
    field = model.input_field
    if not count or field is None:
        return {}
    item = {"url": URL, "strength": 1, "tag": "image1"}
    items = [item if field.item == "object" else URL] * count
    return {field.name: items if field.is_list else items[0]}


def bodies(model):
    """
    A body for each way in which prices differ.
    """
    values = {
        name: field.get("enum", [None])
        for name, field in model.fields.items()
        if name in ("resolution", "quality", "mode")
    }
    found = [{}]
    for name, options in values.items():
        found = [{**body, name: option} for body in found for option in options]
    extras = [images(model, count) for count in range(5)]
    extras += [
        {"image_style_references": [{"url": URL}]},
        {"moodboards": [{"id": "m"}], "image_style_references": [{"url": URL}]},
        {"character_reference_images": [URL]},
    ]
    bodies = [{**body, **extra} for body in found for extra in extras]
    return [body for body in bodies if not faulty(model, body)]


def faulty(model, body):
    """
    Whether more is wrong with the body than that something is left out beside files.
    """
    left_out = set(model.required) - {field.name for field in model.media_fields}
    return {fault.field for fault in find_violations(model.schema, body)} - left_out


@pytest.mark.parametrize("model", PRICED, ids=lambda model: model.path)
def test_every_price_point_is_some_requests_price(model):
    """
    Whatever is published can be told, but for the points named above.
    """
    told = {estimate(model, body) for body in bodies(model)} - {None}
    reachable = {
        point.amount
        for point in model.prices
        if (model.path, point.amount) not in UNREACHABLE
    }

    assert reachable == told


@pytest.mark.parametrize(
    ("model", "body", "price"),
    [
        ("nano-banana-pro", {}, 0.15),
        ("nano-banana-pro", {"resolution": "4K"}, 0.3),
        ("nano-banana-pro", {"resolution": "4K", "image_urls": [URL] * 9}, 0.3),
        ("nano-banana-pro", {"resolution": "8K"}, None),
        ("nano-banana-pro", {"width": 4096, "height": 4096}, None),
        ("nano-banana-2.1", {}, None),
        ("krea-2/large", {}, 0.06),
        ("krea-2/large", {"image_url": URL, "strength": 0.6}, 0.06),
        ("krea-2/large", {"image_style_references": []}, 0.06),
        ("krea-2/large", {"image_style_references": [{"url": URL}]}, 0.065),
        ("krea-2/large", {"moodboards": [{"id": "m"}]}, 0.07),
        ("ideogram-3", {"style_images": [{"url": URL, "strength": 1}]}, 0.063),
        ("ideogram-3", {"character_reference_images": [URL]}, 0.1575),
        ("grok-imagine-2", {"resolution": "1K"}, None),
        ("grok-imagine-2", {"resolution": "1K", "quality": "low"}, 0.042),
        ("grok-imagine-2", {"resolution": "2K", "quality": "low"}, None),
        ("uni-1", {"style_images": [{"url": URL, "strength": 1}] * 3}, 0.0494),
        ("uni-1", {"style_images": [{"url": URL, "strength": 1}] * 4}, None),
        ("uni-1", {"mode": "max"}, None),
        ("seedream-5-pro", {"width": 1024, "height": 1024}, None),
        ("flux-1.1-pro", {"width": 256, "height": 256}, 0.042),
    ],
)
def test_estimate_is_of_the_request(model, body, price):
    """
    What the request says counts, then the schema's default; where neither says it, or
    nothing is published for it, the price is None and never 0.
    """
    assert price == estimate(CATALOG.find(model), body)


def model_with(points):
    url = {"type": "string", "format": "uri"}
    schema = {
        "type": "object",
        "properties": {
            "generate_audio": {"type": "boolean", "default": False},
            "start_image": url,
            "end_image": url,
            "start_video": url,
        },
        "additionalProperties": False,
    }
    prices = {"points": points, "date": "2026-10"}
    data = {"name": "Clip", "schema": schema, "prices": prices}
    return Model.from_json("video/acme/clip", data)


@pytest.mark.parametrize(
    ("body", "price"), [({}, 0.2), ({"generate_audio": True}, 0.3)]
)
def test_dimension_in_camel_case_is_the_field(body, price):
    """
    The service still names dimensions as fields were once named.
    """
    points = [[0.2, {"generateAudio": False}], [0.3, {"generateAudio": True}]]

    assert price == estimate(model_with(points), body)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_point_that_says_most_counts(reverse):
    """
    A price for all else does not hide a special one, whatever their order.
    """
    points = [[0.2, {}], [0.3, {"generateAudio": True}]]
    model = model_with(points[::-1] if reverse else points)

    assert [0.2, 0.3] == [
        estimate(model, body) for body in ({}, {"generate_audio": True})
    ]


@pytest.mark.parametrize("reverse", [False, True])
def test_of_points_that_say_the_same_the_dearest_counts(reverse):
    """
    An estimate that is too low would let through what --max-cost forbids.
    """
    points = [[0.01, {}], [9, {}]]

    assert 9 == estimate(model_with(points[::-1] if reverse else points), {})


@pytest.mark.parametrize(
    ("body", "price"),
    [
        ({"start_video": URL}, 0.2),
        ({"start_video": URL, "end_image": URL}, 0.3),
        ({"start_image": URL, "end_image": URL}, 0.4),
    ],
)
def test_every_picture_is_a_reference_and_no_video_is(body, price):
    """
    Pictures count in whatever field they are given.
    """
    points = [[n / 10 + 0.2, {"referenceImageCount": n}] for n in range(3)]

    assert price == pytest.approx(estimate(model_with(points), body))
