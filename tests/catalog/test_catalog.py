from __future__ import annotations

import re

import pytest

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.model import MediaField
from krea_cli.errors import Action, Step, UnknownModelError

CATALOG = Catalog.bundled()
PRO = "image/google/nano-banana-pro"

# What `-i` fills, by eye for each model; `...` stands for the rest of the kind.
INPUT_FIELDS = {
    "image": {
        "image_urls": """
            ideogram/ideogram-4.5 google/nano-banana-pro google/nano-banana-2
            google/nano-banana-2.1 google/nano-banana-flash-lite google/nano-banana
            openai/gpt-image openai/gpt-image-2 openai/gpt-image-2.5-flare
            openai/gpt-image-2.5-sunburst xai/grok-imagine-2-edit""",
        "image_url": """
            krea/krea-2/medium krea/krea-2/large krea/krea-2/medium-turbo
            ideogram/ideogram-4.5-precise bfl/flux-1-dev bfl/flux-1-kontext-dev
            z-image/z-image bytedance/seededit""",
        "style_images": """
            ideogram/ideogram-3 xai/grok-imagine-2 meta/muse-image luma/uni-1
            alibaba/qwen-image-3 alibaba/qwen-image-2.1 bytedance/seedream-4
            bytedance/seedream-5-lite bytedance/seedream-5-pro""",
        "reference_images": "runway/gen-4-image",
        None: """
            bfl/flux-1.1-pro bfl/flux-1.1-pro-ultra ideogram/ideogram-2-turbo
            recraft/recraft-v4.1-flash qwen/2512 google/imagen-3 google/imagen-4
            google/imagen-4-fast google/imagen-4-ultra""",
    },
    "enhance": {
        "video_url": """
            topaz/video-upscale topaz/starlight-precise topaz/starlight-precise-25
            topaz/astra topaz/astra-2 topaz/hyperion bytedance/seedvr-2
            black-forest-labs/flux-video-upscale runway/ruby""",
        "image_url": "...",
    },
    "video": {
        "start_video": "black-forest-labs/flux-video-edit",
        "init_video": "runway/aleph",
        "start_image": "...",
    },
    "3d": {"image_urls": "..."},
    "audio": {None: "..."},
}


def expected_input(model):
    by_field = INPUT_FIELDS[model.kind]
    named = [name for name, ids in by_field.items() if model.id in ids.split()]
    rest = [name for name, ids in by_field.items() if ids == "..."]
    return (named or rest)[0]


def test_input_goes_where_a_user_expects_it():
    """
    For each of the 119 models `-i` fills the field that the model edits or starts from.
    """
    expected = {model.path: expected_input(model) for model in CATALOG.models}

    assert expected == {
        model.path: field.name if (field := model.input_field) else None
        for model in CATALOG.models
    }


def test_input_is_a_video_only_where_the_model_works_on_one():
    """
    `-i` asks for a video in the nine video enhancers and the two video editors.
    """
    videos = [
        model.input_field.name
        for model in CATALOG.models
        if model.input_field and model.input_field.media == "video"
    ]

    assert ["video_url"] * 9 + ["start_video", "init_video"] == videos


def media_field(path, name):
    (found,) = [field for field in CATALOG[path].media_fields if field.name == name]
    return found


# The usual shape; the rows of the test have what differs.
LIST_OF_IMAGES = {
    "media": "image",
    "is_list": True,
    "item": "object",
    "url_key": "url",
    "extra": (),
    "minimum": 0,
    "maximum": None,
    "required": False,
}


@pytest.mark.parametrize(
    ("path", "name", "differs"),
    [
        (PRO, "image_urls", {"item": "url", "url_key": None}),
        (
            "image/bytedance/seedream-5-lite",
            "style_images",
            {"extra": ("strength",), "maximum": 14},
        ),
        (
            "image/runway/gen-4-image",
            "reference_images",
            {"extra": ("tag",), "minimum": 1, "maximum": 3, "required": True},
        ),
        (
            "video/runway/aleph",
            "references",
            {"url_key": "uri", "extra": ("type",), "maximum": 1},
        ),
        (
            "video/kling/kling-o1",
            "video_reference",
            {
                "media": "video",
                "is_list": False,
                "extra": ("tag",),
                "minimum": 1,
                "maximum": 1,
            },
        ),
        (
            "video/alibaba/wan-2.5",
            "audio_url",
            {
                "media": "audio",
                "is_list": False,
                "item": "url",
                "url_key": None,
                "minimum": 1,
                "maximum": 1,
            },
        ),
    ],
)
def test_media_field_tells_its_shape(path, name, differs):
    """
    A media field says all that filling it takes.
    """
    expected = MediaField(name=name, **LIST_OF_IMAGES | differs)

    assert expected == media_field(path, name)


