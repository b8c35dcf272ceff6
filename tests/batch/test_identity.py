"""
What makes two requests the same.
"""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from krea_cli.batch.identity import SHA256, Identity, Input, identity_of
from krea_cli.batch.item_requests import RequestBuilder
from krea_cli.batch.problems import ManifestError, Problems
from krea_cli.inputs.resolver import InputResolver
from krea_cli.requests.request import Request

PROMPT = '[[pictures]]\nprompt = "an owl"\noutput = "owl.png"\n'


def jpeg(color="teal", size=(64, 48), comment=b""):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "JPEG", comment=comment)
    return file.getvalue()


@pytest.fixture
def plan(expand, catalog, monkeypatch):
    monkeypatch.chdir(expand.folder)
    readers = []

    def make(text, files=None, **options):
        for name, data in (files or {}).items():
            expand.write(name, data)
        reader = InputResolver(lambda: None, allows_loopback=False, **options)
        readers.append(reader)
        builder = RequestBuilder(
            folder=expand.folder,
            find_model=lambda name: catalog.find(name or "google/nano-banana-pro"),
            read=reader.read,
            warn=lambda _: None,
        )
        problems = Problems()
        planned = builder.plan(expand.manifest(text), problems)
        problems.raise_if_any()
        return planned

    yield make
    for reader in readers:
        reader.close()


def keys(planned):
    return [each.key for each in planned]


def test_key_is_the_same_whatever_is_not_asked_for(plan):
    [first] = plan(PROMPT)
    [other] = plan(
        '[defaults]\nmodel = "image/google/nano_banana-pro"\n'
        '[[pictures]]\nsidecar = true\noutput = "x/owl.webp"\nquality_out = 5\n'
        'prompt = "an {word}"\nparams = { }\n'.replace("{word}", "owl")
    )

    assert first.key == other.key
    assert 64 == len(first.key)


@pytest.mark.parametrize(
    "change",
    [
        PROMPT.replace("an owl", "an owl "),
        PROMPT + 'model = "krea-2/large"\naspect_ratio = "1:1"\n',
        PROMPT + "aspect_ratio = '1:1'\n",
        PROMPT + "image = 'a.jpg'\n",
        PROMPT + "image = ['a.jpg', 'b.jpg']\n",
        PROMPT + "image = ['b.jpg', 'a.jpg']\n",
        PROMPT + "image = 'https://x.test/a.jpg'\n",
        PROMPT + "image = 'https://x.test/a.jpg?sig=1'\n",
        PROMPT + "image = 'https://x.test/a.jpg?sig=2'\n",
    ],
)
def test_key_is_another_for_whatever_is_asked_for(plan, change):
    files = {"a.jpg": jpeg(), "b.jpg": jpeg("red")}
    others = [PROMPT, PROMPT + "image = 'https://x.test/a.jpg?sig=3'\n"]

    [changed] = plan(change, files)

    assert changed.key not in [key for text in others for key in keys(plan(text))]


def test_key_counts_copies(plan):
    first, second = plan(PROMPT + "count = 2\n")

    assert first.key == plan(PROMPT)[0].key
    assert first.key != second.key


def test_key_does_not_depend_on_the_name_of_an_input(plan):
    text = PROMPT + "image = '{}'\n"

    [first] = plan(text.format("a.jpg"), {"a.jpg": jpeg()})
    [other] = plan(text.format("deep/b c.JPG"), {"deep/b c.JPG": jpeg()})

    assert first.key == other.key
    assert "deep/b c.JPG" == other.identity.inputs[0].path
    assert "image_urls.0" == other.identity.inputs[0].field


def test_key_does_not_depend_on_metadata(plan):
    text = PROMPT + "image = 'a.jpg'\n"

    [first] = plan(text, {"a.jpg": jpeg(comment=b"5 stars")})
    [other] = plan(text, {"a.jpg": jpeg(comment=b"1 star")})
    [as_it_is] = plan(text, keeps_metadata=True)

    assert first.key == other.key != as_it_is.key
    assert first.identity.inputs[0].sha256 != other.identity.inputs[0].sha256
    assert first.identity.is_same(other.identity)
    assert as_it_is.identity.is_same(other.identity)


