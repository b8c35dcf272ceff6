"""
Models, fields and specifications that are newer than this version of krea.
"""

from __future__ import annotations

import json
import threading
import uuid

import pytest
import specs
from service import answer, html

SPEC = "GET /openapi.json"
POST = "POST /generate"
DAY = 86_400


def accepted(bodies):
    """
    Accept a paid request, whatever the model, and keep its body.
    """

    def fault(handler):
        size = int(handler.headers["Content-Length"])
        bodies.append(json.loads(handler.rfile.read(size)))
        handler.headers.replace_header("Content-Length", "0")
        job = {"job_id": str(uuid.uuid4()), "status": "queued"}
        answer(200, {**job, "created_at": "2026-11-28T00:00:00Z"})(handler)

    return fault


@pytest.fixture
def serve(service):
    """
    Serve a specification, and accept every paid request.
    """

    def use(spec):
        service.faults[SPEC] = [answer(200, spec)] * 9
        service.bodies = []
        service.faults[POST] = [accepted(service.bodies)] * 9

    return use


@pytest.fixture
def later(logged_in, time):
    """
    The program on a day when its list of models is old.
    """
    time.elapsed = 60 * DAY
    return logged_in


def body_of(service):
    [body] = service.bodies
    return body


OWL = ("generate", "an owl", "--no-wait")


def test_generate_with_a_new_model_updates_the_list_once(later, service, serve):
    serve(specs.new_model())

    result = later(*OWL, "-m", "krea-3", "--resolution", "1K")

    assert 0 == result.code, result.err
    assert "Updating the list of models" in result.err
    assert {"prompt": "an owl", "resolution": "1k"} == body_of(service)
    assert ["/generate/image/krea/krea-3"] == [
        each.path for each in service.requests(POST)
    ]

    assert 0 == later(*OWL, "-m", "krea-3", "--resolution", "2k").code
    assert 1 == len(service.requests(SPEC))


def test_generate_with_a_new_field_updates_the_list(later, service, serve):
    serve(specs.new_required_field())

    result = later(*OWL, "-p", "purpose=final")

    assert 0 == result.code, result.err
    assert "final" == body_of(service)["purpose"]


def test_generate_with_a_new_option_and_piped_prompt_reads_stdin_once(
    later, service, serve
):
    serve(specs.new_price_dimension())
    later.stdin = b"an owl"

    result = later("generate", "-", "--no-wait", "-p", "priority=high")

    assert 0 == result.code, result.err
    assert {"prompt": "an owl", "priority": "high"} == body_of(service)


def test_generate_with_a_new_field_and_piped_image_reads_stdin_once(
    later, service, serve, photo
):
    serve(specs.new_price_dimension())
    later.stdin = photo.read_bytes()

    result = later(*OWL, "-i", "-", "-p", "priority=high")

    assert 0 == result.code, result.err
    assert 1 == len(body_of(service)["image_urls"])


def test_generate_with_a_new_model_and_a_typo_updates_once(later, service, serve):
    serve(specs.new_model())

    result = later(*OWL, "-m", "krea-3", "-p", "promt=x")

    assert 2 == result.code
    assert "promt: unknown field" in result.err
    assert 1 == len(service.requests(SPEC))


def test_generate_with_a_typo_says_so_after_an_update(later, service, serve):
    serve(specs.new_model())

    result = later(*OWL, "-m", "krea-33")

    assert 2 == result.code
    assert "Unknown model 'krea-33'." in result.err
    assert "krea/krea-3" in result.err
    assert "refresh" not in result.err


@pytest.mark.parametrize("fault", [html(404), answer(200, {"paths": {}})])
def test_generate_without_an_update_says_how_old_the_list_is(later, service, fault):
    service.faults[SPEC] = [fault] * 9

    result = later(*OWL, "-m", "krea-3")

    assert 2 == result.code
    assert "The list of models is from 2026-10-09." in result.err
    assert "krea models refresh" in result.err


def test_generate_gives_up_on_a_silent_service(later, service, monkeypatch):
    monkeypatch.setattr("krea_cli.catalog.renewal._MAX_SECONDS", 0.05)
    released = threading.Event()
    service.faults[SPEC] = [lambda _: released.wait(10)] * 9

    result = later(*OWL, "-m", "krea-3")
    released.set()

    assert 2 == result.code
    assert "did not arrive" in result.err


@pytest.mark.parametrize("words", [("--dry-run",), ("--sandbox",)])
def test_generate_that_sends_nothing_does_not_update(later, service, serve, words):
    serve(specs.new_model())
    if "--sandbox" in words:
        del later.env["KREA_API_URL"]

    result = later(*OWL, "-m", "krea-3", *words)

    assert 2 == result.code
    assert [] == service.seen
    assert ("2026-10-09" in result.err) == ("--dry-run" in words)


def test_generate_with_a_list_of_today_does_not_update(logged_in, service):
    assert 2 == logged_in(*OWL, "-m", "krea-3").code
    assert [] == service.requests(SPEC)


def test_show_of_a_new_model_updates_the_list(later, service, serve):
    serve(specs.new_model())

    result = later("models", "show", "krea-3")

    assert 0 == result.code, result.err
    assert "thinking_mode" in result.out
    assert 2 == later("models", "show", "krea-33").code
    assert 1 == len(service.requests(SPEC))


