from __future__ import annotations

import json

import pytest
from media.samples import unread

from krea_cli import media
from krea_cli.errors import UsageError
from krea_cli.inputs.local_file import RemoteFile
from krea_cli.requests.field_values import FieldValues
from krea_cli.requests.param import Param

PHOTO = unread("photo.jpg", media.JPEG)
CLIP = unread("clip.mp4", media.MP4)
SECOND = unread("b.png", media.PNG)
REMOTE = RemoteFile("https://a.test/x.jpg")
BANANA = "image/google/nano-banana-pro"
SEEDREAM = "image/bytedance/seedream-4"


@pytest.fixture
def fields_of(catalog):
    """
    Makes the fields for a model of these parameters and images; `warnings` has what
    was warned of.
    """

    def make(model, *params, images=(), strength=None):
        fields = FieldValues(catalog[model], lambda _: PHOTO)
        make.warnings = fields.warnings
        fields.add([Param.parse(param) for param in params])
        fields.add_images(images)
        fields.add_options({"strength": strength})
        return fields

    make.warnings = []
    return make


def told(fields):
    return [str(fault) for fault in (*fields.dropped, *fields.violations)]


@pytest.mark.parametrize(
    ("argument", "name", "value", "is_json"),
    [
        ("seed=7", "seed", "7", False),
        ("prompt=a=b", "prompt", "a=b", False),
        ("prompt=", "prompt", "", False),
        (" seed =7", "seed", "7", False),
        ("prompt=:=", "prompt", ":=", False),
        ("seed:=7", "seed", 7, True),
        ('urls:=["a", {"b": null}]', "urls", ["a", {"b": None}], True),
    ],
)
def test_a_parameter_is_text_or_json(argument, name, value, is_json):
    """
    KEY=VALUE, or KEY:=JSON.
    """
    param = Param.parse(argument)

    assert (name, value, is_json) == (param.name, param.value, param.is_json)


@pytest.mark.parametrize(
    "argument",
    [
        "seed",
        "",
        "=7",
        ":=7",
        " =7",
        "seed:=",
        "seed:=seven",
        "seed:=[1",
        "seed:=NaN",
        "seed:=-Infinity",
        "seed:=" + "9" * 5000,
        "seed:=" + "[" * 100_000,
    ],
)
def test_a_parameter_that_is_neither_is_refused(argument):
    """
    Also numbers that JSON does not have, and what no parser takes.
    """
    with pytest.raises(UsageError, match="-p "):
        Param.parse(argument)


def test_text_is_converted_by_the_schema(fields_of):
    """
    The same text is a number in one field and text in another; JSON stays as it is.
    """
    fields = fields_of(BANANA, "width=512", "prompt=512", 'seed:="x"')

    assert {"width": 512, "prompt": "512", "seed": "x"} == fields.values
    assert [] == fields.violations


def test_a_value_of_another_type_is_a_fault(fields_of):
    """
    The field is named, and what it expects.
    """
    [fault] = told(fields_of(BANANA, "width=wide"))

    assert fault.startswith("width: must be ")


@pytest.mark.parametrize(
    ("old", "new"), [("aspectRatio", "aspect_ratio"), ("imageUrls", "image_urls")]
)
def test_a_name_of_the_old_api_is_renamed_and_told(fields_of, old, new):
    """
    The service no longer takes it.
    """
    fields = fields_of(BANANA, f'{old}:="x"')

    assert [new] == list(fields.values)
    [warning] = fields_of.warnings
    assert old in warning
    assert new in warning


def test_other_names_stay_as_they_are(fields_of):
    """
    Those that the model has, and those that no rename leads to.
    """
    fields = fields_of(BANANA, "aspect_ratio=1:1", "fooBar=x")

    assert {"aspect_ratio": "1:1", "fooBar": "x"} == fields.values
    assert [] == fields_of.warnings


@pytest.mark.parametrize(
    "params",
    [
        ("width=1", "width=1"),
        ("width=1", "width:=2"),
        ("aspectRatio=1:1", "aspect_ratio=1:1"),
        ("width:=[1]", "width=5"),
        ('prompt:=["x"]', "prompt=y"),
        ('image_urls:=["https://a.test"]', 'image_urls:=["https://b.test"]'),
    ],
)
def test_a_field_given_twice_is_a_fault(fields_of, params):
    """
    Which of the two is meant is not guessed.
    """
    [fault] = told(fields_of(BANANA, *params))

    assert "is set twice with -p " in fault


