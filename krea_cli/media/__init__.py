"""
Identify the media types that krea sends and saves by their first bytes.

File names and HTTP headers are ignored: a server could pass off a program or a web page
as an image. Files of other types are neither sent nor saved.
"""

from __future__ import annotations

from typing import NamedTuple


class MediaType(NamedTuple):
    """
    A media type. `kind` is image, video, audio or 3d; `extension` has no dot.
    """

    media_type: str
    extension: str
    kind: str


PNG = MediaType("image/png", "png", "image")
JPEG = MediaType("image/jpeg", "jpg", "image")
WEBP = MediaType("image/webp", "webp", "image")
GIF = MediaType("image/gif", "gif", "image")
AVIF = MediaType("image/avif", "avif", "image")
HEIC = MediaType("image/heic", "heic", "image")
TIFF = MediaType("image/tiff", "tiff", "image")
BMP = MediaType("image/bmp", "bmp", "image")
MP4 = MediaType("video/mp4", "mp4", "video")
MOV = MediaType("video/quicktime", "mov", "video")
WEBM = MediaType("video/webm", "webm", "video")
GLB = MediaType("model/gltf-binary", "glb", "3d")
WAV = MediaType("audio/wav", "wav", "audio")
MP3 = MediaType("audio/mpeg", "mp3", "audio")

# Types that POST /assets accepts, according to the API documentation.
UPLOAD_TYPES = frozenset({JPEG, PNG, WEBP, HEIC, MP4, MOV, WEBM, GLB, WAV, MP3})
# Types that results may have.
RESULT_TYPES = frozenset(
    {PNG, JPEG, WEBP, GIF, AVIF, HEIC, TIFF, BMP, MP4, WEBM, MOV, GLB, WAV, MP3}
)
# Types that output files may have. Images are converted, other files are saved as they
# are.
OUTPUT_TYPES = RESULT_TYPES - {HEIC, BMP}
# Number of leading bytes that are enough to identify any type.
HEAD_BYTES = 64
# Types with a quality setting: the lower it is, the smaller the file.
LOSSY = frozenset({JPEG, WEBP, AVIF})

_EXTENSIONS = {
    **{media.extension: media for media in (*UPLOAD_TYPES, *RESULT_TYPES)},
    "jpeg": JPEG,
    "tif": TIFF,
}
_TYPES = {media.media_type: media for media in _EXTENSIONS.values()}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc"}
# Brands used by several image types: the compatible brands decide which type it is.
_IMAGE_BRANDS = {b"mif1", b"msf1", b"miaf"}
# Header lengths of the BMP versions.
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00\x08\x00\x00\x00", TIFF),
    (b"MM\x00+\x00\x08\x00\x00", TIFF),
    (b"\x1aE\xdf\xa3", WEBM),
    (b"glTF", GLB),
    (b"ID3", MP3),
)


def sniff(head: bytes) -> MediaType | None:
    """
    Return the type of a file that starts with `head`, or None if it is unknown.
    HEAD_BYTES bytes are enough.
    """
    if head[:4] == b"RIFF":
        return {b"WEBP": WEBP, b"WAVE": WAV}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    if head[4:8] in (b"moov", b"wide", b"mdat"):
        return MOV
    for signature, media in _SIGNATURES:
        if head.startswith(signature):
            return media
    return _without_signature(head)


def _without_signature(head: bytes) -> MediaType | None:
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    # MPEG audio frame without a tag: eleven set bits, layer 3.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return MP3
    return None


def of_extension(extension: str) -> MediaType | None:
    """
    Return the type with this file extension, with or without a dot, or None.
    """
    return _EXTENSIONS.get(extension.removeprefix(".").lower())


def of_type(media_type: str) -> MediaType | None:
    """
    Return the type with this MIME type, or None.
    """
    return _TYPES.get(media_type)


def _by_brands(head: bytes) -> MediaType:
    """
    Return the type given by the brands in an `ftyp` box.

    The major brand decides. If it only means "an image", the compatible brands after
    the version do.
    """
    brand, end = head[8:12], min(int.from_bytes(head[:4]), len(head))
    brands = {brand}
    if brand in _IMAGE_BRANDS:
        brands |= {head[at : at + 4] for at in range(16, end, 4)}
    if brands & _AVIF_BRANDS:
        return AVIF
    if brands & (_HEIC_BRANDS | _IMAGE_BRANDS):
        return HEIC
    return MOV if brand == b"qt  " else MP4
