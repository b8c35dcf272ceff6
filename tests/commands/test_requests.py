"""
What `generate` makes of its words: every field checked, nothing sent that would be
refused, the price known before.
"""

from __future__ import annotations

import json
import shlex
import shutil
import socket
from pathlib import Path

import pytest
from PIL import Image
from service import answer

from krea_cli.catalog import example
from krea_cli.catalog.catalog import Catalog
from krea_cli.requests.defaults import automatic_fields
from krea_cli.sandbox.renderer import mp4 as movie

MODELS = Catalog.bundled().models
POST = "POST /generate/"


@pytest.fixture
def dry(krea):
    """
    The request as it would be sent; *said* is what else was told.
    """

    def run(*words):
        result = krea("generate", *words, "--dry-run", "--json")
        assert 0 == result.code, result.err
        return json.loads(result.out)

    return run


def faults(result):
    """
    The faults that an error lists, by field.
    """
    assert 2 == result.code, result
    error = json.loads(result.err.splitlines()[-1])["error"]
    assert "invalid_request" == error["code"]
    return dict(detail.split(": ", 1) for detail in error["details"])


def test_all_faults_are_told_at_once(logged_in, service):
    """
    Unknown field, wrong type, not allowed, missing, no such option: one line each, and
    nothing is sent.
    """
    words = ("-m", "krea-2/large", "--seed", "x", "--negative-prompt", "y")
    more = ("-p", "blah=1", "-p", "creativity=wild")

    found = faults(logged_in("generate", "a cat", *words, *more, "--json"))

    assert {
        "seed",
        "--negative-prompt",
        "blah",
        "creativity",
        "aspect_ratio",
    } == set(found)
    assert '"raw", "low", "medium" or "high"' in found["creativity"]
    assert [] == service.seen


def test_a_person_sees_one_fault_a_line(krea):
    """
    Error, faults, hint.
    """
    result = krea("generate", "a cat", "-p", "resoluton=1K", "--width", "wide")

    error, *details, hint = result.err.splitlines()

    assert error.startswith("error: Invalid request for google/nano-banana-pro")
    assert 2 == len(details)
    assert "resolution" in result.err
    assert hint == "hint: Show its fields: krea models show google/nano-banana-pro"


def test_options_go_to_the_fields_of_the_model(dry):
    """
    Each option under the name that the model has for it, by the schema's type.
    """
    told = dry("a cat", "--width", "512", "--height", "1024", "--resolution", "2K")
    z_image = dry(
        "a cat", "-m", "z-image", "--strength", "0.5", "--aspect-ratio", "1:1"
    )

    assert {"width": 512, "height": 1024, "resolution": "2K"} == {
        name: told["body"][name] for name in ("width", "height", "resolution")
    }
    assert 0.5 == z_image["body"]["denoising_strength"]


def test_pixels_and_ratio_together_are_a_warning(krea):
    """
    The schemas allow it, the service may ignore one of the two.
    """
    words = ("--width", "512", "--height", "512", "--aspect-ratio", "1:1")

    result = krea("generate", "a cat", *words, "--dry-run")

    assert 0 == result.code
    assert "warning: Width or height is set together" in result.err


def test_too_many_images_are_refused(krea, photo):
    """
    The list of a model has a length; one that takes one image takes one.
    """
    six = ("-i", photo) * 6

    listed = faults(krea("generate", "a cat", "-m", "ideogram-4.5", *six, "--json"))
    single = faults(krea("generate", "a cat", "-m", "seededit", *six, "--json"))
    none = faults(krea("generate", "a cat", "-m", "imagen-4", "-i", photo, "--json"))

    assert "at most 5" in listed["image_urls"]
    assert "takes one image, not 6" == single["image_url"]
    assert {"-i": "google/imagen-4 does not take an image"} == none


