"""
What says how a result was made, and the same request again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from conftest import png
from media.metadata import marked
from service import TOKEN, file

from krea_cli import __version__

EDIT = ("generate", "Two Owls!", "-o", "out.png", "--sidecar")
SIDECAR = Path("out.png.json")


@pytest.fixture
def owl(krea):
    """
    A picture in the folder that krea runs in.
    """
    Path("owl.png").write_bytes(png())
    return Path("owl.png")


@pytest.fixture
def sent(service):
    """
    The fields that arrived for each job, files as their sha256, the first first.
    """
    return lambda: [dict(job.fields) for job in reversed(service.store.jobs())]


def sidecar(**changes):
    """
    The sidecar of a run, changed and written back.
    """
    data = json.loads(SIDECAR.read_text()) | changes
    SIDECAR.write_text(json.dumps(data))
    return data


def test_a_sidecar_says_how_the_result_was_made(logged_in, owl, service):
    """
    Beside it, under the same mode; the image by its place in the folder and its own
    sha256, nothing secret.
    """
    result = logged_in(*EDIT, "-i", owl, "--json")

    job, told = json.loads(result.out), json.loads(SIDECAR.read_text())
    digest = hashlib.sha256(png()).hexdigest()

    assert (0, "") == (result.code, result.err)
    assert [
        "krea",
        "job_id",
        "service",
        "model",
        "path",
        "body",
        "inputs",
        "not_kept",
        "inline",
        "fit",
        "keep_metadata",
        "cost_usd",
        "created_at",
        "completed_at",
        "file",
    ] == list(told)
    same = ("job_id", "model", "cost_usd", "created_at", "completed_at")
    assert [job[name] for name in same] == [told[name] for name in same]
    [upload] = told["body"].pop("image_urls")
    assert {"prompt": "Two Owls!"} == told["body"]
    assert upload.startswith(f"{service.url}/uploads/")
    assert [{"at": ["image_urls", 0], "path": "owl.png", "sha256": digest}] == (
        told["inputs"]
    )
    assert job["files"] == [told["file"]]
    assert Path("out.png").stat().st_mode == SIDECAR.stat().st_mode
    assert TOKEN not in SIDECAR.read_text()


def test_the_same_request_is_sent_again(logged_in, owl, sent, service):
    """
    From wherever the folder is now: the file is what is sent, not the old upload.
    """
    logged_in(*EDIT, "-i", owl)
    sidecar(body={"prompt": "Two Owls!", "image_urls": ["https://gone.test/x"]})
    folder = Path.cwd().rename(Path.cwd().with_name("moved"))
    os.chdir(folder.parent)

    result = logged_in("replay", "moved/out.png.json", "-o", "again.png")

    first, again = sent()
    assert (0, "again.png\n") == (result.code, result.out)
    assert first == again
    assert 1 == len(service.requests("POST /assets"))


def test_options_win_over_the_sidecar(logged_in, owl, sent):
    """
    A field, the images, how often; the default name is that of any new job.
    """
    logged_in(*EDIT, "-i", owl)
    words = ("-p", "prompt=A dog", "-p", "resolution=2K", "-i", "out.png", "-n", "2")

    result = logged_in("replay", SIDECAR, *words, "--sidecar")

    _, *others = sent()
    digest = hashlib.sha256(Path("out.png").read_bytes()).hexdigest()
    assert 0 == result.code
    assert [
        {
            "prompt": "A dog",
            "resolution": "2K",
            "image_urls": [f"sha256:{digest}"],
        }
    ] * 2 == others
    assert all(Path(f"{path}.json").exists() for path in result.out.split())


def test_a_dry_replay_sends_nothing(logged_in, owl, service):
    """
    It shows where the file goes, and the price.
    """
    logged_in(*EDIT, "-i", owl)
    service.seen.clear()

    result = logged_in("replay", SIDECAR, "--dry-run", "--json")

    [url] = json.loads(result.out)["body"]["image_urls"]
    assert url == f"(upload of {owl.absolute()})"
    assert [] == service.seen


@pytest.mark.parametrize(
    ("words", "change", "reason"),
    [
        (("-i", "owl.png"), lambda: Path("owl.png").write_bytes(png((9, 9))), "sha256"),
        (("-i", "owl.png"), lambda: Path("owl.png").unlink(), "does not exist"),
        (("-i", "-"), lambda: None, "standard input"),
        (("-i", "DATA"), lambda: None, "data URI"),
        (("-i", "https://s.krea.ai/x.png?key=canary"), lambda: None, "not stored"),
    ],
    ids=["changed", "gone", "stdin", "data", "signed"],
)
def test_an_image_that_is_not_there_is_refused(
    logged_in, owl, service, photo, words, change, reason
):
    """
    Before anything is sent, with the way to go on; nothing of it is in the sidecar.
    """
    data = "data:image/png;base64," + base64.b64encode(png()).decode()
    logged_in.stdin = png()
    logged_in(*EDIT, *[word.replace("DATA", data) for word in words])
    change()
    service.seen.clear()

    refused = logged_in("replay", SIDECAR)
    sent = list(service.seen)
    other = logged_in("replay", SIDECAR, "-i", photo, "-o", "again.png")

    assert (2, "", []) == (refused.code, refused.out, sent)
    assert reason in refused.err
    assert "-p image_urls=" in refused.err
    assert 0 == other.code
    assert "canary" not in SIDECAR.read_text()
    assert data not in SIDECAR.read_text()


def test_a_text_that_was_not_kept_is_asked_for(logged_in, sent):
    """
    A prompt with a signed URL is not sent without it.
    """
    prompt = "Owls as on https://a.test/x?key=canary"
    logged_in("generate", prompt, "-o", "out.png", "--sidecar")

    refused = logged_in("replay", SIDECAR)
    logged_in("replay", SIDECAR, "-p", f"prompt={prompt}", "-o", "again.png")

    assert (2, True) == (refused.code, "-p prompt=VALUE" in refused.err)
    assert sent()[0] == sent()[1]
    assert "canary" not in SIDECAR.read_text()


def test_images_are_sent_in_the_same_manner(logged_in, service, tmp_path):
    """
    Inline; the sidecar has a hash where the bytes stood. Their metadata is kept only by
    the command line.
    """
    Path("owl.jpg").write_bytes(marked.jpeg())
    logged_in(*EDIT, "-i", "owl.jpg", "--inline", "--keep-metadata")
    digest = hashlib.sha256(marked.jpeg()).hexdigest()

    result = logged_in("replay", SIDECAR, "-o", "again.png", "--keep-metadata")

    kept = json.loads(SIDECAR.read_text())["body"]["image_urls"]
    files = list((service.store.folder / "inputs").iterdir())
    assert 0 == result.code
    assert [f"data:image/jpeg;sha256={digest}"] == kept
    assert [] == service.requests("POST /assets")
    assert [marked.jpeg()] == [path.read_bytes() for path in files]


def test_a_sidecar_does_not_keep_metadata(logged_in, service):
    """
    It may come from anybody: what a photo tells is sent only by the command line.
    """
    Path("owl.jpg").write_bytes(marked.jpeg())
    logged_in(*EDIT, "-i", "owl.jpg", "--inline", "--keep-metadata")
    original = set((service.store.folder / "inputs").iterdir())

    result = logged_in("replay", SIDECAR, "-o", "again.png", "--sidecar")

    [sent] = set((service.store.folder / "inputs").iterdir()) - original
    assert 0 == result.code
    assert sent.read_bytes() != marked.jpeg()
    assert "add --keep-metadata" in result.err
    assert json.loads(Path("again.png.json").read_text())["keep_metadata"] is False


def test_today_s_catalog_decides(logged_in, service):
    """
    A field or a model of another day is named.
    """
    logged_in(*EDIT)
    sidecar(body={"prompt": "Two Owls!", "moustache": True})
    field = logged_in("replay", SIDECAR)
    sidecar(path="image/google/nano-potato")
    model = logged_in("replay", SIDECAR)

    assert (2, 2, 1) == (field.code, model.code, service.bills)
    assert "moustache" in field.err
    assert "nano-potato" in model.err


GOOD = {
    "krea": "1",
    "path": "image/google/nano-banana-pro",
    "body": {"prompt": "Two Owls!", "image_urls": ["https://s.krea.ai/x.png"]},
    "inputs": [],
    "not_kept": [],
    "inline": False,
    "fit": False,
    "keep_metadata": False,
}
SECRET = {"at": ["image_urls", 0], "path": "secret.png", "sha256": None}
SIDECARS = {
    "a list": b"[]",
    "no JSON": b"{",
    "deep": b"[" * 200_000,
    "deep in its place": b'{"krea": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
    "a number of many digits": b"1" * 9999,
    "no version": {**GOOD, "krea": 1},
    "no field": {"krea": "1"},
    "a body of text": {**GOOD, "body": "prompt"},
    "a way out of the API": {**GOOD, "path": "image/../../jobs"},
    "a path of numbers": {**GOOD, "path": 7},
    "a place that is not there": {**GOOD, "not_kept": [["image_urls", 9]]},
    "a place that is no text": {**GOOD, "not_kept": [["image_urls"]]},
    "no place": {**GOOD, "not_kept": [[]]},
    "a file without its hash": {**GOOD, "inputs": [SECRET]},
    "two for one place": {**GOOD, "not_kept": [["prompt"], ["prompt"]]},
}


@pytest.mark.parametrize("name", SIDECARS)
def test_what_is_no_sidecar_is_refused(logged_in, service, name):
    """
    In one line, with what to give; nothing is sent, and no file is read for it.
    """
    Path("secret.png").write_bytes(png())
    data = SIDECARS[name]
    SIDECAR.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())

    result = logged_in("replay", SIDECAR)

    assert (2, "", []) == (result.code, result.out, service.seen)
    assert "error: out.png.json is not a krea sidecar." == result.err.splitlines()[0]


def test_a_huge_file_is_not_read(logged_in):
    """
    Nor what is no text; who gives the picture itself is told of the sidecar beside it.
    """
    SIDECAR.write_bytes(b" " * 10**6 + b"{}")
    Path("out.png").write_bytes(png())
    Path("other.png").write_bytes(png())

    huge, picture, other = (
        logged_in("replay", path) for path in (SIDECAR, "out.png", "other.png")
    )

    assert "more than 1,000,000 characters" in huge.err
    assert "krea replay out.png.json" in picture.err
    assert "other.png is not a krea sidecar" in other.err
    assert {2} == {huge.code, picture.code, other.code}


def test_the_sidecar_of_what_was_overwritten_is_told(logged_in):
    """
    It would make another picture than the one that it is beside.
    """
    logged_in("generate", "an owl", "-o", "out.png", "--sidecar")

    same = logged_in("download", "-o", "out.png", "--force")
    result = logged_in("generate", "a fox", "-o", "out.png", "--force")

    assert (0, 0, "") == (result.code, same.code, same.err)
    assert "out.png.json belongs to an earlier result, not to this one" in result.err


def test_a_file_is_sent_only_to_who_knows_it(logged_in, owl, service):
    """
    A sidecar of somebody else that names a file without knowing it gets nothing.
    """
    origin = {"at": ["image_urls", 0], "path": str(owl.absolute()), "sha256": "0" * 64}
    SIDECAR.write_text(json.dumps({**GOOD, "inputs": [origin]}))

    result = logged_in("replay", SIDECAR)

    assert (2, []) == (result.code, service.seen)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-o", "out.png"), 7),
        (("-o", "-"), 2),
        (("--no-download",), 2),
    ],
)
def test_a_sidecar_that_cannot_be_is_known_beforehand(logged_in, service, words, code):
    """
    Nothing is overwritten, nothing sent.
    """
    SIDECAR.write_text("mine")

    result = logged_in("generate", "Two Owls!", "--sidecar", *words)

    assert (code, "mine") == (result.code, SIDECAR.read_text())
    assert "sidecar" in result.err or "out.png.json already exists" in result.err
    assert [] == service.seen


def test_force_overwrites(logged_in):
    """
    As it does the result.
    """
    SIDECAR.write_text("mine")

    assert 0 == logged_in(*EDIT, "--force").code
    assert "job_id" in json.loads(SIDECAR.read_text())


@pytest.mark.posix
def test_a_sidecar_that_cannot_be_written_loses_nothing(logged_in, service):
    """
    The result stays and is told; a command is named that writes it later, for nothing.
    """

    def taken(handler):
        SIDECAR.write_text("mine")
        file(png())(handler)

    service.faults["GET /results/"] = [taken]
    result = logged_in(*EDIT)
    [job] = service.store.jobs()
    SIDECAR.unlink()
    later = logged_in("download", job.job_id, "--sidecar")

    assert (7, "out.png\n") == (result.code, result.out)
    assert (
        "Saved out.png, but not its sidecar: out.png.json already exists" in result.err
    )
    again = f"krea download {job.job_id} -o {job.job_id[:8]}.png --sidecar"
    assert again in result.err
    assert (0, "out.png\n", 1) == (later.code, later.out, service.bills)
    assert job.job_id == json.loads(SIDECAR.read_text())["job_id"]


@pytest.mark.parametrize("command", ["wait", "download"])
def test_a_job_of_before_has_the_same_sidecar(logged_in, owl, time, command):
    """
    From the journal; once more is no fault, whatever version wrote it.
    """
    made = logged_in("generate", "Two Owls!", "-i", owl, "--no-wait")
    time.elapsed += 60
    os.chdir("..")
    words = (command, "-o", "work/of-{stem}.{ext}", "--sidecar")

    first = logged_in(*words)
    # What another version would say of it.
    sidecar = Path("work/of-owl.png.json")
    sidecar.write_text(sidecar.read_text().replace(__version__, "0.0.1"))
    again = logged_in(*words)

    told = json.loads(Path("work/of-owl.png.json").read_text())
    assert (0, 0) == (first.code, again.code)
    assert (made.out.strip(), "owl.png", "of-owl.png") == (
        told["job_id"],
        told["inputs"][0]["path"],
        told["file"]["path"],
    )


def test_a_job_without_a_record_has_none(logged_in, service, time):
    """
    What was sent for it is not known here, so nothing is fetched.
    """
    made = logged_in("generate", "Two Owls!", "--no-wait", "--no-journal")
    time.elapsed += 60

    download = logged_in("download", made.out.strip(), "--sidecar")
    wait = logged_in("wait", made.out.strip(), "--sidecar", "-o", "out.png")
    nowhere = logged_in("wait", made.out.strip(), "--sidecar")

    assert (2, 2, 2) == (download.code, wait.code, nowhere.code)
    assert f"request of job {made.out.strip()}" in download.err
    assert "-o" in nowhere.err
    assert [] == service.requests("GET ")


def test_without_a_journal_there_is_one_nevertheless(logged_in):
    """
    The run itself knows what it sent.
    """
    assert 0 == logged_in(*EDIT, "--no-journal").code
    assert {"prompt": "Two Owls!"} == json.loads(SIDECAR.read_text())["body"]


def test_the_name_has_room_for_its_ending(logged_in):
    """
    Of both names none is over 200 bytes.
    """
    words = ("-o", "{slug}{slug}{slug}{slug}{slug}.{ext}", "--sidecar")

    result = logged_in("generate", "ö" * 300, *words)

    path = Path(result.out.strip())
    assert 0 == result.code
    assert (True, True) == (path.exists(), Path(f"{path}.json").exists())
    assert 194 <= len(os.fsencode(path)) <= 195


def test_whoever_collects_gets_the_sidecar(logged_in):
    """
    The command that is named need not say so.
    """
    logged_in.is_terminal = True

    result = logged_in(*EDIT, "--no-wait")
    [wait] = re.findall("krea (wait .*)", result.out)
    logged_in(*wait.split())

    assert SIDECAR.is_file()
