"""
A process that runs command lines of krea, so that a run costs no start. It forks the
ones that die at one of their steps as by `kill -9`, or begin together with another.

    python forked.py [BREAK]

A line of JSON on standard input has the runs that begin at the same moment, a line on
standard output how each of them ended. With BREAK the product does one of BREAKS wrong,
so that a proof can show that it would notice.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import typer.main

from krea_cli.api.client import ApiClient
from krea_cli.batch import lock_file, plan
from krea_cli.catalog.catalog import Catalog
from krea_cli.cli import main as main_module
from krea_cli.cli.command_tree import build
from krea_cli.cli.invocation import Invocation
from krea_cli.commands import carry_out_batch, run_batch  # noqa: F401  (loaded early)
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.jobs import poll_timing
from krea_cli.jobs.schedule import Guess
from krea_cli.journal.database import Database
from krea_cli.journal.keys import JournalKeys
from krea_cli.journal.record import COLUMNS, PLACEHOLDERS
from krea_cli.operations.batch_run import BatchRun
from krea_cli.output.streams import Stream
from krea_cli.runtime.clock import Clock

# How much faster than the real one the time of the runs and of their service goes by.
SPEED = 50.0
EPOCH = 1_790_000_000


def wall():
    """
    The time of all runs, and of the service that they talk to.
    """
    return EPOCH + time.monotonic() * SPEED


CLOCK = Clock(
    now=lambda: time.monotonic() * SPEED,
    sleep=lambda seconds: time.sleep(max(0.0, seconds) / SPEED),
    wall=wall,
)


class Steps:
    """
    The moments of a run at which a death makes a difference, counted in all threads.
    """

    def __init__(self, dies_at):
        self._left = dies_at
        self._lock = threading.Lock()

    def step(self):
        if self._left is None:
            return
        with self._lock:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner, name):
        real = getattr(owner, name)

        def stepping(*args, **options):
            self.step()
            result = real(*args, **options)
            self.step()
            return result

        setattr(owner, name, stepping)

    def install(self):
        self.around(ApiClient, "submit")
        self.around(AtomicFile, "publish")
        self._install_commits()
        self._install_torn_lines()
        self._install_unread_answers()

    def _install_commits(self):
        real, steps = Database.writing, self

        @contextmanager
        def writing(database):
            with real(database) as db:
                yield db
                steps.step()
            steps.step()

        Database.writing = writing

    def _install_torn_lines(self):
        real = lock_file._write

        def write(file, data):
            self.step()
            half = len(data) // 2
            real(file, data[:half])
            self.step()
            real(file, data[half:])
            self.step()

        lock_file._write = write

    def _install_unread_answers(self):
        submit, recv = ApiClient.submit, socket.socket.recv
        inside = threading.local()

        def submitting(*args, **options):
            inside.is_here = True
            try:
                return submit(*args, **options)
            finally:
                inside.is_here = False

        def receiving(*args):
            if getattr(inside, "is_here", False):
                self.step()
            return recv(*args)

        ApiClient.submit, socket.socket.recv = submitting, receiving


def claim_always(keys, record, key, *, known=()):
    with keys._database.writing() as db:
        db.execute(
            f"INSERT INTO records ({COLUMNS}, key) VALUES ({PLACEHOLDERS}, ?)",
            (*record.as_row(), key),
        )


def break_claim():
    """
    Two processes at once do not see each other.
    """
    JournalKeys.claim = claim_always


def break_submitted_line():
    """
    A submitted job reaches the lock only when it has ended.
    """
    real = BatchRun._append

    def append(run, *steps, state, **options):
        if state != "submitted":
            real(run, *steps, state=state, **options)

    BatchRun._append = append


def break_journal_lines():
    """
    The plan forgets what the journal alone knows, and so does the submission.
    """
    plan.Planner._lines = lambda planner, _, identity, aliases, __: (
        planner.lock.history(identity, aliases)
    )
    JournalKeys.claim = claim_always


def break_fetch():
    """
    A result that is not on the disk any more is made again.
    """
    real = plan.Planner._saved

    def saved(planner, step):
        is_there = all(planner.disk.exists(file.path) for file in step.line.files)
        return real(planner, step) if is_there else planner._made(step, [step.line])

    plan.Planner._saved = saved


BREAKS = {
    "claim": break_claim,
    "submitted line": break_submitted_line,
    "journal lines": break_journal_lines,
    "fetch": break_fetch,
}


class Pipe(io.TextIOWrapper):
    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape")

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "replace")


def act(run):
    """
    Be one run of krea; return what it said, and its exit code.
    """
    os.chdir(run["cwd"])
    out, err = Pipe(), Pipe()
    invocation = Invocation(
        env=run["env"],
        streams=(Stream(out, "Standard output"), Stream(err, "Standard error")),
        stdin=io.StringIO(),
        clock=CLOCK,
    )
    code = main_module.main(run["words"], invocation)
    return {"code": int(code), "out": out.text(), "err": err.text()}


def start(run):
    receiving, sending = os.pipe()
    child = os.fork()
    if child:
        os.close(sending)
        return child, receiving
    os.close(receiving)
    gc.disable()
    try:
        Steps(run["dies_at"]).install()
        ended = act(run)
    except BaseException:  # noqa: BLE001  (the parent shows it)
        ended = {"code": -1, "err": traceback.format_exc()}
    try:
        with os.fdopen(sending, "w", encoding="utf-8") as file:
            file.write(json.dumps(ended))
    finally:
        os._exit(0)


def finish(child, receiving):
    with os.fdopen(receiving, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(child, 0)
    return {"out": "", "err": "", **(json.loads(text) if text else {"code": None})}


def carry_out(runs):
    """
    Carry out runs that begin at the same moment, and return how each ended.
    """
    if len(runs) == 1 and runs[0]["dies_at"] is None:
        return [act(runs[0])]
    return [finish(*each) for each in [start(run) for run in runs]]


def warm_up():
    """
    Do once what every run would do again.
    """
    catalog = Catalog.bundled()
    for model in catalog.models:
        assert model.fields
    Catalog.bundled = classmethod(lambda _: catalog)
    typer.main.get_command = cache(typer.main.get_command)
    trees = {}

    def built(argv):
        if argv[0] not in trees:
            trees[argv[0]] = build(argv)
        return trees[argv[0]]

    main_module.build = built
    # When a job is polled is not what these runs are about.
    ages = poll_timing.poll_ages([], Guess(2.0, 2.0, "the sandbox"))
    poll_timing.poll_ages = lambda *_: ages
    silent = Stream(io.StringIO(), "Nothing")
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder, "pictures.toml")
        manifest.write_text('[[pictures]]\nprompt = "an owl"\noutput = "owl.webp"\n')
        dirs = {f"KREA_{name}_DIR": folder for name in ("STATE", "CONFIG", "CACHE")}
        main_module.main(
            ["batch", str(manifest), "--dry-run"],
            Invocation(env={"HOME": folder, **dirs}, streams=(silent, silent)),
        )


def main():
    warnings.simplefilter("ignore")
    for name in sys.argv[1:]:
        BREAKS[name]()
    warm_up()
    # Children would copy the pages that a collection writes to.
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
