"""
What nobody can use ends before it costs anything: one clear line, the right code.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest
from conftest import png
from service import TOKEN, answer, html

EDIT = ("generate", "a watercolor", "-i")
SUBMIT = "POST /generate/"


@pytest.fixture
def made(tmp_path):
    """
    A folder with one thing of each kind that is no image to send.
    """
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("This is no picture.")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "fifo.png")
    (folder / "good.png").write_bytes(png())
    (folder / "cut.png").write_bytes(png()[:-12])
    (folder / "unreadable.png").symlink_to("unreadable.png")
    with (folder / "big.png").open("wb") as file:
        file.write(png())
        file.truncate(80_000_000)
    return folder


def tree(folder):
    """
    Every file with its content, apart from the journal, which may be made empty.
    """
    return {
        path: path.read_bytes()[:100] if path.is_file() else None
        for path in folder.rglob("*")
        if "state" not in path.parts and path.lstat().st_size < 10_000_000
    }


def refused(krea, service, *words, env=None):
    """
    The code and the error of a run, after a look that it cost nothing, wrote nothing
    and said the same as text and as JSON.
    """
    before = tree(Path.cwd()), tree(Path(krea.env["HOME"]))

    text = krea(*words, env=env)
    told = krea(*words, "--json", env=env)
    said = [line for line in text.err.splitlines() if not line.startswith("warning")]
    error = json.loads(told.err)["error"]

    assert ("", "") == (text.out, told.out)
    assert text.code == told.code == error["exit_code"]
    assert [
        f"error: {error['message']}",
        *(f"  {detail}" for detail in error["details"]),
        *(f"hint: {hint}" for hint in (error["hint"] or "").splitlines()),
    ] == said
    assert before == (tree(Path.cwd()), tree(Path(krea.env["HOME"])))
    assert 0 == service.bills
    assert TOKEN not in text.err + told.err
    return text.code, error


# The words after `generate PROMPT -i`, and what the error says.
IMAGES = {
    "missing": ("none.png", "does not exist"),
    "empty": ("empty.png", "is empty"),
    "unreadable": ("unreadable.png", "Cannot read"),
    "no image": ("text.png", "is not a JPEG"),
    "a folder": ("folder.png", "is a folder"),
    "a FIFO": ("fifo.png", "not a regular file"),
    "80 MB": ("big.png", "80.0 MB"),
    "a folder in a file": ("text.png/x.png", "Cannot read"),
    "cut": ("cut.png", "incomplete or damaged"),
}


@pytest.mark.posix
@pytest.mark.parametrize(("name", "says"), IMAGES.values(), ids=IMAGES)
def test_an_image_that_cannot_be_used(logged_in, service, made, name, says):
    """
    Exit 2, the file is named, and nothing is asked of the service.
    """
    code, error = refused(logged_in, service, *EDIT, made / name)

    assert (2, "input") == (code, error["code"])
    assert str(made / name) in error["message"]
    assert says in error["message"]
    assert [] == service.seen


@pytest.mark.parametrize("words", [("generate", "x", "-p"), ("upload",)])
def test_a_cut_file_is_refused_wherever_it_is_named(logged_in, service, made, words):
    """
    Also in a field, and where it is only uploaded.
    """
    at = "image_urls=@" if "-p" in words else ""

    code, error = refused(logged_in, service, *words, f"{at}{made / 'cut.png'}")

    assert 2 == code
    assert "incomplete or damaged" in str(error)
    assert [] == service.seen


def test_a_codec_that_is_missing_is_found_out_before_it_is_paid_for(
    logged_in, service, monkeypatch
):
    """
    Pillow is there, and its library for AVIF cannot be loaded.
    """
    monkeypatch.setitem(sys.modules, "PIL._avif", None)

    code, error = refused(logged_in, service, "generate", "an owl", "-o", "x.avif")

    assert 2 == code
    assert "Cannot write AVIF files" in error["message"]
    assert [] == service.seen


WORDS = {
    "no prompt": (("generate",), "prompt"),
    "empty prompt": (("generate", ""), "prompt is empty"),
    "blank prompt": (("generate", " \n"), "prompt is empty"),
    "empty standard input": (("generate", "-"), "prompt is empty"),
    "unknown model": (("generate", "an owl", "-m", "nano-bananna"), "nano-bananna"),
    "empty model": (("generate", "an owl", "-m", ""), "model"),
    "no name of an image": ((*EDIT, ""), "file name is empty"),
    "no name of fields": (("generate", "x", "--params", ""), "file name is empty"),
    "empty output": (("generate", "an owl", "-o", ""), "-o"),
    "unknown field in a name": (("generate", "an owl", "-o", "{x}.png"), "{x}"),
    "timeout": (("generate", "an owl", "--timeout", "abc"), "'abc' is not a duration"),
    "no time": (("wait", "@last", "--timeout", "0"), "'0' is not a duration"),
    "No jobs yet": (("status", "@last"), "No jobs yet"),
    "no job to wait for": (("wait",), "No jobs yet"),
    "no job to save": (("download", "@last"), "No jobs yet"),
    "is not a job id": (("status", "../../etc"), "is not a job id"),
    "http": (("status", "--api-url", "http://api.krea.ai"), "https"),
    "no URL": (("status", "--api-url", "api.krea.ai"), "https://"),
    "http image": ((*EDIT, "http://example.com/a.png", "--api-url"), "https"),
    "no data": ((*EDIT, "data:image/png;base64,@@"), "data URI"),
    "no webhook": (("generate", "an owl", "--webhook", "me"), "webhook"),
    "a webhook too long to be sent": (
        ("generate", "an owl", "--webhook", f"https://a.test/{'x' * 2048}"),
        "at most 2048 characters",
    ),
}


@pytest.mark.parametrize(("words", "says"), WORDS.values(), ids=WORDS)
def test_words_that_make_no_sense(logged_in, service, words, says):
    """
    Exit 2 before anything is asked of the service.
    """
    if words[-1] == "--api-url":  # a real one, where images must be https as well
        words = (*words, "https://api.krea.ai")

    code, error = refused(logged_in, service, *words)

    assert 2 == code
    assert says in " ".join([error["message"], *error["details"]])
    assert [] == service.seen


def test_two_results_for_one_pipe(logged_in, service):
    """
    Exit 2, before anything is asked of the service.
    """
    result = logged_in("generate", "an owl", "-n", "2", "-o", "-")

    assert (2, "", []) == (result.code, result.out, service.seen)
    assert "one result only" in result.err


def test_an_unknown_model_names_the_nearest(logged_in, service):
    """
    One letter too many is found again.
    """
    _, error = refused(logged_in, service, "generate", "an owl", "-m", "nano-bananna")

    assert "nano-banana" in error["hint"]


TOKENS = {
    "none": ({"KREA_API_KEY": ""}, "KREA_API_KEY is set but empty"),
    "broken": ({"KREA_API_KEY": f"{TOKEN}\nX: y"}, "spaces"),
    "carriage return": ({"KREA_API_KEY": f"{TOKEN}\rX"}, "spaces"),
    "non-ASCII": ({"KREA_API_KEY": f"{TOKEN}\u2026"}, "non-ASCII"),
    "other variable": (
        {"KREA_API_KEY": "", "KREA_API_TOKEN": "two words"},
        "KREA_API_TOKEN",
    ),
}


@pytest.mark.parametrize(("variables", "says"), TOKENS.values(), ids=TOKENS)
def test_a_token_that_cannot_be_one(logged_in, service, variables, says):
    """
    Exit 4, where it came from and what is wrong with it, none of it; nothing is sent.
    """
    code, error = refused(logged_in, service, "generate", "an owl", env=variables)

    assert (4, []) == (code, service.seen)
    assert says in error["message"]
    assert "KREA_API_" in error["hint"] + error["message"]


def test_a_final_newline_is_no_fault_of_a_token(logged_in, service):
    """
    `export KREA_API_KEY="$(cat token)"` on some system leaves one.
    """
    env = {"KREA_API_KEY": f"{TOKEN}\r\n"}

    assert 0 == logged_in("generate", "an owl", env=env).code


TARGETS = {
    "existing": ("taken.png", "exists"),
    "existing link": ("dangling.png", "exists"),
    "no such folder": ("nowhere/x.png", "does not exist"),
    # Not even root can write there.
    "unwritable folder": ("/sys/x.png", "Cannot write"),
    "unwritable new folder": ("/sys/new/", "Cannot write"),
    "file as folder": ("taken.png/x.png", "Cannot write"),
}


@pytest.mark.parametrize(("output", "says"), TARGETS.values(), ids=TARGETS)
def test_a_result_that_could_not_be_saved(logged_in, service, output, says):
    """
    Exit 7 before anything is asked of the service.
    """
    Path("taken.png").write_bytes(b"mine")
    Path("dangling.png").symlink_to("nowhere.png")

    code, error = refused(logged_in, service, "generate", "an owl", "-o", output)

    assert (7, []) == (code, service.seen)
    assert says in error["message"]
    assert any(
        word in f"{error['message']} {error['hint']}" for word in ("-o", "--force")
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("model = \n", "line 1"),
        ("\ncolor = 'auto'\ntimeout = 1m\n", "line 3"),
        ("timeout = 'soon'\n", "'soon'"),
        ("timout = '5m'\n", "timout"),
    ],
)
def test_config_file_with_an_error_is_refused(logged_in, service, content, says):
    """
    Exit 2 with the file, and the line or the value.
    """
    file = Path(logged_in.env["KREA_CONFIG_DIR"], "config.toml")
    file.parent.mkdir()
    file.write_text(content)

    code, error = refused(logged_in, service, "generate", "an owl")

    assert (2, "config", []) == (code, error["code"], service.seen)
    assert str(file) in error["message"]
    assert says in error["message"]


def test_a_host_that_cannot_be_reached(logged_in, service):
    """
    Exit 6, the host is named: nothing was sent, so nothing was paid for.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    words = ("generate", "an owl", "--api-url", f"http://127.0.0.1:{port}")

    code, error = refused(logged_in, service, *words)

    assert (6, "unreachable") == (code, error["code"])
    assert f"127.0.0.1:{port}" in error["message"]


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (400, 2, "refused"),
        (401, 4, "token_rejected"),
        (402, 5, "balance"),
        (404, 2, "refused"),
        (422, 2, "refused"),
    ],
)
def test_a_request_that_the_service_refuses(logged_in, service, status, code, name):
    """
    One request, its reason, no job.
    """
    service.faults[SUBMIT] = [answer(status, {"error": "Because of it"})] * 2

    ended, error = refused(logged_in, service, "generate", "an owl")

    assert (code, name) == (ended, error["code"])
    assert "Because of it" in error["message"]
    assert 2 == len(service.requests(SUBMIT))  # one as text, one as JSON


