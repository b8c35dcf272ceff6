"""
Small mutations of the bundled API description, as future versions may look.
"""

from __future__ import annotations

import json
from pathlib import Path

from krea_cli.catalog import catalog
from krea_cli.catalog.json_schema import forms

BUNDLED = json.loads(Path(catalog.__file__).with_name("models.json").read_bytes())
PRO = "image/google/nano-banana-pro"
URL = {"type": "string", "format": "uri", "maxLength": 1024}


def body(schema, media="application/json"):
    return {"content": {media: {"schema": schema}}}


def operation(schema, **more):
    return {"post": {"summary": "New", "requestBody": body(schema), **more}}


def pricing(points, **more):
    points = [{"amount": amount, "dimensions": where} for amount, where in points]
    return {"currency": "USD", "unit": "request", "price_points": points, **more}


def bundled(version="3.1.0"):
    """
    Return the bundled catalog as an OpenAPI document.
    """
    paths = {}
    for path, model in json.loads(json.dumps(BUNDLED["models"])).items():
        more = {"deprecated": model.get("deprecated", False)}
        if prices := model.get("prices"):
            more["x-krea-pricing"] = pricing(
                prices["points"], incomplete=prices.get("incomplete", False)
            )
        paths[f"/generate/{path}"] = operation(model["schema"], **more)
        paths[f"/generate/{path}"]["post"]["summary"] = model["name"]
    return {"openapi": version, "paths": paths, "components": {"schemas": {}}}


def with_model(path, schema, spec=None, **more):
    spec = spec or bundled()
    spec["paths"][f"/generate/{path}"] = operation(schema, **more)
    return spec


def closed(fields, *required, **more):
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


KREA_3 = closed(
    {
        "prompt": {"type": "string", "minLength": 1},
        "resolution": {"type": "string", "enum": ["1k", "2k"]},
        "image_urls": {"type": "array", "items": URL, "maxItems": 8},
        "thinking_mode": {"type": "string", "enum": ["fast", "high", "ultra"]},
        "seed": {"type": "integer"},
    },
    "prompt",
    "resolution",
)


def new_model():
    return with_model("image/krea/krea-3", KREA_3)


def renamed_field():
    spec = bundled()
    post = spec["paths"][f"/generate/{PRO}"]["post"]
    fields = post["requestBody"]["content"]["application/json"]["schema"]["properties"]
    fields["input_images"] = fields.pop("image_urls")
    post["x-krea-deprecated-field-aliases"] = {"image_urls": "input_images"}
    return spec


def _schema(spec, path=PRO):
    content = spec["paths"][f"/generate/{path}"]["post"]["requestBody"]["content"]
    return content["application/json"]["schema"]


def new_required_field():
    spec = bundled()
    schema = _schema(spec)
    schema["properties"]["purpose"] = {"type": "string", "enum": ["draft", "final"]}
    schema["required"] = [*schema.get("required", ()), "purpose"]
    return spec


def new_enum_value():
    spec = bundled()
    _schema(spec)["properties"]["resolution"]["enum"].append("8K")
    return spec


def new_price_dimension():
    spec = bundled()
    post = spec["paths"][f"/generate/{PRO}"]["post"]
    _schema(spec)["properties"]["priority"] = {
        "type": "string",
        "enum": ["normal", "high"],
    }
    post["x-krea-pricing"] = pricing(
        [
            [price * factor, {"resolution": size, "priority": priority}]
            for size, price in (("1K", 0.1), ("2K", 0.2), ("4K", 0.4))
            for priority, factor in (("normal", 1), ("high", 2))
        ]
    )
    return spec


