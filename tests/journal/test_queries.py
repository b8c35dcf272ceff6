from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress

import pytest
from journal.recorded import DAY, JOB, NOW, bytes_of, keep, record, rows

from krea_cli.api.models import Job
from krea_cli.errors import JournalError, UsageError
from krea_cli.journal.journal import Journal
from krea_cli.journal.queries import JournalQueries

KILLED = """
import os, signal, sys, time
from pathlib import Path
from krea_cli.journal.database import Database
from krea_cli.journal.journal import Journal
from krea_cli.journal.record import Record
Journal(Database(Path(sys.argv[1])), "service").begin(
    Record.of(
        run="run", service="service", model="m", path="m", body={}, webhook=None,
        seed=None, cost_usd=None, now=float(sys.argv[2]),
    )
)
os.kill(os.getpid(), signal.SIGKILL)
"""
ELSEWHERE = "elsewhere:1"
# Completed jobs of "service" that are older than all others.
MANY = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT ?)
INSERT INTO records (number, record, run, service, created_at, model, request,
  request_sha256, cost_usd, state, job_id, files, seconds, holder)
SELECT -n, 'old-' || n, 'old-' || (n / 4), 'service', 1789999900.0, 'google/x',
  '{"path": "x", "body": {}, "webhook": null}', '', 0.1, 'completed',
  printf('1%07x-0000-4000-8000-000000000000', n), '[]', 1.0, ''
