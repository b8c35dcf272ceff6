"""
Files with a word in every place where a camera or a program may have written one.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

from media.samples import MP4_AT_THE_END, box, encoded, picture
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from krea_cli import media
from krea_cli.media import Media

WORD = b"CANARY"
TEXT = WORD.decode()
ORIENTATION, GPS = 0x0112, 0x8825
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@dataclass(frozen=True)
class Marked:
    name: str
    media: Media
    content: bytes


def exif(orientation=6):
    """
    Where, by whom and with what the picture was made.
    """
    made = Image.Exif()
    made[0x010E], made[0x010F], made[0x013B] = TEXT, f"{TEXT} Cameras", f"by {TEXT}"
    made.get_ifd(GPS).update({1: "N", 2: (59.0, 19.0, 46.0), 29: TEXT})
    if orientation is not None:
        made[ORIENTATION] = orientation
    return made.tobytes()


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def jpeg(orientation=6, **options):
    """
    With previews in its header and behind its end, as phones and cameras have them.
    """
    drawn = options.pop("drawn", None) or picture()
    whole = encoded(
        "JPEG",
        drawn,
        quality=85,
        exif=exif(orientation),
        xmp=b"<x>" + WORD,
        comment=WORD,
        icc_profile=PROFILE,
        **options,
    )
    # A picture of two by one pixels; that of print has no such header.
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1" + bytes([2, 1]) + WORD)
    has_jfif = whole[6:10] == b"JFIF"
    head, rest = (jfif, whole[20:]) if has_jfif else (b"", whole[2:])
    extra = [
        segment(0xED, b"Photoshop 3.0\x008BIM\4\4" + WORD),
        segment(0xE2, b"FPXR\0" + WORD),
        segment(0xEC, b"Ducky" + WORD),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + WORD),
        segment(0xE0, b"JFXX\0\x10" + WORD),
    ]
    behind = encoded("JPEG", exif=exif(3)) + bytes(8) + WORD
    return whole[:2] + head + b"".join(extra) + rest + behind


def rgb_jpeg():
    """
    Not in the usual colours, which is told by a segment of Adobe's alone.
    """
    named, numbered = b"R\x11\0G\x11\0B\x11\0", b"\1\x11\0\2\x11\0\3\x11\0"
    whole = jpeg(keep_rgb=True)
    assert named in whole
    scan = b"\xff\xda\0\x0c\3"
    numbered_scan = scan + b"\1\0\2\0\3\0"
    return whole.replace(named, numbered).replace(scan + b"R\0G\0B\0", numbered_scan)


def two_jpegs():
    """
    One behind the other, as phones keep what a picture was made from.
    """
    return encoded(
        "MPO",
        save_all=True,
        append_images=[picture(seed=8)],
        exif=exif(),
        icc_profile=PROFILE,
    )


def png(drawn=None, **options):
    info = PngInfo()
    info.add_text("Comment", TEXT)
    info.add_text("Author", TEXT, zip=True)
    info.add_itxt("XML:com.adobe.xmp", f"<x>{TEXT}", lang="en")
    info.add(b"tIME", struct.pack(">H5B", 2026, 1, 2, 3, 4, 5))
    info.add(b"gAMA", struct.pack(">I", 45455))
    info.add(b"prVt", WORD)
    whole = encoded(
        "PNG", drawn, pnginfo=info, exif=exif(), icc_profile=PROFILE, **options
    )
    return whole + WORD


def webp(orientation=6):
    return encoded(
        "WEBP",
        quality=80,
        exif=exif(orientation),
        xmp=b"<x>" + WORD,
        icc_profile=PROFILE,
    )


def heic():
    """
    An AVIF, which is built in the same way, under the name of the other.
    """
    whole = encoded("AVIF", exif=exif(), xmp=b"<x>" + WORD, icc_profile=PROFILE)
    return whole.replace(b"ftypavif", b"ftypheic", 1)


def small_heic():
    """
    Its EXIF lies among small items, beside their table.
    """
    small = exif() + WORD
    entry = box(b"infe", struct.pack(">IHH4sx", 2 << 24, 1, 0, b"Exif"))
    place = struct.pack(">IHHHHHHII", 1 << 24, 0x4400, 1, 1, 1, 0, 1, 0, len(small))
    kinds = box(b"iinf", struct.pack(">IH", 0, 1) + entry)
    items = kinds + box(b"iloc", place) + box(b"idat", small)
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    return head + box(b"meta", bytes(4) + items)


def movie(brand=b"isom"):
    """
    With a place as phones write it, an author, and what another program left.
    """
    whole = MP4_AT_THE_END.replace(MP4_AT_THE_END[8:12], brand, 1)
    at = whole.index(b"moov") - 4
    place = box(b"\xa9xyz", b"\0\x12\x15\xc7+59.3294+018.0686/" + WORD)
    keys = box(b"meta", box(b"ilst", WORD))
    track = whole.index(b"trak") - 4
    end = track + int.from_bytes(whole[track : track + 4])
    trak = box(b"trak", whole[track + 8 : end] + box(b"udta", box(b"name", WORD)))
    others = whole[at + 8 : track] + whole[end:]
    moov = box(b"moov", others + trak + box(b"udta", place) + keys)
    return whole[:at] + moov + box(b"free", WORD) + box(b"uuid", bytes(16) + WORD)


MARKED = [
    Marked("jpeg", media.JPEG, jpeg()),
    Marked("progressive jpeg", media.JPEG, jpeg(progressive=True)),
    Marked("rgb jpeg", media.JPEG, rgb_jpeg()),
    Marked("two jpegs", media.JPEG, two_jpegs()),
    Marked("cmyk jpeg", media.JPEG, jpeg(drawn=picture().convert("CMYK"))),
    Marked("png", media.PNG, png()),
    Marked(
        "png with a palette", media.PNG, png(picture().quantize(16), transparency=3)
    ),
    Marked("webp", media.WEBP, webp()),
    Marked("heic", media.HEIC, heic()),
    Marked("mp4", media.MP4, movie()),
    Marked("mov", media.MOV, movie(b"qt  ")),
]
PICTURES = [each for each in MARKED if each.media.kind == "image"]


def opened(content):
    """
    As Pillow reads it, which knows HEIC by its other name alone.
    """
    return Image.open(io.BytesIO(content.replace(b"ftypheic", b"ftypavif", 1)))
