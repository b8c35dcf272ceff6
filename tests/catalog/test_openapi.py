from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy

import pytest

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.openapi import build_catalog, dumps

SCHEMA = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "minLength": 3, "description": "What to draw."},
        "default": {"type": "number", "x-note": "a field, not a keyword"},
        "image_urls": {
            "type": "array",
            "items": {"type": "string", "format": "uri", "title": "URL"},
            "maxItems": 2,
        },
        "start_image": {"anyOf": [{"type": "string", "title": "x"}, {"type": "null"}]},
        "tag": {"type": "string", "pattern": "^[a-z]+$"},
        "word": {"type": "string", "pattern": "^(?<name>\\p{L})$"},
        "slow": {"type": "string", "pattern": "^(a+)+$"},
        "slower": {"type": "string", "pattern": "^[a-z]*[a-z]*$"},
        "slowest": {"type": "string", "pattern": "[a-z]+$"},
    },
    "required": ["prompt"],
    "additionalProperties": False,
}
OPERATION = {
    "summary": "Cat 1",
    "description": "Draws cats.",
    "deprecated": True,
    "x-krea-deprecated-field-aliases": [
        {"from": "imageUrls", "to": "image_urls", "sunset_date": "2026-06-19"},
        {"from": "styleImages", "to": "style_images", "sunset_date": "2026-06-19"},
    ],
    "requestBody": {"content": {"application/json": {"schema": SCHEMA}}},
    "x-krea-pricing": {
        "type": "fixed",
        "currency": "USD",
        "unit": "request",
        "price_points": [
            {"amount": 0.1, "dimensions": {"resolution": "1K"}},
            {"amount": 0.2, "dimensions": {}},
        ],
        "as_of": "2026-09-20",
        "incomplete": True,
    },
}
ROUTE = "/generate/image/acme/cat-1"
DAY = "2026-10-09"


@pytest.fixture
def spec():
    return deepcopy(
        {
            "openapi": "3.1.0",
            "info": {"title": "Krea API", "version": "v1"},
            "paths": {
                "/jobs": {"get": {}},
                "/generate/{kind}/{vendor}/{model}": {"post": OPERATION},
                "/generate/image/../cat": {"post": OPERATION},
                "/generate/image/acme/listed": {"get": OPERATION},
                ROUTE: {"post": OPERATION},
            },
        }
    )


def test_model_keeps_what_is_checked_and_drops_prose(spec):
    """
    Of a schema the checked keywords stay, at every depth; descriptions and extensions
    go, a pattern that is not evaluated is named, and a text that is named as a file is
    a URL.  Field names are never taken for
    keywords.
    """
    schema = build_catalog(spec, DAY)["models"]["image/acme/cat-1"]["schema"]

    assert {
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 3},
            "default": {"type": "number"},
            "image_urls": {
                "type": "array",
                "items": {"type": "string", "format": "uri"},
                "maxItems": 2,
            },
            "start_image": {
                "anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]
            },
            "tag": {"type": "string", "pattern": "^[a-z]+$"},
            "word": {
                "type": "string",
                "x-unchecked": ["pattern ^(?<name>\\p{L})$"],
            },
            "slow": {"type": "string", "pattern": "^(a+)+$"},
            "slower": {"type": "string", "pattern": "^[a-z]*[a-z]*$"},
            "slowest": {"type": "string", "pattern": "[a-z]+$"},
        },
        "required": ["prompt"],
        "additionalProperties": False,
    } == schema


def test_only_post_routes_of_models_are_taken(spec):
    """
    Other routes, templates and paths that climb are no models.
    """
    assert ["image/acme/cat-1"] == list(build_catalog(spec, DAY)["models"])


def test_catalog_reads_what_build_made(spec):
    """
    Names, aliases of existing fields, prices and marks arrive in the Model.
    """
    document = json.loads(dumps(build_catalog(spec, DAY)))
    catalog = Catalog(document)
    model = catalog["image/acme/cat-1"]

    assert (DAY, {"version": "v1"}) == (catalog.date, document["spec"])
    assert ("Cat 1", "image", "acme/cat-1") == (model.name, model.kind, model.id)
    assert {"imageUrls": "image_urls"} == model.aliases
    assert [(0.1, {"resolution": "1K"}), (0.2, {})] == [
        (point.amount, point.dimensions) for point in model.prices
    ]
    assert ("2026-09-20", True, True) == (
        model.price_date,
        model.prices_incomplete,
        model.deprecated,
    )


@pytest.mark.parametrize("change", [{"currency": "EUR"}, {"unit": "minute"}])
def test_price_in_other_terms_is_unknown(spec, change):
    """
    A price that is not USD for a request must never be shown as one.
    """
    spec["paths"][ROUTE]["post"]["x-krea-pricing"].update(change)
    model = Catalog(build_catalog(spec, DAY))["image/acme/cat-1"]

    assert ((), None, False) == (
        model.prices,
        model.price_date,
        model.prices_incomplete,
    )


