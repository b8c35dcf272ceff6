"""
faults() against the JSON Schema validator of the jsonschema package.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from krea_cli.catalogue.lookup import Catalogue
from krea_cli.catalogue.validation import faults

pytestmark = pytest.mark.long

MODELS = Catalogue.bundled().models

NUMBERS = st.integers(-3, 12) | st.sampled_from([0.5, 2.0, -2.5, 1e300, 5000, 2**40])
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "cat",
        "a_1",
        "A-b",
        "cat\n",
        "\U0001f408" * 3,
        "1K",
        "x" * 1025,
        "5",
        "é",
    ]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
ANYTHING = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from(["url", "id", "type"]), SCALARS, max_size=2)
)


def near(schema):
    """
    Values that are often valid by the schema, at its limits or just beyond them.
    """
    forms = schema.get("anyOf", []) + schema.get("oneOf", [])
    if forms:
        return st.one_of([near(form) for form in forms])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    return st.one_of([NEAR[name](schema) for name in types]) if types else ANYTHING


def near_number(schema):
    limits = [
        schema[name]
        for name in ("minimum", "maximum", "exclusiveMinimum")
        if name in schema
    ]
    around = [limit + step for limit in limits for step in (-1, -0.5, 0, 0.0, 0.5, 1)]
    return st.sampled_from(around) if around else NUMBERS


def near_text(schema):
    if "pattern" in schema:
        return TEXTS
    lengths = [schema.get("minLength", 0), schema.get("maxLength", 1024)]
    return st.sampled_from(
        [
            char * (n + step)
            for n in lengths
            for step in (-1, 0, 1)
            for char in "a\U0001f408"
        ]
    )


def near_list(schema):
    least, most = schema.get("minItems", 0), min(schema.get("maxItems", 1), 4)
    return st.lists(
        mutated(near(schema.get("items", {}))),
        min_size=max(least - 1, 0),
        max_size=most + 1,
    )


def near_object(schema):
    fields = {
        name: mutated(near(field))
        for name, field in schema.get("properties", {}).items()
    }
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def mutated(values):
    return st.integers(0, 15).flatmap(lambda n: values if n else ANYTHING)


NEAR = {
    "string": near_text,
    "number": near_number,
    "integer": near_number,
    "boolean": lambda schema: st.booleans(),
    "null": lambda schema: st.none(),
    "array": near_list,
    "object": near_object,
}


def bodies(schema):
    """
    Bodies of the model, some with a required field too few or a field too many.
    """

    @st.composite
    def drawn(draw):
        body = draw(near_object(schema))
        if draw(st.integers(0, 9)) == 0 and body:
            del body[draw(st.sampled_from(sorted(body)))]
        if draw(st.integers(0, 9)) == 0:
            body[draw(st.sampled_from(["imageUrls", "a b", ""]))] = draw(SCALARS)
        return body

    return drawn()


def agree(schema, value):
    valid = Draft202012Validator(schema).is_valid(value)
    assert valid == (not faults(schema, value)), json.dumps([schema, value])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.path)
def test_faults_pass_what_json_schema_passes(model):
    """
    For every model a body without faults is one that a full validator passes; so is the
    value of each field, where no other field's fault can hide a difference.
    """

    @settings(max_examples=8, deadline=None, database=None)
    @given(bodies(model.schema))
    def check(body):
        agree(model.schema, body)
        for name in body.keys() & model.fields.keys():
            agree(model.fields[name], body[name])

    check()
