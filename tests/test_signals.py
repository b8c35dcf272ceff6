from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import termios
import threading
import time as real_time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from conftest import png
from PIL import Image
from service import answer

pytestmark = pytest.mark.posix  # Windows ends a process otherwise
ID = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"

SIGNALS = [
    ((signal.SIGINT,), -signal.SIGINT),
    ((signal.SIGTERM,), -signal.SIGTERM),
    ((signal.SIGHUP,), -signal.SIGHUP),
]
# Each takes a process: in the ordinary run, Ctrl-C stands for all.
MOSTLY_INT = [
    SIGNALS[0],
    *(pytest.param(*each, marks=pytest.mark.long) for each in SIGNALS[1:]),
]


@pytest.fixture
def submitted(logged_in):
    """
    The id of a job that is not completed before the test says so.
    """
    return logged_in("generate", "an owl", "--no-wait").out.strip()


@contextmanager
def ending(process, *signals):
    """
    Send the signals and check that the end comes within a second.
    """
    started = real_time.monotonic()
    for number in signals:
        process.send_signal(number)
    try:
        process.wait(10)
        took = real_time.monotonic() - started
        yield
    finally:
        process.kill()
        process.communicate()
    assert took < 1


@pytest.mark.parametrize(
    ("numbers", "code"),
    [*MOSTLY_INT, ((signal.SIGINT, signal.SIGTERM), -signal.SIGINT)],
)
def test_a_signal_while_waiting(remote, service, numbers, code):
    """
    The exit code says which; the job and the command that collects it are told, nothing
    is cancelled and no temporary file is left.  A second signal changes nothing.
    """
    words = ("generate", "an owl", "-i", "-")
    process = remote.start(*words, stdin=subprocess.PIPE)
    process.stdin.write(png())
    process.stdin.close()
    process.stdin = None
    process.stderr.readline()
    [made] = service.store.jobs()

    with ending(process, *numbers):
        said = process.stderr.read().decode()

    name = numbers[0].name
    ended = "Interrupted" if name == "SIGINT" else f"Stopped by {name}"
    assert code == process.returncode
    assert f"error: {ended}. Job {made.job_id} keeps running.\n" in said
    ways = [f"krea wait {made.job_id}", f"krea cancel {made.job_id}"]
    assert ways == re.findall("krea .*", said)
    assert 3 == len(said.splitlines())
    assert [] == [*Path(remote.env["TMPDIR"]).iterdir(), *remote.cwd.iterdir()]
    assert [] == service.requests("DELETE")


