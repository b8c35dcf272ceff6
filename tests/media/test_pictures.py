from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from media.metadata.marked import chunk, two_jpegs
from media.samples import SAMPLES, encoded, picture
from PIL import Image

from krea_cli import media
from krea_cli.errors import DownloadError, StorageError
from krea_cli.media import conversion, images

PICTURES = [sample for sample in SAMPLES if sample.media.kind == "image"]


def header(width, height):
    """
    A picture that has a size, and no pixels.
    """
    content = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", content) + chunk(b"IEND", b"")


@pytest.fixture
def kept(tmp_path):
    """
    Keeps bytes in a file.
    """

    def keep(content):
        path = tmp_path / "kept"
        path.write_bytes(content)
        return path

    return keep


def converted(source, kind):
    file = io.BytesIO()
    conversion.convert(source, file, kind)
    return Image.open(file)


@pytest.mark.parametrize("sample", PICTURES, ids=lambda sample: sample.name)
def test_the_size_of_a_picture_is_in_its_header(kept, sample):
    """
    Width and height in pixels.
    """
    assert (64, 48) == images.size(kept(sample.content))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_picture_has_no_size(kept, content):
    """
    That is no error.
    """
    assert images.size(kept(content)) is None


def test_a_picture_of_too_many_pixels_is_not_decoded(kept):
    """
    Its header asks for gigabytes: the size can be told, no more.
    """
    bomb = kept(header(50_000, 50_000))

    assert (50_000, 50_000) == images.size(bomb) == images.shown_size(bomb)
    with pytest.raises(DownloadError, match="Cannot read"):
        conversion.convert(bomb, io.BytesIO(), media.JPEG)


@pytest.mark.parametrize(
    ("kind", "options", "size"),
    [
        ("WEBP", {}, (64, 48)),
        ("WEBP", {"lossless": True}, (64, 48)),
        ("WEBP", {"icc_profile": b"profile" * 20}, (64, 48)),
        ("JPEG", {}, (64, 48)),
        ("AVIF", {}, None),
    ],
    ids=["VP8", "VP8L", "VP8X", "JPEG", "AVIF"],
)
def test_no_picture_is_read_whole_to_be_measured(kept, kind, options, size):
    """
    As Pillow does with a WebP or an AVIF, however large it is.
    """
    path = kept(encoded(kind, **options))
    with path.open("r+b") as file:
        file.truncate(40 * 2**20)

    assert size == images.size(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_may_lie_on_its_side(kept, kind):
    """
    Its size is then that of what is seen; known without a look at the pixels.
    """
    exif = Image.Exif()
    exif[0x0112] = 8
    whole = encoded(kind, exif=exif)
    broken = kept(whole if kind == "WEBP" else whole[:-100])

    assert ((64, 48), (48, 64)) == (images.size(broken), images.shown_size(broken))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (media.PNG, "PNG"),
        (media.JPEG, "JPEG"),
        (media.WEBP, "WEBP"),
        (media.GIF, "GIF"),
        (media.AVIF, "AVIF"),
        (media.TIFF, "TIFF"),
    ],
)
def test_a_picture_becomes_another_kind(kept, kind, name):
    """
    Of the same size.
    """
    assert conversion.can_write(kind)
    with converted(kept(encoded("PNG")), kind) as made:
        assert (name, (64, 48)) == (made.format, made.size)


@pytest.mark.parametrize("sample", PICTURES, ids=lambda sample: sample.name)
@pytest.mark.parametrize("kind", [media.PNG, media.JPEG])
def test_every_kind_of_picture_can_become_another(kept, sample, kind):
    """
    Whatever the service chose to send.
    """
    with converted(kept(sample.content), kind) as made:
        assert (64, 48) == made.size


@pytest.mark.parametrize("kind", [media.HEIC, media.MP4, media.WAV])
def test_other_kinds_cannot_be_written(kind):
    """
    So that it can be asked before.
    """
    assert not conversion.can_write(kind)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white_in_a_jpeg(kept, mode):
    """
    Not black, and not an error.
    """
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0)).convert(mode)
    content = encoded("PNG", clear, **({"transparency": 0} if mode == "P" else {}))

    with converted(kept(content), media.JPEG) as made:
        assert (255, 255, 255) == made.getpixel((4, 4))


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16"])
def test_pictures_of_other_modes_can_be_a_jpeg(kept, mode):
    """
    Grey, palette, sixteen bits.
    """
    drawn = Image.new("L", (8, 8), 200)
    drawn = Image.new(mode, (8, 8)) if mode == "I;16" else drawn.convert(mode)

    with converted(kept(encoded("PNG", drawn)), media.JPEG) as made:
        assert ("JPEG", (8, 8)) == (made.format, made.size)


