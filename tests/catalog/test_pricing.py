from __future__ import annotations

import itertools
import random

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


def amount(price):
    """
    The amount of an exact price, both amounts of a range.
    """
    return price and (price.low if price.low == price.high else tuple(price))


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
    told = {amount(estimate(model, body)) for body in bodies(model)} - {None}
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
        ("nano-banana-pro", {"width": 4096, "height": 4096}, (0.15, 0.3)),
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
    assert price == amount(estimate(CATALOG.find(model), body))


def model_with(points, unit="request", incomplete=False, **fields):
    url = {"type": "string", "format": "uri"}
    urls = {"type": "array", "items": url}
    properties = {
        "generate_audio": {"type": "boolean", "default": False},
        "start_image": url,
        "end_image": url,
        "reference_images": urls,
        "reference_videos": urls,
        **fields,
    }
    schema = {
        "type": "object",
        "properties": {name: each for name, each in properties.items() if each},
        "additionalProperties": False,
    }
    prices = {"points": points, "date": "2026-10", "unit": unit}
    data = {
        "name": "Clip",
        "schema": schema,
        "prices": {**prices, "incomplete": incomplete},
    }
    return Model.from_json("video/acme/clip", data)


AUDIO = [[0.2, {"generateAudio": False}], [0.3, {"generateAudio": True}]]
ON = {"type": "boolean", "default": True}


@pytest.mark.parametrize(
    ("field", "body", "price"),
    [
        ({"type": "boolean", "default": False}, {}, 0.2),
        ({"type": "boolean", "default": False}, {"generate_audio": True}, 0.3),
        (ON, {}, 0.3),
        (ON, {"generate_audio": None}, 0.3),
        ({"type": "boolean"}, {}, 0.2),
        (None, {}, (0.2, 0.3)),
    ],
)
def test_estimate_of_an_absent_boolean_takes_its_default_or_false(field, body, price):
    model = model_with(AUDIO, generate_audio=field)

    assert price == amount(estimate(model, body))


@pytest.mark.parametrize("reverse", [False, True])
def test_estimate_with_several_fitting_points_takes_the_dearest(reverse):
    for points in ([[0.01, {}], [9, {}]], [[0.01, {"generateAudio": False}], [9, {}]]):
        model = model_with(points[::-1] if reverse else points)
        assert 9 == amount(estimate(model, {}))


@pytest.mark.parametrize(
    ("body", "price"),
    [
        ({"start_image": URL}, 0.25),
        ({"start_image": URL, "end_image": URL}, 0.25),
        ({"reference_images": [URL]}, 0.4),
        ({"reference_images": [URL], "start_image": URL}, 0.4),
        ({"reference_images": []}, 0.25),
    ],
)
def test_estimate_counts_reference_images_but_no_frames(body, price):
    points = [[0.25, {"referenceImageCount": 0}], [0.4, {"referenceImageCount": 1}]]

    assert price == amount(estimate(model_with(points), body))


@pytest.mark.parametrize(
    ("body", "price"), [({}, 0.2), ({"reference_videos": [URL]}, 0.5)]
)
def test_estimate_derives_a_video_reference_from_the_fields(body, price):
    points = [[0.2, {"hasVideoReference": False}], [0.5, {"hasVideoReference": True}]]

    assert price == amount(estimate(model_with(points), body))


SIZES = [[0.1, {"resolution": "480p"}], [0.2, {"resolution": "1K"}]]


@pytest.mark.parametrize(
    ("field", "body", "price"),
    [
        ({"type": "string"}, {}, (0.1, 0.2)),
        ({"enum": ["480p", "1K"]}, {}, (0.1, 0.2)),
        ({"enum": ["480p", "1K", "4K"]}, {}, None),
        ({"enum": ["1k"]}, {"resolution": "1k"}, 0.2),
        ({"enum": ["480p", "1K"]}, {"width": 5}, (0.1, 0.2)),
    ],
)
def test_estimate_of_an_open_dimension_is_a_range(field, body, price):
    assert price == amount(estimate(model_with(SIZES, resolution=field), body))


def test_estimate_of_an_open_dimension_with_incomplete_prices_is_unknown():
    model = model_with(SIZES, resolution={"type": "string"}, incomplete=True)

    assert estimate(model, {}) is None
    assert 0.1 == amount(estimate(model, {"resolution": "480p"}))


@pytest.mark.parametrize(
    ("field", "body", "price"),
    [
        ({"type": "integer"}, {"duration": 5}, 0.25),
        ({"enum": ["5", "10"]}, {"duration": "10"}, 0.5),
        ({"enum": ["5", "10"]}, {}, (0.25, 0.5)),
        ({"type": "integer", "default": 8}, {}, 0.4),
        ({"type": "integer", "minimum": 4, "maximum": 15}, {}, (0.2, 0.75)),
        ({"type": "integer"}, {}, None),
        ({"enum": ["auto", "5"]}, {}, None),
    ],
)
def test_estimate_by_the_second_multiplies_by_the_duration(field, body, price):
    model = model_with([[0.05, {}]], unit="second", duration=field)

    assert price == amount(estimate(model, body))


@pytest.mark.parametrize(
    ("body", "price"),
    [
        ({"duration": 5}, 0.25),
        ({"duration": 5, "reference_videos": [URL]}, (0.25, 0.3)),
        ({"duration": 5, "reference_videos": [URL], "reference_video_seconds": 1}, 0.3),
    ],
)
def test_estimate_by_billable_seconds_adds_those_of_reference_videos(body, price):
    points = [[0.25, {"billableSeconds": 5}], [0.3, {"billableSeconds": 6}]]
    fields = {"duration": {"type": "integer"}, "reference_video_seconds": ON}

    assert price == amount(estimate(model_with(points, **fields), body))


FIELDS = {
    "resolution": ["480p", "1K", "2K"],
    "mode": ["std", "pro"],
    "duration": [5, 10],
    "generate_audio": [False, True],
}


def camel(name):
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def random_table(rng):
    """
    A model with random prices for some combinations of random fields.
    """
    names = rng.sample(sorted(FIELDS), rng.randint(1, 4))
    points = [
        [round(rng.uniform(0.01, 9), 3), dict(zip(map(camel, names), way, strict=True))]
        for way in itertools.product(*[FIELDS[name] for name in names])
        if rng.random() < 0.95
    ]
    fields = {
        name: {"enum": FIELDS[name]}
        | ({"default": rng.choice(FIELDS[name])} if rng.random() < 0.5 else {})
        for name in FIELDS
    }
    return names, points, model_with(points or [[1, {}]], **fields)


def test_estimate_of_random_prices_is_never_below_the_published_price():
    rng = random.Random(11)
    compared = 0
    for _ in range(400):
        names, points, model = random_table(rng)
        body = {name: rng.choice(FIELDS[name]) for name in names if rng.random() < 0.6}
        # Every request that the body may stand for, priced by looking it up.
        chosen = [
            [body[name]]
            if name in body
            else [model.fields[name]["default"]]
            if "default" in model.fields[name]
            else FIELDS[name]
            for name in names
        ]
        published = [
            [price for price, where in points if list(where.values()) == list(way)]
            for way in itertools.product(*chosen)
        ]
        price = estimate(model, body)
        if not points:
            continue
        if [] in published:
            assert price is None
        else:
            prices = [each for (each,) in published]
            assert (min(prices), max(prices)) == price
            compared += 1

    assert compared > 200
