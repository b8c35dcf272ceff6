"""
Generate a 3D model of an image that hangs in space, as binary glTF.
"""

from __future__ import annotations

import json
from struct import pack

_FLOAT, _UINT16 = 5126, 5123
# Corners of a square in space and on the image, and its two triangles.
_CORNERS = pack("<12f", -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 1, 0)
_SPOTS = pack("<8f", 0, 1, 1, 1, 1, 0, 0, 0)
_TRIANGLES = pack("<6H", 0, 1, 2, 0, 2, 3)


def glb(jpeg: bytes) -> bytes:
    """
    Return a model of a square, two meters wide, with the JPEG on both sides.
    """
    views, binary = [], b""
    for chunk in (_CORNERS, _SPOTS, _TRIANGLES, jpeg):
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(chunk)})
        binary += chunk + bytes(-len(chunk) % 4)
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0}
    places = {"POSITION": 0, "TEXCOORD_0": 1}
    limits = {"min": [-1, -1, 0], "max": [1, 1, 0]}
    scene = {
        "asset": {"version": "2.0", "generator": "krea sandbox"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "SANDBOX"}],
        "meshes": [
            {"primitives": [{"attributes": places, "indices": 2, "material": 0}]}
        ],
        "materials": [{"pbrMetallicRoughness": surface, "doubleSided": True}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/jpeg"}],
        "accessors": [
            {"bufferView": 0, "componentType": _FLOAT, "count": 4, "type": "VEC3"}
            | limits,
            {"bufferView": 1, "componentType": _FLOAT, "count": 4, "type": "VEC2"},
            {"bufferView": 2, "componentType": _UINT16, "count": 6, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(scene).encode()
    chunks = _chunk(b"JSON", text + b" " * (-len(text) % 4)) + _chunk(b"BIN\0", binary)
    return pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return pack("<I4s", len(content), kind) + content
