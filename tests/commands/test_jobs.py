from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from service import answer, job, reset, reset_after

from krea_cli.journal.database import Database
from krea_cli.journal.journal import Journal
from krea_cli.journal.record import Record

UNKNOWN = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
DAY = 86_400.0


@pytest.fixture
def submitted(logged_in):
    """
    Submits a job with these words: its id.
    """

    def submit(*words):
        return logged_in("generate", *(words or ["an owl"]), "--no-wait").out.strip()

    return submit


@pytest.fixture
def lost(logged_in, service):
    """
    Submits a job whose answer is lost, after the service took it or before: its record.
    """

    def lose(*words, taken=True):
        known = {row["record"] for row in rows(logged_in)}
        service.faults["POST /generate"] = [reset_after if taken else reset]
        result = logged_in("generate", *(words or ["a lost owl"]), "--no-wait")
        assert 11 == result.code, result
        [record] = {row["record"] for row in rows(logged_in)} - known
        return record

    return lose


@pytest.fixture
def journal(env, time, service):
    """
    The journal that the program has, from outside.
    """
    database = Database(Path(env["KREA_STATE_DIR"]), now=time.wall)
    yield Journal(database, service.url)
    database.close()


def rows(krea, *words):
    result = krea("jobs", "list", "--json", *words)
    assert 0 == result.code, result
    return [json.loads(line) for line in result.out.splitlines()]


def intended(time, service, *, is_alive):
    """
    A record that its process did not come to finish.
    """
    made = Record.of(
        run="r1",
        service=service.url,
        model="google/nano-banana-pro",
        path="image/google/nano-banana-pro",
        body={"prompt": "a broken owl"},
        webhook=None,
        seed=None,
        cost_usd=0.15,
        now=time.wall(),
    )
    if is_alive:
        return made
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(made, holder=f"{made.holder.rpartition(':')[0]}:{process.pid}")


def test_list_has_the_newest_first_and_asks_nobody(logged_in, submitted, service, time):
    """
    A line for each record: job, status, time, model, price and record; offline.
    """
    first = submitted("an owl", "-m", "bfl/flux-1-dev")
    time.elapsed += 100
    second = submitted()
    asked = len(service.seen)

    result = logged_in("jobs", "list")
    lines = [line.split("\t") for line in result.out.splitlines()]

    assert (0, "") == (result.code, result.err)
    assert [second, first] == [line[0] for line in lines]
    assert ["submitted", "2026-09-21T14:15:00Z", "google/nano-banana-pro", "0.15"] == (
        lines[0][1:5]
    )
    assert "2026-09-21T14:13:20Z" == lines[1][2]
    assert 36 == len(lines[0][5])
    assert asked == len(service.seen)
    assert lines[0] == logged_in("jobs", "list", "--limit", "1").out.rstrip().split(
        "\t"
    )


def test_a_list_that_is_not_all_says_so(logged_in):
    """
    Unless so many were asked for.
    """
    logged_in("generate", "an owl", "-n", "21", "--no-wait")

    some = logged_in("jobs", "list", "--limit", "3")
    usual = logged_in("jobs", "list")

    assert (3, "") == (len(some.out.splitlines()), some.err)
    assert 20 == len(usual.out.splitlines())
    assert "Showing the newest 20" in usual.err
    assert "" == logged_in("jobs", "list", "--limit", "21").err


def test_list_as_json_tells_what_was_asked_for(logged_in, submitted):
    """
    One object a line, with the prompt, and the files once there are any.
    """
    job_id = submitted("an owl", "-p", "seed=7", "-m", "bfl/flux-1-dev")
    logged_in("wait", job_id, "-o", "owl.png")

    [row] = rows(logged_in)

    assert (job_id, "completed", "bfl/flux-1-dev") == (
        row["job_id"],
        row["status"],
        row["model"],
    )
    assert ("an owl", 7) == (row["prompt"], row["seed"])
    assert [str(Path("owl.png"))] == [Path(f["path"]).name for f in row["files"]]


