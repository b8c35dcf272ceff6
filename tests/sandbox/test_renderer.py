"""
The pictures of the sandbox.
"""

from __future__ import annotations

import hashlib
import io
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media.metadata.marked import heic
from PIL import Image, ImageChops, ImageFont, ImageStat
from sandbox.asking import opened, picture

from krea_cli.sandbox.job import JobInput, SandboxJob
from krea_cli.sandbox.renderer.caption import add_caption, readable
from krea_cli.sandbox.rendering import (
    UnreadablePictureError,
    check_picture,
    picture_size,
    render,
)

NANO_BANANA = "image/google/nano-banana-pro"


@pytest.fixture
def edit(tmp_path):
    """
    Render a result of a job with these input pictures, as bytes.
    """

    def run(*pictures, model=NANO_BANANA, image_format="png", part="image", **fields):
        inputs = []
        for index, (content, media_type) in enumerate(pictures):
            sha256 = hashlib.sha256(content).hexdigest()
            (tmp_path / sha256).write_bytes(content)
            field = f"image_urls[{index}]"
            inputs.append(JobInput(field=field, media_type=media_type, sha256=sha256))
        job = SandboxJob(
            job_id=str(uuid.uuid4()),
            created_at=0.0,
            model=model,
            medium="image",
            image_format=image_format,
            fields={"prompt": "make it a watercolor", **fields},
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


@pytest.mark.parametrize("prompt", ["a watercolor", "make it night", "in the snow"])
def test_edit_keeps_what_is_in_the_picture(edit, prompt):
    """
    The disc stands out against what is around it, and the picture is no copy.
    """
    before = opened(picture((200, 160)))
    edited = opened(edit(photo((200, 160)), prompt=prompt, width=200, height=160))
    disc, around = (
        ImageStat.Stat(edited.convert("L").crop(box)).mean[0]
        for box in ((65, 55, 85, 65), (120, 60, 170, 110))
    )

    assert distance(before, edited) > 6
    assert abs(disc - around) > 20


@pytest.mark.parametrize("pictures", [[], [photo((200, 200))]], ids=["drawn", "edited"])
def test_result_differs_by_prompt_and_seed(edit, pictures):
    fields = {"width": 200, "height": 200}
    results = [
        opened(edit(*pictures, prompt=prompt, seed=seed, **fields))
        for prompt in ("an owl", "a fox at night")
        for seed in (1, 2)
    ]
    apart = [
        distance(first.crop((0, 0, 200, 160)), second.crop((0, 0, 200, 160)))
        for index, first in enumerate(results)
        for second in results[index + 1 :]
    ]

    assert min(apart) > 3
    assert max(apart) > 25


def test_prompt_that_names_a_time_of_day_sets_the_colours(edit):
    means = {
        prompt: ImageStat.Stat(opened(edit(prompt=prompt, width=99, height=99))).mean
        for prompt in ("a house at night", "a house at sunset", "a knight")
    }
    night, sunset = means["a house at night"], means["a house at sunset"]

    assert sum(night) < sum(sunset) < sum(means["a knight"]) + 255
    assert night[2] > night[0]
    assert sunset[0] > sunset[2]


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


def test_exif_orientation_turns_the_picture(edit):
    """
    What the camera had at its left is on top.
    """
    lying = Image.new("RGB", (80, 40), "white")
    lying.paste("black", (0, 0, 40, 40))
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    lying.save(file, "JPEG", exif=exif)
    given = (file.getvalue(), "image/jpeg")
    upright = opened(edit(given, model="enhance/krea/enhance")).convert("L")

    assert (80, 160) == upright.size
    assert upright.getpixel((40, 40)) < 20
    assert upright.getpixel((40, 110)) > 235


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
    fields = {"width": 300, "height": 300, "prompt": "in the snow"}
    alone = opened(edit(photo(), **fields))
    together = opened(edit(photo(), (red.getvalue(), "image/png"), **fields))
    left, _, _, bottom = ImageChops.difference(alone, together).getbbox()

    assert (255, 0, 0) == together.getpixel((270, 30))
    assert left > 220
    assert bottom < 80


def test_transparent_picture_is_put_on_white(edit):
    file = io.BytesIO()
    Image.new("RGBA", (99, 99), (255, 0, 0, 0)).save(file, "PNG")
    given = (file.getvalue(), "image/png")
    result = opened(edit(given, model="enhance/krea/enhance"))

    assert (255, 255, 255) == result.getpixel((99, 40))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_is_read(edit, tmp_path, mode):
    path = tmp_path / "picture"
    Image.new(mode, (30, 20)).save(path, "PNG")
    check_picture(path, "image/png")

    assert (30, 20) == picture_size(path)
    assert (300, 200) == opened(
        edit((path.read_bytes(), "image/png"), width=300, height=200)
    ).size


@pytest.mark.parametrize("media_type", ["image/tiff", "image/gif", "audio/wav"])
def test_check_picture_of_another_format_is_refused(tmp_path, media_type):
    """
    Also where Pillow could decode it: the service takes four formats.
    """
    path = tmp_path / "picture"
    Image.new("RGB", (9, 9)).save(path, "TIFF")
    with pytest.raises(UnreadablePictureError, match="not JPEG, PNG, WebP or HEIC"):
        check_picture(path, media_type)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 400), junk=st.binary(min_size=1, max_size=30))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_damaged_picture_is_unreadable_or_rendered(tmp_path_factory, form, at, junk):
    """
    Bytes replaced anywhere: a picture or the one error, never another.
    """
    content = picture((40, 30), form)
    media_type = f"image/{form.lower()}"
    path = tmp_path_factory.mktemp("damaged") / "picture"
    path.write_bytes(content[:at] + junk + content[at + len(junk) :])
    try:
        check_picture(path, media_type)
    except UnreadablePictureError:
        return
    given = JobInput(field="image_url", media_type=media_type, sha256="x")
    job = SandboxJob(
        job_id=str(uuid.uuid4()),
        created_at=0.0,
        model=NANO_BANANA,
        medium="image",
        image_format="png",
        fields={"width": 60, "height": 40},
        inputs=(given,),
    )

    assert (60, 40) == opened(render(job, "image", lambda _: path)).size


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

    assert wanted == add_caption(image, text * 40, text).size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\n\tc", "a b c"),
        ("naïve café", "naive cafe"),
        ("a 🦊🦊 fox", "a ... fox"),
        ("東京 🦊", "(4 characters)"),
        ("", ""),
    ],
)
def test_caption_shows_what_its_font_has(text, shown):
    """
    Plain letters for accented ones, dots for the rest.
    """
    assert shown == readable(text)


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
    marked = add_caption(plain.copy(), "a fox 🦊 café", "vendor/model")
    module._font.cache_clear()

    assert ImageChops.difference(plain, marked).getbbox()[1] > 200


def test_the_result_of_a_heic_says_that_it_is_none_of_it(edit, monkeypatch):
    """
    In its band: who looks for an edit of the photo must not think that it was one.
    """
    captions = []
    monkeypatch.setattr(
        "krea_cli.sandbox.renderer.compose.add_caption",
        lambda image, prompt, model: captions.append(prompt) or image,
    )

    size = {"width": 80, "height": 60}
    edit((heic(), "image/heic"), **size)
    edit(photo(), **size)

    assert [
        "(HEIC input: not decoded) make it a watercolor",
        "make it a watercolor",
    ] == captions