def test_fields_from_a_file_and_flags_that_win(dry, tmp_path):
    """
    --params gives fields; an option or -p of the same field wins.
    """
    file = tmp_path / "fields.json"
    file.write_text(json.dumps({"resolution": "2K", "aspectRatio": "16:9"}))

    told = dry("a cat", "--params", file, "--resolution", "4K")

    assert {"prompt": "a cat", "resolution": "4K", "aspect_ratio": "16:9"} == told[
        "body"
    ]


@pytest.mark.parametrize("content", ["[1]", "{", "\xff"])
def test_a_file_of_fields_must_be_a_json_object(krea, tmp_path, content):
    """
    Anything else is exit 2, with the file named.
    """
    file = tmp_path / "fields.json"
    file.write_bytes(content.encode("latin-1"))

    result = krea("generate", "a cat", "--params", file)

    assert 2 == result.code
    assert "fields.json" in result.err


def test_a_file_for_a_media_field_is_uploaded(logged_in, service, photo):
    """
    KEY=@FILE sends the URL of the upload; the same file is uploaded once.
    """
    words = ("-m", "ideogram-4.5-precise", "-i", photo, "-p", f"mask_url=@{photo}")

    result = logged_in("generate", "a cat", *words, "-o", "a.png")
    [job] = service.store.jobs()

    assert 0 == result.code
    assert job.fields["image_url"] == job.fields["mask_url"]
    assert 1 == len(service.requests("POST /assets"))


def test_an_at_sign_elsewhere_is_text(dry):
    """
    Only media fields take files.
    """
    assert "@home" == dry("-p", "prompt=@home")["body"]["prompt"]


def test_objects_are_built_for_images(dry, photo):
    """
    style_images with full strength unless --strength; reference_images with tags.
    """
    style = ("-m", "seedream-4", "-i", photo)
    full = dry("a cat", *style)["body"]["style_images"]
    half = dry("a cat", *style, "--strength", "0.5")["body"]["style_images"]
    tagged = dry("a cat", "-m", "gen-4-image", "-i", photo, "-i", photo)["body"]

    assert ([1], [0.5]) == (
        [item["strength"] for item in full],
        [item["strength"] for item in half],
    )
    assert ["image1", "image2"] == [item["tag"] for item in tagged["reference_images"]]


def test_what_krea_chooses_is_told(krea, tmp_path):
    """
    A ratio near the image's, the smallest resolution, a strength that keeps the image:
    one line each, and part of the dry run.
    """
    path = tmp_path / "wide.png"
    Image.new("RGB", (1600, 900)).save(path)

    result = krea("generate", "a cat", "-m", "krea-2/large", "-i", path, "--dry-run")
    told = krea(
        "generate", "a cat", "-m", "krea-2/large", "-i", path, "--dry-run", "--json"
    )

    chosen = {"aspect_ratio": "16:9", "resolution": "1K", "strength": 0.6}

    assert "Using aspect_ratio 16:9 (closest to the image, 1600x900)." in result.err
    assert chosen == {
        choice["field"]: choice["value"] for choice in json.loads(told.out)["choices"]
    }


def test_a_picture_held_upright_counts_as_shown(dry, tmp_path):
    """
    The orientation tag turns the ratio.
    """
    path = tmp_path / "upright.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1600, 900)).save(path, exif=exif)

    told = dry("a cat", "-m", "krea-2/large", "-i", path)

    assert "9:16" == told["body"]["aspect_ratio"]


def test_nothing_else_is_filled_in(dry, photo):
    """
    Fields that nobody gave and the model does not need are left out.
    """
    assert {"prompt", "image_urls"} == set(dry("a cat", "-i", photo)["body"])


def test_no_validate_sends_as_it_is(logged_in, service):
    """
    The service decides: a field that the catalog does not know is sent.
    """
    result = logged_in("generate", "a cat", "-p", "newest=1", "--no-validate")

    assert 2 == result.code
    assert 1 == len(service.requests(POST))
    assert "newest" in result.err