def test_list_is_filtered_by_status_and_time(logged_in, submitted, time):
    """
    Both must fit; a state that the journal does not have is exit 2 with those it has.
    """
    old = submitted()
    logged_in("wait", old)
    time.elapsed += 2 * DAY
    new = submitted()

    def ids(*words):
        return [row["job_id"] for row in rows(logged_in, *words)]

    assert [old] == ids("--status", "completed")
    assert [new] == ids("--since", "36h")
    assert [new] == ids("--since", "2026-09-22")
    assert [new, old] == ids("--since", "7d")
    assert [] == ids("--since", "36h", "--status", "completed")
    refused = logged_in("jobs", "list", "--status", "done")
    assert (2, "") == (refused.code, refused.out)
    assert "intended, unknown, submitted, completed, failed, cancelled" in refused.err
    assert 2 == logged_in("jobs", "list", "--since", "30").code


def test_nothing_to_list_is_said(logged_in, env):
    """
    Standard output is empty, and no journal comes about by looking.
    """
    result = logged_in("jobs", "list")

    assert (0, "") == (result.code, result.out)
    assert "No jobs yet" in result.err
    assert not Path(env["KREA_STATE_DIR"]).exists()


def test_an_intent_without_its_process_is_unknown(logged_in, journal, time, service):
    """
    Nobody can say any more what became of it; one that is on its way stays intended.
    """
    dead = intended(time, service, is_alive=False)
    alive = intended(time, service, is_alive=True)
    for each in (dead, alive):
        journal.begin(each)

    told = {row["record"]: row["status"] for row in rows(logged_in)}
    result = logged_in("jobs", "list")

    assert {dead.record: "unknown", alive.record: "intended"} == told
    assert "warning: " in result.err
    assert "krea jobs recover" in result.err
    for status, meant in (("unknown", dead), ("intended", alive)):
        [row] = rows(logged_in, "--status", status)
        assert meant.record == row["record"]
    time.elapsed += 100
    assert [] == rows(logged_in, "--status", "unknown", "--since", "1m")


def test_remote_lists_what_the_service_has(logged_in, submitted, env, time):
    """
    Also the jobs of other machines, and with a journal that cannot be used.
    """
    first = submitted()
    time.elapsed += 2 * DAY
    second = submitted()
    Path(env["KREA_STATE_DIR"], "journal.db").write_bytes(b"no database" * 500)

    def remote(*words):
        result = logged_in("jobs", "list", "--remote", *words)
        assert (0, "") == (result.code, result.err), result
        return result.out

    assert f"{second}\tqueued\n{first}\tcompleted\n" == remote()
    assert f"{second}\tqueued\n" == remote("--limit", "1")
    assert f"{second}\tqueued\n" == remote("--since", "1d")
    assert f"{first}\tcompleted\n" == remote("--status", "completed")


def test_remote_refuses_what_the_service_has_not(logged_in, service):
    """
    Before it is asked.
    """
    many = logged_in("jobs", "list", "--remote", "--limit", "1001")
    state = logged_in("jobs", "list", "--remote", "--status", "submitted")

    assert (2, 2, "", "") == (many.code, state.code, many.out, state.out)
    assert "--limit can be at most 1000" in many.err
    assert "sampling" in state.err
    assert [] == service.seen


