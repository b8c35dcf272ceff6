"""
Find the end of a GLB file, and strip its metadata and that of its embedded images.

A GLB consists of a scene in JSON and a binary part. The scene stores positions in the
binary part, so nothing there may move: removed bytes become zeros.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

from krea_cli.media.chunks import HEAD_BYTES, Layout, walk
from krea_cli.media.file_pieces import ByteRange, Overwrite, apply_overwrites
from krea_cli.media.reader import DamagedError, FileReader

_LAYOUT = Layout("<I4s")
_JSON, _BINARY = b"JSON", b"BIN\0"
_MAX_JSON = 1 << 26
_FIRST = 12
# Fields of `asset` that the scene needs.
_ASSET = {"version", "minVersion"}
_EXTENSIONS = ("KHR_", "EXT_", "MSFT_")
_DESCRIBING = ("KHR_xmp", "KHR_xmp_json_ld")
# Objects whose names are mostly file names.
_NAMELESS = ("accessors", "buffers", "bufferViews", "images", "samplers", "textures")

# Return an image without its metadata, or None if it has none.
StripPicture = Callable[[bytes], bytes | None]


def find_end(reader: FileReader) -> int | None:
    """
    Return the length that the header states.
    """
    (length,) = reader.unpack("<I", 8)
    return int(length)


def strip(reader: FileReader, strip_picture: StripPicture) -> Iterator[ByteRange]:
    """
    Yield the pieces of the scene without metadata. It renders the same.

    `strip_picture` strips each embedded image.

    Raises:
        DamagedError: this is not a valid GLB, or it requires an extension that this
            version does not know.
    """
    chunks = walk(reader, _LAYOUT, _FIRST, end=reader.size - HEAD_BYTES + 1)
    first = next(chunks, None)
    if not first or first.kind != _JSON or first.length > _MAX_JSON:
        raise DamagedError("it does not start with a scene")
    text = reader.read(first.body, first.length)
    # Chunks after the binary one, or of another type, are dropped.
    second = next(chunks, None)
    has_binary = second is not None and second.kind == _BINARY
    binary = range(second.body, second.end) if second and has_binary else range(0)
    try:
        before = json.dumps(json.loads(text))
        scene = json.loads(text, object_hook=_strip_notes)
        _strip_scene(scene)
        found = list(_pictures(reader, scene, binary, strip_picture))
        if found or json.dumps(scene) != before:
            text = json.dumps(scene, separators=(",", ":")).encode()
            text += b" " * (-len(text) % 4)
    except DamagedError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as exc:
        raise DamagedError("its scene is invalid") from exc
    rest = HEAD_BYTES + len(binary) if has_binary else 0
    total = _FIRST + HEAD_BYTES + len(text) + rest
    yield b"glTF" + struct.pack("<II", 2, total)
    yield struct.pack(_LAYOUT.head, len(text), _JSON) + text
    if has_binary:
        yield struct.pack(_LAYOUT.head, len(binary), _BINARY)
        yield from apply_overwrites(binary, found)


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


def _strip_notes(each: dict[str, Any]) -> dict[str, Any]:
    """
    Remove the notes (`extras`) and unknown extensions of a scene object.
    """
    each.pop("extras", None)
    extensions = each.get("extensions")
    if isinstance(extensions, dict):
        each["extensions"] = {
            name: extensions[name] for name in extensions if _is_kept(name)
        }
        if not each["extensions"]:
            del each["extensions"]
    return each


def _is_kept(name: object) -> bool:
    is_known = isinstance(name, str) and name.startswith(_EXTENSIONS)
    return is_known and name not in _DESCRIBING


def _pictures(
    reader: FileReader, scene: dict[str, Any], binary: range, strip: StripPicture
) -> Iterator[Overwrite]:
    """
    Yield an overwrite for each image that has metadata.

    Its new length is written into `scene`.
    """
    views = scene.get("bufferViews", [])
    seen = set()
    for image in scene.get("images", ()):
        if str(image.get("uri", "")).startswith("data:"):
            _strip_data_uri(image, strip)
        number = image.get("bufferView")
        if number is None or number in seen:
            continue
        seen.add(number)
        view = views[number]
        start = binary.start + view.get("byteOffset", 0)
        place = range(start, start + view["byteLength"])
        if not binary.start <= place.start <= place.stop <= binary.stop:
            raise DamagedError("an image in it has no position")
        content = strip(reader.read(place.start, len(place)))
        if content is not None and len(content) <= len(place):
            view["byteLength"] = len(content)
            yield Overwrite(place.start, place.stop, content)
        elif content is not None:
            raise DamagedError("an image in it would not fit")


def _strip_data_uri(image: dict[str, Any], strip: StripPicture) -> None:
    head, _, text = image["uri"].partition(";base64,")
    content = strip(b64decode(text))
    if content is not None:
        image["uri"] = f"{head};base64,{b64encode(content).decode()}"