def test_images_stand_in_the_field_that_the_model_takes(fields_of):
    """
    In order, as images until the request is sent.
    """
    fields = fields_of(BANANA, images=[PHOTO, REMOTE, SECOND])

    assert {"image_urls": [PHOTO, REMOTE, SECOND]} == fields.values


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("image/bfl/flux-1-kontext-dev", {"image_url": PHOTO}),
        (SEEDREAM, {"style_images": [{"url": PHOTO, "strength": 1}]}),
        (
            "image/runway/gen-4-image",
            {"reference_images": [{"url": PHOTO, "tag": "image1"}]},
        ),
    ],
)
def test_an_image_has_the_form_that_its_field_asks_for(fields_of, model, expected):
    """
    A URL, a list, objects with what they need beside it.
    """
    assert expected == fields_of(model, images=[PHOTO]).values


O1 = "video/kling/kling-o1"
TWO = ["style_images=@photo.jpg", "style_images=https://a.test/x.jpg"]


@pytest.mark.parametrize(
    ("model", "params", "expected"),
    [
        (BANANA, ["image_urls=@photo.jpg"], {"image_urls": [PHOTO]}),
        (
            O1,
            ["video_reference=https://a.test/x.jpg"],
            {"video_reference": {"url": REMOTE, "tag": "video1"}},
        ),
        (
            O1,
            ["style_references=@photo.jpg"] * 2,
            {"style_references": [{"url": PHOTO, "tag": f"image{n}"} for n in (1, 2)]},
        ),
        (
            O1,
            ['element_references:=[{"images":["@photo.jpg","https://a.test/x.jpg"]}]'],
            {"element_references": [{"images": [PHOTO, REMOTE]}]},
        ),
        (
            SEEDREAM,
            TWO,
            {"style_images": [{"url": u, "strength": 1} for u in (PHOTO, REMOTE)]},
        ),
    ],
)
def test_a_file_or_an_address_goes_wherever_the_model_wants_a_url(
    fields_of, model, params, expected
):
    """
    In a list, in an object, at whatever depth; what must stand beside it is added.
    """
    fields = fields_of(model, *params)

    assert [] == told(fields)
    assert expected == fields.values


@pytest.mark.parametrize("text", ["photo.jpg", "C:\\photo.jpg", "@photo.jpg", ""])
def test_what_is_no_address_is_a_fault_where_a_url_is_wanted(fields_of, text):
    """
    The service would refuse it; of a file in a document of fields nothing is read.
    """
    fields = fields_of(SEEDREAM)
    fields.fill({"style_images": [{"url": text, "strength": 1}]})

    assert [
        f"style_images[0].url: must be a URL or @FILE, not {json.dumps(text)}"
    ] == told(fields)


def test_strength_is_that_of_every_image_given_without_one(fields_of):
    """
    By -i or by -p.
    """
    by_i = fields_of(SEEDREAM, images=[PHOTO], strength="0.3")
    by_p = fields_of(SEEDREAM, *TWO, strength="0.3")

    assert [0.3] == [each["strength"] for each in by_i.values["style_images"]]
    assert [0.3, 0.3] == [each["strength"] for each in by_p.values["style_images"]]


@pytest.mark.parametrize(
    ("model", "images", "strength", "fault"),
    [
        (SEEDREAM, [PHOTO], "much", 'must be a number, not "much"'),
        (SEEDREAM, [], "0.3", "needs an image (-i)"),
        (
            "image/runway/gen-4-image",
            [PHOTO],
            "0.3",
            "is not a field of runway/gen-4-image",
        ),
    ],
)
def test_strength_that_goes_nowhere_is_a_fault(
    fields_of, model, images, strength, fault
):
    """
    It is not dropped in silence.
    """
    fields = fields_of(model, images=images, strength=strength)

    assert [f"--strength: {fault}"] == told(fields)