def test_show_tells_all_offline(logged_in, submitted, service):
    """
    By the whole id, its beginning, the record's, or @last, which is also meant by
    nothing: the request as it was sent, and the files with their hashes.
    """
    job_id = submitted("an owl", "-m", "bfl/flux-1-dev", "-p", "seed=7")
    logged_in("wait", job_id, "-o", "owl.png")
    [row] = rows(logged_in)
    asked = len(service.seen)

    told = [
        logged_in("jobs", "show", *words, "--json")
        for words in ([job_id], [job_id[:8]], [row["record"][:8]], ["@last"], [])
    ]
    plain = logged_in("jobs", "show", job_id, job_id)
    shown = json.loads(told[0].out)

    assert {(0, told[0].out, "")} == {(each.code, each.out, each.err) for each in told}
    assert row == {key: shown[key] for key in row}
    assert "image/bfl/flux-1-dev" == shown["request"]["path"]
    assert ("an owl", 7) == (
        shown["request"]["body"]["prompt"],
        shown["request"]["body"]["seed"],
    )
    assert service.url == shown["service"]
    assert f"file\t{row['files'][0]['path']}\t{row['files'][0]['sha256']}" in plain.out
    assert 1 == plain.out.count(f"job_id\t{job_id}\n")
    assert asked == len(service.seen)


@pytest.fixture
def spent(logged_in, service, submitted, lost):
    """
    Two completed jobs, a failed and a cancelled one, one that is not finished, one
    without a price, and an unconfirmed one.
    """
    logged_in("generate", "an owl", "-n", "2", "-o", "owls/")
    service.faults["GET /jobs/"] = [job(status="failed")]
    logged_in("generate", "an owl", "-o", "failed.png")
    cancelled = submitted()
    logged_in("cancel", cancelled)
    submitted("an owl", "-p", "resolution=4K")
    submitted("an owl", "-m", "nano-banana-2.1")
    lost()
    return cancelled


def test_costs_are_added_up_without_what_is_not_billed(logged_in, spent):
    """
    What may be billed of an unconfirmed request stands apart, and a job without a price
    is named, so that no sum seems to be more than it is.
    """
    result = logged_in("jobs", "cost")
    told = json.loads(logged_in("jobs", "cost", "--json").out)

    assert (0, "total\t6\t0.6\t1\t0.15\n") == (result.code, result.out)
    assert "estimates" in result.err
    assert "Not included: 1 job without a known price." in result.err
    assert "krea jobs recover" in result.err
    assert {
        "by": None,
        "group": None,
        "jobs": 6,
        "estimated_usd": 0.6,
        "unpriced": 1,
        "unfinished": 2,
        "unfinished_usd": 0.3,
        "unbilled": 2,
        "unconfirmed": 1,
        "unconfirmed_usd": 0.15,
    } == told


def test_costs_in_groups(logged_in, spent, time):
    """
    By status, model or day; --since leaves out what was before.
    """
    time.elapsed += 3 * 86_400
    logged_in("generate", "an owl", "-o", "late.png")

    def costs(*words):
        lines = logged_in("jobs", "cost", "-q", *words).out.splitlines()
        return [line.split("\t") for line in lines]

    assert [
        ["cancelled", "1", "0", "0", "0"],
        ["completed", "3", "0.45", "0", "0"],
        ["failed", "1", "0", "0", "0"],
        ["submitted", "2", "0.3", "0", "0"],
        ["unknown", "0", "0", "1", "0.15"],
    ] == costs("--by", "status")
    assert ["0", "0.75"] == [row[2] for row in costs("--by", "model")]
    assert ["0.6", "0.15"] == [row[2] for row in costs("--by", "day")]
    assert [["total", "1", "0.15", "0", "0"]] == costs("--since", "1d")
    assert 2 == logged_in("jobs", "cost", "--since", "yesterday").code
    assert 2 == logged_in("jobs", "cost", "--by", "week").code


def test_costs_of_nothing(logged_in):
    """
    Without a journal nothing was spent.
    """
    assert "total\t0\t0\t0\t0\n" == logged_in("jobs", "cost").out
    assert "" == logged_in("jobs", "cost", "--by", "day").out


