"""
What may happen to paid requests, in any order: thousands of sequences of orders,
deaths, lost answers, ways out and their like, with the real program over a simulated
service.

There are ten in each run, 2,000 with `-m long`, and as many as wanted with
`KREA_SEQUENCES=10000 pytest -m long tests/faults/test_states.py`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from conftest import FakeTime
from faults.simulation import (
    FATES,
    PICTURE,
    TROUBLES,
    URL,
    Computer,
    Killed,
    MortalDatabase,
    Service,
    Wire,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from service import TOKEN

from krea_cli.catalog.catalog import Catalog
from krea_cli.cli.context import CliContext
from krea_cli.cli.generate_options import GenerateOptions
from krea_cli.cli.invocation import Flags, Invocation
from krea_cli.cli.options import DeliveryOptions
from krea_cli.commands.cancel import cancel
from krea_cli.commands.download import download
from krea_cli.commands.generate import generate
from krea_cli.commands.jobs import recover
from krea_cli.commands.wait import wait
from krea_cli.errors import KreaError
from krea_cli.output.streams import Stream

SEQUENCES = int(os.environ.get("KREA_SEQUENCES", "2000"))
PARTS = 4
# The state folder is in memory where that can be had, as a journal is made for each.
MEMORY = Path("/dev/shm")
CATALOG = Catalog.bundled()
FINAL = ("completed", "failed", "cancelled")
# A user who was told that nothing was found waits so long before it is sent again.
PATIENCE_SECONDS = 31.0
SEASON_SECONDS = 91 * 24 * 3600.0
# So few that records are pruned in most sequences.
KEPT_RECORDS = 2

# Of a run there are hardly more moments that differ.
steps = st.none() | st.integers(0, 8)
# What leaves a request in doubt is what it is all about.
IN_DOUBT = ["lost", "lost after"] * 5
fates = st.lists(st.sampled_from([*FATES, *IN_DOUBT]), max_size=3)
troubles = st.lists(st.sampled_from(TROUBLES), max_size=6)
fates_of_two = st.lists(
    st.sampled_from(["taken", "lost", "lost after", "busy"]), min_size=1, max_size=3
)
lags = st.sampled_from([0.0, 0.0, 0.5, 4.0, 20.0])


class Paying(RuleBasedStateMachine):
    """
    A user with wishes, each for one picture, who runs krea and does what it says.
    """

    def __init__(self, computer):
        super().__init__()
        self.computer = computer
        self.time = FakeTime()
        self.service = Service(self.time.wall)
        memory = MEMORY if os.access(MEMORY, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(dir=memory))
        self.wishes = 0
        # Of these wishes the user knows that they have a job.
        self.granted = set()
        self.ended = {}
        self.known_rows = None

    def teardown(self):
        try:
            self.settle_all()
        finally:
            shutil.rmtree(self.folder)

    @initialize(skew=st.sampled_from([0.0, 0.0, -3600.0, -3600.0, 0.4, 7200.0]))
    def clocks_differ(self, skew):
        self.service.skew = skew

    # What krea is asked to do.

    def krea(self, command, *words, run=None, **options):
        """
        The exit code of a run, None when it was killed, and the objects it told.
        """
        self.known_rows = None
        run = self.computer.start(**(run or {}))
        database = MortalDatabase(self.folder / "state", run, now=self.time.wall)
        out = io.StringIO()
        context = CliContext(
            Invocation(
                env={
                    "HOME": str(self.folder),
                    "KREA_API_KEY": TOKEN,
                    "KREA_API_URL": URL,
                    "KREA_STATE_DIR": str(self.folder / "state"),
                },
                streams=(Stream(out, "out"), Stream(io.StringIO(), "err")),
                stdin=io.StringIO(),
                clock=self.time.clock,
                flags=Flags(json=True),
            )
        )
        context.__dict__ |= {"catalog": CATALOG, "database": database}
        context.connection.__dict__["_own_transport"] = Wire(self.service, run)
        code = 0
        try:
            command(context, *words, **options)
        except KreaError as exc:
            code = int(exc.exit_code)
        except Killed:
            code = None
        finally:
            self.computer.running.remove(run)
            database.close()
            self.known_rows = None
        self.learn()
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    def order(self, wish, *, run=None, **options):
        output = str(self.folder / "{job_id}.{ext}")
        delivery = DeliveryOptions(output=output if options.get("wait") else None)
        wishes = GenerateOptions(timeout=40.0, delivery=delivery, **options)
        return self.krea(generate, wishes, wish, run=run)

    def look(self):
        """
        The requests in doubt, each with its candidates.
        """
        return self.krea(recover)[1]

    def settle(self, entry, *, resubmits, run=None):
        """
        Settle a request in doubt as an honest user does, by what was shown of it; what
        is not theirs is known to the user alone.
        """
        record, candidates = entry["record"], entry["candidates"]
        mine = {
            job.job_id for job in self.service.jobs if job.prompt == entry["prompt"]
        }
        if candidates is None:
            return
        for candidate in candidates:
            if candidate["job_id"] in mine:
                self.krea(recover, record, adopt=candidate["job_id"], run=run)
                return
        if not candidates and resubmits:
            self.krea(recover, record, resubmit=True, run=run)
        else:
            self.krea(recover, record, forget=True, run=run)

    def patiently(self, record):
        """
        The record, when its job would be shown.
        """
        [row] = [row for row in self.rows() if row["record"] == record]
        shown_at = (row["resent_at"] or row["created_at"]) + PATIENCE_SECONDS
        self.time.sleep(max(0.0, shown_at - self.time.wall()))
        return record

    # What lies on disk.

    def rows(self):
        """
        The records, read once after each run of krea: nothing else writes them.
        """
        path = self.folder / "state" / "journal.db"
        if self.known_rows is None and path.exists():
            with closing(sqlite3.connect(path)) as db:
                db.row_factory = sqlite3.Row
                query = "SELECT * FROM records ORDER BY number"
                self.known_rows = db.execute(query).fetchall()
        return self.known_rows or []

    def learn(self):
        """
        The user sees in `jobs list` which of the wishes have a job.
        """
        for row in self.rows():
            if row["job_id"]:
                self.granted.add(json.loads(row["request"])["body"]["prompt"])

    def of(self, prompt):
        return [job for job in self.service.jobs if job.prompt == prompt]

    # What may happen.

    @rule(fates=fates, lag=lags, dies_at=steps, waits=st.booleans())
    def order_one(self, fates, lag, dies_at, waits):
        self.wishes += 1
        self.service.fates, self.service.lag = fates, lag
        run = {"dies_at": dies_at}
        self.order(f"wish {self.wishes}", wait=waits, run=run)

    @precondition(lambda self: self.unknown_wishes())
    @rule(data=st.data(), fates=fates, dies_at=steps)
    def order_again(self, data, fates, dies_at):
        """
        The journal says nothing of a wish: it was refused, or it was never sent.
        """
        wish = data.draw(st.sampled_from(self.unknown_wishes()))
        self.service.fates = fates
        self.order(wish, wait=False, run={"dies_at": dies_at})

    def unknown_wishes(self):
        rows = self.rows()
        kept = {json.loads(row["request"])["body"]["prompt"] for row in rows}
        all_of_them = [f"wish {n + 1}" for n in range(self.wishes)]
        return [wish for wish in all_of_them if wish not in kept | self.granted]

    def open_records(self):
        return [
            row["record"]
            for row in self.rows()
            if row["state"] in ("intended", "unknown")
        ]

    @precondition(lambda self: self.open_records())
    @rule(
        data=st.data(),
        fates=fates,
        troubles=troubles,
        dies_at=steps,
        resubmits=st.booleans(),
    )
    def look_and_settle(self, data, fates, troubles, dies_at, resubmits):
        """
        Look, and do what is shown.
        """
        record = self.patiently(data.draw(st.sampled_from(self.open_records())))
        self.service.fates, self.service.troubles = fates, troubles
        [entry] = [each for each in self.look() if each["record"] == record]
        self.settle(entry, resubmits=resubmits, run={"dies_at": dies_at})

    @precondition(lambda self: self.open_records())
    @rule(data=st.data(), fates=fates, troubles=troubles, dies_at=steps)
    def resubmit_unseen(self, data, fates, troubles, dies_at):
        """
        Somebody who neither looks first nor waits is not let pay twice.
        """
        record = data.draw(st.sampled_from(self.open_records()))
        self.service.fates, self.service.troubles = fates, troubles
        self.krea(recover, record, resubmit=True, run={"dies_at": dies_at})

    @precondition(lambda self: self.open_records())
    @rule(data=st.data(), fates=fates_of_two, at=st.integers(0, 5))
    def resubmit_at_two_terminals(self, data, fates, at):
        """
        At any moment of the one run the other one does all of its own.
        """
        record = self.patiently(data.draw(st.sampled_from(self.open_records())))
        self.service.fates, self.service.lag = fates, 0.0
        other = partial(self.krea, recover, record, resubmit=True)
        run = {"pauses_at": at, "meanwhile": other}
        self.krea(recover, record, resubmit=True, run=run)

    @precondition(lambda self: self.open_records() and self.known_jobs())
    @rule(data=st.data())
    def adopt_what_is_taken(self, data):
        """
        One job is not that of two requests, whatever the user says.
        """
        record = data.draw(st.sampled_from(self.open_records()))
        job_id = data.draw(st.sampled_from(self.known_jobs()))

        code, _ = self.krea(recover, record, adopt=job_id)

        assert code != 0

    def known_jobs(self):
        return [row["job_id"] for row in self.rows() if row["job_id"]]

    @precondition(lambda self: self.known_jobs())
    @rule(data=st.data(), troubles=troubles, dies_at=steps)
    def wait_for(self, data, troubles, dies_at):
        self.service.troubles = troubles
        job_id = data.draw(st.sampled_from(self.known_jobs()))
        delivery, run = DeliveryOptions(), {"dies_at": dies_at}
        self.krea(wait, delivery, [job_id], timeout=30.0, run=run)

    @precondition(lambda self: self.known_jobs())
    @rule(data=st.data(), troubles=troubles, dies_at=steps)
    def collect_one(self, data, troubles, dies_at):
        self.service.troubles = troubles
        job_id = data.draw(st.sampled_from(self.known_jobs()))
        self.save(job_id, run={"dies_at": dies_at})

    def save(self, job_id, *, force=False, run=None):
        """
        A result is there, whole, exactly when the program says so.
        """
        path = self.folder / f"{job_id}.png"
        was_there = path.exists()
        output = str(self.folder / "{job_id}.{ext}")
        delivery = DeliveryOptions(output=output, force=force)
        code, _ = self.krea(download, delivery, [job_id], run=run)
        assert not path.exists() or path.read_bytes() == PICTURE
        if code is not None and not was_there:
            assert path.exists() == (code == 0)
        return code

    @precondition(lambda self: self.known_jobs())
    @rule(data=st.data(), troubles=troubles, dies_at=steps)
    def cancel_one(self, data, troubles, dies_at):
        self.service.troubles = troubles
        job_id = data.draw(st.sampled_from(self.known_jobs()))
        self.krea(cancel, [job_id], run={"dies_at": dies_at})

    @precondition(lambda self: self.service.jobs)
    @rule()
    def expire(self):
        """
        The result URLs that were told so far are good no more.
        """
        for job in self.service.jobs:
            job.urls += 1

    @rule(
        ends=st.sampled_from(["completed", "failed"]),
        seconds=st.sampled_from([0.5, 5.0, 60.0]),
    )
    def jobs_end(self, ends, seconds):
        self.service.ends, self.service.seconds = ends, seconds

    @rule()
    def another_program_submits(self):
        self.service.take(None)

    @rule(seconds=st.sampled_from([1.0, 31.0, 700.0, SEASON_SECONDS]))
    def time_passes(self, seconds):
        self.time.sleep(seconds)

    @precondition(lambda self: self.service.skew > 0)
    @rule()
    def our_slow_clock_is_set_right(self):
        """
        And who waited for a while by the clock has waited for it in truth.
        """
        self.time.sleep(PATIENCE_SECONDS)
        self.time.elapsed += self.service.skew
        self.service.skew = 0.0

    @precondition(lambda self: self.service.skew < 0)
    @rule()
    def our_fast_clock_is_set_right(self):
        """
        What was submitted before seems to be in the future now.
        """
        self.time.elapsed += self.service.skew
        self.service.skew = 0.0

    # What always holds.

    @invariant()
    def nobody_pays_twice(self):
        prompts = [job.prompt for job in self.service.jobs if job.prompt]

        assert len(set(prompts)) == len(prompts)

    @invariant()
    def a_record_is_sent_with_the_same_bytes(self):
        keys = {key for key, _ in self.service.sent}

        assert len(keys) == len(set(self.service.sent))

    @invariant()
    def no_two_records_have_one_job(self):
        known = self.known_jobs()
        foreign = {job.job_id for job in self.service.jobs if job.prompt is None}

        assert len(set(known)) == len(known)
        assert not foreign & set(known)

    @invariant()
    def how_a_job_ended_stays(self):
        for row in self.rows():
            if row["state"] in FINAL:
                kept = self.ended.setdefault(row["job_id"], row["state"])
                assert kept == row["state"]
            else:
                assert row["job_id"] not in self.ended

    @invariant()
    def no_job_is_lost(self):
        """
        What the journal does not know is a candidate of what it has in doubt.
        """
        now, known = self.service.now(), {*self.known_jobs(), *self.ended}
        lost = {
            job.job_id
            for job in self.service.jobs
            if job.prompt and job.shown_at <= now and job.job_id not in known
        }
        if lost:
            self.service.troubles = []
            shown = {
                candidate["job_id"]
                for entry in self.look()
                for candidate in entry["candidates"]
            }
            assert lost <= shown

    def settle_all(self):
        """
        In the end nothing is in doubt, and every job gives its picture.
        """
        self.service.troubles, self.service.fates, self.service.lag = [], [], 0.0
        self.time.sleep(120)
        while entries := self.look():
            self.settle(entries[0], resubmits=False)
        self.nobody_pays_twice()
        self.no_job_is_lost()
        for job in self.service.jobs:
            if job.prompt and job.status(self.service.now()) == "completed":
                path = self.folder / f"{job.job_id}.png"
                with suppress(FileNotFoundError):
                    path.unlink()
                assert 0 == self.save(job.job_id, force=True)


def happen(monkeypatch, sequences):
    """
    So many sequences; the simulated processes stand in for the real ones, of which each
    run here would need one.
    """

    monkeypatch.setattr("krea_cli.journal.journal.MAX_RECORDS", KEPT_RECORDS)

    def machine():
        computer = Computer()
        monkeypatch.setattr("krea_cli.journal.record.os", computer)
        monkeypatch.setattr("krea_cli.runtime.processes.os", computer)
        monkeypatch.setattr("krea_cli.journal.record._started", computer.started)
        return Paying(computer)

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=10,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# What is found is made small first, which takes its time.
@pytest.mark.timeout(400)
def test_nobody_pays_twice(monkeypatch):
    """
    Whatever happens in whatever order: one bill for a wish at most, and no job lost.
    """
    happen(monkeypatch, 10)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nobody_pays_twice_in_many_sequences(monkeypatch, part):
    """
    As above, until it is hard to think of another order.
    """
    happen(monkeypatch, SEQUENCES // PARTS)