@pytest.mark.long
@pytest.mark.parametrize("name", ["sh", "bash", "zsh"])
def test_ctrl_c_stops_a_loop_of_a_shell(remote, service, name):
    """
    It must not go on to the next paid request, as it does after a mere exit code.
    """
    program = shutil.which(name)
    if not program:
        pytest.skip(f"{name} is not installed")
    loop = (
        f"for prompt in owl cat; do {sys.executable} -m krea_cli generate $prompt;"
        " done; echo went on"
    )
    process = subprocess.Popen(
        [program, "-c", loop],
        env=remote.env,
        cwd=remote.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert b"" == out
    assert b"error: Interrupted." in err
    assert 1 == len(service.store.jobs())


def test_a_shell_shows_the_number_of_the_signal(remote, submitted, service):
    """
    128 and its number, as the exit codes are documented.
    """
    script = f"trap : INT; {sys.executable} -m krea_cli wait {submitted}; echo $?"
    process = subprocess.Popen(
        ["sh", "-c", script],
        env=remote.env,
        cwd=remote.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not service.requests("GET /jobs/"):
        real_time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)

    assert b"130\n" == process.communicate(timeout=10)[0]


def test_a_signal_is_told_as_json_too(remote, submitted, service):
    """
    One object on standard error, with the job and its exit code.
    """
    process = remote.start("wait", submitted, "--json")
    while not service.requests("GET /jobs/"):
        real_time.sleep(0.02)

    with ending(process, signal.SIGTERM):
        error = json.loads(process.stderr.read())["error"]
        assert b"" == process.stdout.read()

    assert ("interrupted", 143, submitted) == (
        error["code"],
        error["exit_code"],
        error["job_id"],
    )


@pytest.mark.parametrize("shared", [False, True], ids=["stdout", "both"])
@pytest.mark.parametrize(("numbers", "code"), MOSTLY_INT)
def test_a_signal_while_nobody_reads(shell, numbers, code, shared):
    """
    A pipe that is full holds up neither the end nor the exit, though what it would have
    got is lost.
    """
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    errors = {"stderr": write} if shared else {}
    process = shell.start("models", "list", "--json", stdout=write, **errors)
    os.close(write)
    waiting = 0
    while waiting < 2048:
        real_time.sleep(0.02)
        found = fcntl.ioctl(read, termios.FIONREAD, bytes(4))
        waiting = int.from_bytes(found, sys.byteorder)

    with ending(process, *numbers):
        said = "" if shared else process.stderr.read().decode()

    os.close(read)
    assert code == process.returncode
    if not shared:
        assert json.loads(said)["error"]["code"] == "interrupted"


# Sends the signal in the middle of what is loaded first.
EARLY = """
import os, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == sys.argv[1]:
            sys.meta_path.remove(Finder)
            os.kill(os.getpid(), int(sys.argv[2]))
sys.meta_path.insert(0, Finder)
for name in ("signal", "enum"):
    sys.modules.pop(name, None)
from krea_cli.cli.entry import run
run()
"""


@pytest.mark.parametrize(
    "stage", ["enum", "krea_cli.cli.main", "krea_cli.cli.command_tree"]
)
def test_a_signal_before_the_program_is_loaded(shell, stage):
    """
    The end without a word, wherever it is by then.
    """
    result = subprocess.run(
        [sys.executable, "-c", EARLY, stage, str(int(signal.SIGINT))],
        env=shell.env,
        capture_output=True,
        check=False,
    )

    assert (-signal.SIGINT, b"", b"") == (
        result.returncode,
        result.stdout,
        result.stderr,
    )


@pytest.mark.parametrize(("numbers", "code"), MOSTLY_INT)
def test_a_signal_while_downloading(remote, submitted, service, time, numbers, code):
    """
    The half of a file that has come is removed; the command for the rest is told.
    """
    time.elapsed += 60
    begun, over = threading.Event(), threading.Event()

    def stalls(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(png()[:100])
        begun.set()
        over.wait(10)
        handler.close_connection = True

    service.faults["GET /results/"] = [stalls]
    process = remote.start("download", submitted, "-o", "out.png")
    assert begun.wait(10)

    with ending(process, *numbers):
        said = process.stderr.read().decode()

    over.set()
    assert code == process.returncode
    assert f"krea wait {submitted} -o out.png" in said
    assert [] == list(remote.cwd.iterdir())


@pytest.mark.long
def test_ctrl_c_while_several_are_downloaded(remote, service, time):
    """
    Within a second; no half of any file is left, and what came is not asked for again.
    """
    made = remote("generate", "an owl", "--no-wait", "-n", "5").out.split()
    time.elapsed += 60
    begun, over = threading.Semaphore(0), threading.Event()

    def stalls(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(png()[:100])
        begun.release()
        over.wait(10)
        handler.close_connection = True

    for job_id in made[1:]:
        service.faults[f"GET /results/{job_id}"] = [stalls]
    process = remote.start("download", *made)
    for _ in made[1:]:
        assert begun.acquire(timeout=10)
    while f"{made[0]}-1.png" not in remote("jobs", "show", made[0]).out:
        real_time.sleep(0.02)

    with ending(process, signal.SIGINT):
        said = process.stderr.read().decode()

    over.set()
    assert -signal.SIGINT == process.returncode
    assert "Saved 1 of 5." in said
    assert "4 completed jobs are not saved yet." in said
    assert re.search(r": krea wait @[0-9a-f]{8} -o .\n", said)
    assert not set(made) & set(re.findall(r"[0-9a-f-]{36}", said))
    assert [f"{made[0]}-1.png"] == [path.name for path in remote.cwd.iterdir()]


def test_an_ignored_signal_stays_ignored(remote, submitted, service):
    """
    A shell starts what runs in the background so.
    """
    asked, answers = threading.Event(), threading.Event()

    def waits(handler):
        asked.set()
        answers.wait(10)
        return type(handler).handle_route(handler, "GET", handler.path)

    service.faults["GET /jobs/"] = [waits]
    process = remote.start(
        "status",
        submitted,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert asked.wait(10)
    process.send_signal(signal.SIGINT)
    answers.set()
    out, _ = process.communicate(timeout=10)

    assert (0, f"{submitted}\tqueued\n") == (process.returncode, out.decode())


def connecting(port):
    """
    How many connections to the port are asked for and not yet there.
    """
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "02" for row in rows)


@pytest.mark.parametrize("stage", ["connect", "headers", "body"])
def test_ctrl_c_while_the_service_is_silent(remote, stage):
    """
    Whatever is waited for, Ctrl-C ends it within a second.
    """
    if stage == "connect" and not Path("/proc/net/tcp").exists():
        pytest.skip("only Linux tells which connections are being made")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        remote.env["KREA_API_URL"] = f"http://127.0.0.1:{port}"
        crowd = [socket.socket() for _ in range(3 if stage == "connect" else 0)]
        for each in crowd:
            each.setblocking(False)
            assert each.connect_ex(server.getsockname()) == errno.EINPROGRESS
        before = connecting(port)
        process = remote.start("status", ID)
        if stage == "connect":
            while connecting(port) == before:
                real_time.sleep(0.02)
        else:
            peer, _ = server.accept()
            peer.recv(9999)
            crowd.append(peer)
        if stage == "body":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")

        with ending(process, signal.SIGINT):
            said = process.stderr.read()
        for each in crowd:
            each.close()

    assert (-signal.SIGINT, b"error: Interrupted.\n") == (
        process.returncode,
        said,
    )


@contextmanager
def terminal():
    """
    Both ends of a new terminal: where the person sits, and where the program is.
    """
    person, program = os.openpty()
    try:
        yield person, program
    finally:
        os.close(program)


def at_terminal(remote, program, *words):
    return remote.start(
        *words,
        env={"TERM": "xterm"},
        stdout=program,
        stderr=program,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
    )


def read_until(descriptor, words):
    seen = b""
    while words not in seen:
        seen += os.read(descriptor, 4096)
    return seen


def test_ctrl_c_at_a_terminal_gives_the_cursor_back(remote, service):
    """
    The spinner, which tells what is still to be sent, goes, the message stays, the
    cursor is shown.
    """
    busy = answer(429, {"error": "busy"}, {"Retry-After": "30"})
    service.faults["POST /generate/"] = [None, *[busy] * 9]
    with terminal() as (person, program):
        process = at_terminal(remote, program, "generate", "an owl", "-n", "3")
        read_until(person, b"0/3 saved \xc2\xb7 3 waiting")
        os.write(person, b"\x03")
        with ending(process):
            seen = read_until(person, b"hint: ")
        os.close(person)

    assert -signal.SIGINT == process.returncode
    assert b"\x1b[?25h" in seen
    assert b"Interrupted." in seen


def is_decoding(process):
    """
    Whether the process has begun to decode a large picture.
    """
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") > 200 * 2**20


@pytest.mark.long
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="its memory is told by /proc alone"
)
def test_ctrl_c_while_a_large_picture_is_looked_at(remote, submitted, service, time):
    """
    No decoder of Pillow ends before it is through, which takes seconds.
    """
    noise, content = Image.effect_noise((8000, 8000), 60), io.BytesIO()
    noise.convert("RGB").save(content, "WEBP", quality=80, method=0)
    service.picture = content.getvalue()
    time.elapsed += 60
    words = ("download", submitted, "-o", "new.webp", "--expect", "not-blank")
    (remote.cwd / "owl.webp").write_bytes(service.picture)
    with terminal() as (_, program):
        for start in (
            lambda: remote.start(*words),
            lambda: at_terminal(remote, program, "show", "owl.webp"),
        ):
            process = start()
            while not is_decoding(process):
                real_time.sleep(0.01)
            with ending(process, signal.SIGINT):
                pass
            assert -signal.SIGINT == process.returncode


@pytest.mark.long
def test_a_terminal_that_is_closed_is_a_hangup(remote):
    """
    That nothing can be drawn any more is no bug.
    """
    with terminal() as (person, program):
        process = at_terminal(remote, program, "generate", "an owl")
        read_until(person, b"queued")
        os.close(person)
        with ending(process):
            pass

    assert -signal.SIGHUP == process.returncode


@pytest.mark.parametrize("is_taken", [True, False])
@pytest.mark.long
def test_ctrl_c_while_the_paid_request_is_on_its_way(remote, service, is_taken):
    """
    Nobody knows whether there is a job: exit 130 within a second, and the command that
    looks for it; the next run finds it and pays for nothing again.
    """
    begun, over = threading.Event(), threading.Event()

    def hangs(handler):
        if is_taken:
            service.store.add_job(**OWL)
        begun.set()
        over.wait(10)
        handler.close_connection = True

    service.faults["POST /generate/"] = [hangs]
    process = remote.start("generate", "an owl")
    assert begun.wait(10)

    with ending(process, signal.SIGINT):
        said = process.stderr.read().decode()
    over.set()
    found = remote("jobs", "recover", "--json")

    assert -signal.SIGINT == process.returncode
    assert "you will be billed" in said
    assert f"krea jobs recover {json.loads(found.out)['record'][:8]}" in said
    assert [job.job_id for job in service.store.jobs()] == [
        job["job_id"] for job in json.loads(found.out)["candidates"]
    ]


@pytest.mark.long
def test_ctrl_c_while_several_paid_requests_are_on_their_way(remote, service):
    """
    Exit 130 within a second; each of them is told as in doubt, with the command that
    looks for it, and so is what was not sent.
    """
    begun, over = threading.Semaphore(0), threading.Event()

    def hangs(handler):
        begun.release()
        over.wait(10)
        handler.close_connection = True

    service.faults["POST /generate/"] = [None, *[hangs] * 9]
    process = remote.start("generate", "an owl", "-n", "9")
    for _ in range(4):
        assert begun.acquire(timeout=10)

    with ending(process, signal.SIGINT):
        said = process.stderr.read().decode()
    over.set()

    assert -signal.SIGINT == process.returncode
    assert "4 requests are unconfirmed" in said
    assert "1 job keeps running and will be billed." in said
    assert "4 requests were not submitted." in said
    assert ["wait", "cancel", "jobs"] == re.findall("krea ([a-z]+)", said)
    assert 4 == len(said.splitlines())
    assert 5 == len(service.requests("POST /generate/"))


OWL = {
    "model": "image/google/nano-banana-pro",
    "medium": "image",
    "image_format": "png",
    "fields": {"prompt": "an owl"},
}


@pytest.mark.long
def test_an_answer_that_follows_ctrl_c_is_not_lost(remote, service):
    """
    The request is on its way, so the id is waited for as long as a second allows.
    """
    begun = threading.Event()

    def late(handler):
        begun.set()
        real_time.sleep(0.25)
        handler.handle_route("POST", handler.path)

    service.faults["POST /generate/"] = [late]
    process = remote.start("generate", "an owl")
    assert begun.wait(10)

    with ending(process, signal.SIGINT):
        said = process.stderr.read().decode()
    [made] = service.store.jobs()

    assert -signal.SIGINT == process.returncode
    assert f"Job {made.job_id} keeps running" in said
    assert "unconfirmed" not in said
    assert made.job_id in remote("jobs", "list").out


@pytest.mark.long
def test_ctrl_c_while_another_process_has_the_journal(remote, service):
    """
    Its lock is waited for, but not by somebody who wants to end.
    """
    remote("generate", "an owl", "--no-wait")
    path = Path(remote.env["KREA_STATE_DIR"]) / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        process = remote.start("generate", "a cat")
        real_time.sleep(1)

        with ending(process, signal.SIGINT):
            pass

    assert -signal.SIGINT == process.returncode
    assert 1 == service.bills


@pytest.mark.parametrize("words", [("generate", "an owl"), ("wait",)])
@pytest.mark.long
def test_ctrl_c_can_cancel(remote, service, words):
    """
    Only when it was asked for.
    """
    if words == ("wait",):
        remote("generate", "an owl", "--no-wait")
    process = remote.start(*words, "--cancel-on-interrupt")
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1].decode()

    [made] = service.store.jobs()
    assert -signal.SIGINT == process.returncode
    assert "cancelled" == made.status(service.store.now())
    assert "Cancelled 1 job." in said
    assert "running" not in said
    assert f"{made.job_id}\tcancelled" in remote("jobs", "list").out


@pytest.mark.long
def test_a_cancel_that_is_refused_is_told(remote, service):
    """
    The job goes on and costs: the way to collect it, and the way to try again.
    """
    service.faults["DELETE /jobs/"] = [answer(503)] * 9
    process = remote.start("generate", "an owl", "--cancel-on-interrupt")
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1].decode()

    [made] = service.store.jobs()
    assert -signal.SIGINT == process.returncode
    assert "1 job was not cancelled." in said
    assert f"krea cancel {made.job_id}\n" in said
    assert f"krea wait {made.job_id}\n" in said


