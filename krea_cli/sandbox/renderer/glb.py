"""
A cube with a picture on each face, as binary glTF.
"""

from __future__ import annotations

import json
import struct
from itertools import product

# The corners of each face, counter-clockwise seen from outside, and where it looks.
_FACES = (
    (((-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)), (0, 0, 1)),
    (((1, -1, -1), (-1, -1, -1), (-1, 1, -1), (1, 1, -1)), (0, 0, -1)),
    (((1, -1, 1), (1, -1, -1), (1, 1, -1), (1, 1, 1)), (1, 0, 0)),
    (((-1, -1, -1), (-1, -1, 1), (-1, 1, 1), (-1, 1, -1)), (-1, 0, 0)),
    (((-1, 1, 1), (1, 1, 1), (1, 1, -1), (-1, 1, -1)), (0, 1, 0)),
    (((-1, -1, -1), (1, -1, -1), (1, -1, 1), (-1, -1, 1)), (0, -1, 0)),
)
_PICTURE_CORNERS = ((0, 1), (1, 1), (1, 0), (0, 0))
_FLOAT, _UINT16 = 5126, 5123
_VERTICES, _INDICES = 34962, 34963


def glb(jpeg: bytes) -> bytes:
    """
    The cube, two metres wide, with the JPEG on every face.
    """
    places = [c for corners, _ in _FACES for corner in corners for c in corner]
    looks = [c for _, look in _FACES for _ in range(4) for c in look]
    spots = [c for _ in _FACES for corner in _PICTURE_CORNERS for c in corner]
    order = [4 * face + i for face, i in product(range(6), (0, 1, 2, 0, 2, 3))]
    chunks = [
        struct.pack(f"<{len(places)}f", *places),
        struct.pack(f"<{len(looks)}f", *looks),
        struct.pack(f"<{len(spots)}f", *spots),
        struct.pack(f"<{len(order)}H", *order),
        jpeg,
    ]
    return _container(_scene(chunks), b"".join(map(_padded, chunks)))


def _scene(chunks: list[bytes]) -> dict[str, object]:
    views, offset = [], 0
    targets = (_VERTICES, _VERTICES, _VERTICES, _INDICES, None)
    for chunk, target in zip(chunks, targets, strict=True):
        view = {"buffer": 0, "byteOffset": offset, "byteLength": len(chunk)}
        views.append(view | ({"target": target} if target else {}))
        offset += len(_padded(chunk))
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0}
    return {
        "asset": {"version": "2.0", "generator": "krea sandbox"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "SANDBOX"}],
        "meshes": [
            {"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}
        ],
        "materials": [{"pbrMetallicRoughness": surface}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/jpeg"}],
        "accessors": [
            _accessor(0, "VEC3", 24) | {"min": [-1, -1, -1], "max": [1, 1, 1]},
            _accessor(1, "VEC3", 24),
            _accessor(2, "VEC2", 24),
            _accessor(3, "SCALAR", 36),
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": offset}],
    }


def _accessor(view: int, shape: str, count: int) -> dict[str, object]:
    numbers = _UINT16 if shape == "SCALAR" else _FLOAT
    return {"bufferView": view, "componentType": numbers, "count": count, "type": shape}


def _container(scene: dict[str, object], binary: bytes) -> bytes:
    text = _padded(json.dumps(scene, separators=(",", ":")).encode(), b" ")
    length = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<4sII", b"glTF", 2, length),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        )
    )


def _padded(chunk: bytes, filler: bytes = b"\0") -> bytes:
    return chunk + filler * (-len(chunk) % 4)
