"""
The examples of `krea models show`, taken at their word.
"""

from __future__ import annotations

import json
import shlex

import pytest

from krea_cli.catalog import example
from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import convert, find_violations
from krea_cli.requests import defaults

CATALOG = Catalog.bundled()
URL = "https://app-uploads.krea.ai/a"


def shown(model):
    return example.command(model, defaults.automatic_fields(model))


def parsed(command):
    """
    The prompt and the options of a command line.
    """
    words = shlex.split(command)
    assert ["krea", "generate"] == words[:2]
    prompt = words.pop(2) if not words[2].startswith("-") else None
    options = {flag: [] for flag in ("-m", "-i", "-p", "-o")}
    for flag, value in zip(words[2::2], words[3::2], strict=True):
        options[flag].append(value)
    return prompt, options


def placed(field, count):
    """
    The input field with *count* URLs, as the documents want it.
    """
    extra = {"strength": 1, "tag": "image1"}
    item = {name: extra[name] for name in field.extra} | {field.url_key: URL}
    items = [URL if field.item == "url" else item] * count
    return items if field.is_list else items[0]


def body(command, size):
    """
    The request that the command stands for.
    """
    prompt, options = parsed(command)
    model = CATALOG.find(*options["-m"])
    fields = {} if prompt is None else {"prompt": prompt}
    for param in options["-p"]:
        name, _, text = param.partition("=")
        if name.endswith(":"):
            fields[name[:-1]] = json.loads(text)
        else:
            fields[name] = convert(model.fields[name], text)
    if options["-i"]:
        field = model.input_field
        fields[field.name] = placed(field, len(options["-i"]))
    size = size if model.takes_image else None
    chosen = defaults.choose_defaults(model, fields, size)
    return model, fields | {choice.field: choice.value for choice in chosen}


def test_example_passes():
    """
    For each of the 119 models the command, with what krea chooses itself, is a body
    without a fault.
    """
    assert 119 == len(CATALOG.models)
    for model in CATALOG.models:
        meant, sent = body(shlex.join(shown(model)), (512, 512))

        assert model.path == meant.path
        assert [] == find_violations(model.schema, sent), model.path


def test_example_is_named_by_what_it_makes():
    """
    The output has the name of its kind of file; the input is one the model works on.
    """
    output = {
        "image": "out.png",
        "video": "out.mp4",
        "3d": "out.glb",
        "audio": "out.{ext}",
    }
    given = {"image": ["photo.jpg"], "video": ["clip.mp4"], None: []}

    for model in CATALOG.models:
        _, options = parsed(shlex.join(shown(model)))
        field = model.input_field

        assert [output[model.result_kind]] == options["-o"], model.path
        assert given[field and field.media] == options["-i"], model.path


COMMANDS = {
    "nano-banana-pro": """
        'a watercolor' -m google/nano-banana-pro -i photo.jpg -o out.png""",
    "krea/enhance": "-m krea/enhance -i photo.jpg -o out.png",
    "standard-enhance": """
        -m topaz/standard-enhance -i photo.jpg -p 'model=Standard V2' -o out.png""",
    "flux-1.1-pro": """
        'a lighthouse at dusk' -m bfl/flux-1.1-pro -p width=1024 -p height=1024
        -o out.png""",
    "h3-max-camera-controls": """
        'it begins to snow' -m minimax/h3-max-camera-controls -i photo.jpg
        -p 'camera_trajectory:=[{"time": 0, "distance": 1, "azimuth": 0,
        "elevation": 0}, {"time": 1, "distance": 1, "azimuth": 0, "elevation": 0}]'
        -o out.mp4""",
}


@pytest.mark.parametrize("model", COMMANDS)
def test_example_gives_what_krea_cannot_choose(model):
    """
    No more than is needed: the prompt where there must be one, and the required fields
    that no picture answers.
    """
    command = f"krea generate {' '.join(COMMANDS[model].split())}"

    assert command == shlex.join(shown(CATALOG.find(model)))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 9, "maxLength": 12},
        {"type": "string", "maxLength": 2},
        {"type": "string", "enum": ["5", "null"]},
        {"type": "integer", "minimum": 3},
        {"type": "integer", "minimum": 3, "maximum": 7},
        {"type": "number", "maximum": -2.5},
        {"type": "number", "minimum": 0.25, "maximum": 0.75},
        {"type": "number", "exclusiveMinimum": 4},
        {"type": "boolean"},
        {"const": True},
        {"type": ["number", "null"]},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {
            "type": "object",
            "properties": {"id": {"type": "string"}, "strength": {"type": "number"}},
            "required": ["id"],
        },
    ],
)
def test_required_field_gets_a_value_that_its_schema_allows(schema):
    """
    Whatever a model of tomorrow requires, the example has it.
    """
    whole = {"type": "object", "properties": {"size": schema}, "required": ["size"]}
    model = Model.from_json("image/acme/cat", {"name": "Cat", "schema": whole})

    _, options = parsed(shlex.join(example.command(model, ())))
    name, _, text = options["-p"][0].partition("=")
    value = json.loads(text) if name.endswith(":") else convert(schema, text)

    assert "size" == name.rstrip(":")
    assert [] == find_violations(schema, value)


def test_second_required_file_is_a_url():
    """
    `-i` fills one field; another that must be there gets an address.
    """
    url = {"type": "string", "format": "uri"}
    fields = {"image_url": url, "mask_url": url}
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    model = Model.from_json("image/acme/cat", {"name": "Cat", "schema": schema})

    _, options = parsed(shlex.join(example.command(model, ())))

    assert ["mask_url=https://s.krea.ai/photo.jpg"] == options["-p"]
    assert ["photo.jpg"] == options["-i"]