FROM numbers
"""


@pytest.fixture
def journal(database):
    return Journal(database, "service")


@pytest.fixture
def damaged():
    """
    What was told of damaged records.
    """
    return []


@pytest.fixture
def history(database, time, damaged):
    return JournalQueries(database, "service", now=time.wall, damaged=damaged.append)


@pytest.fixture
def begun(journal):
    """
    Puts a record into the journal as it is given.
    """

    def begin(**fields):
        made = record(**fields)
        journal.begin(made)
        return made

    return begin


def test_the_newest_come_first(history, begun):
    """
    Whole, as they were begun, and no more than are asked for; the order is that of
    submission, though the clock went back.
    """
    made = [begun(created_at=NOW - n) for n in range(5)]
    begun(service="other")

    assert made[:2:-1] == history.newest(limit=2)
    assert made[::-1] == history.newest(limit=9)


def test_the_newest_of_one_state_or_since_a_time(history, begun):
    """
    Or both; the limit counts those that are shown.
    """
    old = begun(state="failed", job_id="a", created_at=NOW - DAY)
    new = begun(state="failed", job_id="b")
    other = begun(state="completed", job_id="c")

    assert [new, old] == history.newest(limit=9, state="failed")
    assert [new] == history.newest(limit=1, state="failed")
    assert [other, new] == history.newest(limit=9, since=NOW)
    assert [new] == history.newest(limit=9, state="failed", since=NOW - DAY + 1)
    assert [] == history.newest(limit=9, state="cancelled")


def test_a_record_is_found_by_either_beginning(history, begun):
    """
    Of its own id or of its job's; what means something to SQL means itself.
    """
    first, second = begun(job_id=JOB.format(1)), begun(job_id=JOB.format(2))
    begun(job_id=JOB.format(3), service="other")

    assert [first] == history.records_with_prefix(first.record[:8])
    assert [second] == history.records_with_prefix(JOB.format(2)[:8])
    assert [first, second] == history.records_with_prefix("0000000")
    for nothing in ("%", "_" * 36, "x", "é", "\udcff"):
        assert [] == history.records_with_prefix(nothing)


def test_what_is_in_doubt_is_told_oldest_first(history, begun):
    """
    Unknown requests, and those that nobody can be sending any more.
    """
    unknown = begun(state="unknown")
    late = begun(holder=ELSEWHERE, created_at=NOW - 601)
    begun(holder=ELSEWHERE)
    begun()
    begun(state="submitted", job_id="a", created_at=NOW - DAY)
    begun(state="unknown", service="other")

    assert [unknown, late] == history.unconfirmed()


@pytest.mark.posix
def test_what_a_killed_process_was_sending_is_in_doubt(history, folder):
    """
    For the next run, at once.
    """
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, folder, str(NOW)], check=False, timeout=20
    )

    assert -signal.SIGKILL == killed.returncode
    assert ["intended"] == [each.state for each in history.unconfirmed()]


def test_jobs_of_the_journal_are_known(history, journal):
    """
    At their service.
    """
    keep(journal, "job-1")
    keep(journal, "job-2", service="other")

    assert {"job-1"} == history.known_jobs(["job-1", "job-2", "job-3"])


@pytest.mark.parametrize("state", ["unknown", "intended"])
def test_a_claimed_record_is_on_its_way_again(history, begun, folder, state, time):
    """
    By this process and from now on, however old it is; so nobody else takes it.
    """
    made = begun(state=state, holder=ELSEWHERE, created_at=NOW - DAY)

    claimed = history.claim(made)

    assert ("intended", NOW - DAY, NOW) == (
        claimed.state,
        claimed.created_at,
        claimed.sent_at,
    )
    assert record().holder == claimed.holder
    assert [claimed] == history.newest(limit=9)
    assert [] == history.unconfirmed()
    with pytest.raises(UsageError, match="being submitted"):
        history.claim(made)


def test_one_of_many_gets_a_record(open_database, begun):
    """
    So its request is sent once.
    """
    made = begun(state="unknown", created_at=NOW - DAY)
    ready = threading.Barrier(8, timeout=5)
    got, refused = [], []

    def take():
        with closing(open_database()) as database:
            history = JournalQueries(
                database, "service", now=lambda: NOW, damaged=pytest.fail
            )
            history.unconfirmed()
            ready.wait()
            try:
                got.append(history.claim(made))
            except UsageError as exc:
                refused.append(exc)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1, 7) == (len(got), len(refused))


def test_a_job_is_tied_to_a_record_in_doubt(history, begun, folder):
    """
    From then on it is a job as any other.
    """
    made = begun(state="unknown")

    history.adopt(made.record, "job-1")

    assert [("submitted", "job-1")] == rows(folder)
    assert [] == history.unconfirmed()


def test_a_job_belongs_to_one_record(history, journal, begun):
    """
    A second request did not make it.
    """
    keep(journal, "job-1")
    made = begun(state="unknown")

    with pytest.raises(UsageError, match="already"):
        history.adopt(made.record, "job-1")

    assert [made] == history.unconfirmed()


@pytest.mark.parametrize(
    "settle", [JournalQueries.claim, lambda h, r: h.adopt(r.record, "job-9")]
)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "being submitted"),
        ({"state": "submitted", "job_id": "job-1"}, "submitted [(]job job-1"),
        ({"service": "other"}, "not found"),
    ],
)
def test_only_what_is_in_doubt_is_settled(
    history, begun, folder, settle, fields, words
):
    """
    Neither what is on its way, nor what has a job, nor what is of another service.
    """
    made = begun(**fields)
    before = rows(folder)

    with pytest.raises(UsageError, match=words):
        settle(history, made)

    assert before == rows(folder)


def test_forgotten_records_are_gone(history, begun, database):
    """
    Those, and no others.
    """
    first, second = begun(state="unknown"), begun(state="completed", job_id="a")
    other = begun(state="completed", job_id="b", service="other")

    history.delete([first.record, other.record])

    assert [second] == history.newest(limit=9)
    assert [other] == JournalQueries(
        database, "other", now=lambda: NOW, damaged=pytest.fail
    ).newest(limit=9)


def test_nothing_of_a_forgotten_prompt_is_left(history, journal, open_database, folder):
    """
    In no byte of the files, also where SQLite has moved records about, and while
    another process has the journal open.
    """
    chance = random.Random(7)
    sizes = (1, 3, 10, 50, 60, 70, 90, 600)
    made = []
    for n in range(400):
        each = record({"prompt": f"canary{n:04} " * chance.choice(sizes)})
        journal.begin(each)
        made.append((n, each.record))
        if chance.random() < 0.8:
            journal.accepted(each.record, f"job-{n}")
    other = open_database()
    other.rows("SELECT count(*) FROM records")
    gone = chance.sample(made, 300)

    history.delete([each for _, each in gone])

    left = bytes_of(folder)
    assert [] == [n for n, _ in gone if f"canary{n:04}".encode() in left]
    assert 100 == len(other.rows("SELECT record FROM records"))


def test_what_another_process_is_sending_is_not_forgotten(history, begun):
    """
    Its job would be lost; what was to go with it stays as well.
    """
    made = [begun(state="unknown"), begun(holder=ELSEWHERE)]

    with pytest.raises(UsageError, match="being submitted"):
        history.delete([each.record for each in made])

    assert made[::-1] == history.newest(limit=9)


def test_what_was_sent_since_it_was_looked_at_is_not_claimed(history, begun, journal):
    """
    It is in doubt again, and the job of the other process may be there by now.
    """
    made = begun(state="unknown")
    sent = history.claim(made)
    journal.unconfirmed(made.record)

    with pytest.raises(UsageError, match="Another process"):
        history.claim(made)

    assert sent.record == history.claim(sent).record


def test_what_this_process_has_claimed_can_be_forgotten(history, begun):
    """
    So nobody sends it in between.
    """
    made = begun(state="unknown")
    history.claim(made)

    history.delete([made.record])

    assert [] == history.newest(limit=9)


def test_old_records_are_those_that_nothing_hangs_on(history, begun):
    """
    The oldest first, without what is in doubt or on its way.
    """
    old = [
        begun(state=state, job_id=state, created_at=NOW - 40 * DAY)
        for state in ("submitted", "completed", "failed", "cancelled")
    ]
    begun(state="unknown", created_at=NOW - 40 * DAY)
    begun(created_at=NOW - 40 * DAY)
    begun(state="completed", job_id="a", created_at=NOW - 20 * DAY)

    assert old == history.older_than(NOW - 30 * DAY)


def test_before_the_first_request_there_is_no_history(history, folder):
    """
    And nothing is made to find that out.
    """
    history.delete([])

    assert ([], [], [], set()) == (
        history.newest(limit=9),
        history.unconfirmed(),
        history.records_with_prefix("x"),
        history.known_jobs(["x"]),
    )
    assert not folder.exists()


# What a column may hold that krea never writes there.
FOREIGN = [
    ("request", "'[1'"),
    ("request", "'[]'"),
    ("request", """'{"path": "m", "body": {}, "webhook": null, "inputs": [1]}'"""),
    ("files", "'[1]'"),
    ("files", """'[{"path": "a.png"}]'"""),
    ("files", "'" + "[" * 100_000 + "'"),
    ("created_at", "'soon'"),
    ("created_at", "1e300"),
    ("created_at", "-1"),
    ("model", "x'00ff'"),
    ("model", "CAST(x'61ff62' AS TEXT)"),
    ("seed", "'seven'"),
    ("seed", "1.5"),
    ("cost_usd", "9e999"),
    ("cost_usd", "'much'"),
    ("state", "'lost'"),
    ("job_id", "x'01'"),
    ("job_id", "'../jobs'"),
    ("seconds", "'long'"),
    ("holder", "x'01'"),
    ("resent_at", "'never'"),
]


@pytest.mark.parametrize(("column", "value"), FOREIGN)
def test_a_damaged_record_hides_no_other(
    history, journal, begun, folder, damaged, column, value
):
    """
    The others are found, and it is told once, with its id and what is odd about it; it
    is neither claimed nor forgotten, and a look at its job adds nothing foreign to it.
    """
    odd = begun(state="completed", job_id="job-1")
    other = begun(state="completed", job_id="job-2")
    with closing(sqlite3.connect(folder / "journal.db")) as db, db:
        db.execute(f"UPDATE records SET {column} = {value} WHERE job_id = 'job-1'")

    found = [history.newest(limit=9) for _ in range(2)]

    assert [[other], [other]] == found
    [told] = damaged
    assert told.message.startswith(f"Record {odd.record} (job ")
    assert f"invalid {column}" in told.message
    for settle in (lambda: history.delete([odd.record]), lambda: history.claim(odd)):
        with pytest.raises(JournalError, match=f"invalid {column}"):
            settle()
    described = journal.with_journal_data(Job(job_id="job-1", status="failed"))
    assert json.dumps(described.as_json())
    assert [] == history.durations("google/x")
    assert history.sent_at("job-1") in (NOW, None)
    assert 2 == len(rows(folder))


def test_durations_are_those_of_completed_jobs_of_the_model(history, begun):
    """
    The newest first; one that failed, that another model or another service made, or
    whose duration the service did not say, tells nothing.
    """
    for seconds in (1.0, 2.0, 3.0, 4.0):
        begun(state="completed", seconds=seconds)
    begun(state="completed")
    begun(state="failed", seconds=9.0)
    begun(state="completed", seconds=9.0, model="google/y")
    begun(state="completed", seconds=9.0, service="sandbox")

    assert [4.0, 3.0, 2.0, 1.0] == history.durations("google/x")
    assert 3.0 == history.usual_seconds("google/x")
    assert ([], None) == (history.durations("m"), history.usual_seconds("google/y"))


def test_durations_are_found_by_an_index(history, begun, database, folder):
    """
    A hundred thousand records make it no slower, and a journal that was begun without
    the index has it with the next request.
    """
    begun(state="completed", seconds=1.0)
    with database.writing() as db:
        db.execute("DROP INDEX records_by_duration")
    database.check()
    asked = []
    with database.writing() as db:
        db.set_trace_callback(asked.append)
        history.durations("google/x")
        db.set_trace_callback(None)
        plan = db.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()

    assert "records_by_duration" in plan[0][-1]
    assert 1 == len(plan)


QUERIES = {
    "newest": lambda _, history: history.newest(limit=2),
    "newest_of_state": lambda _, history: history.newest(limit=2, state="failed"),
    "newest_since": lambda _, history: history.newest(limit=2, since=NOW - 1),
    "newest_of_state_since": lambda _, history: history.newest(
        limit=2, state="failed", since=NOW - 1
    ),
    "find_job": lambda _, history: history.records_with_prefix("0000000a"),
    "of_job": lambda _, history: history.record_of_job(JOB.format(3)),
    "in_doubt": lambda _, history: history.unconfirmed(),
    "others_in_doubt": lambda _, history: history.unconfirmed_elsewhere(),
    "durations": lambda _, history: history.durations("google/y"),
    "sent_at": lambda _, history: history.sent_at(JOB.format(3)),
    "knows": lambda _, history: history.known_jobs([JOB.format(3)]),
    "older_than": lambda _, history: history.older_than(NOW - DAY),
    "matching": lambda journal, _: journal.jobs_with_prefix("0000000a"),
    "last": lambda journal, _: journal.last_run_jobs(),
    "is_last_open": lambda journal, _: journal.is_last_unconfirmed(),
    "other_service": lambda journal, _: journal.other_service(),
    "described": lambda journal, _: journal.with_journal_data(
        Job(job_id=JOB.format(3), status="queued")
    ),
    "body": lambda journal, _: journal.request_body(JOB.format(3)),
    "accepted": lambda journal, _: journal.accepted("open", JOB.format(9)),
    "ended": lambda journal, _: journal.ended(
        Job(job_id=JOB.format(3), status="completed")
    ),
}


def counted(database, step):
    """
    How many instructions SQLite needs for the step, in tens.
    """
    count = 0

    def one_more():
        nonlocal count
        count += 1

    with database.writing() as db:
        db.set_progress_handler(one_more, 10)
    with suppress(JournalError):
        step()
    with database.writing() as db:
        db.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("name", QUERIES)
def test_queries_with_many_records_need_no_more_steps(
    history, journal, begun, database, name
):
    def step():
        QUERIES[name](journal, history)

    for n in range(4):
        begun(state="completed", job_id=JOB.format(n), run=f"run-{n}", seconds=1.0)
    few = counted(database, step)
    with database.writing() as db:
        db.execute(MANY, (2000,))

    assert counted(database, step) <= few + 40


def test_a_job_is_as_old_as_its_last_request(history, journal):
    """
    By the clock of this machine.
    """
    keep(journal, "job-1")
    keep(journal, "job-2", resent_at=NOW + 5)

    assert (NOW, NOW + 5) == (history.sent_at("job-1"), history.sent_at("job-2"))
    assert history.sent_at("job-3") is None
