from __future__ import annotations

import json
import os
import socket
import time as real_time
from base64 import b64encode
from pathlib import Path

import pytest
from media.metadata.marked import heic
from PIL import Image
from service import TOKEN, answer, html, job, reset

from krea_cli.api import http
from krea_cli.sandbox.http_handler import SandboxHandler

ROUTE = "POST /generate/"
EDIT = ("generate", "a watercolor", "-o", "out.png", "-i")


def test_edits_a_photo_with_a_token(logged_in, service, photo):
    """
    The photo is uploaded, one job is paid for, its picture saved; standard output has
    the path alone.
    """
    result = logged_in(*EDIT, photo)

    assert (0, "out.png\n") == (result.code, result.out)
    assert 1 == service.bills
    with Image.open("out.png") as picture:
        assert "PNG" == picture.format


def test_the_token_goes_to_the_api_and_not_to_the_result(logged_in, service, photo):
    """
    Every API route gets the token; the download of the result has no credential.
    """
    logged_in(*EDIT, photo)

    api = [one for one in service.seen if not one.path.startswith("/results")]
    [result] = service.requests("GET /results")

    assert {f"Bearer {TOKEN}"} == {one.headers.get("Authorization") for one in api}
    assert not [value for value in result.headers.values() if TOKEN in value]


def test_json_is_the_whole_job(logged_in, photo):
    """
    One object on standard output, with every key of the contract; nothing else.
    """
    result = logged_in(*EDIT, photo, "--json")

    told = json.loads(result.out)
    [file] = told["files"]

    assert "" == result.err
    assert [
        "job_id",
        "status",
        "model",
        "created_at",
        "completed_at",
        "urls",
        "files",
        "cost_usd",
        "seed",
        "error",
        "style_id",
    ] == list(told)
    assert ("completed", "google/nano-banana-pro") == (told["status"], told["model"])
    assert ("out.png", "image/png") == (file["path"], file["media_type"])


def test_no_wait_tells_the_job_id_and_how_to_collect_it(logged_in, service):
    """
    Nothing is waited for or saved: a pipe gets the id, a person the command, too.
    """
    plain = logged_in("generate", "a cat", "--no-wait")
    logged_in.is_terminal = True
    human = logged_in("generate", "a cat", "--no-wait")

    [second, first] = service.store.jobs()

    assert (0, f"{first.job_id}\n") == (plain.code, plain.out)
    assert f"krea wait {second.job_id} -o ." in human.out


def test_no_download_tells_the_urls(logged_in, service):
    """
    The result stays on the service.
    """
    result = logged_in("generate", "a cat", "--no-download")

    assert result.out.startswith(f"{service.url}/results/")
    assert [] == service.requests("GET /results")


def test_count_makes_so_many_jobs_of_one_upload(logged_in, service, photo):
    """
    Three jobs, one upload, three files with an index.
    """
    result = logged_in(*EDIT, photo, "-n", "3")

    assert "out-1.png\nout-2.png\nout-3.png\n" == result.out
    assert (3, 1) == (service.bills, len(service.requests("POST /assets")))


def test_an_image_is_uploaded_once_in_a_day(logged_in, service, photo):
    """
    A second run sends the URL of the first upload again.
    """
    logged_in(*EDIT, photo)
    result = logged_in("generate", "a sketch", "-i", photo, "-o", "second.png")

    assert 0 == result.code
    assert 1 == len(service.requests("POST /assets"))


def test_the_upload_has_a_neutral_name_and_its_real_type(logged_in, service, photo):
    """
    The file's own name does not leave the machine, nor does a wrong ending count.
    """
    renamed = photo.rename(photo.with_name("my secret.png"))

    logged_in(*EDIT, renamed)
    [upload] = service.store.folder.joinpath("uploads").glob("*.json")

    assert "image/jpeg" == json.loads(upload.read_text())["mime_type"]


def test_inline_sends_the_image_in_the_request(logged_in, service, photo):
    """
    No upload; the request has the picture as a data URI.
    """
    result = logged_in(*EDIT, photo, "--inline")
    [kept] = service.store.folder.joinpath("inputs").iterdir()

    assert 0 == result.code
    assert photo.read_bytes() == kept.read_bytes()
    assert [] == service.requests("POST /assets")


def test_the_guides_own_request_works(logged_in, service):
    """
    A camelCase name of the old API is renamed, with a warning.
    """
    urls = json.dumps(["https://s.krea.ai/logo-icon-black.jpg"])

    result = logged_in("generate", "a logo", "-p", f"imageUrls:={urls}", "-o", "a.png")

    assert 0 == result.code
    assert "warning: imageUrls is now called image_urls" in result.err