def test_the_inks_of_a_printer_become_colours(kept):
    """
    Bare paper is white, and what is left of the profile fits what it describes.
    """
    content = encoded("JPEG", Image.new("CMYK", (8, 8)), icc_profile=profile(b"CMYK"))

    for kind in (media.PNG, media.WEBP, media.AVIF, media.GIF):
        with converted(kept(content), kind) as made:
            assert "icc_profile" not in made.info
            assert (255, 255, 255) == made.convert("RGB").getpixel((4, 4))
    with converted(kept(content), media.TIFF) as made:
        assert ("CMYK", profile(b"CMYK")) == (made.mode, made.info["icc_profile"])


def profile(space):
    """
    What says of which kind of colours it is, and no more.
    """
    return bytes(16) + space + bytes(108)


def test_sixteen_bits_are_sixteen_or_the_upper_eight(kept):
    """
    Not all that is not quite black is white.
    """
    content = encoded("PNG", Image.new("I;16", (8, 8), 100 * 256))

    for kind in (media.JPEG, media.WEBP, media.AVIF, media.GIF):
        with converted(kept(content), kind) as made:
            assert abs(made.convert("L").getpixel((4, 4)) - 100) <= 2
    with converted(kept(content), media.TIFF) as made:
        assert 100 * 256 == made.getpixel((4, 4))


@pytest.mark.parametrize("kind", [media.WEBP, media.AVIF, media.GIF, media.TIFF])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_is_transparent_stays_so(kept, mode, kind):
    """
    By a channel, a colour or an entry of the palette, in every mode.
    """
    drawn = Image.new("RGBA", (16, 16)).convert(mode if mode != "I;16" else "L")
    drawn = Image.new("I;16", (16, 16)) if mode == "I;16" else drawn
    keyed = {"transparency": (0, 0, 0) if mode == "RGB" else 0}

    content = encoded("PNG", drawn, **({} if mode.endswith("A") else keyed))
    with converted(kept(content), kind) as made:
        assert 0 == made.convert("RGBA").getpixel((8, 8))[3]


@pytest.mark.parametrize("kind", [media.PNG, media.WEBP, media.AVIF])
def test_a_converted_picture_is_upright(kept, kind):
    """
    It is shown as the original was, which said so beside the pixels.
    """
    exif = Image.Exif()
    exif[0x0112] = 6

    with converted(kept(encoded("JPEG", exif=exif)), kind) as made:
        assert (48, 64) == made.size
        assert 1 == made.getexif().get(0x0112, 1)


