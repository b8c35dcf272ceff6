"""
Define the keys of a picture in a manifest, in a table and on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from krea_cli.config.numbers import parse_size

MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    """
    A key of a picture. `kind` names the check of its value, `help` describes it in one
    line, and `least` and `most` limit a whole number.
    """

    kind: str
    help: str
    least: int = 0
    most: int = 10**9


# Fields of the request that have an option in `krea generate`.
FIELDS = {
    "aspect_ratio": Key("text", "Aspect ratio, such as 16:9."),
    "resolution": Key("text", "Resolution, such as 1K, 2K or 4K."),
    "width": Key("whole", "Width of the result in pixels.", 1),
    "height": Key("whole", "Height of the result in pixels.", 1),
    "seed": Key("whole", "Seed, to get the same result again."),
    "strength": Key("number", "How strong an edit is."),
    "quality": Key("text", "Quality, such as low, medium or high."),
    "negative_prompt": Key("text", "What to avoid in the result."),
}
REQUEST = {
    "model": Key("text", "Model (default: google/nano-banana-pro)."),
    "prompt": Key("text", "What to make; {words} in braces are filled in."),
    "image": Key("texts", "Input file, URL, or the output of another item."),
    **FIELDS,
    "params": Key("table", "Other fields of the model; '@FILE' names a file."),
    "style": Key("texts", "Trained style, as ID or ID:STRENGTH."),
    "count": Key("whole", "How many results of the same request.", 1, MAX_ITEMS),
    "fit": Key("bool", "Scale down images that exceed Krea's limits."),
    "inline": Key("bool", "Embed images in the request instead of uploading."),
}
DELIVERY = {
    "output": Key("text", "File name of the result, such as out/{stem}.png."),
    "expect": Key("texts", "What the result must be, such as aspect=16:9."),
    "sidecar": Key("bool", "Write NAME.json beside each result."),
    "quality_out": Key("whole", "Quality of a converted picture, 1 to 100.", 1, 100),
    "max_size": Key("size", "Largest result to save, such as 500MB."),
}
ITEM = {**REQUEST, **DELIVERY}
# Options of a single run. A manifest cannot set them, because others run it, too.
COMMAND_LINE = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "force",
        "keep_metadata",
        "webhook",
        "allow_unknown_cost",
        "no_validate",
        "no_journal",
        "api_url",
        "max_cost",
    )
}
# Names with a fixed meaning. A matrix cannot use them as words in braces.
RESERVED = frozenset(COMMAND_LINE) | {
    "output",
    "count",
    "each",
    "matrix",
    "params",
    *("stem", "name", "ext", "path", "index", "slug"),
    *("job_id", "date", "time"),
}
WORD = Key("word", "What {WORD} in braces stands for.")
# Kinds of cells that krea reads by itself, without the schema of the model.
_CONVERTED = {"whole", "bool", "size"}
_BRACES = re.compile(r"\{")


def fault_of(key: Key, value: Any) -> str | None:
    """
    Return why a value does not fit its key, or None if it does.
    """
    if key.kind in ("whole", "number") and isinstance(value, str):
        if _BRACES.search(value):
            return None  # checked when the braces are filled in
        return f"must be {_described(key)}, not text in quotes"
    check = _CHECKS[key.kind]
    return None if check(value, key) else f"must be {_described(key)}"


def converted(name: str, text: str) -> Any:
    """
    Convert the text of a cell to a value for the key `name`.

    The fields of a model stay text, because their types depend on the model. A key for
    a list of texts gets a list of one text.

    Raises:
        ValueError: the text is not a valid value; the message says what is expected.
    """
    key = ITEM[name]
    if name in FIELDS or key.kind not in _CONVERTED:
        return [text] if key.kind == "texts" else text
    value: Any = text
    if key.kind == "bool":
        value = {"true": True, "false": False}.get(text.strip().lower())
    elif key.kind == "whole" and re.fullmatch("[0-9]{1,9}", text.strip()):
        value = int(text)
    fault = fault_of(key, value)
    if fault or (key.kind == "whole" and not isinstance(value, int)):
        raise ValueError(f"must be {_described(key)}")
    return value


def _described(key: Key) -> str:
    if key.kind == "whole":
        limits = f" of at least {key.least}" if key.least else ""
        if key.most < 10**9:
            limits = f" from {key.least} to {key.most:,}"
        return f"a whole number{limits}"
    return {
        "text": "text in quotes",
        "word": "text in quotes, or a number",
        "texts": "text in quotes, or a list of texts",
        "number": "a number",
        "table": 'a table, such as { creativity = "raw" }',
        "bool": "true or false",
        "size": 'a size, such as "500MB"',
    }[key.kind]


def _is_whole(value: Any, key: Key) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and key.least <= value <= key.most


def _is_size(value: Any, _: Key) -> bool:
    try:
        return isinstance(value, str) and parse_size(value) > 0
    except ValueError:
        return False


def _is_number(value: Any, _: Key) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_word(value: Any, _: Key) -> bool:
    return isinstance(value, str | int | float)


def _is_texts(value: Any, _: Key) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, str) for item in items)


_CHECKS: Mapping[str, Any] = {
    "text": lambda value, _: isinstance(value, str),
    "texts": _is_texts,
    "word": _is_word,
    "whole": _is_whole,
    "number": _is_number,
    "table": lambda value, _: isinstance(value, dict),
    "bool": lambda value, _: isinstance(value, bool),
    "size": _is_size,
}
