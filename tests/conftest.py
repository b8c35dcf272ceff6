"""
Fixtures that run the program: in-process with a simulated clock, or as a process.

Tests do not read the user's files and send nothing to other machines.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache

import pytest
import typer.main
from PIL import Image, ImageDraw
from service import TOKEN, Service

from krea_cli.catalog.catalog import Catalog
from krea_cli.cli import main as main_module
from krea_cli.cli.command_tree import COMMANDS, build
from krea_cli.cli.invocation import Invocation
from krea_cli.cli.main import main
from krea_cli.jobs import poll_timing, schedule
from krea_cli.journal.database import Database
from krea_cli.output.streams import Stream
from krea_cli.runtime.clock import Clock
from krea_cli.runtime.processes import sys as sys_of_krea
from krea_cli.runtime.signals import Interrupted

# Without a memory file system, tests spend most of their time waiting for the disk.
MEMORY, MEMORY_BYTES = "/dev/shm", 4 * 2**30
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

# This module imports modules that Windows lacks, so it cannot be deselected later.
collect_ignore = ["test_signals.py"] if sys.platform == "win32" else []

# Processes inherit ignored signals: shells ignore Ctrl-C for a command started with &,
# and nohup ignores SIGHUP.
for name, handler in {
    "SIGINT": signal.default_int_handler,
    "SIGHUP": signal.SIG_DFL,
    "SIGQUIT": signal.SIG_DFL,
    "SIGTERM": signal.SIG_DFL,
}.items():
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)

SYSTEM = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONPATH")


@dataclass
class Result:
    code: int
    out: str
    err: str


class FakeTime:
    """
    A clock that moves only when something sleeps.
    """

    def __init__(self):
        self.elapsed = 0.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.elapsed += seconds

    def wall(self):
        return 1_790_000_000 + self.elapsed

    @property
    def clock(self):
        return Clock(now=lambda: self.elapsed, sleep=self.sleep, wall=self.wall)


class Typed(io.StringIO):
    """
    The input of a user at a terminal. \\x03 is Ctrl-C.
    """

    def isatty(self):
        return True

    def readline(self, *size):
        line = super().readline(*size)
        if line == "\x03":
            raise Interrupted(signal.SIGINT)
        return line


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Pipe(io.TextIOWrapper):
    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape")

    def getvalue(self):
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")


@dataclass
class Krea:
    """
    Runs command lines in-process.

    `stdout` and `stderr` are the streams of the last run. With `typed`, a user at a
    terminal types that text.
    """

    env: dict
    clock: Clock
    is_terminal: bool = False
    stdin: bytes = b""
    typed: str | None = None
    stdout: object = field(default=None, init=False)
    stderr: object = field(default=None, init=False)

    def __call__(self, *argv, env=None):
        is_terminal = self.is_terminal or self.typed is not None
        out, err = (Terminal() if is_terminal else Pipe() for _ in range(2))
        self.stdout, self.stderr = out, err
        typed = None if self.typed is None else Typed(self.typed)
        invocation = Invocation(
            env={**self.env, **(env or {})},
            streams=(Stream(out, "Standard output"), Stream(err, "Standard error")),
            stdin=typed or io.TextIOWrapper(io.BytesIO(self.stdin), encoding="utf-8"),
            clock=self.clock,
        )
        code = main([str(word) for word in argv], invocation)
        return Result(int(code), out.getvalue(), err.getvalue())


@dataclass
class Process:
    """
    Run command lines as processes, like a shell.
    """

    env: dict
    cwd: object

    def start(self, *argv, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "krea_cli", *map(str, argv)],
            env=self.env | options.pop("env", {}),
            cwd=self.cwd,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            **options,
        )

    def __call__(self, *argv, **options):
        with self.start(*argv, **options) as process:
            out, err = process.communicate(timeout=50)
        return Result(process.returncode, (out or b"").decode(), (err or b"").decode())


def pytest_collection_modifyitems(items):
    """
    Skip POSIX tests on Windows, and when Windows is emulated.
    """
    if sys_of_krea.platform != "win32":
        return
    for item in items:
        if item.get_closest_marker("posix"):
            item.add_marker(pytest.mark.skip(reason="needs POSIX"))


@cache
def png(size=(64, 48)):
    """
    Return a small PNG image.
    """
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session", autouse=True)
def built_once():
    """
    Cache the parts of the command tree and the poll schedules for all in-process runs.

    Building them takes longer than most runs.
    """
    trees, ages = {}, cache(schedule.poll_ages)

    def build_once(argv):
        called = next((word for word in argv if not word.startswith("-")), None)
        # Everything that the tree depends on.
        part = (called, argv[:1] == [called]) if called in COMMANDS else None
        if part not in trees:
            trees[part] = build(argv)
        return trees[part]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_module, "build", build_once)
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        patch.setattr(
            poll_timing,
            "poll_ages",
            lambda durations, guess: ages(tuple(durations), guess),
        )
        yield


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def env(tmp_path):
    """
    Return an empty environment with its own folders.
    """
    kept = {name: os.environ[name] for name in SYSTEM if name in os.environ}
    home = tmp_path / "home"
    home.mkdir()
    return kept | {
        "HOME": str(home),
        "KREA_CONFIG_DIR": str(home / "config"),
        "KREA_STATE_DIR": str(home / "state"),
        "KREA_CACHE_DIR": str(home / "cache"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }


@pytest.fixture
def service(tmp_path, time):
    """
    Run a fake Krea on simulated time. All its results are the same small image.
    """
    folder = tmp_path / "service"
    with Service(folder, token=TOKEN, clock=time.wall, picture=png()) as service:
        yield service


@pytest.fixture
def live(tmp_path):
    """
    Run a fake Krea on real time, for tests that start processes.
    """
    with Service(tmp_path / "service", token=TOKEN) as service:
        yield service


@pytest.fixture
def krea(env, time, tmp_path, monkeypatch):
    """
    Run the program in-process, in its own folder, without a service.
    """
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    return Krea(env, time.clock)


@pytest.fixture
def logged_in(krea, service):
    """
    Run the program in-process, with a token for the service.
    """
    krea.env |= {"KREA_API_URL": service.url, "KREA_API_KEY": TOKEN}
    return krea


@pytest.fixture
def shell(env, tmp_path):
    """
    Run the program as a process.
    """
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return Process(env, work)


@pytest.fixture
def remote(shell, service, tmp_path):
    """
    Run the program as a process, with a token for the service and its own folder for
    temporary files.
    """
    folder = tmp_path / "temporary"
    folder.mkdir()
    shell.env |= {"KREA_API_URL": service.url, "KREA_API_KEY": TOKEN}
    shell.env["TMPDIR"] = str(folder)
    return shell


@pytest.fixture
def photo(tmp_path):
    """
    Return the path of a small image that is not blank.
    """
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg())
    return path


@cache
def jpeg():
    picture, file = Image.new("RGB", (96, 64), "skyblue"), io.BytesIO()
    ImageDraw.Draw(picture).ellipse((20, 10, 60, 50), fill="orange")
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture(scope="session")
def catalog():
    return Catalog.bundled()


@pytest.fixture
def folder(tmp_path):
    """
    Return the path of the state folder, which does not exist yet.
    """
    return tmp_path / "state"


@pytest.fixture
def open_database(folder, time):
    """
    Return a function that opens journals. They are closed after the test.
    """
    opened = []

    def make(folder=folder):
        opened.append(Database(folder, now=time.wall))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def database(open_database):
    return open_database()