def test_a_word_that_is_always_the_same_is_read_from_the_schema(catalog):
    """
    An object may have to say what it is.
    """
    fields = FieldValues(catalog["video/runway/aleph"], lambda _: PHOTO)

    fields.add([Param.parse("references=@photo.jpg")])

    assert {"references": [{"type": "image", "uri": PHOTO}]} == fields.values


def test_tags_count_the_images(fields_of):
    """
    So that the prompt can speak of each.
    """
    fields = fields_of("image/runway/gen-4-image", images=[PHOTO, SECOND])

    assert ["image1", "image2"] == [
        item["tag"] for item in fields.values["reference_images"]
    ]


def test_every_model_that_takes_an_image_can_be_given_one(fields_of, catalog):
    """
    Whatever form its field has.
    """
    taking = [model for model in catalog.models if model.input_field]
    given = {"image": PHOTO, "video": CLIP}
    made = [
        fields_of(model.path, images=[given[model.input_field.media]])
        for model in taking
    ]

    assert len(taking) > 20
    assert [] == [fault for fields in made for fault in told(fields)]
    assert len(taking) == sum("LocalFile" in str(fields.values) for fields in made)


def test_a_file_of_another_medium_is_a_fault(fields_of):
    """
    A photograph is no video, and a video no photograph.
    """
    photo = fields_of("enhance/topaz/astra", images=[PHOTO])
    clip = fields_of(BANANA, images=[CLIP])

    assert ["video_url: needs a video, but photo.jpg is an image"] == told(photo)
    assert ["image_urls: needs an image, but clip.mp4 is a video"] == told(clip)


def test_an_image_given_in_two_ways_is_a_fault(fields_of):
    """
    By -i and by -p.
    """
    fields = fields_of(BANANA, 'image_urls:=["https://a.test"]', images=[PHOTO])

    assert ["image_urls: is set twice with -p image_urls and -i"] == told(fields)


def test_more_images_than_one_are_a_fault_where_one_is_taken(fields_of):
    """
    Which one is meant is not guessed.
    """
    fields = fields_of("image/bfl/flux-1-kontext-dev", images=[PHOTO, SECOND])

    assert ["image_url: takes one image, not 2"] == told(fields)


def test_a_model_that_takes_no_image_says_so(fields_of, catalog):
    """
    The image is not dropped in silence.
    """
    path = next(model.path for model in catalog.models if not model.input_field)

    [fault] = told(fields_of(path, images=[PHOTO]))

    assert fault.startswith("-i: ")
    assert fault.endswith("does not take an image")


def test_addresses_in_media_fields_are_images(fields_of):
    """
    So that they can be sent otherwise when the service refuses them; a data URI is a
    file as any other, and text in other fields stays as it is.
    """
    fields = fields_of(
        SEEDREAM,
        'style_images:=[{"url": "https://a.test/x.jpg", "strength": 2}, {"url": 5}, '
        '{"url": "data:image/png;base64,AA"}]',
        "prompt=https://a.test/x.jpg",
    )

    assert {
        "style_images": [
            {"url": REMOTE, "strength": 2},
            {"url": 5},
            {"url": PHOTO},
        ],
        "prompt": "https://a.test/x.jpg",
    } == fields.values


def test_a_data_uri_is_a_file_also_where_the_field_is_not_known(fields_of):
    """
    There only if it says to be one, at whatever depth: a prompt is text.
    """
    fields = fields_of(
        BANANA,
        'later:=[{"at": ["DATA:image/jpeg;base64,AA", "https://a.test/x.jpg"]}]',
        "newer=data:image/png;base64,AA",
        "text=data: 1, 2",
        "prompt=data:image/png;base64,AA",
    )

    assert {
        "later": [{"at": [PHOTO, "https://a.test/x.jpg"]}],
        "newer": PHOTO,
        "text": "data: 1, 2",
        "prompt": "data:image/png;base64,AA",
    } == fields.values


def test_a_data_uri_is_of_the_kind_that_its_field_takes(fields_of):
    """
    As a file of -i must be.
    """
    fields = fields_of("enhance/topaz/video-upscale", "video_url=data:image/png,AA")

    assert ["video_url: needs a video, but photo.jpg is an image"] == told(fields)