def test_key_of_a_scaled_image_is_that_of_its_file(plan):
    text = PROMPT + "image = 'a.jpg'\n"
    files = {"a.jpg": jpeg(size=(16_400, 2))}

    def fit(color):
        return lambda _, file: file.write(jpeg(color))

    [first] = plan(text, files, fit=fit("red"))
    [other] = plan(text, files, fit=fit("blue"))

    assert first.key == other.key
    assert first.identity.inputs[0].sent_sha256 != other.identity.inputs[0].sent_sha256


def test_key_leaves_out_automatic_values(plan):
    text = (
        '[[pictures]]\nmodel = "krea-2/large"\nprompt = "xyz"\nimage = "a.jpg"\n'
        'output = "a.png"\n'
    )

    [item] = plan(text, {"a.jpg": jpeg()})
    [given] = plan(text + "strength = 0.6\n")

    assert 0.6 == item.request.fields["strength"]
    assert "strength" not in item.identity.request["fields"]
    assert item.key != given.key


def test_key_leaves_out_what_is_added_to_images_in_objects(plan, catalog):
    model = next(
        model
        for model in catalog.models
        if model.input_field and "strength" in model.input_field.extra
    )
    text = (
        f'[[pictures]]\nmodel = "{model.path}"\nprompt = "xyz"\nimage = "a.jpg"\n'
        'output = "a.png"\n'
    )

    [item] = plan(text, {"a.jpg": jpeg()})
    [other] = plan(text + "strength = 0.5\n")

    [field] = item.request.fields[model.input_field.name]
    assert 1 == field["strength"]
    assert "strength" not in json.dumps(item.identity.request)
    assert "0.5" in json.dumps(other.identity.request)


def test_key_does_not_depend_on_line_breaks(plan, expand):
    expand.write("rows.jsonl", '{"prompt": "an owl\\r\\nby night"}')
    text = "[[pictures]]\noutput = 'owl.png'\n"

    [first] = plan(text + "each = 'rows.jsonl'\n")
    [other] = plan(text + 'prompt = "an owl\\nby night"\n')

    assert first.key == other.key


def test_key_of_a_chain_is_known_before_its_input_is(plan):
    first, second = plan(
        PROMPT + '[[pictures]]\nimage = "owl.png"\nprompt = "older"\noutput = "o.png"\n'
    )

    assert [(first.key, None)] == [
        (each.key, each.sha256) for each in second.identity.inputs
    ]
    assert second.request.fields["image_urls"]


def test_identity_without_prompts_is_the_same(plan):
    [item] = plan(PROMPT)
    bare = Identity(request=item.identity.without_prompts())

    assert "owl" not in json.dumps(bare.request)
    assert bare.key == item.key
    assert bare.is_same(item.identity)


def test_identity_signed_url_is_kept_without_its_signature(plan):
    [item] = plan(PROMPT + "image = 'https://x.test/b.jpg?sig=s3cret'\n")

    [url] = item.identity.request["fields"]["image_urls"]

    assert "s3cret" not in json.dumps(item.identity.request)
    assert "https://x.test/b.jpg" == url["$shown"]
    assert 64 == len(url[SHA256])


def test_input_made_by_another_item_is_the_same_under_either_key():
    mine = Input(field="f", path="p", key="new")

    assert mine.is_same(Input(field="f", path="q", key="old"), ["old"])
    assert not mine.is_same(Input(field="f", path="q", key="other"), ["old"])
    assert not mine.is_same(Input(field="f", path="q", sha256="new"))
    assert not Input(field="f", path="p").is_same(Input(field="f", path="p"))


def test_input_survives_json():
    given = Input(field="f", path="p", sha256="1", sent_sha256="2")

    assert given == Input.from_json(given.as_json())
    with pytest.raises(ValueError, match="inputs"):
        Input.from_json({"field": 1})


