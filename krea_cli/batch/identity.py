"""
Identify a request by a value that is the same on every machine.

Two requests are the same if their models, fields, copy numbers and input files are.
Output names, prices, URLs of uploads and the values that krea fills in by itself are no
part of it: a new catalog must not make old results look new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from krea_cli.catalog.model import MediaField, Model
from krea_cli.errors import InputError
from krea_cli.inputs import limits
from krea_cli.inputs.local_file import Image, LocalFile, RemoteFile
from krea_cli.journal.redaction import without_secrets
from krea_cli.runtime.json_tree import leaves, mapped

# What stands in a stored request for an input, and for a text that is not stored.
INPUT, SHA256, MAX_QUOTED_CHARS = "$input", "$sha256", "$shown"
_RULE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """
    An input file: *sha256* of the file, *sent_sha256* of what is sent of it, without
    its metadata.  One that another item makes has the *key* of that item instead.
    """

    field: str
    path: str
    sha256: str | None = None
    sent_sha256: str | None = None
    key: str | None = None

    def is_same(self, other: Input, keys: Collection[str] = ()) -> bool:
        """
        Tell whether both are the same input. *keys* are further keys of the item that
        makes it. For a file, one equal hash is enough: editing its metadata changes
        nothing that is sent, and another version may remove more of it.
        """
        if self.field != other.field:
            return False
        if self.key is not None:
            return other.key in {self.key, *keys}
        return other.key is None and (
            (self.sha256 is not None and self.sha256 == other.sha256)
            or (self.sent_sha256 is not None and self.sent_sha256 == other.sent_sha256)
        )

    def as_json(self) -> dict[str, Any]:
        values = {
            "field": self.field,
            "path": self.path,
            "sha256": self.sha256,
            "sent_sha256": self.sent_sha256,
            "key": self.key,
        }
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Input:
        """
        Raises:
            ValueError: it is not an input.
        """
        name, path, *hashes = (value.get(each) for each in cls.__slots__)
        is_one = isinstance(name, str) and isinstance(path, str | None)
        if not is_one or not all(isinstance(each, str | None) for each in hashes):
            raise ValueError("inputs has something else than inputs")
        sha256, sent_sha256, key = hashes
        return cls(
            field=str(name),
            path=path or "",
            sha256=sha256,
            sent_sha256=sent_sha256,
            key=key,
        )


@dataclass(frozen=True, kw_only=True)
class Identity:
    """
    *request* is JSON with the model, the fields and the copy number; where an input
    stands it has that input's place in *inputs*.
    """

    request: Mapping[str, Any]
    inputs: tuple[Input, ...] = ()
    # By the place of an input: its hash in the key, where it is not that of what is
    # sent, as a scaled picture is another one with each version of Pillow.
    stable_sha256s: tuple[str | None, ...] = ()

    @cached_property
    def shape(self) -> str:
        """
        The hash of all but the inputs, the same with prompts and without.
        """
        return sha256_of(canonical(_hashed(self.request)))

    @cached_property
    def key(self) -> str:
        """
        The hash of the whole request.
        """
        inputs = []
        stable = self.stable_sha256s or (None,) * len(self.inputs)
        for each, sha256 in zip(self.inputs, stable, strict=True):
            content = sha256 or each.sent_sha256 or each.sha256
            inputs.append([each.field, each.key, None if each.key else content])
        return sha256_of(canonical([_RULE, self.shape, inputs]))

    def is_same(
        self, other: Identity, keys: Mapping[str, Collection[str]] | None = None
    ) -> bool:
        """
        Tell whether both ask for the same. *keys* has, by their own key, further keys
        of the items that make inputs.
        """
        return (
            self.shape == other.shape
            and len(self.inputs) == len(other.inputs)
            and all(
                mine.is_same(its, (keys or {}).get(mine.key or "", ()))
                for mine, its in zip(self.inputs, other.inputs, strict=True)
            )
        )

    def without_prompts(self) -> Mapping[str, Any]:
        """
        The request with the hash of each prompt in its place.
        """
        hashed: Mapping[str, Any] = _hashed(self.request)
        return hashed


def identity_of(
    model: Model,
    fields: Mapping[str, Any],
    *,
    automatic: Collection[str] = (),
    copy: int = 1,
    made: Mapping[str, tuple[str, str]] | None = None,
    path_of: Mapping[str, str] | None = None,
) -> Identity:
    """
    Identify a request by its *fields*, which hold images as values.  Fields that are
    *automatic* are left out.

    *made* has the path and the key of each input that another item makes, by the URL
    that stands for it.  *path_of* gives the path to keep of an input file, by the one
    that it was read from.
    """
    given = {name: each for name, each in fields.items() if name not in automatic}
    given = _without_additions(model, given)
    inputs: list[Input] = []
    stable: list[str | None] = []
    for place, value in leaves(given):
        if not isinstance(value, Image):
            continue
        name = ".".join(map(str, place))
        if isinstance(value, LocalFile):
            inputs.append(_local(name, value, path_of or {}))
            stable.append(_stable_sha256(value))
        elif value.url in (made or {}):
            path, key = (made or {})[value.url]
            inputs.append(Input(field=name, path=path, key=key))
            stable.append(None)
    kept = _Keeper(made or {})
    request = {"model": model.path, "fields": mapped(given, kept), "copy": copy}
    return Identity(request=request, inputs=tuple(inputs), stable_sha256s=tuple(stable))


class _Keeper:
    """
    Says what stands in a stored request for a value.
    """

    def __init__(self, made: Mapping[str, object]) -> None:
        self._made = made
        self._count = 0

    def __call__(self, value: Any) -> Any:
        text = value.url if isinstance(value, RemoteFile) else value
        is_made = isinstance(value, RemoteFile) and text in self._made
        if isinstance(value, LocalFile) or is_made:
            self._count += 1
            return {INPUT: self._count - 1}
        if isinstance(text, float) and text.is_integer():
            return int(text)
        if isinstance(text, str) and (shown := without_secrets(text)) != text:
            return {SHA256: sha256_of(text), MAX_QUOTED_CHARS: shown}
        return text


def canonical(value: Any) -> str:
    """
    The same text for the same value of JSON.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hashed(value: Any, *, is_prompt: bool = False) -> Any:
    """
    The request with hashes instead of prompts and of what is stored only in part.
    """
    if isinstance(value, dict):
        if SHA256 in value:
            return {SHA256: value[SHA256]}
        return {
            name: _hashed(each, is_prompt=is_prompt or "prompt" in name)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_hashed(each, is_prompt=is_prompt) for each in value]
    if is_prompt and isinstance(value, str):
        return {SHA256: sha256_of(value)}
    return value


