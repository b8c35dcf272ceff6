"""
find_violations() against the JSON Schema validator of the jsonschema package.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from specs import as_python

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.json_schema import types
from krea_cli.catalog.validation import find_violations

pytestmark = pytest.mark.long

MODELS = Catalog.bundled().models

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
    valid = Draft202012Validator(as_python(schema)).is_valid(value)
    assert valid == (not find_violations(schema, value)), json.dumps([schema, value])


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


RULES = {
    "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "minLength",
    "maxLength", "pattern", "items", "properties", "required", "minItems", "maxItems",
    "anyOf", "oneOf", "additionalProperties",
}  # fmt: skip
ONE_OF_EACH = [None, True, 0, 0.5, "", "A" * 5, [], {}]


def parts(schema):
    """
    The schema and all that is inside it.
    """
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    inner += [*schema.get("oneOf", ()), *filter(None, [schema.get("items")])]
    for part in inner:
        yield from parts(part)


def valid(schema):
    """
    A value that the schema allows.
    """
    for form in ("anyOf", "oneOf"):
        if form in schema:
            return valid(schema[form][0])
    if "const" in schema or "enum" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    items = [valid(schema["items"])] if "items" in schema else []
    names = schema.get("required", ())
    return {
        "string": "a" * max(schema.get("minLength", 0), 3),
        "number": least,
        "integer": least,
        "boolean": True,
        "null": None,
        "array": items * max(schema.get("minItems", 0), 1),
        "object": {name: valid(schema["properties"][name]) for name in names},
    }[next(iter(types(schema)), "null")]


def edges(schema):
    """
    Values at the limits of the schema's own rules, just beyond them, and of every type.
    """
    found = [valid(schema), *ONE_OF_EACH, *schema.get("enum", ())]
    steps = [(key, step) for key in schema for step in (-1, 0, 1)]
    for key, step in steps:
        if key in ("minimum", "maximum", "exclusiveMinimum"):
            found += [schema[key] + step, float(schema[key] + step)]
        if key in ("minLength", "maxLength"):
            found += [char * (schema[key] + step) for char in "a\U0001f408"]
        if key in ("minItems", "maxItems"):
            found.append([valid(schema["items"])] * (schema[key] + step))
    if "items" in schema:
        found += [[valid(schema["items"]), each] for each in ONE_OF_EACH]
    whole = valid(schema) if "properties" in schema else {}
    for name in schema.get("properties", ()):
        found += [{**whole, name: each} for each in ONE_OF_EACH]
        found.append({key: whole[key] for key in whole if key != name})
    return [*found, {**whole, "a b": 1}]


def test_each_rule_of_each_schema_is_kept():
    """
    At every edge of every part of every model's schema the two agree, and each rule
    there does refuse something.
    """
    distinct = {
        json.dumps(part, sort_keys=True)
        for model in MODELS
        for part in parts(model.schema)
    }

    assert len(distinct) > 300
    for part in map(json.loads, distinct):
        validator = Draft202012Validator(part)
        refusing = set()
        for value in edges(part):
            errors = list(validator.iter_errors(value))
            refusing |= {error.schema_path[0] for error in errors}

            assert bool(errors) == bool(find_violations(part, value)), json.dumps(
                [part, value]
            )
        rules = {key for key in part.keys() & RULES if part[key] != []}
        assert set() == rules - refusing, part