def test_a_refused_url_is_uploaded_and_sent_again(logged_in, service, photo):
    """
    The service does not take the URL of a known upload: it is uploaded anew, and the
    second request, which is the first that was accepted, is the only one paid for.
    """
    service.faults[ROUTE] = [answer(422, {"error": "Invalid asset URL"})]

    result = logged_in(*EDIT, photo)

    assert 0 == result.code
    assert (2, 1) == (len(service.requests(ROUTE)), service.bills)


@pytest.mark.parametrize(
    ("words", "way"), [((), "upload"), (("--inline",), "data URI")]
)
def test_dry_run_sends_nothing(krea, photo, words, way):
    """
    The request is shown as it would be sent, a file by its name and the way that it
    would go, another image by its URL; no token, no network, no upload.
    """
    url = "https://a.test/x.jpg"

    result = krea(*EDIT, photo, "-i", url, "--dry-run", "--json", *words)

    told = json.loads(result.out)

    assert 0 == result.code
    assert "https://api.krea.ai/generate/image/google/nano-banana-pro" == told["url"]
    assert {
        "prompt": "a watercolor",
        "image_urls": [f"({way} of {photo})", url],
    } == told["body"]


def test_a_heic_answers_the_fields_that_a_picture_answers(krea):
    """
    Its size is in its boxes: the model's width and height are not asked for.
    """
    Path("a.heic").write_bytes(heic())

    words = ("-m", "seedream-4", "-i", "a.heic", "-o", "out.png", "--dry-run")
    result = krea("generate", "a watercolor", *words, "--json")

    assert 0 == result.code
    body = json.loads(result.out)["body"]
    # It is held upright, and enlarged to what the model allows.
    assert 3 / 4 == pytest.approx(body["width"] / body["height"], rel=0.01)


def test_parameters_are_converted_by_the_schema(krea):
    """
    A prompt that looks like a number stays text; a number field becomes a number.
    """
    words = ("-p", "width=512", "-p", "prompt=123", "--dry-run", "--json")

    told = json.loads(krea("generate", *words).out)

    assert {"width": 512, "prompt": "123"} == told["body"]


def test_webhook_is_a_header(logged_in, service):
    """
    --webhook goes as X-Webhook-URL.
    """
    logged_in("generate", "a cat", "--webhook", "https://example.com/hook", "--no-wait")

    [sent] = service.requests(ROUTE)

    assert "https://example.com/hook" == sent.headers["X-Webhook-URL"]


def test_prompt_from_standard_input_and_from_a_file(krea, tmp_path):
    """
    "-" and --prompt-file give the same prompt, without its final line break.
    """
    krea.stdin = b"two\nlines\n"
    file = tmp_path / "prompt.txt"
    file.write_bytes(krea.stdin)

    piped = krea("generate", "-", "--dry-run", "--json")
    filed = krea("generate", "--prompt-file", file, "--dry-run", "--json")

    assert "two\nlines" == json.loads(piped.out)["body"]["prompt"]
    assert piped.out == filed.out


def test_a_failed_job_is_told_and_is_exit_3(logged_in, service):
    """
    The job is on standard output, its reason on standard error; nothing is saved.
    """
    error = {"code": "nsfw", "message": "The prompt was refused"}
    service.faults["GET /jobs/"] = [job(status="failed", error=error)]

    result = logged_in("generate", "a cat", "--json")

    assert 3 == result.code
    assert "failed" == json.loads(result.out)["status"]
    assert "The prompt was refused" in json.loads(result.err)["error"]["message"]


def test_completed_without_urls_is_exit_3_and_names_the_filter(logged_in, service):
    """
    A silent refusal is no success.
    """
    service.faults["GET /jobs/"] = [job(status="completed", result={})] * 4

    result = logged_in("generate", "a cat")

    assert 3 == result.code
    assert "content filter" in result.err


def test_a_cancelled_job_is_exit_10(logged_in, service):
    """
    Cancelled is neither done nor failed.
    """
    service.faults["GET /jobs/"] = [job(status="canceled")]

    assert 10 == logged_in("generate", "a cat").code


def test_some_of_several_is_exit_9(logged_in, service):
    """
    What succeeded is saved and told; the code says that not all did.
    """
    service.faults["GET /jobs/"] = [job(status="failed"), None]

    result = logged_in("generate", "a cat", "-n", "2", "-o", "out.png")

    assert (9, 1) == (result.code, len(result.out.splitlines()))


