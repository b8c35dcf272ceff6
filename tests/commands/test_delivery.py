"""
The way to the disk, while others and the disk itself are in the way.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import terminals
from conftest import png
from media.samples import encoded, picture, sound
from PIL import Image
from service import cut, file, html, job

from krea_cli.sandbox.http_handler import SandboxHandler

RESULT = "GET /results/"
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.executable, [sys.executable, "-m", "krea_cli", *sys.argv[2:]])
"""
# So that pipelines read as users write them.
KREA = f"""
set -o pipefail
krea() {{ {shlex.quote(sys.executable)} -m krea_cli "$@"; }}
"""


def bills(service):
    """
    How many jobs the service has to be paid for.
    """
    with urllib.request.urlopen(f"{service.url}/sandbox/ledger") as answer:
        return json.load(answer)["billed"]


def meanwhile(act):
    """
    The request is answered as always, after *act*.
    """

    def fault(handler):
        act()
        path = handler.path.partition("?")[0]
        SandboxHandler.handle_route(handler, handler.command, path)

    return fault


def left(folder="."):
    return sorted(str(path) for path in Path(folder).rglob("*"))


def as_link(target):
    target.symlink_to("victim.png")


def as_folder(target):
    target.mkdir()


def as_file(target):
    target.write_bytes(b"theirs")


def as_file_for_its_folder(target):
    target.parent.rmdir()
    target.parent.write_bytes(b"theirs")


STREAMED = sound()
STREAMED = STREAMED[:4] + b"\xff" * 4 + STREAMED[8:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", png() + b"\n"),
        ("a.jpg", encoded("JPEG") + b"\r\n"),
        ("a.webp", encoded("WEBP") + b"<html>"),
        ("a.wav", STREAMED),
    ],
)
def test_a_whole_result_is_saved_to_the_letter(logged_in, service, name, content):
    """
    With what is behind its end, or without saying where that is: the server did.
    """
    service.faults[RESULT] = [file(content)]

    result = logged_in("generate", "a cat", "-o", Path(name).with_suffix(".{ext}"))

    assert (0, f"{name}\n") == (result.code, result.out)
    assert content == Path(name).read_bytes()


def test_what_says_nowhere_how_long_it_is_cannot_be_whole(logged_in, service):
    """
    It is not fetched again, as no other attempt would know more.
    """
    service.faults[RESULT] = [cut(STREAMED, len(STREAMED), declared=False)]

    result = logged_in("generate", "a cat")

    assert 7 == result.code
    assert "Cannot verify that" in result.err
    assert 1 == len(service.requests(RESULT))


@pytest.mark.posix
@pytest.mark.parametrize(
    "become",
    [
        as_link,
        as_file_for_its_folder,
        pytest.param(as_folder, marks=pytest.mark.long),
        pytest.param(as_file, marks=pytest.mark.long),
    ],
)
def test_a_target_that_is_taken_meanwhile_costs_nothing(logged_in, service, become):
    """
    Found out after the job was paid for: exit 7, nothing of others is touched, nothing
    half is left, and the result is had for no second bill.
    """
    target = Path("sub/out.png")
    target.parent.mkdir()
    Path("sub/victim.png" if become is as_link else "victim.png").write_bytes(b"theirs")
    if become is as_file_for_its_folder:
        service.faults["GET /jobs/"] = [meanwhile(lambda: become(target))]
    else:
        service.faults[RESULT] = [meanwhile(lambda: become(target))]

    result = logged_in("generate", "an owl", "-o", target)

    [made] = service.store.jobs()
    assert (7, "") == (result.code, result.out)
    words = ["download", made.job_id, "-o", f"{made.job_id[:8]}.png"]
    assert f"krea {shlex.join(words)}\n" in result.err
    theirs = [Path(name).read_bytes() for name in left() if Path(name).is_file()]
    assert [b"theirs"] * len(theirs) == theirs
    # A folder that has the name by now takes the result, as it does with -o.
    code = logged_in("download", "@last").code
    assert (0 if become is as_folder else 7) == code
    again = logged_in(*words)
    assert (0, f"{made.job_id[:8]}.png\n") == (again.code, again.out)
    assert png() == Path(again.out.strip()).read_bytes()
    assert 1 == bills(service) == len(service.requests("POST /generate"))


@pytest.fixture
def on_time(remote, live):
    """
    The program as a process, and a service on real time.
    """
    remote.env["KREA_API_URL"] = live.url
    return remote, live


def limited(krea, size, *words):
    """
    The program as a process that can write no file of more than so many bytes.
    """
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *words],
        env=krea.env,
        cwd=krea.cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.parametrize("output", ["out.png", "new/", "-"])