@pytest.mark.parametrize(
    ("fault", "says"), [(html(200), "HTML"), (answer(500, {"error": "Oh"}), "Oh")]
)
def test_the_same_answers_to_a_free_request(logged_in, service, fault, says):
    """
    Exit 6: what happened is known, nothing.
    """
    service.faults["GET /jobs/"] = [fault] * 9
    job_id = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"

    code, error = refused(logged_in, service, "status", job_id)

    assert 6 == code
    assert says in error["message"]


def test_all_faults_of_the_words_are_told_at_once(logged_in, service, made):
    """
    Those of fields, of JSON and of files, one a line.
    """
    words = (*EDIT, made / "none.png", "-m", "kling/kling-2.5", "--params", "no.json")
    fields = ("duration=5", "generate_audio:=yes", "start_image=@nope.jpg", "cfg")

    code, error = refused(
        logged_in, service, *words, *(f"-p{field}" for field in fields)
    )

    assert (2, "invalid_request") == (code, error["code"])
    assert sorted(line.partition(":")[0] for line in error["details"]) == [
        "--params",
        "cfg",
        "generate_audio",
        "start_image",
        "start_image",
    ]
    text = '-p generate_audio:= needs valid JSON, not "yes"'
    assert text in " ".join(error["details"])
    assert [] == service.seen