def test_a_cancelled_job_is_shown_as_not_billed(logged_in, spent):
    """
    To a person and to a pipe, where prices are added up.
    """
    pipe = logged_in("jobs", "show", spent).out
    row = json.loads(logged_in("jobs", "show", spent, "--json").out)
    listed = [
        row.split("\t") for row in logged_in("jobs", "list", "-q").out.split("\n")
    ]
    logged_in.is_terminal = True

    assert "\ncost_usd\t0\n" in pipe
    assert (0.15, False) == (row["cost_usd"], row["billed"])
    assert ["0"] == [row[4] for row in listed if row[0] == spent]
    shown = logged_in("jobs", "show", spent, "--color", "never").out
    assert "PRICE     not billed (estimate was $0.15)" in shown
    table = logged_in("jobs", "cost", "--by", "status", "--color", "never").out
    assert ["cancelled", "1", "$0.00", "1"] in [x.split() for x in table.splitlines()]


@pytest.mark.parametrize("command", ["show", "forget"])
def test_a_job_that_the_journal_does_not_know_is_exit_2(logged_in, submitted, command):
    """
    Nothing is told of the others, and nothing deleted.
    """
    job_id = submitted()

    unknown = logged_in("jobs", command, "@last", UNKNOWN)
    others = [logged_in("jobs", command, "@last", name) for name in (job_id[:7], "")]

    assert (2, "") == (unknown.code, unknown.out)
    assert f"Job {UNKNOWN} is not in the journal.\n" in unknown.err
    for result in others:
        assert (2, "") == (result.code, result.out)
        assert "too short" in result.err
    assert 1 == len(rows(logged_in))


def test_the_beginning_of_several_is_refused(logged_in, journal, time, service):
    """
    Nothing is guessed; a whole id is never a beginning.
    """
    for job_id in ("abcdefgh", "abcdefgh1", "abcdefgh2"):
        made = intended(time, service, is_alive=True)
        journal.begin(made)
        journal.accepted(made.record, job_id)

    several = logged_in("jobs", "show", "abcdefgh"[:7] + "h")
    whole = logged_in("jobs", "forget", "abcdefgh", "--force")
    now_several = logged_in("jobs", "show", "abcdefgh")

    assert "job_id\tabcdefgh\n" in several.out
    assert (0, "1\n") == (whole.code, whole.out)
    assert 2 == now_several.code
    assert "matches 2 records" in now_several.err


def test_forget_deletes_the_record_and_its_prompt_alone(
    logged_in, submitted, service, env
):
    """
    The prompt is nowhere in the files of the journal; the result stays on disk, and the
    service is not asked.
    """
    job_id = submitted("an owl named Zebedee")
    other = submitted("a cat")
    logged_in("wait", job_id, "-o", "owl.png")
    asked = len(service.seen)

    result = logged_in("jobs", "forget", job_id)
    kept = b"".join(f.read_bytes() for f in Path(env["KREA_STATE_DIR"]).glob("*db*"))

    assert (0, "1\n") == (result.code, result.out)
    assert "jobs at Krea are unchanged" in result.err
    assert [other] == [row["job_id"] for row in rows(logged_in)]
    assert b"Zebedee" not in kept
    assert Path("owl.png").exists()
    assert asked == len(service.seen)


def test_forget_by_age_leaves_what_is_in_doubt(logged_in, submitted, lost, time):
    """
    How many are gone is told, and that others are in doubt.
    """
    job_id = submitted()
    record = lost()
    logged_in("wait", job_id)
    time.elapsed += 31 * DAY
    submitted()

    result = logged_in("jobs", "forget", "--older-than", "30d", "--json")
    left = rows(logged_in)

    assert {"forgotten": 1} == json.loads(result.out)
    assert "krea jobs recover" in result.err
    assert 2 == len(left)
    assert record == left[1]["record"]


def test_forget_by_name_refuses_what_is_in_doubt(logged_in, submitted, lost):
    """
    Exit 2 with the command that settles it; the others asked for stay, too.
    """
    job_id = submitted()
    record = lost()

    result = logged_in("jobs", "forget", job_id, record, "--force")

    assert (2, "") == (result.code, result.out)
    assert f"krea jobs recover {record[:8]}\n" in result.err
    assert 2 == len(rows(logged_in))