@pytest.mark.parametrize(
    ("kind", "drawn", "is_blank"),
    [
        ("JPEG", Image.new("RGB", (64, 48), "teal"), True),
        ("PNG", Image.new("I;16", (64, 48), 9999), True),
        ("PNG", Image.linear_gradient("L").point(lambda value: value // 64), True),
        ("PNG", Image.linear_gradient("L").point(lambda value: value // 32), False),
        ("JPEG", picture(), False),
        ("GIF", picture(), False),
    ],
    ids=["one", "sixteen bits", "next to one", "faint", "noise", "palette"],
)
def test_blank_is_one_colour_or_next_to(kept, kind, drawn, is_blank):
    """
    Whatever the kind of picture.
    """
    assert is_blank == images.is_blank(kept(encoded(kind, drawn)))


def test_a_jpeg_of_any_size_is_looked_at(kept, monkeypatch):
    """
    At an eighth of its sides, as much as its decoder leaves out by itself; one in
    several rounds, and every other kind, would be held whole.
    """
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48)
    drawn = Image.new("L", (256, 192), "teal")

    assert images.is_blank(kept(encoded("JPEG", drawn)))
    drawn.paste("white", (0, 0, 100, 2))
    path = kept(encoded("JPEG", drawn))
    assert not images.is_blank(path)
    assert (32, 24) == images.thumbnail(path, (40, 40)).size
    for content in (encoded("PNG", drawn), encoded("JPEG", drawn, progressive=True)):
        with pytest.raises(DownloadError, match="256x192 is too many"):
            images.is_blank(kept(content))
        assert images.is_heavy(kept(content))


def test_what_is_not_seen_is_blank(kept):
    """
    Colours that are wholly transparent; a shape in one colour is seen.
    """
    hidden, shape = picture(), Image.new("RGBA", (64, 48))
    hidden.putalpha(0)
    shape.putalpha(Image.linear_gradient("L").resize((64, 48)))

    assert images.is_blank(kept(encoded("PNG", hidden)))
    assert not images.is_blank(kept(encoded("PNG", shape)))


def test_colours_keep_their_profile(kept):
    """
    Without it they would look different.
    """
    content = encoded("PNG", icc_profile=b"profile" * 20)

    with converted(kept(content), media.WEBP) as made:
        assert b"profile" * 20 == made.info["icc_profile"]


def test_a_broken_picture_is_told(kept):
    """
    Its header alone is no picture.
    """
    with pytest.raises(DownloadError, match="Cannot read"):
        conversion.convert(kept(encoded("PNG")[:200]), io.BytesIO(), media.JPEG)


def test_a_picture_that_is_too_large_for_the_kind_is_told(kept):
    """
    A WebP has at most 16383 pixels a side.
    """
    wide = kept(encoded("PNG", Image.new("1", (17_000, 1))))

    with pytest.raises(StorageError, match="WEBP"):
        conversion.convert(wide, io.BytesIO(), media.WEBP)


def test_a_full_disk_is_not_the_picture(kept):
    """
    What is wrong is where it goes.
    """
    source = kept(encoded("PNG", picture((300, 300))))

    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(StorageError) as caught,
    ):
        conversion.convert(source, full, media.PNG)

    assert "PNG" in caught.value.message
    assert os.strerror(errno.ENOSPC) in caught.value.message


@pytest.mark.parametrize("sample", PICTURES, ids=lambda sample: sample.name)
def test_every_kind_of_picture_has_a_thumbnail(kept, sample):
    """
    As large as the box allows, never larger than the picture, always in RGBA.
    """
    path = kept(sample.content)

    small = images.thumbnail(path, (32, 100))
    whole = images.thumbnail(path, (1000, 1000))

    assert ("RGBA", (32, 24)) == (small.mode, small.size)
    assert (64, 48) == whole.size


def test_a_thumbnail_is_upright(kept):
    """
    It fits the box as it is shown, not as it is stored.
    """
    exif = Image.Exif()
    exif[0x0112] = 6

    turned = images.thumbnail(kept(encoded("JPEG", exif=exif)), (24, 100))

    assert (24, 32) == turned.size


@pytest.mark.parametrize(
    ("drawn", "options", "colour"),
    [
        (Image.new("L", (8, 8), 100), {}, (100, 100, 100, 255)),
        (Image.new("I;16", (8, 8), 100 * 256), {}, (100, 100, 100, 255)),
        (Image.new("1", (8, 8), 1), {}, (255, 255, 255, 255)),
        (Image.new("P", (8, 8), 3), {"transparency": 3}, (0, 0, 0, 0)),
        (Image.new("LA", (8, 8), (255, 50)), {}, (255, 255, 255, 50)),
    ],
    ids=["L", "I;16", "1", "P", "LA"],
)
def test_a_thumbnail_has_the_colours_of_the_picture(kept, drawn, options, colour):
    """
    Of all modes, with what is transparent.
    """
    if drawn.mode == "P":
        drawn.putpalette(range(192))

    small = images.thumbnail(kept(encoded("PNG", drawn, **options)), (4, 4))

    assert colour == small.getpixel((2, 2))


@pytest.fixture
def fit(kept):
    """
    Scales a picture down; gives it with its bytes, after a look at what is told of it.
    """

    def make(content, kind, *, max_side=32, max_bytes=10**6):
        file = io.BytesIO()
        size = conversion.fit(
            kept(content), file, kind, max_side=max_side, max_bytes=max_bytes
        )
        made = Image.open(file)
        assert size == made.size
        return made, file.getvalue()

    return make


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_picture_is_scaled_down(fit, mode):
    """
    By its longer side, of whatever mode, as the same kind of file, smoothly: between
    black and white there is grey.
    """
    drawn = Image.new("L", (96, 64))
    drawn.paste(255, (0, 0, 50, 64))
    drawn = drawn.convert("I").convert(mode) if mode == "I;16" else drawn.convert(mode)

    made, _ = fit(encoded("PNG", drawn), media.PNG)

    assert ("PNG", (32, 21)) == (made.format, made.size)
    assert 3 <= len(made.convert("L").getcolors())


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        ("JPEG", media.JPEG, "RGB"),
        ("JPEG", media.JPEG, "CMYK"),
        ("WEBP", media.WEBP, "RGB"),
        ("PNG", media.PNG, "RGBA"),
    ],
)
def test_a_scaled_picture_keeps_colours_and_orientation(fit, name, kind, mode):
    """
    Its profile, and which way up it is.
    """
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn = picture().convert(mode)

    content = encoded(name, drawn, exif=exif, icc_profile=b"profile" * 20)
    made, _ = fit(content, kind)

    assert (name, mode, (32, 24)) == (made.format, made.mode, made.size)
    assert b"profile" * 20 == made.info["icc_profile"]
    assert 6 == made.getexif()[0x0112]


