from __future__ import annotations

import pytest

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.validation import Violation, convert, find_violations

CATALOG = Catalog.bundled()
PRO = "image/google/nano-banana-pro"
SEEDREAM = "image/bytedance/seedream-4"
KREA_2 = "image/krea/krea-2/large"
KLING = "video/kling/kling-1"


def found(path, body):
    return [str(fault) for fault in find_violations(CATALOG[path].schema, body)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PRO, {"prompt": "a cat"}),
        (PRO, {"prompt": "a cat", "width": 2.0, "image_urls": []}),
        (
            KREA_2,
            {"prompt": "", "aspect_ratio": "1:1", "resolution": "1K", "seed": None},
        ),
        (
            KREA_2,
            {"prompt": "", "aspect_ratio": "1:1", "resolution": "1K", "intensity": 5.0},
        ),
        (KLING, {"prompt": "a cat", "duration": 5.0, "start_video": None}),
        (KLING, {"prompt": "cat", "camera_control": {"type": "simple", "config": {}}}),
    ],
)
def test_valid_body_has_no_faults(path, body):
    """
    What the service takes is not refused.
    """
    assert [] == found(path, body)


def test_all_faults_are_told_at_once():
    """
    One run tells everything that is wrong, each with its place and what is allowed.
    """
    body = {
        "imageUrls": ["https://krea.ai/cat.png"],
        "aspect-ratio": "1:1",
        "cat": 1,
        "image_urls": ["y" * 1025, 3],
        "resolution": "8K",
        "width": True,
    }

    assert [
        "prompt: is required (text of at least 3 characters)",
        "imageUrls: unknown field; did you mean image_urls?",
        "aspect-ratio: unknown field; did you mean aspect_ratio?",
        f"cat: unknown field; known fields: {', '.join(CATALOG[PRO].fields)}",
        "image_urls[0]: must be a URL of at most 1024 characters, not 1025",
        "image_urls[1]: must be a URL of at most 1024 characters, not 3",
        'resolution: must be "1K", "2K" or "4K", not "8K"',
        "width: must be a number, not true",
    ] == found(PRO, body)


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        (
            PRO,
            {"prompt": "ab"},
            "prompt: must be text of at least 3 characters, not 2",
        ),
        (
            "audio/elevenlabs/tts",
            {"voice_id": ""},
            "voice_id: must be text of at least 1 character, not 0",
        ),
        (
            PRO,
            {"prompt": None},
            "prompt: must be text of at least 3 characters, not null",
        ),
        (
            SEEDREAM,
            {"style_images": [{"strength": 1}, {"strength": 3}]},
            "style_images[1].strength: must be a number from -2 to 2, not 3",
        ),
        (
            SEEDREAM,
            {"style_images": [{"url": "https://krea.ai/cat.png"}]},
            "style_images[0].strength: is required (a number from -2 to 2)",
        ),
        (
            KREA_2,
            {"moodboards": [{"id": "a"}, {"id": "b"}]},
            "moodboards: must be a list of at most 1 item, not 2",
        ),
        (
            KREA_2,
            {"intensity": 2.5},
            "intensity: must be a whole number from -100 to 100, not 2.5",
        ),
        (
            KREA_2,
            {"image_url": "x" * 1025},
            "image_url: must be a URL of at most 1024 characters, not 1025",
        ),
        (
            KREA_2,
            {"image_url": 5},
            "image_url: must be a URL of at most 1024 characters or null, not 5",
        ),
        (KLING, {"duration": 7}, "duration: must be 5 or 10, not 7"),
        (
            KLING,
            {"camera_control": {"type": "simple", "config": {"pan": 1, "zoom": 11}}},
            "camera_control.config.zoom: must be a number from -10 to 10, not 11",
        ),
        (
            KLING,
            {"camera_control": {"type": "up"}},
            """
            camera_control: must be {"type": "simple", ...}, {"type": "down_back", ...},
            {"type": "forward_up", ...}, {"type": "right_turn_forward", ...} or
            {"type": "left_turn_forward", ...}, not {"type": "up"}
            """,
        ),
        (
            "image/runway/gen-4-image",
            {"reference_images": [{"url": "https://krea.ai/a", "tag": "A cat"}]},
            'reference_images[0].tag: must match ^[a-z][a-z0-9_]+$, not "A cat"',
        ),
        (
            "image/runway/gen-4-image",
            {"reference_images": []},
            "reference_images: must be a list of 1 to 3 items, not 0",
        ),
    ],
)
def test_fault_says_what_is_allowed(path, fields, expected):
    """
    A fault names the place, what is allowed there, and what was found.
    """
    (name,) = fields

    assert [" ".join(expected.split())] == [
        text for text in found(path, fields) if text.startswith(name)
    ]


def test_number_above_an_excluded_minimum():
    """
    exclusiveMinimum excludes its own value.
    """
    schema = {"type": "number", "exclusiveMinimum": 0}

    assert [Violation("", "must be a number above 0, not 0")] == find_violations(
        schema, 0
    )
    assert [] == find_violations(schema, 0.1)


def test_pattern_is_searched_not_matched():
    """
    As in JSON Schema, a pattern without anchors may stand anywhere in the text.
    """
    schema = {"type": "string", "pattern": "[0-9]"}

    assert [] == find_violations(schema, "cat 1 of 2")
    assert [Violation("", 'must match [0-9], not "cat"')] == find_violations(
        schema, "cat"
    )