def test_forget_keeps_what_is_not_known_to_have_ended(logged_in, submitted, time):
    """
    By name it is exit 2 with the command that collects it; by age it stays and is
    counted; --force deletes it.
    """
    first, second = submitted(), submitted()
    time.elapsed += 31 * DAY

    named = logged_in("jobs", "forget", first)
    by_age = logged_in("jobs", "forget", "--older-than", "30d")
    kept = rows(logged_in)
    forced = logged_in("jobs", "forget", first, "--force")
    all_forced = logged_in("jobs", "forget", "--older-than", "30d", "-f")

    assert (2, "") == (named.code, named.out)
    assert f"Job {first} may still be running and will be billed.\n" in named.err
    assert f"krea wait {first} -o .\n" in named.err
    assert (0, "0\n") == (by_age.code, by_age.out)
    assert "2 records were kept" in by_age.err
    assert [second, first] == [row["job_id"] for row in kept]
    assert ("1\n", "1\n", []) == (forced.out, all_forced.out, rows(logged_in))


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["show", "@last"]])
def test_a_damaged_record_is_told_and_the_others_are_shown(
    logged_in, submitted, env, words
):
    """
    As a warning, once, with the command that shows the service's own list.
    """
    odd, other = submitted(), submitted()
    path = Path(env["KREA_STATE_DIR"], "journal.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE records SET created_at = 'soon' WHERE job_id = ?", (odd,))

    result = logged_in("jobs", *words)

    assert 0 == result.code
    assert other in result.out
    assert odd not in result.out
    if "list" in words:
        assert 1 == result.err.count("invalid created_at")
        assert f"(job {odd}) is damaged" in result.err
        assert "delete the record: krea jobs forget" in result.err


def test_a_damaged_record_is_forgotten_only_by_force(logged_in, lost, submitted, env):
    """
    Its request may be billed, so the warning and the refusal say so, and name the same
    command; after that nothing is left of it, and it is warned of no more.
    """
    other, record = submitted(), lost("an owl named Zebedee")
    path = Path(env["KREA_STATE_DIR"], "journal.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE records SET seed = 'x' WHERE record = ?", (record,))
    warned = logged_in("jobs", "list").err
    named = warned.rpartition(": krea ")[2].split()

    refused = logged_in("jobs", "forget", record)
    assert refused.err.rpartition(": krea ")[2].split() == named
    forced = logged_in(*named)
    kept = b"".join(f.read_bytes() for f in path.parent.glob("*db*"))

    assert (2, "") == (refused.code, refused.out)
    assert "be billed" in refused.err
    assert "job list: krea jobs list --remote\n" in refused.err
    assert (0, "1\n") == (forced.code, forced.out)
    assert b"Zebedee" not in kept
    left = logged_in("jobs", "list")
    assert (1, "") == (left.out.count(other), left.err)


def test_a_damaged_record_of_a_living_process_stays(
    logged_in, journal, time, service, env
):
    """
    Its request may be on its way, and the id of the job about to be kept: exit 2, also
    with --force.
    """
    made = intended(time, service, is_alive=True)
    journal.begin(made)
    path = Path(env["KREA_STATE_DIR"], "journal.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE records SET created_at = 'soon'")

    result = logged_in("jobs", "forget", made.record, "--force")

    assert (2, "") == (result.code, result.out)
    assert "right now" in result.err
    assert 0 == logged_in("jobs", "list").code
    with closing(sqlite3.connect(path)) as db:
        assert [(1,)] == db.execute("SELECT count(*) FROM records").fetchall()


def test_forget_refuses_a_request_on_its_way(logged_in, journal, time, service):
    """
    Its process will want to keep the id of the job.
    """
    made = intended(time, service, is_alive=True)
    journal.begin(made)

    result = logged_in("jobs", "forget", made.record)

    assert 2 == result.code
    assert "being submitted right now" in result.err
    assert 1 == len(rows(logged_in))


