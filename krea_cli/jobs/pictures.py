"""
Pictures read and converted.  One of the homes of Pillow.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from krea_cli.errors import DownloadError, StorageError
from krea_cli.media import AVIF, GIF, JPEG, LOSSY, PNG, TIFF, WEBP, Media, sniff

_FORMATS = {
    PNG: "PNG",
    JPEG: "JPEG",
    WEBP: "WEBP",
    GIF: "GIF",
    AVIF: "AVIF",
    TIFF: "TIFF",
}
_READERS: dict[Media | None, Callable[[Path], ImageFile.ImageFile]] = {
    JPEG: JpegImagePlugin.JpegImageFile,
    PNG: PngImagePlugin.PngImageFile,
    GIF: GifImagePlugin.GifImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
    AVIF: AvifImagePlugin.AvifImageFile,
}
# What a kind of file can hold, of the modes that pictures come in here.
_MODES = {
    PNG: {"L", "LA", "RGB", "RGBA", "I;16"},
    TIFF: {"L", "LA", "RGB", "RGBA", "I;16", "CMYK"},
    JPEG: {"L", "RGB"},
    WEBP: {"RGB", "RGBA"},
    AVIF: {"L", "RGB", "RGBA"},
    GIF: {"L", "RGB", "RGBA"},
}
_SPACES = {b"RGB ": "RGB", b"GRAY": "LI", b"CMYK": "CMYK"}
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
# What 8192 x 8192 takes in memory is bearable; more is not worth the risk (P6).
MOST_PIXELS = 2**26
_FITTED_QUALITY, _MOST_TRIES = 95, 6
_USUAL_QUALITY = 90
_SLOW_PIXELS = 2**22
# Colours that differ by less in each of red, green and blue, of 255, look the same.
_SAME_COLOUR = 4
# What decoding takes for a pixel before anything can be made smaller.  A JPEG is
# decoded smaller at once, but for one whose pixels come in several rounds.
_PIXEL_BYTES = {JPEG: 0, PNG: 4, GIF: 4, TIFF: 4, AVIF: 16, WEBP: 16}
_ROUNDS_PIXEL_BYTES = 4
# What may be taken for a picture that nobody asked to see.
_LIGHT_BYTES = 2**27
# More than any model makes, upscalers included.
MOST_CLAIMED_PIXELS = 2**29
# Pillow reads a WebP or an AVIF whole before it knows how large the picture is.
_HEADER_BYTES = 32 * 2**20


def size(path: Path) -> tuple[int, int] | None:
    """
    Width and height in pixels, by the header alone; None when it cannot be read, or
    only by reading much more (hazards F16, N13).
    """
    try:
        with path.open("rb") as file:
            head = file.read(30)
        kind = sniff(head)
        if kind == PNG and len(head) == 30:
            return struct.unpack(">8x4x4xII6x", head)
        if kind in (WEBP, AVIF) and path.stat().st_size > _HEADER_BYTES:
            return _webp_size(head) if kind == WEBP else None
        if kind in _READERS:
            # `Image.open` refuses a picture that claims too much, without saying what.
            with _READERS[kind](path) as picture:
                return picture.size
        with _opened(path) as picture:
            return picture.size
    except Exception:  # noqa: BLE001  (whatever a decoder may raise)
        return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """
    By the first 30 bytes, of each of the three kinds of WebP.
    """
    kind, bits = head[12:16], int.from_bytes(head[24:30], "little")
    if kind == b"VP8X":
        return (bits & 0xFFFFFF) + 1, (bits >> 24) + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return (bits >> 16 & 0x3FFF, bits >> 32 & 0x3FFF) if kind == b"VP8 " else None


def shown_size(path: Path) -> tuple[int, int] | None:
    """
    As `size`, of the picture as it is shown: a camera held upright says so only in a
    tag beside the pixels.
    """
    found = size(path)
    return found[::-1] if found and _is_on_its_side(path) else found


def _is_on_its_side(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(30))
        if kind in (WEBP, AVIF) and path.stat().st_size > _HEADER_BYTES:
            return False
        with _READERS[kind](path) as picture:
            # A PNG decodes its pixels to look behind them; that is left out here.
            tags = Image.Image.getexif(picture)
            return tags.get(_ORIENTATION) in _QUARTER_TURNS
    except Exception:  # noqa: BLE001  (whatever a decoder may raise)
        return False


def thumbnail(path: Path, box: tuple[int, int]) -> Image.Image:
    """
    The picture as it is shown, in RGBA, made smaller if it does not fit into *box*
    (width and height in pixels).

    Raises:
        DownloadError: it is no picture that is known here, or one of too many pixels.
    """
    try:
        # Opening a FIFO would wait for somebody to write to it.
        found = size(path) if path.is_file() else None
    except OSError:
        found = None
    if found is None:
        raise DownloadError("It is no picture that is known here.")
    with _opened(path, _open_to_look) as picture:
        shown = _smooth(_eight_bits(picture))
        # Made smaller before it is turned, as a large one is turned into a second one.
        shown.thumbnail((max(box), max(box)), reducing_gap=2.0)
        ImageOps.exif_transpose(shown, in_place=True)
        shown.thumbnail(box)
        return shown.convert("RGBA")


def is_heavy(path: Path) -> bool:
    """
    Whether `thumbnail` takes more than 128 MiB of memory for the picture, or too much
    to do it at all.
    """
    width, height = size(path) or (0, 0)
    try:
        with _opened(path, _open_to_look) as picture:
            kinds = (kind for kind, name in _FORMATS.items() if name == picture.format)
            cost = _PIXEL_BYTES[next(kinds)]
            if picture.info.get("progressive"):
                cost = _ROUNDS_PIXEL_BYTES
    except DownloadError:
        return width * height > MOST_PIXELS
    return width * height * cost > _LIGHT_BYTES


def _eight_bits(picture: Image.Image) -> Image.Image:
    """
    Of the sixteen bits of a grey picture the upper eight.
    """
    if not picture.mode.startswith("I"):
        return picture
    return picture.point(lambda value: value / 256).convert("L")


def is_blank(path: Path) -> bool:
    """
    Whether all of the picture, as it is seen, has one colour, or next to.

    Raises:
        DownloadError: it cannot be decoded, or has too many pixels.
    """
    with _opened(path, _open_to_look) as picture:
        picture.load()
        shown = _smooth(_eight_bits(picture))
    if shown.mode == "RGBA":
        # Where it is transparent, its colours do not count.
        shown = shown.convert("RGBa")
    bands = [shown.getchannel(band).getextrema() for band in shown.getbands()]
    spans = cast("list[tuple[int, int]]", bands)
    return all(most - least <= _SAME_COLOUR for least, most in spans)


def can_write(media: Media) -> bool:
    return media in _FORMATS


def convert(
    source: Path, target: IO[bytes], media: Media, *, quality: int | None = None
) -> bool:
    """
    Write the picture at *source* to *target* as another kind of picture, upright; of an
    animation the first picture, and True then.  *quality* is 1 to 100, for kinds that
    lose some.  What is transparent becomes white where the kind knows no transparency.
    The colour profile stays, unless the kind cannot hold the picture's colours as they
    are.

    Raises:
        DownloadError: *source* is no picture that can be decoded, or has too many
            pixels.
        StorageError: it cannot be written as *media*, or *target* not at all.
    """
    with _opened(source) as picture:
        _check_pixels(picture.size)
        # A JPEG may hold other pictures, which are no animation.
        is_animated = picture.format in ("GIF", "WEBP", "AVIF", "PNG") and getattr(
            picture, "is_animated", False
        )
        picture.load()
        # A copy has no other pictures, which an encoder might look for.
        shown = picture.copy() if is_animated else picture
        shown, profile = _writable(_upright(shown), media)
    options = {"quality": quality or _USUAL_QUALITY} if media in LOSSY else {}
    if media == AVIF and shown.width * shown.height > _SLOW_PIXELS:
        # Eight times as fast as usual, and the file hardly larger.
        options["speed"] = 9
    try:
        # Given a real file, Pillow does not notice that the disk is full.
        encoded = io.BytesIO()
        shown.save(encoded, _FORMATS[media], icc_profile=profile, **options)
        target.write(encoded.getbuffer())
        target.flush()
    except Exception as exc:  # whatever an encoder may raise
        reason = getattr(exc, "strerror", None) or str(exc) or "too little memory"
        raise StorageError(
            f"The picture cannot be written as {media.extension.upper()}: {reason}."
        ) from exc
    return is_animated


def _check_pixels(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise DownloadError(
            f"The picture has {width} x {height} pixels, too many to be decoded here."
        )


def _upright(picture: Image.Image) -> Image.Image:
    # What is wrong with a tag beside the pixels is not wrong with them.
    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _writable(picture: Image.Image, media: Media) -> tuple[Image.Image, bytes | None]:
    """
    The picture in a mode that the kind can hold, with the profile of its colours.
    """
    profile, modes = picture.info.get("icc_profile"), _MODES[media]
    if picture.mode == "CMYK" and picture.mode not in modes:
        return _from_inks(picture, profile), None
    if "I;16" not in modes or picture.has_transparency_data:
        picture = _eight_bits(picture)
    shown = _smooth(picture)
    if shown.mode == "RGBA" and media == JPEG:
        white = Image.new("RGB", shown.size, "white")
        white.paste(shown, mask=shown.getchannel("A"))
        shown = white
    if shown.mode not in modes:
        shown = shown.convert("RGB")
    space = _SPACES.get(profile[16:20], shown.mode) if profile else shown.mode
    return shown, profile if shown.mode[0] in space else None


def _from_inks(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """
    In RGB what is in the colours of a printer, by its profile if it has a good one.
    """
    with suppress(ImportError, OSError, ImageCms.PyCMSError):
        if profile:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            screen = ImageCms.createProfile("sRGB")
            shown = ImageCms.profileToProfile(picture, inks, screen, outputMode="RGB")
            if shown is not None:
                return shown
    return picture.convert("RGB")


def fit(
    source: Path, target: IO[bytes], media: Media, *, most_side: int, most_bytes: int
) -> tuple[int, int]:
    """
    Write the picture at *source* to *target*, of the same kind *media*, scaled down
    until neither a side nor the file is too large; its width and height then.  Colour
    profile and EXIF stay.

    Raises:
        DownloadError: *source* is no picture that can be decoded, or scaled.
        StorageError: it cannot be written.
    """
    with _opened(source) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise DownloadError(f"It has {width} x {height} pixels, which is too many.")
        # A JPEG may hold other pictures, which are no animation.
        if media != JPEG and getattr(picture, "is_animated", False):
            raise DownloadError("It is an animation.")
        picture.load()
        whole = _smooth(picture)
        kept = {key: picture.info.get(key) or b"" for key in ("icc_profile", "exif")}
    scale = min(1.0, most_side / max(width, height))
    for _ in range(_MOST_TRIES):
        size = max(1, int(width * scale)), max(1, int(height * scale))
        encoded = _encoded(whole, size, media, kept)
        if len(encoded) <= most_bytes:
            target.write(encoded)
            return size
        scale *= 0.95 * math.sqrt(most_bytes / len(encoded))
        # Each of these may take as much memory as is bearable.
        del encoded
    raise DownloadError("It stays too large.")


def _encoded(
    whole: Image.Image, size: tuple[int, int], media: Media, kept: Mapping[str, bytes]
) -> memoryview:
    shown = whole
    if size != whole.size:
        shown = whole.resize(size, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    try:
        shown.save(encoded, _FORMATS[media], quality=_FITTED_QUALITY, **kept)
    except (OSError, ValueError) as exc:
        raise StorageError(f"It cannot be written: {exc}.") from exc
    return encoded.getbuffer()


def _smooth(picture: Image.Image) -> Image.Image:
    """
    The picture in colours between which there are others.
    """
    mode = {"1": "L", "P": "RGB"}.get(picture.mode, picture.mode)
    if picture.has_transparency_data:
        mode = "RGBA"
    return picture if picture.mode == mode else picture.convert(mode)


def _open(path: Path) -> Image.Image:
    return Image.open(path, formats=list(_FORMATS.values()))


def _open_to_look(path: Path) -> Image.Image:
    """
    Of a JPEG of too many pixels an eighth of each side, which takes little memory; one
    in several rounds is held whole all the same.
    """
    found = size(path)
    if not found or found[0] * found[1] <= MOST_PIXELS:
        return _open(path)
    with path.open("rb") as file:
        is_jpeg = sniff(file.read(32)) == JPEG
    if not is_jpeg:
        _check_pixels(found)
    picture = _READERS[JPEG](path)
    if picture.info.get("progressive"):
        picture.close()
        _check_pixels(found)
    picture.draft(None, (found[0] // 8, found[1] // 8))
    return picture


@contextmanager
def _opened(
    path: Path, open_picture: Callable[[Path], Image.Image] = _open
) -> Iterator[Image.Image]:
    """
    The picture, with a header that asks for gigabytes refused (hazard F16).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with open_picture(path) as picture:
                yield picture
    except DownloadError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise DownloadError(
            "The picture cannot be decoded: it has too many pixels."
        ) from exc
    except UnidentifiedImageError as exc:
        # Its own words name a temporary file.
        raise DownloadError("The picture cannot be decoded: it is damaged.") from exc
    except Exception as exc:  # whatever a decoder may raise
        reason = str(exc).rstrip(".")
        raise DownloadError(f"The picture cannot be decoded: {reason}.") from exc