def test_show_without_an_update_says_how_old_the_list_is(later, service):
    service.faults[SPEC] = [html(404)] * 9

    result = later("models", "show", "krea-3")

    assert 2 == result.code
    assert "The list of models is from 2026-10-09." in result.err
    assert "krea models refresh" in result.err


def test_no_validate_with_a_short_name_finds_the_route(later, service, serve):
    serve(specs.new_model())

    result = later(*OWL, "-m", "krea/krea-3", "--no-validate")

    assert 0 == result.code, result.err
    assert "/generate/image/krea/krea-3" == service.requests(POST)[0].path


def test_no_validate_with_an_unknown_short_name_says_which_path(logged_in):
    result = logged_in(*OWL, "-m", "krea/krea-3", "--no-validate")

    assert 2 == result.code
    assert "full path: -m image/krea/krea-3" in result.err


@pytest.mark.parametrize("given", ["@{}", "file://{}"])
def test_no_validate_uploads_the_file_of_an_unknown_field(
    logged_in, service, serve, photo, given
):
    serve(specs.bundled())
    param = f"view={given.format(photo.absolute())}"
    model = ("-m", "image/acme/new", "--no-validate")

    result = logged_in(*OWL, *model, "-p", param)

    assert 0 == result.code, result.err
    assert body_of(service)["view"].startswith("http")


def test_no_validate_refuses_an_unknown_field_with_a_missing_file(logged_in, service):
    result = logged_in(*OWL, "-m", "image/acme/new", "--no-validate", "-p", "by=@krea")

    assert (2, []) == (result.code, service.requests(POST))
    assert """To send this text unchanged: -p 'by:="@krea"'""" in result.err


@pytest.mark.parametrize("mutation", specs.MUTATED)
def test_refresh_to_a_mutated_spec_keeps_every_command_working(
    later, service, serve, mutation
):
    spec = specs.MUTATED[mutation]()
    serve(spec)
    assert 0 == later("models", "refresh").code

    path = {
        "new_model": "image/krea/krea-3",
        "chains": "image/acme/chain",
        "openapi_3_0": "image/acme/old",
        "new_kind": "world/acme/earth",
    }.get(mutation, specs.PRO)
    shown = later("models", "show", path)
    assert 0 == shown.code, shown.err
    words = ["-p", "resolution=2K"] if mutation == "chains" else []
    words = ["-p", "resolution=1k"] if mutation == "new_model" else words
    words = ["-p", "purpose=draft"] if mutation == "new_required_field" else words
    words = ["--resolution", "8K"] if mutation == "new_enum_value" else words
    for more in ("--dry-run", "--no-wait"):
        made = later("generate", "an owl", "-m", path, *words, more)
        assert 0 == made.code, made.err


def test_refresh_with_an_odd_model_names_it(later, service, serve):
    spec = specs.new_model()
    spec["paths"][f"/generate/{specs.PRO}"]["post"]["requestBody"] = []
    serve(spec)

    result = later("models", "refresh")

    assert 0 == result.code
    assert f"Kept the old entry of {specs.PRO}" in result.err
    assert "added\timage/krea/krea-3" in result.out


def test_refresh_with_a_truncated_spec_changes_nothing(later, service):
    content = json.dumps(specs.new_model()).encode()[:100_000]
    service.faults[SPEC] = [answer(200, content=content)] * 9

    assert 6 == later("models", "refresh").code
    assert 2 == later("models", "show", "krea-3").code


def test_refresh_with_600_models_and_6_mb_shows_the_last(later, serve):
    serve(specs.huge())

    assert 0 == later("models", "refresh").code
    assert 0 == later("models", "show", "image/acme/model-480").code


def test_dry_run_of_a_new_kind_accepts_any_name(later, serve, photo):
    serve(specs.new_kind())
    later("models", "refresh")

    words = ("-m", "acme/earth", "-i", str(photo), "-o", "world.png", "--dry-run")
    result = later("generate", "an island", *words)

    assert 0 == result.code, result.err
    assert "acme/earth" in later("models", "list", "--kind", "other").out


def test_field_that_an_open_model_does_not_describe_is_sent_with_a_warning(
    later, service, serve
):
    schema = {"type": "object", "properties": {"prompt": {"type": "string"}}}
    serve(specs.with_model("image/acme/open", schema))
    later("models", "refresh")

    result = later(*OWL, "-m", "acme/open", "-p", "mood:=7")

    assert 0 == result.code, result.err
    assert "mood is not a known field" in result.err
    assert {"prompt": "an owl", "mood": 7} == body_of(service)
    assert "unchecked\tother fields" in later("models", "show", "acme/open").out


def test_image_option_with_several_new_fields_names_them(later, serve, photo):
    fields = {"front_photo": specs.URL, "back_photo": specs.URL}
    serve(specs.with_model("image/acme/two", specs.closed(fields)))
    later("models", "refresh")

    result = later("generate", "-m", "acme/two", "-i", str(photo), "--dry-run")

    assert 2 == result.code
    assert f"-p front_photo=@{photo} or -p back_photo=@{photo}" in result.err


def test_image_option_with_a_mesh_field_refuses_a_photo(later, serve, photo):
    schema = specs.closed({"model_url": specs.URL}, "model_url")
    serve(specs.with_model("3d/acme/paint", schema))
    later("models", "refresh")

    result = later("generate", "-m", "acme/paint", "-i", str(photo), "--dry-run")

    assert 2 == result.code
    assert "needs a 3D model" in result.err