def test_price_without_a_date_is_of_the_day(spec):
    """
    The service dates no prices; what it says today is true today.
    """
    del spec["paths"][ROUTE]["post"]["x-krea-pricing"]["as_of"]
    model = Catalog(build_catalog(spec, DAY))["image/acme/cat-1"]

    assert DAY == model.price_date


def test_amount_of_nothing_is_no_price(spec):
    """
    A point of 0 is left out, and the price is then not known for every request.
    """
    pricing = spec["paths"][ROUTE]["post"]["x-krea-pricing"]
    pricing["incomplete"] = False
    pricing["price_points"][0]["amount"] = 0
    model = Catalog(build_catalog(spec, DAY))["image/acme/cat-1"]

    assert [0.2] == [point.amount for point in model.prices]
    assert model.prices_incomplete


@pytest.mark.parametrize("amount", [True, 10**400, 1e308, 1e-320, -5, "a cent"])
def test_amount_that_cannot_be_one_leaves_the_price_unknown(spec, amount):
    """
    What is no sum that a request could cost is never counted as one.
    """
    pricing = spec["paths"][ROUTE]["post"]["x-krea-pricing"]
    pricing["price_points"][0]["amount"] = amount
    model = Catalog(build_catalog(spec, DAY))["image/acme/cat-1"]

    assert () == model.prices


@pytest.mark.parametrize(
    "document", [{}, {"paths": {}}, {"paths": None}, {"paths": {"/jobs": {}}}]
)
def test_document_without_models_is_refused(document):
    """
    A refresh never replaces the catalog by an empty one.
    """
    with pytest.raises(ValueError, match="no models"):
        build_catalog(document, DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "array"},
        {"properties": {}},
        {"required": ["colour"]},
    ],
)
def test_build_of_a_model_without_usable_fields_names_it(spec, change):
    body = spec["paths"][ROUTE]["post"]["requestBody"]["content"]["application/json"]
    body["schema"].update(change)

    with pytest.raises(
        ValueError,
        match=r"image/acme/cat-1 .*(schema|field)",
    ):
        build_catalog(spec, DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"x-krea-deprecated-field-aliases": [{"from": "imageUrls"}]},
        {"x-krea-deprecated-field-aliases": ["imageUrls"]},
    ],
)
def test_model_of_another_form_is_refused_by_name(spec, change):
    """
    A document of another form is a ValueError that names the model, never a bug.
    """
    spec["paths"][ROUTE]["post"].update(change)

    with pytest.raises(ValueError, match=r"image/acme/cat-1 .*format"):
        build_catalog(spec, DAY)


@pytest.mark.parametrize(
    "keywords",
    [
        {"minimum": "0"},
        {"maximum": None},
        {"maxLength": 1.5},
        {"enum": "1K"},
        {"type": 5},
        {"type": [1, [2]]},
        {"minimum": 1e400},
        {"enum": []},
        {"required": [{}]},
        {"properties": None},
        {"required": "url"},
        {"items": ["x"]},
        {"anyOf": {"type": "null"}},
    ],
)
def test_keyword_that_holds_something_else_is_refused(spec, keywords):
    """
    Nothing gets into a catalog that would break the check of a request later.
    """
    body = spec["paths"][ROUTE]["post"]["requestBody"]["content"]["application/json"]
    body["schema"]["properties"]["size"] = {"type": "number"} | keywords

    with pytest.raises(ValueError, match=r"image/acme/cat-1 .*format"):
        build_catalog(spec, DAY)


def test_endless_schema_is_refused(spec):
    """
    A schema too deep to be read is a ValueError, too.
    """
    body = spec["paths"][ROUTE]["post"]["requestBody"]["content"]["application/json"]
    field = body["schema"]["properties"]
    for _ in range(2000):
        field["items"] = {"items": {}}
        field = field["items"]

    with pytest.raises(ValueError, match=r"image/acme/cat-1 .*too large"):
        build_catalog(spec, DAY)


def test_program_writes_one_model_a_line(spec, tmp_path):
    """
    `python -m krea_cli.catalog.openapi SPEC DATE` prints the document, one model a
    line.
    """
    spec["paths"]["/generate/3d/acme/cube"] = spec["paths"][ROUTE]
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(spec))

    done = subprocess.run(
        [sys.executable, "-m", "krea_cli.catalog.openapi", str(path), DAY],
        capture_output=True,
        text=True,
        check=True,
    )

    assert build_catalog(spec, DAY) == json.loads(done.stdout)
    head, first, second, tail = done.stdout.splitlines()
    assert head.startswith('{"format":1,"date":"2026-10-09","spec":{')
    assert first.startswith('"image/acme/cat-1":{"name":"Cat 1"')
    assert second.startswith('"3d/acme/cube":{')
    assert "}}" == tail