def test_identity_whole_numbers_are_the_same_in_both_forms(catalog):
    model = catalog.find("google/nano-banana-pro")

    first = identity_of(model, {"seed": 7})
    other = identity_of(model, {"seed": 7.0})

    assert first.key == other.key


def test_plan_unusable_inputs_drop_their_items_and_what_needs_them(plan):
    planned = plan(
        "[[pictures]]\nprompt='xyz'\nimage='none.jpg'\noutput='a.png'\n"
        "[[pictures]]\nprompt='xyz'\nimage='a.png'\noutput='b.png'\n"
        "[[pictures]]\nprompt='xyz'\nimage='empty.jpg'\noutput='c.png'\n"
        "[[pictures]]\nprompt='xyz'\nimage='-'\noutput='d.png'\n" + PROMPT,
        {"empty.jpg": b""},
    )

    assert [
        "File none.jpg does not exist.",
        "a.png cannot be made.",
        "empty.jpg is empty.",
        "Standard input cannot be an image of a batch.",
        None,
    ] == [each.unusable and each.unusable.message for each in planned]
    assert planned[-1].request


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("model = 'nano-bananna-pro'", "line 1: Unknown model 'nano-bananna-pro'"),
        ("params = { prompt = 'again' }", "prompt: is set twice"),
        ("negative_prompt = 'a\\u0000'", "negative_prompt: "),
        ("seed = 7", "seed: is not a field of google/nano-banana-pro"),
        ("aspect_ratio = '7:9'", "aspect_ratio: must be"),
        ("params = { colour = 1 }", "colour: "),
        ("image = 'b.mp4'", "takes image files, and b.mp4 is not one."),
        ("model = 'veo-3'", "output: google/veo-3 makes videos, not .png files."),
    ],
)
def test_plan_invalid_requests_are_problems(plan, line, expected):
    other = "[[pictures]]\nprompt = 'xyz'\noutput = 'b.mp4'\n"

    with pytest.raises(ManifestError) as caught:
        plan(f"{PROMPT}{line}\n{other}")

    error = caught.value
    assert expected in "\n".join([error.message, *error.hints, *error.details])


def test_request_of_a_chain_takes_the_input_that_was_made(plan, expand, catalog):
    _, second = plan(
        PROMPT + '[[pictures]]\nimage = "owl.png"\nprompt = "older"\noutput = "o.png"\n'
    )
    expand.write("owl.png", jpeg())
    reader = InputResolver(lambda: None, allows_loopback=False)
    builder = RequestBuilder(
        folder=expand.folder,
        find_model=lambda _: catalog.find("google/nano-banana-pro"),
        read=reader.read,
        warn=lambda _: None,
    )

    request = builder.request_of(second.item, {"owl.png": reader.read("owl.png")})

    assert isinstance(request, Request)
    assert ["owl.png"] == [image.name for image in request.images]
    reader.close()


STYLE = "a816d79d-55c9-43ee-81c3-8330ffe79e6c"
STYLED = (
    f'[[pictures]]\nmodel = "flux-1-dev"\nprompt = "an owl"\nstyle = "{STYLE}:0.8"\n'
)


def test_style_of_a_manifest_becomes_the_field_that_the_option_sets(plan):
    [planned] = plan(f'{STYLED}output = "owl.png"\n')

    assert [{"id": STYLE, "strength": 0.8}] == planned.request.fields["styles"]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (f"{PROMPT}style = '{STYLE}'\n", "style: google/nano-banana-pro takes no"),
        (f'{STYLED.replace(":0.8", ":x")}output = "a.png"\n', "is not a style"),
    ],
)
def test_style_that_cannot_be_used_is_a_problem(plan, manifest, message):
    with pytest.raises(ManifestError, match=message):
        plan(manifest)


def test_matrix_of_styles_makes_one_item_for_each(plan):
    head = STYLED.replace(f'style = "{STYLE}:0.8"\n', 'output = "{style}.png"\n')

    planned = plan(f'{head}[pictures.matrix]\nstyle = ["a", "b"]\n')

    assert ["a.png", "b.png"] == [each.item.output for each in planned]
    assert 2 == len(set(keys(planned)))