def test_fields_that_only_sound_like_media_are_none():
    """
    Neither a number about a video, nor an effect that needs an id of the service, nor
    a prompt takes a file; "a URL or null" and "a URL or nothing" do.
    """
    names = {
        path: {field.name for field in CATALOG[path].media_fields}
        for path in (
            "video/minimax/hailuo-3",
            "video/bytedance/seedance-2",
            "image/krea/krea-2/large",
            "enhance/krea/legacy-enhance",
            "audio/elevenlabs/tts",
        )
    }

    assert "reference_video_seconds" not in names["video/minimax/hailuo-3"]
    assert {
        "start_image",
        "end_image",
        "reference_images",
        "reference_videos",
        "reference_audios",
    } == names["video/bytedance/seedance-2"]
    assert {"image_url", "image_style_references"} == names["image/krea/krea-2/large"]
    assert {"image_url", "scene_image_url"} == names["enhance/krea/legacy-enhance"]
    assert set() == names["audio/elevenlabs/tts"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (PRO, PRO),
        ("google/nano-banana-pro", PRO),
        ("nano-banana-pro", PRO),
        ("Google/Nano_Banana_Pro", PRO),
        ("/generate/image/google/nano-banana-pro", PRO),
        ("generate/image/google/nano-banana-pro/", PRO),
        (" nano-banana-pro\n", PRO),
        ("nano-banana", "image/google/nano-banana"),
        ("krea-2/large", "image/krea/krea-2/large"),
        ("enhance", "enhance/krea/enhance"),
        ("trellis", "3d/microsoft/trellis"),
    ],
)
def test_unique_ending_names_the_model(name, path):
    """
    Any ending of the path at a slash is a name; an ending inside a word is not, so
    "nano-banana" is not ambiguous.
    """
    assert path == CATALOG.find(name).path


def test_every_model_is_found_by_path_id_and_last_part():
    """
    In the bundled catalog no last part is ambiguous.
    """
    for model in CATALOG.models:
        for name in (model.path, model.id, model.path.rpartition("/")[2]):
            assert model is CATALOG.find(name), name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("nano-bananna-pro", "google/nano-banana-pro, google/nano-banana-2"),
        ("google/nanobanana", "google/nano-banana, google/nano-banana-2"),
        ("krea-2", "krea/krea-2/medium, krea/krea-2/large, krea/krea-2/medium-turbo."),
        ("imagen", "google/imagen-3, google/imagen-4, google/imagen-4-fast."),
        ("banana-pro", "google/nano-banana-pro"),
        ("krea-2-large", "krea/krea-2/large."),
    ],
)
def test_unknown_name_gets_the_nearest(name, near):
    """
    A name that nothing ends in is refused with at most three models that are near.
    """
    with pytest.raises(UnknownModelError, match=f"Unknown model '{name}'") as caught:
        CATALOG.find(name)

    assert all(each in caught.value.hint for each in near.rstrip(".").split(", "))
    assert 3 >= len(re.split(", | or ", caught.value.hint.partition("?")[0]))
    assert caught.value.advice[-1] == Step(Action.LIST_MODELS)


@pytest.mark.parametrize(
    "name", ["xyzzy", "", "/", "a/b/c/d/e/f", "sora", "dalle", "cat", "midjourney"]
)
def test_unlike_name_gets_the_list(name):
    """
    Where nothing is near nothing is guessed; no name at all is no model.
    """
    with pytest.raises(UnknownModelError) as caught:
        CATALOG.find(name)

    assert (Step(Action.LIST_MODELS),) == caught.value.advice


@pytest.mark.parametrize(
    ("name", "successor"),
    [
        ("image/bytedance/seedream-3", "bytedance/seedream-5-lite"),
        ("seedance-1.0-lite", "bytedance/seedance-1.0-pro-fast"),
        ("google/nano-banana-flash", "google/nano-banana-2"),
    ],
)
def test_removed_model_gets_its_successor(name, successor):
    """
    A model that old guides name leads to the one that took its place, which exists.
    """
    with pytest.raises(UnknownModelError, match="no longer available") as caught:
        CATALOG.find(name)

    assert f"Use its successor: -m {successor}" == caught.value.hint
    assert successor == CATALOG.find(successor).id


def small_catalog(*paths, format=1):  # noqa: A002  (a key of the file)
    schema = {"type": "object", "properties": {"prompt": {}}}
    models = {path: {"name": path, "schema": schema} for path in paths}
    return Catalog(
        {"format": format, "date": "2026-10-09", "spec": {}, "models": models}
    )


def test_ambiguous_name_gets_the_candidates():
    """
    A name that several models share is never decided for the user.
    """
    catalog = small_catalog("image/a/cat", "video/b/cat", "image/a/dog")

    with pytest.raises(UnknownModelError, match="'cat' matches several") as caught:
        catalog.find("cat")

    assert "Use one of: image/a/cat, video/b/cat" == caught.value.hint
    assert "video/b/cat" == catalog.find("b/cat").path


def test_catalog_of_another_format_is_refused():
    """
    A file that another version of krea wrote is not misread.
    """
    with pytest.raises(ValueError, match="format 2, not 1"):
        small_catalog("image/a/cat", format=2)