def test_a_disk_that_gets_full_costs_nothing(on_time, output):
    """
    Exit 7, nothing half is left, and the result is had for no second bill once there is
    room.
    """
    krea, service = on_time
    service.picture = encoded("PNG", picture((900, 700)))
    size = len(service.picture) - 1

    result = limited(krea, size, "generate", "an owl", "-o", output)

    assert (7, "") == (result.returncode, result.stdout)
    assert "File too large" in result.stderr
    assert [] == [path for path in krea.cwd.rglob("*") if path.is_file()]
    assert [] == list(Path(krea.env["TMPDIR"]).iterdir())
    again = krea("download", "@last")
    assert 0 == again.code
    assert service.picture == (krea.cwd / again.out.strip()).read_bytes()
    assert 1 == bills(service) == len(service.requests("POST /generate"))


@pytest.mark.long
@pytest.mark.parametrize("output", ["out.png", "new/{slug}.{ext}", "-"])
def test_a_disk_that_is_full_is_found_before_anything_is_sent(remote, service, output):
    """
    Nobody pays for a result that has no room.
    """
    result = limited(remote, 500_000, "generate", "an owl", "-o", output)

    assert (7, "") == (result.returncode, result.stdout)
    assert [] == service.seen


@pytest.mark.long
@pytest.mark.timeout(180)
def test_of_many_processes_one_gets_the_name(on_time):
    """
    Twenty runs, each with a result of its own: one whole file, nineteen clear refusals,
    and the journal knows which it is.
    """
    krea, service = on_time
    job_ids = krea("generate", "an owl", "-n", "20", "--no-wait").out.split()
    krea("wait", *job_ids)
    service.faults[RESULT] = [file(png((width, 4))) for width in range(1, 21)]

    processes = [
        krea.start("download", job_id, "-o", "out.png", "--json") for job_id in job_ids
    ]
    said = [each.communicate(timeout=150) for each in processes]
    codes = [each.returncode for each in processes]

    winner = codes.index(0)
    [told] = json.loads(said[winner][0])["files"]
    content = (krea.cwd / "out.png").read_bytes()
    assert [0, *[7] * 19] == sorted(codes)
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert 19 == sum(b"already exists" in err for _, err in said)
    assert ["out.png"] == [path.name for path in krea.cwd.iterdir()]


def piped(shell, line):
    return subprocess.run(
        ["bash", "-c", KREA + line],
        env=shell.env | {"KREA_SANDBOX": "1"},
        cwd=shell.cwd,
        capture_output=True,
        check=False,
        timeout=50,
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "line",
    [
        'cat in.jpg | krea generate "oil" -i - -o - > out.png',
        'krea generate "an owl" -o - | krea generate "oil" -i - -o out.png >&2',
        'krea generate "owl" -o - | krea generate "oil" -i - -o - | cat > out.png',
    ],
)
def test_pictures_go_through_pipes(shell, photo, line):
    """
    Between the programs there is a picture and nothing but the picture.
    """
    photo.rename(shell.cwd / "in.jpg")

    result = piped(shell, line)

    assert (0, b"") == (result.returncode, result.stdout), result.stderr
    content = (shell.cwd / "out.png").read_bytes()
    assert content.endswith(b"IEND\xaeB`\x82")
    with Image.open(shell.cwd / "out.png") as image:
        image.load()
        assert "PNG" == image.format


@pytest.mark.long
def test_no_bytes_go_to_a_terminal(remote, service):
    """
    Exit 2 before anything is sent, with the way out.
    """
    command = [sys.executable, "-m", "krea_cli", "generate", "an owl", "-o", "-"]

    shown = terminals.run(command, env=remote.env)

    assert 2 == shown.code
    assert b"use -o FILE" in shown.output
    assert [] == service.seen


def test_what_is_on_disk_is_told_although_the_rest_fails(logged_in, service):
    """
    The first of two results, and the path as it was asked for; the exit code is that of
    the second, whose next try costs nothing and fetches nothing twice.
    """
    urls = [f"{service.url}/results/{name}.png" for name in ("one", "two")]
    done = job(status="completed", result={"urls": urls})
    service.faults["GET /jobs/"] = [done] * 9
    service.faults["GET /results/two"] = [html()]
    service.faults["GET /results/"] = [file(png())] * 2

    result = logged_in("generate", "an owl", "-o", "a.png")

    assert (7, "a-1.png\n") == (result.code, result.out)
    [told] = json.loads(logged_in("status", "--json").out)["files"]
    assert (str(Path("a-1.png").absolute()), urls[0]) == (told["path"], told["url"])
    again = logged_in("download", "-o", "a.png")
    assert (0, "a-1.png\na-2.png\n") == (again.code, again.out)
    assert 3 == len(service.requests(RESULT))