def test_no_validate_drops_nothing(dry):
    """
    Options of fields that krea does not know are sent under their own name.
    """
    words = ("--seed", "5", "--aspect-ratio", "1:1", "--no-validate")

    for model in ("image/acme/newest", "nano-banana-flash-lite"):
        told = dry("a cat", "-m", model, *words)

        assert {"prompt": "a cat", "seed": 5, "aspect_ratio": "1:1"} == told["body"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ("-m", "image/acme/newest", "-i", "photo.jpg"),
            "-i: acme/newest has no known field for files",
        ),
        (("-p", "mood=a", "-p", "mood=b"), "mood: is set twice with -p mood"),
        (("-p", "seed=1", "--seed", "2"), "seed: is set twice with -p seed"),
        (("-p", "width:=[1]", "--width", "5"), "width: is set twice with -p width"),
        (
            ("-m", "krea-2/large", "-i", "photo.jpg", "-i", "photo.jpg"),
            "image_url: takes one image, not 2",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_without_validation_too(
    logged_in, service, inputs, words, fault
):
    """
    No job is paid for that lacks something of what was asked.
    """
    result = logged_in("generate", "a cat", *words, "--no-validate")

    assert 2 == result.code
    assert f"  {fault}" in result.err
    # A URL is no way out where a field is given twice.
    assert fault.startswith("-i") == ("krea upload" in result.err)
    assert [] == service.seen


@pytest.mark.parametrize(
    "name",
    [
        "\udcff",
        "a/b/\udcff",
        "a/b/..",
        "a/../c",
        "a/b/c?d",
        "a/b/c#d",
        "a/b/c d",
        "a//b/c",
    ],
)
def test_no_validate_takes_no_name_that_is_no_path(krea, name):
    """
    Exit 2: what cannot stand in a URL, or would be another one, is not sent.
    """
    result = krea("generate", "a cat", "-m", name, "--no-validate", "--dry-run")

    assert (2, "") == (result.code, result.out)
    assert "Unknown model" in result.err


def test_no_validate_takes_models_that_the_catalog_lacks(krea):
    """
    A whole path is enough; without --no-validate it is unknown.
    """
    words = ("generate", "a cat", "-m", "image/acme/newest", "--dry-run", "--json")

    told = json.loads(krea(*words, "--no-validate").out)

    assert told["url"].endswith("/generate/image/acme/newest")
    assert 2 == krea(*words).code


def test_the_price_is_known_before(dry, krea):
    """
    By resolution and count; unknown is null, never 0.
    """
    one = dry("a cat", "--resolution", "4K")
    four = dry("a cat", "-n", "4")
    unknown = dry("a cat", "-m", "nano-banana-2.1")

    assert (0.3, 0.6, None) == (one["cost_usd"], four["cost_usd"], unknown["cost_usd"])
    assert (
        "estimate for 4 results: $0.60 (prices as of 2026-09-20)"
        in krea("generate", "a cat", "-n", "4", "--dry-run").out
    )
    words = ("generate", "a cat", "-m", "gpt-image", "-n", "13", "--dry-run")
    assert (
        "the estimate of $4.8711 is above the limit of $4.871."
        in krea(*words, "--max-cost", "4.871").err
    )


def test_the_job_has_its_price(logged_in):
    """
    In JSON, also when it is looked at later.
    """
    made = json.loads(logged_in("generate", "a cat", "-o", "a.png", "--json").out)
    seen = json.loads(logged_in("status", "--json").out)

    assert (0.15, 0.15) == (made["cost_usd"], seen["cost_usd"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--max-cost", "0.15"), 0),
        (("--max-cost", "0.14"), 5),
        (("-n", "2", "--max-cost", "0.29"), 5),
        (("-n", "2", "--max-cost", "0.30"), 0),
        (("-m", "nano-banana-2.1", "--max-cost", "9"), 5),
        (("-m", "nano-banana-2.1", "--max-cost", "9", "--allow-unknown-cost"), 0),
    ],
)
def test_max_cost_refuses_before_anything_is_uploaded(
    logged_in, service, photo, words, code
):
    """
    The estimate of all jobs counts; an unknown one is refused unless it is allowed.
    A dry run ends in the same way.
    """
    result = logged_in("generate", "a cat", "-i", photo, "-o", "a/", *words)

    assert code == result.code, result.err
    assert (code == 5) == (service.seen == [])
    shown = logged_in("generate", "a cat", "-i", photo, "--dry-run", *words)
    assert (code, True) == (shown.code, "POST" in shown.out)


def test_a_kind_that_cannot_be_is_refused_before(logged_in, service):
    """
    A video model makes no picture, a picture model no video.
    """
    video = logged_in("generate", "waves", "-m", "veo-3", "-o", "x.png")
    picture = logged_in("generate", "waves", "-o", "x.mp4")

    assert (2, 2) == (video.code, picture.code)
    assert [] == service.seen


def test_a_model_that_is_gone_names_its_successor(logged_in, service):
    """
    410 is exit 2, with the replacement that the service names.
    """
    gone = {"error": "model_unavailable", "replacement": "google/nano-banana-2"}
    service.faults[POST] = [answer(410, gone)]

    result = logged_in("generate", "a cat")

    assert 2 == result.code
    assert "use google/nano-banana-2" in result.err


@pytest.fixture
def inputs(photo):
    """
    The files that examples name, in the current folder.
    """
    shutil.copy(photo, "photo.jpg")
    frame = photo.read_bytes()
    Path("clip.mp4").write_bytes(movie.mp4([frame], (96, 64), per_second=1))


@pytest.mark.long
def test_the_example_of_every_model_is_accepted(logged_in, service, inputs):
    """
    What `models show` prints passes krea's own check and that of the service.
    """
    refused = {}
    for model in MODELS:
        words = example.command(model, automatic_fields(model))
        at = words.index("-o")
        result = logged_in(*words[1:at], "--no-wait")
        if result.code:
            refused[model.path] = (shlex.join(words), result.err)

    assert {} == refused
    assert len(MODELS) == service.bills


@pytest.mark.parametrize("depth", [500, 900, 100_000])
def test_a_field_of_absurd_depth_is_refused(krea, depth):
    """
    One clear line, and no crash.
    """
    result = krea("generate", "a cat", "-p", f"image_urls:={'[' * depth}{']' * depth}")

    assert 2 == result.code


def test_a_limit_in_the_settings_holds_for_every_command_that_pays(
    logged_in, service, tmp_path
):
    """
    The variable for generate and replay, the file below it, the option above both; the
    error names where the limit comes from.
    """
    assert 0 == logged_in("generate", "an owl", "-o", "a.png", "--sidecar").code
    paid = len(service.requests("POST /generate"))
    limit = {"KREA_MAX_COST": "0.1"}

    for words in (("generate", "an owl"), ("replay", "a.png.json")):
        refused = logged_in(*words, "-o", "b.png", env=limit)
        assert 5 == refused.code
        assert "above the limit of $0.10 (max_cost from KREA_MAX_COST)" in refused.err
    assert paid == len(service.requests("POST /generate"))

    assert 0 == logged_in("config", "set", "max_cost", "0.20").code
    assert 5 == logged_in("generate", "an owl", "-n", "2", "-o", "c/").code
    assert 0 == logged_in("generate", "an owl", "-o", "d.png").code
    allowed = ("--max-cost", "0.30")
    assert 0 == logged_in("generate", "an owl", "-n", "2", "-o", "e/", *allowed).code
    unknown = logged_in("generate", "an owl", "-m", "nano-banana-2.1")
    assert (5, True) == (unknown.code, "--allow-unknown-cost" in unknown.err)


@pytest.mark.parametrize("count", ["10001", "5000000", "1000000000"])
def test_no_call_asks_for_more_than_ten_thousand_jobs(logged_in, service, count):
    """
    It is a typing error, or a script gone wrong.
    """
    assert 2 == logged_in("generate", "an owl", "-n", count).code
    assert [] == service.seen
    assert 0 == logged_in("generate", "an owl", "-n", "10000", "--dry-run").code


@pytest.mark.parametrize(
    "most", ["nan", "inf", "1e400", "-1", "-0", "1_0", "٣", "much"]
)
def test_a_limit_that_limits_nothing_is_refused(logged_in, service, most):
    """
    What is not an amount must not let everything through.
    """
    assert 2 == logged_in("generate", "a cat", "--max-cost", most).code
    assert [] == service.seen


@pytest.mark.parametrize("count", ["0", "-1", "1_0", "٣", "1e3", "9" * 23])
def test_a_count_that_is_no_plain_number_is_refused(logged_in, service, count):
    """
    Each job is paid for, so what is read in two ways is none.
    """
    result = logged_in("generate", "a cat", "-n", count)

    assert (2, []) == (result.code, service.seen)
    assert "is not a whole number from 1 to" in result.err


@pytest.mark.parametrize("words", [("--params", "given.json"), ("-p", "style:={}")])
def test_a_key_that_is_given_twice_is_refused(logged_in, service, words):
    """
    JSON with a key twice means different things to different readers, at any depth.
    """
    given = '{"style": {"a": 1, "a": 2}}'
    Path("given.json").write_text(given)
    words = [word.replace("{}", given) for word in words]
    result = logged_in("generate", "a cat", *words, "--no-validate")

    assert (2, []) == (result.code, service.seen)
    assert f"'a' appears twice in the JSON of {words[0]} " in result.err


@pytest.mark.parametrize(
    ("words", "start"),
    [
        pytest.param(
            ("waves", "-m", "veo-3", "-o", "out.mp4"), b"ftyp", marks=pytest.mark.long
        ),
        (("a chair", "-m", "trellis-2", "-o", "out.glb"), b"glTF"),
        (("rain", "-m", "seed-audio-1.0", "-o", "out.wav"), b"RIFF"),
        (("-m", "krea/enhance", "-i", "photo.jpg", "-o", "out.png"), b"\x89PNG"),
        pytest.param(
            ("-m", "seedvr-2", "-i", "clip.mp4", "-o", "out.mp4"),
            b"ftyp",
            marks=pytest.mark.long,
        ),
    ],
)
def test_every_kind_of_model_gives_a_file_of_its_kind(
    logged_in, service, inputs, words, start
):
    """
    Video, 3D (the model, not its preview), sound and upscales, without a prompt where
    the model needs none.
    """
    service.picture = None

    result = logged_in("generate", *words)

    assert (0, f"{words[-1]}\n") == (result.code, result.out), result.err
    assert start in Path(words[-1]).read_bytes()[:12]


def test_a_dry_run_needs_no_token_no_keyring_and_no_network(krea, photo):
    """
    The keyring would hang, the address would be reached: neither is tried.
    """
    krea.env |= {"PYTHON_KEYRING_BACKEND": "no.such.Backend"}

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        words = ("a cat", "-i", photo, "--dry-run", "--api-url", url)
        result = krea("generate", *words)
        with pytest.raises(BlockingIOError):
            server.accept()

    assert 0 == result.code


@pytest.mark.parametrize("words", [("-",), ("--params", "-")])
def test_standard_input_without_end_is_refused(krea, words):
    """
    A million characters are enough for any prompt and any fields.
    """
    krea.stdin = b" " * 2_000_000

    result = krea("generate", *words)

    assert 2 == result.code
    assert "more than 1,000,000 characters" in result.err


def dry_run(krea, *words):
    result = krea("generate", *words, "--dry-run", "--json")
    assert 0 == result.code, result.err
    return json.loads(result.out), result.err


def test_text_to_3d_sends_the_mode_for_text(krea):
    for model in (each for each in MODELS if "input_mode" in each.fields):
        made, _ = dry_run(krea, "a chair", "-m", model.path)
        assert {"prompt": "a chair", "input_mode": "text"} == made["body"]


def test_dry_run_in_the_sandbox_shows_no_address_that_nobody_serves(krea):
    shown = krea("generate", "a chair", "--dry-run", "--sandbox")
    made, _ = dry_run(krea, "a chair", "--sandbox")

    first = shown.out.splitlines()[0]
    assert "POST /generate/image/google/nano-banana-pro (sandbox)" == first
    assert "is_sandbox" not in made


def test_text_to_3d_says_which_mode_it_chose(krea):
    result = krea("generate", "a chair", "-m", "meshy-7", "--dry-run")

    assert "Using input_mode text" in result.err


def test_image_to_3d_leaves_the_mode_out(krea, photo):
    made, _ = dry_run(krea, "a chair", "-m", "meshy-7", "-i", str(photo))

    assert "input_mode" not in made["body"]


@pytest.mark.parametrize("words", [(), ("--seed", "7")])
def test_generate_without_prompt_and_image_is_refused(krea, words):
    result = krea("generate", "-m", "meshy/meshy-7", "--dry-run", *words)

    assert 2 == result.code
    assert "prompt: is required, unless you give an image with -i" in result.err


def test_option_in_another_case_takes_the_allowed_spelling(krea):
    made, _ = dry_run(krea, "an owl", "--resolution", "2k")

    assert "2K" == made["body"]["resolution"]


def test_option_near_an_allowed_value_asks_for_it(krea):
    result = krea("generate", "a", "--resolution", "2KK", "--dry-run")

    assert 2 == result.code
    assert 'not "2KK"; did you mean "2K"?' in result.err


def test_two_bad_inputs_are_each_named_with_their_place(krea):
    result = krea("generate", "an owl", "-i", "no.png", "-i", "nor.png", "--dry-run")

    assert 2 == result.code
    assert "2 inputs cannot be used:" in result.err
    assert "image_urls[0]: File no.png does not exist." in result.err
    assert "image_urls[1]: File nor.png does not exist." in result.err


@pytest.mark.parametrize("text", ["\ufeffan owl\r\n", "an owl\n", "an owl\r"])
def test_prompt_as_an_argument_is_read_like_a_prompt_file(krea, text):
    made, _ = dry_run(krea, text)

    assert "an owl" == made["body"]["prompt"]


def test_param_as_text_is_read_like_a_file(krea):
    made, _ = dry_run(krea, "-p", "prompt=\ufeffan owl\r\nat night")

    assert "an owl\nat night" == made["body"]["prompt"]


@pytest.mark.parametrize("words", [("-",), ("-p", 'prompt:="an \\u0000 owl"')])
def test_nul_in_a_field_is_refused(krea, words):
    krea.stdin = b"an \0 owl"
    result = krea("generate", *words, "--dry-run")

    assert 2 == result.code
    assert "prompt contains a NUL character." in result.err


@pytest.mark.parametrize("option", ["-i", "--prompt-file", "--params"])
def test_file_name_with_nul_is_refused_in_plain_words(krea, option):
    words = ("an owl",) if option != "--prompt-file" else ()
    result = krea("generate", *words, option, "file:///a%00b.jpg", "--dry-run")

    assert 2 == result.code
    assert "its name has a NUL character." in result.err


def test_prompt_file_as_a_file_uri_is_read(krea, tmp_path):
    (tmp_path / "a prompt.txt").write_text("an owl\n")
    uri = (tmp_path / "a prompt.txt").as_uri()

    made, _ = dry_run(krea, "--prompt-file", uri)

    assert "an owl" == made["body"]["prompt"]


@pytest.mark.parametrize("words", [(), ("--inline",)])
def test_refused_inline_image_says_to_upload_it(logged_in, service, photo, words):
    service.faults["POST /generate"] = [answer(400, {"error": "image_urls too long"})]

    result = logged_in("generate", "an owl", "-i", str(photo), "--no-wait", *words)

    assert 2 == result.code
    assert ("Try again without --inline." in result.err) == bool(words)