def test_the_time_limit_is_exit_8_with_the_command_that_goes_on(logged_in, service):
    """
    The job is kept, and the hint collects it without paying again.
    """
    service.faults["GET /jobs/"] = [job(status="queued")] * 9

    result = logged_in("generate", "a cat", "--timeout", "10s", "-o", "out.png")
    [made] = service.store.jobs()

    assert 8 == result.code
    assert result.err.endswith(f": krea wait {made.job_id}\n")
    service.faults.clear()
    again = logged_in("wait", made.job_id)
    assert (0, "out.png\n") == (again.code, again.out)
    assert 1 == service.bills


def test_an_unknown_status_is_waited_on_and_quoted(logged_in, service):
    """
    A word that this version does not know is neither success nor failure.
    """
    service.faults["GET /jobs/"] = [job(status="dreaming")] * 9

    result = logged_in("generate", "a cat", "--timeout", "10s")

    assert 8 == result.code
    assert "'dreaming'" in result.err


@pytest.mark.parametrize(
    ("status", "code"), [(401, 4), (402, 5), (404, 2), (422, 2), (410, 2), (400, 2)]
)
def test_a_refusal_is_told_by_its_code(logged_in, service, status, code):
    """
    The service said no: one line with its reason, one request, nothing billed.
    """
    service.faults[ROUTE] = [answer(status, {"error": "because of it"})]

    result = logged_in("generate", "a cat")

    assert (code, 0) == (result.code, service.bills)
    assert "because of it" in result.err
    assert 1 == len(service.requests(ROUTE))


def test_passing_trouble_while_waiting_is_no_failure(logged_in, service):
    """
    Resets, 5xx and HTML while polling are looked past.
    """
    service.faults["GET /jobs/"] = [reset, answer(502), html(502), answer(429)] * 2

    assert 0 == logged_in("generate", "a cat").code


def test_a_token_rejected_while_waiting_names_the_job(logged_in, service):
    """
    401 stops at once with exit 4; the job and the command for it are told.
    """
    service.faults["GET /jobs/"] = [answer(401, {"message": "Unauthorized"})]

    result = logged_in("generate", "a cat")
    [made] = service.store.jobs()

    assert 4 == result.code
    assert f"krea wait {made.job_id}" in result.err


