from __future__ import annotations

import subprocess
import sys
import threading
import uuid

import pytest
from media.samples import encoded, picture
from service import TOKEN, file, job

pytestmark = pytest.mark.long
PICTURE = encoded("PNG", picture((900, 700)))
# Runs a command line, and kills it before or after it calls a function of a module.
KILLED = """
import functools, importlib, os, signal, sys
module, name, when, links = sys.argv[1:5]
owner, _, name = f"{module}:{name}".rpartition(":")
owner = functools.reduce(getattr, owner.split(":")[1:], importlib.import_module(module))
real = getattr(owner, name)
def killing(*values, **named):
    if when == "after":
        real(*values, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, killing)
if links == "no links":
    def link(*_):
        raise OSError(95, "Operation not supported")
    os.link = link
from krea_cli.cli.main import main
sys.exit(main(sys.argv[5:]))
"""
# Recording the outcome comes after the file.
LAST = "JobRecords:record_outcome"
STEPS = [
    ("os", "fsync", "links"),
    ("os", "link", "links"),
    ("krea_cli.files.atomic_file", "rename_noreplace", "no links"),
    ("krea_cli.jobs.job_records", LAST, "links"),
]


class Slow:
    """
    Sends so many bytes of the picture, says so, and no more.
    """

    def __init__(self, size):
        self.size = size
        self.sent, self.may_end = threading.Event(), threading.Event()

    def __call__(self, handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PICTURE)))
        handler.send_header("ETag", '"v1"')
        handler.end_headers()
        handler.wfile.write(PICTURE[: self.size])
        self.sent.set()
        self.may_end.wait(10)
        handler.close_connection = True


@pytest.fixture
def words(shell, live):
    """
    The command line that saves a completed job.
    """
    shell.env |= {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}
    done = job(status="completed", result={"urls": [f"{live.url}/results/x.png"]})
    live.faults["GET /jobs/"] = [done] * 2
    return "download", str(uuid.uuid4()), "-o", "out.png"


def check(shell, words, *, is_there):
    """
    No torn file, and the same command finishes; what else is left is krea's own.
    """
    target = shell.cwd / "out.png"
    left = target.read_bytes() if target.exists() else None
    again = shell(*words)
    others = [path.name for path in shell.cwd.iterdir() if path != target]

    assert left == (PICTURE if is_there else None)
    assert (0, "out.png\n") == (again.code, again.out), again.err
    assert PICTURE == target.read_bytes()
    assert all(name.startswith(".krea-") for name in others)


@pytest.mark.parametrize("moment", range(14))
def test_a_download_that_is_killed_while_it_comes(shell, live, words, moment):
    """
    Whenever kill -9 hits it, from the head of the answer to its last byte.
    """
    slow = Slow((len(PICTURE) - 1) * moment // 13)
    live.faults["GET /results/"] = [slow, file(PICTURE)]

    process = shell.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert slow.sent.wait(20)
    process.kill()
    process.wait()
    slow.may_end.set()

    check(shell, words, is_there=False)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "name", "links"), STEPS)
def test_a_download_that_is_killed_at_its_end(
    shell, live, words, module, name, links, when
):
    """
    Before and after each step: onto the disk, under its name, into the journal.
    """
    live.faults["GET /results/"] = [file(PICTURE)] * 2
    command = [sys.executable, "-c", KILLED, module, name, when, links, *words]

    killed = subprocess.run(command, env=shell.env, cwd=shell.cwd, check=False)

    assert -9 == killed.returncode
    check(
        shell,
        words,
        is_there=name == "JobRecords:record_outcome"
        or (when == "after" and name != "fsync"),
    )