def test_forget_must_know_what(logged_in, submitted):
    """
    Nothing is deleted by default, nor by a number that may mean days.
    """
    submitted()

    for words in ([], ["@last", "--older-than", "1d"], ["--older-than", "30"]):
        assert 2 == logged_in("jobs", "forget", *words).code
    assert 1 == len(rows(logged_in))


def test_forget_refuses_a_time_to_come(logged_in, submitted):
    """
    It would mean every record: exit 2, and all of them stay.
    """
    submitted()

    result = logged_in("jobs", "forget", "--force", "--older-than", "2099-01-01")

    assert (2, "") == (result.code, result.out)
    assert "error: --older-than 2099-01-01 is in the future.\n" in result.err
    assert 1 == len(rows(logged_in))


def test_recover_without_doubt_is_a_note(logged_in, submitted, service):
    """
    Exit 0, and nobody is asked; a way out has nothing to settle, which is exit 2.
    """
    submitted()
    asked = len(service.seen)

    result = logged_in("jobs", "recover")

    assert (0, "", "No unconfirmed requests.\n") == (
        result.code,
        result.out,
        result.err,
    )
    assert 2 == logged_in("jobs", "recover", "--forget").code
    assert asked == len(service.seen)


def test_recover_lists_candidates_and_ways_out(logged_in, lost, service):
    """
    Each record in doubt with the jobs that may be its own; nothing is sent.
    """
    record = lost()
    [job_id] = [job.job_id for job in service.store.jobs()]

    result = logged_in("jobs", "recover")
    told = logged_in("jobs", "recover", record[:4], "--json")
    lines = [line.split("\t") for line in result.out.splitlines()]
    [found] = [json.loads(line) for line in told.out.splitlines()]

    assert (0, 0) == (result.code, told.code)
    assert [("", record), (job_id, record)] == [(line[0], line[5]) for line in lines]
    assert f"krea jobs recover {record[:8]} --adopt {job_id}" in result.err
    assert (record, "a lost owl") == (found["record"], found["prompt"])
    assert [job_id] == [job["job_id"] for job in found["candidates"]]
    assert 1 == service.bills


def test_recover_tells_what_it_knows_without_the_service(logged_in, lost, service):
    """
    The records are listed, without a way out that nobody could answer for; exit 6.
    """
    record = lost()
    service.faults["GET /jobs"] = [answer(500, {"error": "because"})] * 9

    result = logged_in("jobs", "recover", "--json")

    assert 6 == result.code
    assert [(record, None)] == [
        (row["record"], row["candidates"])
        for row in map(json.loads, result.out.splitlines())
    ]
    assert "--resubmit" not in result.err


def test_adopt_ties_the_job_and_pays_nothing(logged_in, lost, service):
    """
    It is told as an accepted job is, with the command that collects it, and it is the
    last one from then on.
    """
    lost()
    [job_id] = [job.job_id for job in service.store.jobs()]

    result = logged_in("jobs", "recover", "--adopt", job_id)
    waited = logged_in("wait", "-o", "owl.png")

    assert (0, f"{job_id}\n", "") == (result.code, result.out, result.err)
    assert (0, "owl.png") == (waited.code, Path(waited.out.strip()).name)
    assert 1 == service.bills
    assert "No unconfirmed requests.\n" == logged_in("jobs", "recover").err


def test_adopt_of_what_is_no_free_job_changes_nothing(logged_in, submitted, lost):
    """
    A job that the service does not know, what is no id, jobs that have records.
    """
    job_id = submitted("an owl", "-n", "2").split()[0]
    record = lost()

    said = ""
    for name in (UNKNOWN, "../assets", "@last", "", job_id):
        result = logged_in("jobs", "recover", "--adopt", name)

        assert (2, "") == (result.code, result.out)
        said += result.err
    assert "no candidate" in said or "cannot belong to this request" in said
    assert [record] == [row["record"] for row in rows(logged_in, "--status", "unknown")]


