"""
Files with a word in every place where a camera or a program may have written one.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass

from media.samples import MP4_AT_THE_END, box, element, encoded, mp3, picture
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from krea_cli import media
from krea_cli.media import MediaType

WORD = b"CANARY"
TEXT = WORD.decode()
ORIENTATION, GPS = 0x0112, 0x8825
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@dataclass(frozen=True)
class Marked:
    name: str
    media: MediaType
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


def overwritten(content, at, word):
    return content[:at] + word + content[at + len(word) :]


def full_film(brand=b"isom"):
    """
    With times, makers and names in boxes that stay, tracks and media data of a camera's
    own, a fragment, and boxes that few know.
    """
    whole = movie(brand)
    moov = whole.index(b"moov") - 4
    times = WORD + b"!!"
    for kind in (b"mvhd", b"tkhd", b"mdhd"):
        whole = overwritten(whole, whole.index(kind) + 8, times)
    whole = overwritten(whole, whole.index(b"Pictures\0"), times)
    entry = whole.index(b"mp4v") + 4
    whole = overwritten(whole, entry + 12, b"CNRY")
    whole = overwritten(whole, entry + 42, bytes([len(WORD)]) + WORD)
    # Media data that belongs to no picture: some of it to a track of its own.
    head, rest = whole[:moov], whole[moov:]
    mdat = head.index(b"mdat") - 4
    length = int.from_bytes(head[mdat : mdat + 4])
    assert mdat + length == moov
    head = overwritten(head, mdat, struct.pack(">I", length + 2 * len(WORD)))
    index_length = int.from_bytes(rest[:4])
    index, rest = rest[8:index_length], rest[index_length:]
    log = log_track(moov)
    gps = box(b"gps ", WORD)
    moov_box = box(b"moov", index + log + gps + spherical())
    fragment = moof() + box(b"mdat", b"frame" + WORD)
    return head + 2 * WORD + moov_box + rest + fragment + box(b"pnot", WORD)


def log_track(place):
    """
    A track of text, such as places, with one sample.
    """
    head = box(b"tkhd", struct.pack(">IIII", 0, 0, 0, 7) + bytes(68))
    handler = box(b"hdlr", struct.pack(">II4s12x", 0, 0, b"text") + WORD)
    table = (
        box(b"stsc", struct.pack(">5I", 0, 1, 1, 1, 1))
        + box(b"stsz", struct.pack(">3I", 0, len(WORD), 1))
        + box(b"stco", struct.pack(">3I", 0, 1, place))
    )
    media_box = box(b"mdia", handler + box(b"minf", box(b"stbl", table)))
    return box(b"trak", head + media_box)


def spherical():
    """
    A box that only in a track may say how to show the film.
    """
    return box(b"uuid", bytes(range(16)) + WORD)


def moof():
    head = box(b"tfhd", struct.pack(">II", 0x20000, 1))

    def made(offset):
        run = box(b"trun", struct.pack(">IIiI", 0x201, 1, offset, 5))
        notes = box(b"udta", WORD) + box(b"meta", WORD) + box(b"uuid", bytes(16) + WORD)
        return box(b"moof", box(b"traf", head + run + notes) + box(b"udta", WORD))

    return made(len(made(0)) + 8)


def motion_heic():
    """
    With a film behind it, and what Samsung adds.
    """
    return heic() + box(b"mpvd", movie()) + box(b"sefd", WORD)


def early_heic(version):
    """
    Its XMP is an item as the first versions of the table have them; the picture has a
    name, and properties that tell of its making.
    """
    xmp = b"<x>" + WORD
    data = b"pixels" + xmp + b" " * 40
    entry = box(b"infe", struct.pack(">IHH", version << 24, 2, 0) + WORD + b"\0xml\0\0")
    picture_entry = box(
        b"infe", struct.pack(">IHH4s", 2 << 24, 1, 0, b"hvc1") + WORD + b"\0"
    )
    kinds = box(b"iinf", struct.pack(">IH", 0, 2) + picture_entry + entry)
    notes = box(b"udes", bytes(4) + WORD) + box(b"crtt", bytes(4) + WORD)
    properties = box(b"iprp", box(b"ipco", notes))
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def made(start):
        places = struct.pack(">IHH", 0, 0x4400, 2)
        places += struct.pack(">HHHII", 1, 0, 1, start, 6)
        places += struct.pack(">HHHII", 2, 0, 1, start + 6, len(data) - 6)
        main = box(b"pitm", struct.pack(">IH", 0, 1))
        content = main + kinds + box(b"iloc", places) + properties + box(b"uuid", WORD)
        return head + box(b"meta", bytes(4) + content)

    return made(len(made(0)) + 8) + box(b"mdat", data + WORD)


def unusual_png():
    """
    With chunks that nobody knows, critical ones too, and more than belongs into some.
    """
    whole = encoded("PNG", exif=exif(), icc_profile=PROFILE)
    named = whole.index(b"iCCP") - 4
    end = named + 12 + int.from_bytes(whole[named : named + 4])
    _, _, profile = whole[named + 8 : end - 4].partition(b"\0")
    extra = [
        chunk(b"iCCP", WORD + b"\0" + profile),
        chunk(b"XxYz", WORD),
        chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1) + WORD),
        chunk(b"caBX", WORD),
    ]
    start = whole[:named] + b"".join(extra) + whole[end:]
    return start[:-12] + chunk(b"IEND", WORD)


def unusual_jpeg():
    """
    With segments that nobody knows, and a longer one of Adobe's.
    """
    whole = jpeg()
    extra = [
        segment(0xEF, WORD),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + WORD),
    ]
    return whole[:2] + b"".join(extra) + whole[2:]


def animated_webp():
    """
    With EXIF in its frames.
    """
    whole = encoded(
        "WEBP",
        save_all=True,
        append_images=[picture(seed=8)],
        exif=exif(),
        icc_profile=PROFILE,
    )
    tiff = exif().removeprefix(b"Exif\0\0")
    note = b"EXIF" + struct.pack("<I", len(tiff)) + tiff + bytes(len(tiff) % 2)
    at = 12
    parts = []
    while at < len(whole):
        count = int.from_bytes(whole[at + 4 : at + 8], "little")
        content = whole[at + 8 : at + 8 + count]
        if whole[at : at + 4] == b"ANMF":
            content += bytes(len(content) % 2) + note
        head = whole[at : at + 4] + struct.pack("<I", len(content))
        parts.append(head + content + bytes(len(content) % 2))
        at += 8 + count + count % 2
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webm(*, is_live=False):
    """
    With a title, a date, programs, tags, a cover, chapters, and a track of text.
    """

    def hexed(name, content):
        return element(bytes.fromhex(name), content)

    def track(number, kind, extra=b""):
        content = hexed("d7", bytes([number])) + hexed("83", bytes([kind])) + extra
        return hexed("ae", hexed("73c5", b"\1") + content + hexed("86", b"V_VP8"))

    dates = hexed("4461", WORD + b"!!") + hexed("7ba9", WORD) + hexed("73a4", WORD)
    programs = hexed("4d80", WORD) + hexed("5741", WORD)
    info = hexed("1549a966", hexed("2ad7b1", b"\x0f\x42\x40") + dates + programs)
    tracks = track(1, 1, hexed("536e", WORD)) + track(2, 17, hexed("536e", WORD))
    text = hexed("a0", hexed("a1", b"\x82\0\0\0" + WORD) + hexed("9b", b"\1"))
    blocks = hexed("a3", b"\x81\0\0\x80pixels") + hexed("a3", b"\x82\0\0\x80" + WORD)
    cluster = hexed("e7", b"\0") + blocks + text + hexed("ec", WORD)
    tags = hexed("1254c367", hexed("7373", WORD * 30))
    others = hexed("1941a469", WORD) + hexed("1043a770", WORD)
    clusters = hexed("1f43b675", hexed("bf", b"crc!") + cluster)
    if is_live:
        clusters = b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7 + cluster
    content = info + hexed("1654ae6b", tracks) + tags + others + clusters
    head = hexed("1a45dfa3", hexed("4282", b"webm"))
    if is_live:
        return head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + content
    return head + hexed("18538067", content)


def wav():
    """
    With a place, a recorder and a time.
    """

    def part(kind, content):
        padding = bytes(len(content) % 2)
        return kind + struct.pack("<I", len(content)) + content + padding

    sound = part(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8))
    notes = part(b"bext", WORD) + part(b"LIST", b"INFO" + part(b"IART", WORD))
    body = b"WAVE" + notes + sound + part(b"data", b"\x80" * 9) + part(b"iXML", WORD)
    return b"RIFF" + struct.pack("<I", len(body)) + body + WORD


def tagged_mp3():
    """
    With a tag before it, and two of other kinds behind it.
    """
    title = b"TPE1" + struct.pack(">IHB", len(WORD) + 1, 0, 3) + WORD
    tag = b"ID3\4\0\0" + bytes([0, 0, 0, len(title)]) + title
    ape = b"APETAGEX" + bytes(24) + WORD
    return mp3(tag=tag) + ape + b"TAG" + WORD.ljust(125, b"\0")


def glb():
    """
    With an author, notes, and a picture with metadata.
    """
    texture = jpeg()
    texture += bytes(-len(texture) % 4)
    scene = {
        "asset": {"version": "2.0", "generator": TEXT, "copyright": TEXT},
        "extensionsUsed": ["KHR_xmp_json_ld", "KHR_materials_unlit", "VENDOR_author"],
        "extensions": {"KHR_xmp_json_ld": {"packets": [{"dc:creator": TEXT}]}},
        "scenes": [{"nodes": [0], "extras": {"by": TEXT}}],
        "nodes": [{"name": "Root", "extensions": {"VENDOR_author": {"name": TEXT}}}],
        "images": [
            {"bufferView": 0, "mimeType": "image/jpeg", "name": TEXT},
            {"uri": "data:image/png;base64," + b64encode(png()).decode()},
        ],
        "buffers": [{"byteLength": len(texture) + 4}],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(texture)},
            {"buffer": 0, "byteOffset": len(texture), "byteLength": 4},
        ],
    }
    text = json.dumps(scene).encode()
    text += b" " * (-len(text) % 4)
    data = texture + b"mesh"
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(data), b"BIN\0") + data
    more = struct.pack("<I4s", 8, b"NOTE") + WORD + b"!!"
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks + more)) + chunks + more


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
    Marked("jpeg with unknown segments", media.JPEG, unusual_jpeg()),
    Marked("png with unknown chunks", media.PNG, unusual_png()),
    Marked("animated webp", media.WEBP, animated_webp()),
    Marked("heic with a film", media.HEIC, motion_heic()),
    Marked("full mp4", media.MP4, full_film()),
    Marked("full mov", media.MOV, full_film(b"qt  ")),
    Marked("early heic 0", media.HEIC, early_heic(0)),
    Marked("early heic 1", media.HEIC, early_heic(1)),
    Marked("webm", media.WEBM, webm()),
    Marked("live webm", media.WEBM, webm(is_live=True)),
    Marked("wav", media.WAV, wav()),
    Marked("mp3", media.MP3, tagged_mp3()),
    Marked("glb", media.GLB, glb()),
]
# All but those that consist of boxes without pixels.
PICTURES = [
    each
    for each in MARKED
    if each.media.kind == "image" and not each.name.startswith("early")
]


def opened(content):
    """
    As Pillow reads it, which knows HEIC by its other name alone.
    """
    return Image.open(io.BytesIO(content.replace(b"ftypheic", b"ftypavif", 1)))