def test_the_end_of_a_pattern_is_the_end_of_the_text():
    """
    As in JavaScript, and not before a last line break.
    """
    schema = {"type": "string", "pattern": "^[a-z]+$"}

    assert [] == find_violations(schema, "abc")
    assert [] != find_violations(schema, "abc\n")


def test_one_of_takes_no_value_of_two_forms():
    """
    oneOf means exactly one; anyOf does not mind several.
    """
    forms = [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 10}]

    assert [] == find_violations({"anyOf": forms}, 5)
    assert [] == find_violations({"oneOf": forms}, 11)
    assert [
        Violation(
            "",
            "must be exactly one of: a number of at least 0 or a number of at most 10, "
            "not 5",
        )
    ] == find_violations({"oneOf": forms}, 5)


@pytest.mark.parametrize(
    ("number", "name"),
    [("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")],
)
@pytest.mark.parametrize("type_", ["number", "integer"])
def test_number_that_json_lacks_is_a_fault(type_, number, name):
    """
    NaN and infinity cannot be sent, whatever the limits are.
    """
    (fault,) = find_violations({"type": type_}, float(number))

    assert fault.message.endswith(f", not {name}")


@pytest.mark.parametrize("body", [[], None, "a cat", 3])
def test_body_that_is_no_object_is_one_fault(body):
    """
    The body itself is at fault, so no field is named.
    """
    (fault,) = find_violations(CATALOG[PRO].schema, body)

    assert "" == fault.field
    assert fault.message.startswith("must be an object, not ")


def test_data_uri_may_be_longer_than_declared():
    """
    The one exception: the service takes data URIs above its own maxLength.
    """
    uri = "data:image/png;base64," + "A" * 5000

    assert [] == found(PRO, {"prompt": "a cat", "image_urls": [uri]})
    assert [] == found(
        "image/bfl/flux-1-kontext-dev",
        {"prompt": "a cat", "image_url": uri, "width": 1024, "height": 1024},
    )


def test_foreign_text_cannot_act_on_a_terminal():
    """
    Values and names in a message are ASCII and short, whatever was given.
    """
    body = {"prompt": ["\x1b[2J\u202e" * 100], "\x1b]0;x\x07": 1, "resolution": "\x9b"}
    texts = found(PRO, body)

    assert 3 == len(texts)
    for text in texts:
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 200


@pytest.mark.parametrize(
    ("path", "field", "text", "value"),
    [
        (PRO, "prompt", "123", "123"),
        (PRO, "prompt", "true", "true"),
        (PRO, "prompt", "null", "null"),
        (PRO, "prompt", "", ""),
        (PRO, "prompt", '["a"]', '["a"]'),
        (PRO, "aspect_ratio", "1:1", "1:1"),
        (PRO, "width", "1024", 1024),
        (PRO, "width", "-1.50", -1.5),
        (PRO, "width", ".5", 0.5),
        (PRO, "width", "1e3", 1000.0),
        (PRO, "image_urls", "https://krea.ai/a", ["https://krea.ai/a"]),
        (PRO, "image_urls", '["https://krea.ai/a"]', ['["https://krea.ai/a"]']),
        (KREA_2, "intensity", "-7", -7),
        (KREA_2, "intensity", "2.0", 2),
        (KREA_2, "seed", "null", None),
        (KREA_2, "seed", "7", 7),
        (KREA_2, "image_url", "null", None),
        (KREA_2, "image_url", "123", "123"),
        (KLING, "duration", "10", 10),
        ("video/kling/kling-2.6", "generate_audio", "true", True),
        ("video/kling/kling-2.6", "generate_audio", "false", False),
    ],
)
def test_text_becomes_what_the_schema_names(path, field, text, value):
    """
    The field's type decides, never the look of the text.
    """
    converted = convert(CATALOG[path].fields[field], text)

    assert value == converted
    assert type(value) is type(converted)


@pytest.mark.parametrize(
    ("path", "field", "text", "message"),
    [
        (PRO, "width", "wide", 'must be a number, not "wide"'),
        (PRO, "width", "nan", 'must be a number, not "nan"'),
        (PRO, "width", "1_000", 'must be a number, not "1_000"'),
        (PRO, "width", " 1", 'must be a number, not " 1"'),
        (PRO, "width", "1e999", 'must be a number, not "1e999"'),
        (PRO, "width", "9" * 5000, f'must be a number, not "{"9" * 59}...'),
        (PRO, "width", "٣", 'must be a number, not "\\u0663"'),
        (PRO, "width", "", 'must be a number, not ""'),
        (PRO, "width", "null", 'must be a number, not "null"'),
        (PRO, "width", "true", 'must be a number, not "true"'),
        (KREA_2, "seed", "x", 'must be a number or null, not "x"'),
        (
            KREA_2,
            "intensity",
            "2.5",
            'must be a whole number from -100 to 100, not "2.5"',
        ),
        (
            "video/kling/kling-2.6",
            "generate_audio",
            "yes",
            'must be true or false, not "yes"',
        ),
        (
            KREA_2,
            "styles",
            "x",
            "must be a list: use KEY:=JSON instead of KEY=VALUE",
        ),
    ],
)
def test_text_that_does_not_fit_says_what_would(path, field, text, message):
    """
    The message names what the field expects.
    """
    with pytest.raises(ValueError, match=r"^must be ") as caught:
        convert(CATALOG[path].fields[field], text)

    assert message == str(caught.value)


def test_object_field_asks_for_json():
    """
    A field of alternatives that are objects needs JSON, too.
    """
    with pytest.raises(ValueError, match="use KEY:=JSON"):
        convert(CATALOG[KLING].fields["camera_control"], "simple")