def test_what_is_transparent_by_its_colour_stays_so(fit):
    """
    Also where colours are mixed.
    """
    drawn = Image.new("P", (64, 64), 0)

    made, _ = fit(encoded("PNG", drawn, transparency=0), media.PNG)

    assert 0 == made.getpixel((9, 9))[3]


def test_a_file_is_scaled_down_until_it_is_small_enough(fit):
    """
    A picture of noise has as many bytes as pixels; only as few are given up as need be.
    """
    content = encoded("PNG", picture((200, 200)))

    made, whole = fit(content, media.PNG, max_side=500, max_bytes=60_000)

    assert len(content) > 100_000
    assert 40_000 < len(whole) <= 60_000
    assert 100 < made.width == made.height < 200


def test_a_file_that_is_small_enough_when_written_anew_keeps_its_pixels(fit):
    """
    What was saved without compression needs no scaling.
    """
    content = encoded("PNG", Image.new("RGB", (99, 99)), compress_level=0)

    made, whole = fit(content, media.PNG, max_side=99, max_bytes=20_000)

    assert len(content) > 20_000 > len(whole)
    assert (99, 99) == made.size


def test_a_jpeg_with_another_behind_it_is_no_animation(fit):
    """
    As phones save them; the first one is the picture.
    """
    made, _ = fit(two_jpegs(), media.JPEG)

    assert ("JPEG", (32, 24)) == (made.format, made.size)


def test_what_cannot_be_scaled_is_told(fit):
    """
    Too many pixels for the memory, more than one picture, none at all.
    """
    frames = {"save_all": True, "append_images": [picture(seed=8)]}
    for content, kind, said in [
        (header(60_000, 1200), media.PNG, "60000x1200 is too many"),
        (header(50_000, 50_000), media.PNG, "Cannot read the image"),
        (encoded("PNG", **frames), media.PNG, "an animation"),
        (encoded("WEBP", **frames), media.WEBP, "an animation"),
        (encoded("PNG")[:200], media.PNG, "Cannot read the image"),
    ]:
        with pytest.raises(DownloadError, match=said):
            fit(content, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", [media.JPEG, media.WEBP, media.AVIF])
def test_the_largest_picture_becomes_another_kind(kept, kind):
    """
    With transparency, in time; one with a few pixels more is refused.
    """
    shade = Image.radial_gradient("L").resize((8192, 8192))
    drawn = Image.merge("RGBA", (shade, shade, shade, shade))
    path = kept(encoded("PNG", drawn, compress_level=1))

    with converted(path, kind) as made:
        assert (8192, 8192) == made.size
    with pytest.raises(DownloadError, match="8193x8192"):
        conversion.convert(kept(header(8193, 8192)), io.BytesIO(), kind)


@pytest.mark.parametrize(
    ("kind", "options", "side", "is_heavy"),
    [
        ("PNG", {}, 5500, False),
        ("PNG", {}, 6000, True),
        ("WEBP", {}, 2800, False),
        ("WEBP", {}, 3000, True),
        ("JPEG", {}, 6000, False),
        ("JPEG", {"progressive": True}, 6000, True),
    ],
)
@pytest.mark.long
def test_what_takes_much_memory_is_known_before(
    tmp_path, kind, options, side, is_heavy
):
    """
    By kind and size, from the header.
    """
    path = tmp_path / "large"
    Image.new("RGB", (side, side)).save(path, kind, **options)

    assert is_heavy == images.is_heavy(path)


def sixteen_bits(colours, size, *, key):
    """
    A PNG of 16 bits, of the same grey or colour everywhere but for its first pixel,
    which is `key`, the colour that stands for what is transparent.
    """
    width, height = size
    kind = 0 if len(key) == 1 else 2
    pixel = struct.pack(f">{len(key)}H", *colours)
    clear = struct.pack(f">{len(key)}H", *key)
    row = b"\0" + pixel * width
    rows = b"\0" + clear + pixel * (width - 1) + row * (height - 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 16, kind, 0, 0, 0))
        + chunk(b"tRNS", clear)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


