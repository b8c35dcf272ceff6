"""
Specifications that a later version of the service may serve.
"""

from __future__ import annotations

import json
import random

import pytest
import specs
from jsonschema import Draft202012Validator

from krea_cli.catalog import example, refresh
from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.json_schema import UNCHECKED, is_closed
from krea_cli.catalog.openapi import build_catalog, read_models
from krea_cli.catalog.schema_text import describe_schema
from krea_cli.catalog.validation import find_violations

DAY = "2026-11-28"


def read(spec):
    return Catalog(build_catalog(spec, DAY))


def reference(spec, path):
    """
    The validator of jsonschema for a body, with the forms of OpenAPI 3.0 translated by
    other code than krea's.
    """

    def translated(part):
        if isinstance(part, list):
            return [translated(each) for each in part]
        if not isinstance(part, dict):
            return part
        part = {key: translated(value) for key, value in part.items()}
        for exclusive, limit in (
            ("exclusiveMinimum", "minimum"),
            ("exclusiveMaximum", "maximum"),
        ):
            if part.get(exclusive) is True:
                part[exclusive] = part.pop(limit)
            elif part.get(exclusive) is False:
                del part[exclusive]
        if part.pop("nullable", None) and "type" in part:
            return {"anyOf": [part, {"type": "null"}]}
        return part

    request = spec["paths"][f"/generate/{path}"]["post"]["requestBody"]
    if "$ref" in request:
        request = spec["components"]["requestBodies"]["Old"]
    schema = request["content"]["application/json"]["schema"]
    return Draft202012Validator(
        translated({**schema, "components": spec.get("components", {})})
    )


def compare(spec, count, seed):
    """
    Count the bodies that krea accepts, all of which jsonschema has to accept.
    """
    rng = random.Random(seed)
    accepted = 0
    catalog = read(spec)
    models = [(model, reference(spec, model.path)) for model in catalog.models]
    for number in range(count):
        model, validator = models[-1 - number % len(models)]
        body = specs.a_value(rng, model.schema)
        if isinstance(body, dict) and not find_violations(model.schema, body):
            accepted += 1
            assert validator.is_valid(body), json.dumps([model.path, body])
    return accepted


@pytest.mark.parametrize("mutation", specs.MUTATED)
def test_violations_of_a_mutated_spec_accept_only_what_jsonschema_accepts(mutation):
    assert compare(specs.MUTATED[mutation](), 119, seed=1) > 3


@pytest.mark.long
@pytest.mark.parametrize("mutation", [*specs.MUTATED, "bundled"])
def test_violations_of_all_models_accept_only_what_jsonschema_accepts(mutation):
    spec = {**specs.MUTATED, "bundled": specs.bundled}[mutation]()

    assert compare(spec, 20_000, seed=2) > 500


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"prompt": "a", "resolution": "2K", "steps": None}, []),
        ({"prompt": "a", "source_images": None}, []),
        ({"prompt": "a", "source_images": ["https://a"]}, []),
        ({"source_images": []}, ["prompt: is required (text)"]),
        ({"prompt": "a", "resolution": "99K"}, ["resolution: must match"]),
        ({"prompt": "a", "steps": 50}, ["steps: must be a whole number below 50"]),
        ({"prompt": "a", "steps": 7}, ["steps: must be a whole number below 50"]),
        ({"prompt": "a", "tags": ["b", "b"], "steps": 5}, ["tags: must not contain"]),
        ({"prompt": "a", "tags": []}, ["steps: is required with tags"]),
        ({"prompt": "a", "promt": "b"}, ["promt: unknown field"]),
    ],
)
def test_violations_of_chained_schemas_are_found(body, expected):
    model = read(specs.chains())["image/acme/chain"]
    found = [str(each) for each in find_violations(model.schema, body)]

    assert len(expected) == len(found)
    for start, violation in zip(expected, found, strict=True):
        assert violation.startswith(start)


def test_build_of_openapi_3_0_reads_its_forms():
    fields = read(specs.openapi_3_0())["image/acme/old"].fields

    assert [] == find_violations(fields["prompt"], None)
    assert find_violations(fields["strength"], 0)
    assert [] == find_violations(fields["strength"], 1)


ODD = {
    "multipart": specs.operation({}) | {},
    "no schema": {"post": {"requestBody": {"content": {"application/json": {}}}}},
    "no fields": specs.operation({"type": "object"}),
    "circle": specs.operation({"$ref": "#/components/schemas/Loop"}),
    "nowhere": specs.operation({"$ref": "#/components/schemas/Gone"}),
    "elsewhere": specs.operation({"$ref": "https://krea.ai/body.json"}),
    "not an object": {"post": {"requestBody": []}},
    "a bomb": specs.operation({"$ref": "#/components/schemas/Bomb7"}),
    "text limit": specs.operation(specs.closed({"a": {"minimum": "0"}})),
}
ODD["multipart"]["post"]["requestBody"] = specs.body({}, "multipart/form-data")