def test_resubmit_sends_exactly_once(logged_in, lost, service):
    """
    The same request as the lost one, when the service has no job that may be it.
    """
    record = lost("an owl", "-p", "resolution=2K", taken=False)

    result = logged_in("jobs", "recover", record[:4], "--resubmit")
    [row] = rows(logged_in)

    assert (0, f"{row['job_id']}\n") == (result.code, result.out)
    assert (record, "submitted") == (row["record"], row["status"])
    assert 2 == len(service.requests("POST /generate"))
    assert 1 == service.bills


def test_resubmit_keeps_to_the_limit(logged_in, lost, service):
    """
    Of the settings, or of its own option, which wins.
    """
    lost(taken=False)

    for words, env in (
        ((), {"KREA_MAX_COST": "0.1"}),
        (("--max-cost", "0.1"), {}),
    ):
        refused = logged_in("jobs", "recover", "--resubmit", *words, env=env)
        assert 5 == refused.code
        assert "Nothing was submitted" in refused.err
    assert 1 == len(service.requests("POST /generate"))
    assert 2 == logged_in("jobs", "recover", "--max-cost", "1").code

    allowed = logged_in(
        *("jobs", "recover", "--resubmit", "--max-cost", "0.15"),
        env={"KREA_MAX_COST": "0.1"},
    )
    assert (0, 1) == (allowed.code, service.bills)


def test_resubmit_sends_nothing_while_there_is_a_candidate(logged_in, lost, service):
    """
    It may be paid for already.
    """
    lost()

    result = logged_in("jobs", "recover", "--resubmit")

    assert (2, "") == (result.code, result.out)
    assert service.store.jobs()[0].job_id in result.err
    assert 1 == len(service.requests("POST /generate"))


def test_forget_closes_it_and_sends_nothing(logged_in, lost, service):
    """
    The record is gone; the job, if there is one, goes on.
    """
    lost()
    asked = len(service.seen)

    result = logged_in("jobs", "recover", "--forget")

    assert (0, "1\n") == (result.code, result.out)
    assert [] == rows(logged_in)
    assert asked == len(service.seen)


def test_one_of_several_must_be_named(logged_in, lost, service):
    """
    Exit 2 with all that are in doubt; no way out is taken, and nothing sent.
    """
    records = [lost(), lost()]
    asked = len(service.seen)

    for words in (["--resubmit"], ["--forget"], ["--adopt", UNKNOWN]):
        unnamed = logged_in("jobs", "recover", *words)
        short = logged_in("jobs", "recover", records[0][:3], *words)

        assert (2, 2) == (unnamed.code, short.code)
        assert all(record in unnamed.err for record in records)
        assert "4 characters" in short.err
    assert 2 == len(rows(logged_in, "--status", "unknown"))
    assert asked == len(service.seen)


def test_one_way_out_at_a_time(logged_in, lost, service):
    """
    Two flags contradict each other.
    """
    lost()
    asked = len(service.seen)

    result = logged_in("jobs", "recover", "--forget", "--resubmit")

    assert (2, "") == (result.code, result.out)
    assert asked == len(service.seen)


def test_a_broken_journal_is_exit_7_and_stays(logged_in, submitted, env):
    """
    It is not begun afresh: what it knows may be saved yet.
    """
    submitted()
    path = Path(env["KREA_STATE_DIR"], "journal.db")
    path.write_bytes(b"no database" * 500)

    for words in (["list"], ["show"], ["recover"], ["forget", "@last"]):
        result = logged_in("jobs", *words)

        assert (7, "") == (result.code, result.out)
    assert b"no database" * 500 == path.read_bytes()


def test_a_person_sees_the_block_with_the_command(logged_in, lost, service):
    """
    In the order in which it is read: record, candidate, way out.
    """
    record = lost()
    [job_id] = [job.job_id for job in service.store.jobs()]
    logged_in.is_terminal = True

    result = logged_in("jobs", "recover", "--color", "never")
    lines = result.out.splitlines()

    assert f"unconfirmed  request {record}" == lines[0]
    assert f"  possible match  {job_id}  processing" in lines
    assert f"--adopt {job_id}" in result.err