@pytest.mark.long
@pytest.mark.parametrize("words", [(), ("-o", "owl.png", "--sidecar")])
def test_what_ctrl_c_left_is_saved_under_the_same_names(remote, service, time, words):
    """
    In four lines, without an id of a job; from another folder, while another run has
    begun since.
    """
    service.picture = None  # each job has another one
    service.faults["POST /generate/"] = [None, None, None]
    process = remote.start("generate", "an owl", "-n", 3, *words)
    while len(service.store.jobs()) < 3:
        real_time.sleep(0.02)
    with ending(process, signal.SIGINT):
        said = process.stderr.read().decode()
    remote("generate", "a cat", "--no-wait")
    time.elapsed += 60
    report = said[said.find("error: ") :]
    [run] = set(re.findall("@[0-9a-f]{8}", report))
    begun, elsewhere = remote.cwd, remote.cwd.with_name("elsewhere")
    elsewhere.mkdir()
    remote.cwd = elsewhere

    result = remote("wait", run)

    assert 4 >= len(report.splitlines())
    assert "Saved 0 of 3. 3 jobs keep running and will be billed." in report
    assert [f"krea wait {run}", f"krea cancel {run}"] == re.findall("krea .*", report)
    assert not re.search("[0-9a-f]{8}-", report)
    assert 0 == result.code
    named = [f"owl-{n}.png" for n in (1, 2, 3)] if words else []
    saved = [Path(line) for line in result.out.splitlines()]
    assert [begun] * 3 == [path.parent for path in saved]
    assert named == [path.name for path in saved if words]
    assert 3 * (1 + bool(words)) == len(list(begun.iterdir()))


@pytest.mark.long
def test_cancel_after_ctrl_c_leaves_out_what_has_finished(remote, service, time):
    made = remote("generate", "an owl", "--no-wait").out.strip()
    time.elapsed += 60
    process = remote.start("generate", "an owl", "-n", 2)
    while len(service.store.jobs()) < 3:
        real_time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1].decode()
    [run] = set(re.findall("krea cancel (@[0-9a-f]{8})", said))
    first = next(j.job_id for j in service.store.jobs() if j.job_id != made)
    status = json.loads(remote("status", first, "--json").out) | {"status": "completed"}
    service.faults[f"GET /jobs/{first}"] = [answer(200, status)] * 9

    result = remote("cancel", run)

    assert (0, 1) == (result.code, result.out.count("cancelled"))
    assert f"krea download {first}" in result.err