@pytest.mark.parametrize("odd", ODD)
def test_refresh_with_an_odd_model_keeps_its_old_entry_and_takes_the_rest(odd):
    spec = specs.new_model()
    spec["components"]["schemas"] = {
        "Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]},
        "Bomb0": specs.closed({"prompt": {"type": "string"}}),
        **{
            f"Bomb{n}": specs.closed(
                {x: {"$ref": f"#/components/schemas/Bomb{n - 1}"} for x in "abcdefgh"}
            )
            for n in range(1, 8)
        },
    }
    spec["paths"][f"/generate/{specs.PRO}"] = ODD[odd]
    spec["paths"]["/generate/image/acme/odd"] = ODD[odd]

    found = refresh.build_replacement(spec, Catalog.bundled(), today=DAY)

    catalog = Catalog(found.document)
    assert ((specs.PRO,), ("image/acme/odd",)) == (found.kept, found.skipped)
    assert Catalog.bundled()[specs.PRO] == catalog[specs.PRO]
    assert "image/krea/krea-3" in catalog


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [specs.KREA_3, specs.closed({"prompt": {"type": "string"}})]},
        {"allOf": [{"properties": {"prompt": {"type": "string"}}}, specs.KREA_3]},
        {key: specs.KREA_3[key] for key in ("type", "properties", "required")},
        {"properties": specs.KREA_3["properties"]},
        {"$ref": "#/components/schemas/Krea3"},
    ],
    ids=["oneOf", "allOf", "open", "no type", "$ref"],
)
def test_build_reads_every_form_of_a_body(schema):
    spec = specs.with_model("image/acme/odd", schema)
    spec["components"]["schemas"] = {"Krea3": specs.KREA_3}
    model = read(spec)["image/acme/odd"]

    assert "image_urls" == model.input_field.name
    good = {"prompt": "an owl", "resolution": "1k"}
    assert [] == find_violations(model.schema, good)
    assert [] != find_violations(model.schema, {**good, "resolution": "9k"})


def test_build_names_what_is_not_checked():
    field = {
        "type": "string",
        "pattern": r"^(?=.*\d)",
        "contentEncoding": "base64",
    }
    items = {"type": "array", "prefixItems": [{}], "items": {"type": "string"}}
    schema = specs.closed({"a": field, "b": items}, propertyNames={"maxLength": 3})
    model = read(specs.with_model("image/acme/odd", schema))["image/acme/odd"]

    assert r"text (not checked: pattern ^(?=.*\d))" == describe_schema(
        model.fields["a"]
    )
    assert "a list (not checked: prefixItems)" == describe_schema(model.fields["b"])
    assert ["propertyNames"] == model.schema[UNCHECKED]


def test_build_of_aliases_as_an_object_reads_them():
    model = read(specs.renamed_field())[specs.PRO]

    assert {"image_urls": "input_images"} == model.aliases
    assert "input_images" == model.input_field.name


def test_input_field_with_an_alias_is_the_renamed_one():
    spec = specs.renamed_field()
    schema = spec["paths"][f"/generate/{specs.PRO}"]["post"]["requestBody"]
    fields = schema["content"]["application/json"]["schema"]["properties"]
    fields["backdrop_image"] = specs.URL

    assert "input_images" == read(spec)[specs.PRO].input_field.name


def test_read_of_600_models_and_6_mb_reads_all():
    spec = specs.huge()
    assert len(json.dumps(spec)) > 6_000_000

    found = read_models(spec, DAY)

    assert (600, {}) == (len(found.models), found.unreadable)


def url(**more):
    return {"type": "string", "format": "uri", **more}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"source_image": url()}, ("source_image", "image", False)),
        ({"source_image": {"type": "string"}}, ("source_image", "image", False)),
        ({"pictures": {"type": "array", "items": url()}}, ("pictures", "image", True)),
        ({"photo": {"type": "string", "format": "url"}}, ("photo", "image", False)),
        (
            {"image_urls": {"anyOf": [{"type": "array", "items": url()}, {"not": {}}]}},
            ("image_urls", "image", True),
        ),
        ({"photo": url(nullable=True)}, ("photo", "image", False)),
        ({"photo": url(), "mask_url": url()}, ("photo", "image", False)),
        ({"photo": url(), "style_photo": url()}, None),
        ({"model_url": url()}, None),
        ({"mask_url": url(), "end_image": url()}, None),
    ],
)
def test_input_field_of_new_fields_is_found(fields, expected):
    spec = specs.with_model("image/acme/new", specs.closed(fields))
    field = read(spec)["image/acme/new"].input_field

    assert expected == (field and (field.name, field.media, field.is_list))


def test_example_of_variants_is_one_of_them():
    text = {"mode": {"const": "text"}, "prompt": {"type": "string"}}
    image = {"mode": {"const": "image"}, "image_url": specs.URL}
    variants = [specs.closed(each, *each) for each in (text, image)]
    spec = specs.with_model("image/acme/two", {"oneOf": variants})
    model = read(spec)["image/acme/two"]

    assert is_closed(model.schema)
    assert "-p mode=image" in " ".join(example.command(model, ()))


def test_closed_is_said_of_every_part():
    assert is_closed(specs.KREA_3)
    assert is_closed({"allOf": [{}, specs.KREA_3]})
    assert not is_closed({"anyOf": [{}, specs.KREA_3]})
    assert not is_closed({"type": "object"})
