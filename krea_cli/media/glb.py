"""
GLB: find where it ends, and strip authors, programs and notes from the scene, and the
metadata of its pictures.

A GLB is a description of the scene in JSON, and a binary part. Places in the binary
part are stored in the description, so nothing in it is moved: what is cut from a
picture becomes zeros.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader

_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_MOST_JSON = 1 << 26
_HEAD_BYTES, _CHUNK_HEAD = 12, 8
# Without other fields the scene is the same.
_ASSET = {"version", "minVersion"}
_EXTENSIONS = ("KHR_", "EXT_", "MSFT_")
_DESCRIBING = ("KHR_xmp", "KHR_xmp_json_ld")
# Names of these are mostly those of files.
_NAMELESS = ("accessors", "buffers", "bufferViews", "images", "samplers", "textures")

# Returns a picture without metadata, or None when it has none.
StripPicture = Callable[[bytes], bytes | None]


def find_end(reader: FileReader) -> int | None:
    """
    Return where the file ends by its own length.
    """
    (length,) = reader.unpack("<I", 8)
    return int(length)


def _chunks(reader: FileReader) -> Iterator[tuple[int, range]]:
    """
    Yield the kind of each chunk, and the place of its content.

    Raises:
        DamagedError: a chunk is cut.
    """
    at = _HEAD_BYTES
    while reader.size - at >= _CHUNK_HEAD:
        length, kind = reader.unpack("<II", at)
        at += _CHUNK_HEAD + length
        if at > reader.size:
            raise DamagedError(f"a chunk has {length} bytes")
        yield kind, range(at - length, at)


def strip(reader: FileReader, strip_picture: StripPicture) -> Iterator[ByteRange]:
    """
    Yield the pieces of a scene that looks the same; `strip_picture` takes the metadata
    out of each of its pictures.

    Raises:
        DamagedError: it is not built as a GLB must be, or has a required extension that
            is not understood here.
    """
    chunks = _chunks(reader)
    kind, place = next(chunks, (0, range(0)))
    if kind != _JSON or len(place) > _MOST_JSON:
        raise DamagedError("it does not begin with a scene")
    end = place.stop
    scene = _parsed(reader.read(place.start, len(place)))
    # Chunks behind the binary one, or in its place, are left out.
    kind, binary = next(chunks, (0, range(0)))
    if kind == _BINARY:
        end = binary.stop
    else:
        binary = range(0)
    try:
        before = json.dumps(scene)
        _strip_scene(scene)
        found = sorted(
            _pictures(reader, scene, binary, strip_picture),
            key=lambda each: each[0].start,
        )
        after = json.dumps(scene)
        text = json.dumps(scene, separators=(",", ":")).encode()
    except DamagedError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as exc:
        raise DamagedError("its scene is not built as it must be") from exc
    if after == before and not found and end == reader.size:
        yield range(reader.size)
        return
    text += b" " * (-len(text) % 4)
    rest = _CHUNK_HEAD + len(binary) if kind == _BINARY else 0
    total = _HEAD_BYTES + _CHUNK_HEAD + len(text) + rest
    yield b"glTF" + struct.pack("<IIII", 2, total, len(text), _JSON) + text
    if kind == _BINARY:
        yield struct.pack("<II", len(binary), _BINARY)
        yield from _replaced(binary, found)


def _replaced(
    binary: range, pictures: list[tuple[range, bytes]]
) -> Iterator[ByteRange]:
    """
    Yield the binary part with the pictures, which are sorted, in their places.
    """
    at = binary.start
    for place, content in pictures:
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
    reader: FileReader, scene: dict[str, Any], binary: range, strip: StripPicture
) -> Iterator[tuple[range, bytes]]:
    """
    Yield the place of each picture with metadata, and its new content, and write the
    new length into the scene.
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
        content = strip(reader.read(place.start, len(place)))
        if content is not None and len(content) <= len(place):
            view["byteLength"] = len(content)
            yield place, content
        elif content is not None:
            raise DamagedError("a picture in it would not fit")


def _strip_address(image: dict[str, Any], strip: StripPicture) -> None:
    head, _, text = image["uri"].partition(";base64,")
    content = strip(b64decode(text))
    if content is not None:
        image["uri"] = f"{head};base64,{b64encode(content).decode()}"