def chains():
    """
    Nest `$ref`, `allOf`, `anyOf` and `nullable` in each other.
    """
    spec = with_model(
        "image/acme/chain",
        {"$ref": "#/components/schemas/Body"},
    )
    spec["components"]["schemas"] = {
        "Url": URL,
        "Images": {"type": "array", "items": {"$ref": "#/components/schemas/Url"}},
        "Size": {"type": "string", "pattern": "^(1K|2K)$"},
        "Prompt": closed({"prompt": {"type": "string"}}, "prompt")
        | {"additionalProperties": True},
        "Body": {
            "allOf": [
                {"$ref": "#/components/schemas/Prompt"},
                {
                    "type": "object",
                    "properties": {
                        "source_images": {
                            "anyOf": [
                                {"$ref": "#/components/schemas/Images"},
                                {"type": "null"},
                            ]
                        },
                        "resolution": {
                            "allOf": [{"$ref": "#/components/schemas/Size"}],
                            "default": "1K",
                        },
                        "steps": {
                            "type": "integer",
                            "nullable": True,
                            "exclusiveMaximum": 50,
                            "multipleOf": 5,
                        },
                        "tags": {
                            "type": "array",
                            "items": {"type": "string"},
                            "uniqueItems": True,
                        },
                    },
                    "dependentRequired": {"tags": ["steps"]},
                },
            ],
            "unevaluatedProperties": False,
        },
    }
    return spec


def openapi_3_0():
    spec = with_model(
        "image/acme/old",
        closed(
            {
                "prompt": {"type": "string", "nullable": True},
                "strength": {
                    "type": "number",
                    "minimum": 0,
                    "exclusiveMinimum": True,
                    "maximum": 1,
                    "exclusiveMaximum": False,
                },
                "source_image": {"type": "string", "format": "url", "nullable": True},
            }
        ),
        bundled("3.0.3"),
    )
    post = spec["paths"]["/generate/image/acme/old"]["post"]
    spec["components"]["requestBodies"] = {"Old": post["requestBody"]}
    post["requestBody"] = {"$ref": "#/components/requestBodies/Old"}
    return spec


def new_kind():
    schema = closed({"prompt": {"type": "string"}, "image_url": URL}, "prompt")
    return with_model("world/acme/earth", schema)


MUTATED = {
    each.__name__: each
    for each in (
        *(new_model, renamed_field, new_required_field, new_enum_value),
        *(new_price_dimension, chains, openapi_3_0, new_kind),
    )
}


def huge(count=600, size=6_000_000):
    """
    Return a document with `count` models and at least `size` bytes.
    """
    spec = bundled()
    length = len(json.dumps(spec))
    text = "x" * ((size - length) // count)
    for number in range(count - len(spec["paths"])):
        with_model(f"image/acme/model-{number}", KREA_3, spec, description=text)
    spec["info"] = {"description": "x" * 1_500_000}
    return spec


def as_python(schema):
    """
    Change patterns so that `$` matches at the very end alone, as in JSON Schema.

    In Python, it also matches before a last newline.
    """
    if isinstance(schema, list):
        return [as_python(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.removesuffix("$") + r"\Z"
        if key == "pattern" and isinstance(value, str) and value.endswith("$")
        else as_python(value)
        for key, value in schema.items()
    }


def a_value(rng, schema, depth=4):
    """
    Return a random value that is close to what the schema allows.
    """
    if not depth or rng.random() < 0.05:
        return rng.choice([None, True, 0, 7.5, "", "1K", "x" * 99, [], {}, ["a", "a"]])
    choices = [
        form for form in forms(schema) if form.keys() & {"type", "enum", "const"}
    ]
    schema = rng.choice(choices or [{}])
    if "enum" in schema or "const" in schema:
        return rng.choice([*schema.get("enum", [schema.get("const")]), "99K"])
    types = schema.get("type", "string")
    kind = rng.choice(types) if isinstance(types, list) else types
    if kind in ("number", "integer"):
        limits = [schema[k] for k in schema if "imum" in k.lower()] or [0]
        return rng.choice(limits) + rng.choice([-1, 0, 0, 1, 0.5, 5])
    if kind == "array":
        items = [
            a_value(rng, schema.get("items", {}), depth - 1)
            for _ in range(rng.randint(0, schema.get("maxItems", 3) + 1) % 20)
        ]
        return items + items[:1] if rng.random() < 0.1 else items
    if kind == "object":
        required = schema.get("required", ())
        body = {
            name: a_value(rng, field, depth - 1)
            for name, field in schema.get("properties", {}).items()
            if rng.random() < (0.9 if name in required else 0.4)
        }
        return body | ({"other": 1} if rng.random() < 0.1 else {})
    text = rng.choice(["a", "2K", "1K", "https://app-uploads.krea.ai/a.png", "an owl"])
    return {"string": text, "boolean": rng.random() < 0.5}.get(kind)
