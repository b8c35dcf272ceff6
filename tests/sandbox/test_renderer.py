"""
The pictures of the sandbox.
"""

from __future__ import annotations

import hashlib
import io
import random
import uuid
from unicodedata import combining, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media.metadata.marked import heic
from PIL import Image, ImageChops, ImageFont, ImageStat
from sandbox.asking import opened, picture

from krea_cli.sandbox.job import Input, SandboxJob
from krea_cli.sandbox.renderer import graded, painted, scenes, styles
from krea_cli.sandbox.renderer.caption import caption, readable
from krea_cli.sandbox.renderer.compose import render
from krea_cli.sandbox.renderer.pictures import UnreadableError, check, load, size

NANO_BANANA = "image/google/nano-banana-pro"
STYLES = [
    painted.watercolour,
    painted.oil,
    painted.sketch,
    painted.comic,
    painted.pop_art,
    painted.pixels,
    graded.night,
    graded.golden,
    graded.snow,
    graded.vintage,
    graded.noir,
    graded.neon,
    graded.duotone,
]


@pytest.fixture
def edit(tmp_path):
    """
    Renders the result of a job with these input pictures, as a picture.
    """

    def run(*pictures, model=NANO_BANANA, image_format="png", part="image", **fields):
        inputs = []
        for index, (content, media_type) in enumerate(pictures):
            sha256 = hashlib.sha256(content).hexdigest()
            (tmp_path / sha256).write_bytes(content)
            field = f"image_urls[{index}]"
            inputs.append(Input(field=field, media_type=media_type, sha256=sha256))
        job = SandboxJob(
            job_id=str(uuid.uuid4()),
            created_at=0.0,
            model=model,
            medium="image",
            image_format=image_format,
            fields={"prompt": "make it a watercolour", **fields},
            inputs=tuple(inputs),
        )
        return render(job, part, lambda sha256: tmp_path / sha256)

    return run


def photo(*args, form="PNG", **options):
    return picture(*args, form=form, **options), f"image/{form.lower()}"


def distance(first, second):
    """
    How far two pictures of one size are apart, on average, of 255.
    """
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3


