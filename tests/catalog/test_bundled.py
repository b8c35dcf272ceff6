"""
What every command may rely on in the catalog that krea comes with.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import krea_cli.catalog.catalog as lookup_module
from krea_cli.catalog.catalog import Catalog, bundled_date
from krea_cli.catalog.openapi import dumps

PATH = Path(lookup_module.__file__).with_name("models.json")
CATALOG = Catalog.bundled()


def schemas_in(schema):
    yield schema
    for field in schema.get("properties", {}).values():
        yield from schemas_in(field)
    if "items" in schema:
        yield from schemas_in(schema["items"])
    for form in ("anyOf", "oneOf"):
        for branch in schema.get(form, ()):
            yield from schemas_in(branch)


def test_kinds_are_complete():
    """
    All 119 models are there, by kind.
    """
    assert {"image": 38, "video": 48, "enhance": 18, "3d": 10, "audio": 5} == Counter(
        model.kind for model in CATALOG.models
    )


def test_file_is_as_the_program_writes_it():
    """
    The file is in the form that a rebuild gives, so that a diff shows only changes.
    """
    text = PATH.read_text(encoding="ascii")

    assert dumps(json.loads(text)) == text


def test_date_is_read_without_the_models():
    """
    What is said first of the file is what is said in it.
    """
    assert "2026-10-09" == CATALOG.date == bundled_date()


def test_bundled_read_by_lines_has_what_the_file_has():
    """
    The lines that are parsed one by one have the same models in the same order.
    """
    models = json.loads(PATH.read_bytes())["models"]

    assert list(models) == [model.path for model in CATALOG.models]
    assert models == {path: CATALOG.entry(path) for path in models}


def test_find_parses_only_the_model_that_is_found(monkeypatch):
    catalog = Catalog.bundled.__wrapped__(Catalog)
    parsed = []
    monkeypatch.setattr(
        lookup_module.Model, "from_json", lambda path, _: parsed.append(path)
    )

    catalog.find("nano-banana-pro")

    assert ["image/google/nano-banana-pro"] == parsed


def test_with_id_finds_models_by_their_whole_id():
    found = CATALOG.with_id("google/nano-banana-pro")

    assert ["image/google/nano-banana-pro"] == [model.path for model in found]
    assert [] == CATALOG.with_id("nano-banana-pro")


@pytest.mark.long
def test_every_schema_is_closed_and_valid():
    """
    Each body is a closed object by a valid draft 2020-12 schema, and what it requires
    is one of its fields.
    """
    for model in CATALOG.models:
        Draft202012Validator.check_schema(model.schema)

        assert "object" == model.schema["type"], model.path
        assert model.schema["additionalProperties"] is False, model.path
        assert set(model.required) <= model.fields.keys(), model.path


def test_no_schema_uses_what_is_not_checked():
    """
    A keyword that faults() does not know would let a bad request through.
    """
    known = {
        "type", "enum", "const", "default", "minimum", "maximum", "exclusiveMinimum",
        "minLength", "maxLength", "pattern", "format", "items", "properties",
        "required", "minItems", "maxItems", "anyOf", "oneOf", "additionalProperties",
        "deprecated",
    }  # fmt: skip
    used = {
        keyword
        for model in CATALOG.models
        for schema in schemas_in(model.schema)
        for keyword in schema
    }

    assert set() == used - known


def test_aliases_lead_from_old_names_to_fields():
    """
    A renamed field is sent under a name that the model has, never under the old one.
    """
    aliases = [
        (model, old, new)
        for model in CATALOG.models
        for old, new in model.aliases.items()
    ]

    assert aliases
    for model, old, new in aliases:
        assert new in model.fields, (model.path, new)
        assert old not in model.fields, (model.path, old)
    pro = CATALOG["image/google/nano-banana-pro"]
    assert {"imageUrls": "image_urls", "aspectRatio": "aspect_ratio"} == pro.aliases


def test_prices_are_dated_amounts():
    """
    A known price is a positive amount in USD with the date it was read.
    """
    priced = [model for model in CATALOG.models if model.prices]

    assert 27 == len(priced)
    for model in priced:
        assert all(0 < point.amount < 100 for point in model.prices), model.path
        assert re.fullmatch(r"2026-\d\d(-\d\d)?", model.price_date), model.path
    pro = CATALOG["image/google/nano-banana-pro"]
    assert {"1K": 0.15, "2K": 0.15, "4K": 0.3} == {
        point.dimensions["resolution"]: point.amount for point in pro.prices
    }
    assert not pro.prices_incomplete
    assert CATALOG["image/luma/uni-1"].prices_incomplete


def test_result_kind_is_what_a_model_makes():
    """
    An enhancer makes what it is given, a picture or a video.
    """
    kinds = Counter(model.result_kind for model in CATALOG.models)

    assert {"image": 47, "video": 57, "3d": 10, "audio": 5} == kinds
    assert "video" == CATALOG["enhance/topaz/astra"].result_kind
    assert "image" == CATALOG["enhance/krea/enhance"].result_kind


def test_ids_are_unique():
    """
    "vendor/model" means one model, without its kind.
    """
    assert 119 == len({model.id for model in CATALOG.models})


def test_deprecated_models_are_marked():
    """
    Models that are gone from the service's newest list are marked.
    """
    marked = {model.id for model in CATALOG.models if model.deprecated}

    assert 11 == len(marked)
    assert "google/imagen-4" in marked
    assert "google/nano-banana-pro" not in marked


@pytest.mark.parametrize("path", ["image/google", "google/nano-banana-pro", ""])
def test_part_of_a_path_is_no_key(path):
    """
    catalog[path] takes the whole path only; names are for find().
    """
    with pytest.raises(KeyError):
        CATALOG[path]
