"""
Build an example command that a model accepts, using only its schema.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from krea_cli.catalog.json_schema import Schema, forms, is_url, types
from krea_cli.catalog.model import MediaField, Model
from krea_cli.catalog.validation import convert, find_violations

_FILES = {
    "image": "photo.jpg",
    "video": "clip.mp4",
    "audio": "voice.mp3",
    "3d": "mesh.glb",
}
_PROMPT = "an island in the sea"
# The format of audio results is undocumented.
_OUTPUTS = {"image": "out.png", "video": "out.mp4", "3d": "out.glb"}
_MADE = {
    "image": "a lighthouse at dusk",
    "video": "waves roll onto a beach",
    "audio": "rain on a tin roof",
    "3d": "a garden chair",
}
_EDITED = {**_MADE, "image": "a watercolor", "video": "it begins to snow"}
_USUAL = {"width": 1024, "height": 1024}


def command(model: Model, chosen: Collection[str]) -> list[str]:
    """
    Return the arguments of a `krea generate` command for the model.

    They include an input if the model accepts one, and all required fields except those
    in `chosen`, which krea derives from the input.
    """
    field = model.input_field
    words = ["krea", "generate"]
    if "prompt" in model.required or (field is None and "prompt" in model.fields):
        prompts = _EDITED if field else _MADE
        prompt = prompts.get(model.result_kind or "", _PROMPT)
        words.append(_text(model.fields["prompt"], prompt))
    words += ["-m", model.id]
    if field:
        words += ["-i", _FILES[field.media]] * max(1, field.minimum)
    given = {"prompt", field.name if field else "", *chosen}
    for name in model.required:
        if name not in given:
            words += ["-p", _param(name, _field(model, name, field))]
    return [*words, "-o", _OUTPUTS.get(model.result_kind or "", "out.{ext}")]


def _field(model: Model, name: str, given: MediaField | None) -> Schema:
    """
    Return the schema of a field in the variant of the request that has the input.
    """
    for variant in forms(model.schema) if given else ():
        fields: Mapping[str, Schema] = variant.get("properties", {})
        if given and given.name in fields and name in fields:
            return fields[name]
    schema: Schema = model.fields[name]
    return schema


def _param(name: str, schema: Schema) -> str:
    """
    Return the `-p` argument that sets the field to a value its schema allows.
    """
    value = _value(schema, usual=_USUAL.get(name, 0))
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        is_text = convert(schema, text) == value
    except ValueError:
        is_text = False
    return f"{name}={text}" if is_text else f"{name}:={json.dumps(value)}"


def _value(schema: Schema, *, usual: float = 0, share: float = 0) -> Any:
    """
    Return a value that the schema allows, close to `usual`.

    `share` is the position of the value in a list: 0 for the first item, 1 for the
    last.
    """
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        return _value(forms[0], usual=usual, share=share)
    if "const" in schema or "enum" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    kind = next(iter(types(schema)), "string")
    if kind in ("number", "integer"):
        return _number(schema, usual, share)
    if kind == "array":
        last = max(1, schema.get("minItems", 0)) - 1
        shares = [index / last if last else 0 for index in range(last + 1)]
        return [_value(schema.get("items", {}), share=share) for share in shares]
    if kind == "object":
        fields = schema.get("properties", {})
        required = schema.get("required", ())
        return {name: _value(fields.get(name, {}), share=share) for name in required}
    usual_text = "https://s.krea.ai/photo.jpg" if is_url(schema) else "text"
    text = _text(schema, usual_text)
    return {"string": text, "boolean": True}.get(kind)


def _number(schema: Schema, usual: float, share: float) -> float:
    """
    Return an allowed number close to `usual`.

    For ranges with a lower limit of 0 or more, `share` selects the position in the
    range.
    """
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + 1
    if not usual and least is not None and most is not None and least >= 0:
        number = least + share * (most - least)
    else:
        number = max(usual, least) if least is not None else usual
        number = min(number, most) if most is not None else number
    found = int(number) if number == int(number) else number
    return next(
        (
            each
            for each in _candidates(schema, found)
            if not find_violations(schema, each)
        ),
        found,
    )


def _candidates(schema: Schema, number: float) -> Iterator[float]:
    """
    Yield the number, and then alternatives that respect limits and steps.
    """
    yield number
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 2 * step))
    yield from (number // step * step, (number // step + 1) * step)
    yield from (low // step * step + step, (low + high) / 2)


def _text(schema: Schema, wanted: str) -> str:
    return wanted.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
