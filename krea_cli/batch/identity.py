"""
Identify a request by a key that is the same on every machine.

Two requests are the same if their models, fields, copy numbers and input files are
equal. Output names, prices, upload URLs and automatic values do not count: a new
catalog must not make old results look new.
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

# In a stored request, objects with these keys replace inputs and texts with secrets.
INPUT, SHA256, SHOWN = "$input", "$sha256", "$shown"
_RULE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """
    An input file of a request.

    `sha256` is the hash of the file, and `sent_sha256` the hash of the data that is
    sent, usually without metadata. An input that another item makes has the `key` of
    that item instead. `field` is the path of the field, such as "images.0".
    """

    field: str
    path: str
    sha256: str | None = None
    sent_sha256: str | None = None
    key: str | None = None

    def is_same(self, other: Input, keys: Collection[str] = ()) -> bool:
        """
        Return whether both are the same input.

        `keys` are further keys of the item that makes this input. For a file, one equal
        hash is enough: an edit of its metadata changes only `sha256`, and a version of
        krea that removes more metadata changes only `sent_sha256`.
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
        Return the input that `as_json` described.

        Raises:
            ValueError: the object does not describe an input.
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
    The parts of a request that distinguish it from other requests.

    `request` is JSON with the model, the fields and the copy number. Each input is
    replaced by its index in `inputs`.
    """

    request: Mapping[str, Any]
    inputs: tuple[Input, ...] = ()
    # The hash of each input for `key`, or None to use the hash of the sent data. Scaled
    # images need the original's hash, as every version of Pillow scales differently.
    stable_sha256s: tuple[str | None, ...] = ()

    @cached_property
    def shape(self) -> str:
        """
        Return the hash of the request without its inputs. It is the same whether
        `request` has prompts or their hashes.
        """
        return sha256_of(canonical(_hashed(self.request)))

    @cached_property
    def key(self) -> str:
        """
        Return the hash of the request with its inputs.
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
        Return whether both are the same request.

        `keys` has further keys of the items that make inputs, by the key of the item.
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
        Return the request with prompts replaced by their hashes.
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
    Return the identity of a request.

    The values of `fields` may contain images. Fields named in `automatic` are left out.

    `made` has the path and the key of each input that another item makes, by its
    placeholder URL. `path_of` has the path to store for an input file, by the path that
    it was read from.
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
    A function that replaces values with their stored form, and numbers the inputs.
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
            return {SHA256: sha256_of(text), SHOWN: shown}
        return text


def canonical(value: Any) -> str:
    """
    Return a JSON value as text, the same for equal values.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hashed(value: Any, *, is_prompt: bool = False) -> Any:
    """
    Return a stored request with prompts replaced by their hashes. Of a text with
    secrets, only the hash is kept.
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
    """
    Return the hash of the original file if it had to be scaled down, or None.
    """
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
    Return the fields without the values that krea adds to objects with an image.
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
