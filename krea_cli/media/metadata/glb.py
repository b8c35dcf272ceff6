"""
GLB: the scene without authors, programs and notes, and its pictures without metadata.

Places in the binary part are stored in the description of the scene, so nothing in
it is moved: what is cut from a picture becomes zeros.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import IO, Any

from krea_cli.media.metadata.pieces import ByteRange, DamagedError, read

_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_MOST_JSON = 1 << 26
_HEAD_BYTES, _CHUNK_HEAD = 12, 8
# Without the other ones the scene is the same.
_ASSET = {"version", "minVersion"}
_EXTENSIONS = ("KHR_", "EXT_", "MSFT_")
_DESCRIBING = ("KHR_xmp", "KHR_xmp_json_ld")
# Names of these are mostly those of files.
_NAMELESS = ("accessors", "buffers", "bufferViews", "images", "samplers", "textures")

# What is sent of a picture, or None when that is all of it.
Strip = Callable[[bytes], bytes | None]


def bare(file: IO[bytes], size: int, strip: Strip) -> Iterator[ByteRange]:
    """
    Yield the pieces of a scene that looks the same; `strip` takes the metadata out of
    each of its pictures.

    Raises:
        DamagedError: it is not built as a GLB must be, or has a required extension that
            is not understood here.
    """
    length, kind = struct.unpack("<II", read(file, _HEAD_BYTES, _CHUNK_HEAD))
    body = _HEAD_BYTES + _CHUNK_HEAD
    if kind != _JSON or length > _MOST_JSON:
        raise DamagedError("it does not begin with a scene")
    scene = _parsed(read(file, body, length))
    binary = _binary(file, body + length, size)
    try:
        before = json.dumps(scene)
        _strip_scene(scene)
        found = list(_pictures(file, scene, binary or range(0), strip))
        after = json.dumps(scene, separators=(",", ":")).encode()
        is_same = json.dumps(scene) == before
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as exc:
        if isinstance(exc, DamagedError):
            raise
        raise DamagedError("its scene is not built as it must be") from exc
    end = binary.stop if binary else body + length
    if is_same and not found and end == size:
        yield range(size)
        return
    text = after + b" " * (-len(after) % 4)
    rest = _CHUNK_HEAD + len(binary) if binary else 0
    total = body + len(text) + rest
    yield b"glTF" + struct.pack("<IIII", 2, total, len(text), _JSON) + text
    if binary:
        yield struct.pack("<II", len(binary), _BINARY)
        at = binary.start
        for place, content in sorted(found, key=lambda each: each[0].start):
            if place.start < at:
                raise DamagedError("its pictures overlap")
            yield range(at, place.start)
            yield content.ljust(len(place), b"\0")
            at = place.stop
        yield range(at, binary.stop)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        scene = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise DamagedError("its scene is no JSON") from exc
    if not isinstance(scene, dict):
        raise DamagedError("its scene is no JSON object")
    return scene


def _binary(file: IO[bytes], at: int, size: int) -> range | None:
    """
    The place of the binary part; other parts are left out.
    """
    if size - at < _CHUNK_HEAD:
        return None
    length, kind = struct.unpack("<II", read(file, at, _CHUNK_HEAD))
    at += _CHUNK_HEAD
    if kind != _BINARY:
        return None
    if at + length > size:
        raise DamagedError(f"a chunk has {length} bytes")
    return range(at, at + length)


def _strip_scene(scene: dict[str, Any]) -> None:
    for name in scene.get("extensionsRequired", ()):
        if not _is_kept(name):
            raise DamagedError(f"it needs the extension {str(name)[:60]!r}")
    for name in ("extensionsUsed", "extensionsRequired"):
        if name in scene:
            scene[name] = [each for each in scene[name] if _is_kept(each)]
            if not scene[name]:
                del scene[name]
    if isinstance(asset := scene.get("asset"), dict):
        scene["asset"] = {key: asset[key] for key in asset if key in _ASSET}
    for kind in _NAMELESS:
        for each in scene.get(kind, ()):
            if isinstance(each, dict):
                each.pop("name", None)
    _strip_notes(scene)


def _strip_notes(value: Any) -> None:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            each.pop("extras", None)
            extensions = each.get("extensions")
            if isinstance(extensions, dict):
                for name in [name for name in extensions if not _is_kept(name)]:
                    del extensions[name]
                if not extensions:
                    del each["extensions"]
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _is_kept(name: object) -> bool:
    is_known = isinstance(name, str) and name.startswith(_EXTENSIONS)
    return is_known and name not in _DESCRIBING


def _pictures(
    file: IO[bytes], scene: dict[str, Any], binary: range, strip: Strip
) -> Iterator[tuple[range, bytes]]:
    """
    The place of each picture with metadata, and what stands there afterwards; the scene
    is told its new length.
    """
    views = scene.get("bufferViews", [])
    seen = set()
    for image in scene.get("images", ()):
        if str(image.get("uri", "")).startswith("data:"):
            _strip_address(image, strip)
        number = image.get("bufferView")
        if number is None or number in seen:
            continue
        seen.add(number)
        view = views[number]
        start = binary.start + view.get("byteOffset", 0)
        place = range(start, start + view["byteLength"])
        if not binary.start <= place.start <= place.stop <= binary.stop:
            raise DamagedError("a picture in it has no place")
        content = strip(read(file, place.start, len(place)))
        if content is not None and len(content) <= len(place):
            view["byteLength"] = len(content)
            yield place, content
        elif content is not None:
            raise DamagedError("a picture in it would not fit")


def _strip_address(image: dict[str, Any], strip: Strip) -> None:
    head, _, text = image["uri"].partition(";base64,")
    content = strip(b64decode(text))
    if content is not None:
        image["uri"] = f"{head};base64,{b64encode(content).decode()}"