ESCAPED = TOKEN.replace("/", "\\/").replace("+", "\\u002B")
ECHOES = {
    "raw": json.dumps({"error": f"bad {TOKEN}"}),
    "escaped, then cut": f'{{"error": "{"x" * 470} bad {ESCAPED}"}}',
    "first character escaped": f'{{"detail": [{{"msg": "bad \\u0035{ESCAPED[1:]}"}}]}}',
    "JSON in JSON": json.dumps({"error": f'{{"was": "bad {ESCAPED}"}}'}),
    "base64": json.dumps({"error": f"bad {b64encode(TOKEN.encode()).decode()}"}),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_the_token_is_never_echoed(logged_in, service, echo, encoding):
    """
    A service that sends the token back, in whatever spelling of JSON, does not get any
    part of it on the screen.
    """
    service.faults[ROUTE] = [answer(422, content=echo.encode(encoding))]

    result = logged_in("generate", "a cat", "--json", "-v")

    assert "bad ***" in result.err
    assert not [part for part in (TOKEN[1:9], TOKEN[-8:]) if part in result.err]


@pytest.mark.parametrize("words", [(f"a {TOKEN}",), ("a", "-p", f"style={TOKEN}")])
@pytest.mark.parametrize("where", [(), ("--sandbox",)])
def test_a_request_with_the_token_in_it_is_not_sent(logged_in, service, words, where):
    """
    It would be in the journal, in names and in the account's history.
    """
    result = logged_in("generate", *words, "--no-validate", *where)

    kept = Path(logged_in.env["KREA_STATE_DIR"]).rglob("*")
    assert (2, 0) == (result.code, service.bills)
    assert "The request contains your API token" in result.err
    assert not [path for path in kept if path.is_file() and held(path)]


def held(path):
    return TOKEN[-8:].encode() in path.read_bytes()


def test_a_service_that_is_gone_at_the_deadline_is_exit_8(logged_in, service):
    """
    The job was taken: 6 would say that it may be run again, and be paid again.
    """
    service.faults["GET /jobs/"] = [answer(503)] * 50

    result = logged_in("generate", "a cat", "--timeout", "20s")
    [made] = service.store.jobs()

    assert 8 == result.code
    assert f"krea wait {made.job_id}" in result.err


@pytest.mark.parametrize(
    ("template", "taken"),
    [("{stem}-{slug}.png", "photo-oil.png"), ("{slug}.{ext}", "oil.jpg")],
)
def test_a_template_that_gives_a_taken_name_is_refused_before(
    logged_in, service, photo, template, taken
):
    """
    As far as the name is known before the job, nobody pays to find out.
    """
    Path(taken).write_bytes(b"mine")

    result = logged_in("generate", "oil", "-i", photo, "-o", template)

    assert (7, b"mine") == (result.code, Path(taken).read_bytes())
    assert [] == service.seen


@pytest.mark.parametrize("name", ["a.svg", "a.pdf", "a.obj", "{slug}.xyz"])
def test_an_ending_that_krea_cannot_write_is_refused_before(logged_in, service, name):
    """
    A picture does not become what its name says by being called so.
    """
    result = logged_in("generate", "oil", "-o", name)

    assert 2 == result.code
    assert "Cannot write ." in result.err
    assert [] == service.seen


def test_no_download_and_a_target_contradict_each_other(logged_in, service):
    """
    One of the two was not meant.
    """
    result = logged_in("generate", "oil", "--no-download", "-o", "a.png")

    assert 2 == result.code
    assert [] == service.seen


def test_one_job_for_two_requests_is_no_success(logged_in, service):
    """
    Two were paid for, as far as anyone knows, and there is one.
    """
    body = {"job_id": "a1b2c3d4", "status": "queued", "created_at": "x"}
    service.faults[ROUTE] = [answer(200, body), answer(200, body)]
    done = {"status": "completed", "result": {"urls": [f"{service.url}/results/x.png"]}}
    service.faults["GET /jobs/"] = [job(**done)]

    result = logged_in("generate", "a cat", "-n", "2", "-o", "a.png")

    assert 11 == result.code
    assert "job a1b2c3d4, which belongs to" in result.err
    assert "krea jobs recover" in result.err


def test_another_job_than_asked_for_is_not_taken_for_it(logged_in, service):
    """
    Its picture would be somebody else's, or that of another prompt.
    """
    other = "00000000-0000-4000-8000-000000000000"
    service.faults["GET /jobs/"] = [job(job_id=other, status="completed")] * 400

    result = logged_in("generate", "a cat", "-o", "a.png")

    assert 6 == result.code
    assert not Path("a.png").exists()


def test_nothing_is_submitted_after_the_time_is_up(logged_in, service, time):
    """
    The limit counts from the first request: what is left is not paid for.
    """

    def slow(handler):
        time.elapsed += 30
        SandboxHandler.handle_route(handler, "POST", handler.path)

    service.faults[ROUTE] = [slow] * 20

    words = ("-n", "20", "--timeout", "50s", "-o", "a/")
    result = logged_in("generate", "a cat", *words)

    # The first alone, then four at once.
    assert 2 <= service.bills <= 5
    assert 8 == result.code
    assert f"submitting {service.bills} of 20 jobs" in result.err


def test_a_device_is_not_replaced_by_a_file(logged_in, service):
    """
    Not even with --force, and it is found out before anything is sent.
    """
    os.mkfifo("pipe.png")

    result = logged_in("generate", "a cat", "-f", "-o", "pipe.png")

    assert 7 == result.code
    assert [] == service.seen


def test_a_service_that_is_silent_is_given_up_soon(logged_in, monkeypatch):
    """
    An address that never answers takes one time limit, not four.
    """
    monkeypatch.setattr(http, "CONNECT_TIMEOUT_SECONDS", 0.3)
    started = real_time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        result = logged_in("generate", "a cat", "--api-url", url)

    assert 6 == result.code
    assert real_time.monotonic() - started < 2
    assert "_ssl.c" not in result.err


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("taken.png", "taken.png already exists"),
        ("none/owl.png", "Folder none does not exist"),
        ("owl.mp4", "cannot be saved as owl.mp4"),
        ("new.png", ""),
    ],
)
def test_dry_run_tells_what_is_wrong_with_the_name(krea, output, says):
    """
    As a warning: the request is shown all the same, and nothing is made.
    """
    Path("taken.png").touch()
    plain = krea("generate", "an owl", "--dry-run")

    result = krea("generate", "an owl", "--dry-run", "-o", output)

    assert (0, plain.out) == (result.code, result.out)
    assert bool(says) == ("warning: Without --dry-run this would fail: " in result.err)
    assert says in result.err
    assert ["taken.png"] == [path.name for path in Path().iterdir()]