GREY = sixteen_bits((40_001,), (8, 8), key=(40_000,))
COLOUR = sixteen_bits((1000, 2000, 50_000), (8, 8), key=(1000, 2000, 40_000))
KEYED = pytest.mark.parametrize(
    ("content", "shown"),
    [(GREY, (156, 156, 156)), (COLOUR, (3, 7, 195))],
    ids=["grey", "colour"],
)


@KEYED
@pytest.mark.parametrize("kind", [media.PNG, media.WEBP, media.TIFF])
def test_a_transparent_colour_of_sixteen_bits_stays_transparent(
    kept, kind, content, shown
):
    """
    A grey that differs by one of 65,536 does not become so, too.
    """
    with converted(kept(content), kind) as made:
        seen = made.convert("RGBA")

    assert 0 == seen.getpixel((0, 0))[3]
    assert 255 == seen.getpixel((7, 7))[3]
    if kind != media.WEBP:
        assert shown == seen.getpixel((7, 7))[:3]


@KEYED
def test_a_transparent_colour_of_sixteen_bits_is_shown_so(kept, content, shown):
    """
    In the terminal, in a JPEG, and when it is scaled down.
    """
    small = images.thumbnail(kept(content), (8, 8))
    with converted(kept(content), media.JPEG) as made:
        white = made.convert("RGB").getpixel((0, 0))

    assert [0, 255] == [small.getpixel((at, at))[3] for at in (0, 7)]
    assert shown == small.getpixel((7, 7))[:3]
    assert min(white) > shown[0]


def test_a_grey_picture_with_a_transparent_grey_is_scaled_down(fit):
    """
    It does not become white.
    """
    content = sixteen_bits((100 * 256,), (64, 64), key=(5,))

    made, _ = fit(content, media.PNG)

    assert (100, 100, 100, 255) == made.convert("RGBA").getpixel((9, 9))


def test_a_colour_profile_may_be_large(kept):
    """
    Some of printers have more than a megabyte.
    """
    space = profile(b"RGB ") + bytes(2**21)
    content = encoded("PNG", icc_profile=space)

    assert (64, 48) == images.thumbnail(kept(content), (64, 64)).size
    with converted(kept(content), media.WEBP) as made:
        assert space == made.info["icc_profile"]


def test_a_picture_of_many_profiles_is_not_decoded(kept):
    """
    Each would be unpacked, to a thousand times its length.
    """
    whole = encoded("PNG")
    profiles = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2**20))) * 2
    path = kept(whole[:33] + profiles + whole[33:])

    assert (64, 48) == images.shown_size(path)
    with pytest.raises(DownloadError, match="several color profiles"):
        images.thumbnail(path, (8, 8))


def turned_heic(orientation):
    """
    An AVIF, which is built in the same way; the encoder makes a property of the EXIF.
    """
    exif = Image.Exif()
    exif[0x0112] = orientation
    whole = encoded("AVIF", exif=exif)
    return whole.replace(b"ftypavif", b"ftypheic", 1)


@pytest.mark.parametrize(
    ("orientation", "size"),
    [(1, (64, 48)), (3, (64, 48)), (6, (48, 64)), (8, (48, 64))],
)
def test_the_size_of_a_heic_is_known(kept, orientation, size):
    """
    As it is shown; its pixels are not decoded here.
    """
    path = kept(turned_heic(orientation))

    assert (64, 48) == images.size(path)
    assert size == images.shown_size(path)
    with pytest.raises(DownloadError, match="type"):
        images.thumbnail(path, (8, 8))


def test_a_damaged_heic_has_a_size_or_none(kept):
    """
    At whatever place it is cut or wrong.
    """
    whole = turned_heic(6)
    head = whole.index(b"mdat")

    for at in range(0, head, 3):
        images.shown_size(kept(whole[:at]))
        images.shown_size(kept(whole[:at] + b"\xff" + whole[at + 1 :]))

    assert images.shown_size(kept(whole[:40])) is None