def _local(name: str, image: LocalFile, path_of: Mapping[str, str]) -> Input:
    original = image.original
    path = original.path if original else str(image.path)
    return Input(
        field=name,
        path=path_of.get(path, path),
        sha256=original.sha256 if original else image.sha256,
        sent_sha256=image.sha256,
    )


def _stable_sha256(image: LocalFile) -> str | None:
    original = image.original.image if image.original else image
    if original.path == image.path:
        return None
    try:
        limits.check(original)
    except InputError:
        return original.sha256
    return None


def _without_additions(model: Model, fields: Mapping[str, Any]) -> dict[str, Any]:
    """
    The fields without what krea adds to an image that stands in an object.
    """
    found = dict(fields)
    for media in model.media_fields:
        if media.item == "object" and media.name in found:
            value = found[media.name]
            items = value if isinstance(value, list) else [value]
            bare = [
                _bare(media, each, number) for number, each in enumerate(items, start=1)
            ]
            found[media.name] = bare if isinstance(value, list) else bare[0]
    return found


def _bare(media: MediaField, item: Any, number: int) -> Any:
    if not isinstance(item, dict):
        return item
    added = {"strength": 1, "tag": f"{media.media}{number}"}
    return {
        name: each
        for name, each in item.items()
        if not (name in media.extra and each == added.get(name))
    }