def test_same_request_gives_the_same_bytes(edit):
    """
    Model, fields and input decide each byte; the job's id does not.
    """
    fields = {"width": 200, "height": 150}
    first = edit(photo(), **fields)

    assert first == edit(photo(), **fields)
    assert first != edit(photo((81, 60)), **fields)
    assert first != edit(photo(), **fields, seed=7)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_style_edits_the_picture_given(style):
    """
    Each style keeps what is in the picture, and is no copy of it.
    """
    content = opened(picture((200, 160)))
    edited = style(content, random.Random(1))
    disc, around = (
        ImageStat.Stat(edited.convert("L").crop(box)).mean[0]
        for box in ((65, 55, 85, 65), (140, 100, 180, 130))
    )

    assert (content.size, "RGB") == (edited.size, edited.mode)
    assert distance(content, edited) > 6
    assert abs(disc - around) > 20


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
@pytest.mark.parametrize("small", [(1, 1), (2, 3), (40, 1), (1, 40), (17, 16)])
def test_style_takes_any_size(style, small):
    """
    Down to one pixel.
    """
    assert small == style(Image.new("RGB", small, "teal"), random.Random(1)).size


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("turn it into a watercolor", painted.watercolour),
        ("Watercolour painting of this", painted.watercolour),
        ("an oil painting", painted.oil),
        ("paint it", painted.oil),
        ("a pencil sketch", painted.sketch),
        ("make it NIGHT", graded.night),
        ("old sepia photo", graded.vintage),
        ("neon, cyberpunk city", graded.neon),
        ("in black and white", graded.noir),
        ("pop art", painted.pop_art),
        ("as a comic", painted.comic),
        ("pixel art", painted.pixels),
        ("at sunset", graded.golden),
        ("let it snow", graded.snow),
        ("a knight in a nice icebox", None),
        ("", None),
    ],
)
def test_prompt_names_the_style(prompt, style):
    """
    By whole words; a prompt that names none gets any, always the same.
    """
    assert style is styles.named(prompt)
    assert (style or styles.chosen(prompt, random.Random(3))) is styles.chosen(
        prompt, random.Random(3)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("small", [(1, 1), (300, 200), (20, 300), (400, 9)])
def test_scene_is_made_of_nothing(seed, small):
    """
    Without an input there is a picture too, in any size, another for each seed.
    """
    scene = scenes.scene(small, random.Random(seed))

    assert (small, "RGB") == (scene.size, scene.mode)
    if min(small) >= 200:
        assert distance(scene, scenes.scene(small, random.Random(seed + 100))) > 5


@pytest.mark.parametrize(
    "wanted", [(1, 1), (64, 64), (256, 100), (100, 700), (1000, 80), (333, 511)]
)
def test_result_has_the_size_asked_for(edit, wanted):
    """
    To the pixel, with an input and without.
    """
    fields = {"width": wanted[0], "height": wanted[1]}

    assert wanted == opened(edit(photo(), **fields)).size
    assert wanted == opened(edit(**fields)).size


def test_result_is_marked(edit):
    """
    The foot is a dark band with the amber badge, on any picture.
    """
    result = opened(edit(photo(), width=640, height=480))
    band = result.crop((0, 480 - 44, 640, 480))
    amber = sum(
        count
        for count, (r, g, b) in band.getcolors(99_999)
        if r > 220 and 150 < g < 220 and b < 110
    )

    assert amber > 900
    assert sum(ImageStat.Stat(band.crop((400, 4, 440, 40))).mean) / 3 < 90


@pytest.mark.parametrize(
    ("name", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")]
)
def test_result_has_the_format_asked_for(edit, name, form):
    """
    Whatever the model's output_format says.
    """
    content = edit(photo(), image_format=name, width=80, height=60)

    assert form == opened(content).format


def test_exif_orientation_is_honoured(edit):
    """
    A photo that lies on its side is turned first: the result stands.
    """
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = photo((80, 40), form="JPEG", exif=exif)

    assert (512, 1024) == opened(edit(lying)).size


def test_exif_orientation_turns_the_picture(tmp_path):
    """
    What the camera had at its left is on top.
    """
    lying = Image.new("RGB", (80, 40), "white")
    lying.paste("black", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "picture"
    lying.save(path, "JPEG", exif=exif)
    upright = load(path, "image/jpeg", longest=80).convert("L")

    assert (40, 80) == upright.size == size(path, "image/jpeg")
    assert upright.getpixel((20, 10)) < 20
    assert upright.getpixel((20, 70)) > 235


def test_enhancer_keeps_the_picture(edit):
    """
    An enhanced picture is the same one, larger.
    """
    content = picture((120, 90))
    result = opened(
        edit((content, "image/png"), model="enhance/krea/enhance", prompt="")
    )
    before = opened(content).resize((240, 180))
    top = (0, 0, 240, 140)

    assert (240, 180) == result.size
    assert distance(before.crop(top), result.crop(top)) < 6


def test_other_pictures_are_insets(edit):
    """
    The second picture appears in the upper right corner, and only there.
    """
    red = io.BytesIO()
    Image.new("RGB", (50, 50), "red").save(red, "PNG")
    fields = {"width": 300, "height": 300, "prompt": "in black and white"}
    alone = opened(edit(photo(), **fields))
    together = opened(edit(photo(), (red.getvalue(), "image/png"), **fields))
    left, _, _, bottom = ImageChops.difference(alone, together).getbbox()

    assert (255, 0, 0) == together.getpixel((270, 30))
    assert left > 220
    assert bottom < 80


def test_transparent_picture_is_put_on_white(tmp_path):
    """
    What can be seen through is white, as in most viewers.
    """
    path = tmp_path / "picture"
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(path, "PNG")

    assert (255, 255, 255) == load(path, "image/png", longest=9).getpixel((4, 4))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_is_read(tmp_path, mode):
    """
    Grey, palette, transparent, 16 bits: all are pictures.
    """
    path = tmp_path / "picture"
    Image.new(mode, (30, 20)).save(path, "PNG")

    assert ((15, 10), "RGB") == (
        load(path, "image/png", longest=15).size,
        load(path, "image/png", longest=15).mode,
    )
    assert (30, 20) == size(path, "image/png")


def test_only_the_allowed_formats_are_decoded(tmp_path):
    """
    A TIFF is no picture here, under whatever name it comes (hazard F16).
    """
    path = tmp_path / "picture"
    Image.new("RGB", (9, 9)).save(path, "TIFF")
    for media_type in ("image/tiff", "image/png", "image/jpeg", "image/webp"):
        with pytest.raises(UnreadableError):
            check(path, media_type)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 400), junk=st.binary(min_size=1, max_size=30))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_damaged_picture_is_unreadable_or_read(tmp_path_factory, form, at, junk):
    """
    Bytes replaced anywhere: a picture or the one error, never another.
    """
    content = picture((40, 30), form)
    path = tmp_path_factory.mktemp("damaged") / "picture"
    path.write_bytes(content[:at] + junk + content[at + len(junk) :])
    try:
        loaded = load(path, f"image/{form.lower()}", longest=64)
    except UnreadableError:
        return

    assert "RGB" == loaded.mode


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(st.characters(), max_size=60),
    wanted=st.tuples(st.integers(1, 500), st.integers(1, 300)),
)
def test_caption_takes_any_text_and_size(text, wanted):
    """
    Emoji, control characters, lone surrogates, right-to-left: the picture is captioned.
    """
    image = Image.new("RGB", wanted, "teal")

    assert wanted == caption(image, text * 40, text).size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\n\tc", "a b c"),
        ("naïve café", "naive cafe"),
        ("a 🦊🦊 fox", "a … fox"),
        ("東京 🦊", "(4 characters)"),
        ("", ""),
    ],
)
def test_caption_shows_what_its_font_has(text, shown):
    """
    Plain letters for accented ones, an ellipsis for the rest.
    """
    line = readable(text, ImageFont.load_default(20))
    letters = [c for c in normalize("NFD", line) if not combining(c)]

    assert shown == "".join(letters)


def test_caption_works_without_freetype(monkeypatch):
    """
    A Pillow that was built without it has one small font, which will do.
    """
    from krea_cli.sandbox.renderer import caption as module

    def missing(size=None):
        if size is not None:
            raise ImportError("The _imagingft C module is not installed")
        return original()

    original = ImageFont.load_default_imagefont
    monkeypatch.setattr(ImageFont, "load_default", missing)
    module._font.cache_clear()
    plain = Image.new("RGB", (400, 300), "teal")
    marked = caption(plain, "a fox 🦊 café", "vendor/model")
    module._font.cache_clear()

    assert ImageChops.difference(plain, marked).getbbox()[1] > 200


def test_the_result_of_a_heic_says_that_it_is_none_of_it(edit, monkeypatch):
    """
    In its band: who looks for an edit of the photo must not think that it was one.
    """
    captions = []
    monkeypatch.setattr(
        "krea_cli.sandbox.renderer.compose.caption",
        lambda image, prompt, model: captions.append(prompt) or image,
    )

    size = {"width": 80, "height": 60}
    edit((heic(), "image/heic"), **size)
    edit(photo(), **size)

    assert [
        "(HEIC input: not decoded) make it a watercolour",
        "make it a watercolour",
    ] == captions
