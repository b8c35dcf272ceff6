from __future__ import annotations

import json
import re
import shlex
import time as real_time
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path

import pytest
from service import answer, html, reset, reset_after

from krea_cli.jobs.submit_throttle import MAX_CONCURRENCY
from krea_cli.sandbox.http_handler import SandboxHandler

POST = "POST /generate/"
LIST = "GET /jobs"


def commands(text):
    """
    The commands that the text names, as lists of words.
    """
    lines = [line for line in text.splitlines() if ": krea " in line]
    return [shlex.split(line.partition(": krea ")[2]) for line in lines]


def paste(krea, text, option):
    """
    Run the one command of the text that has the option.
    """
    [words] = [words for words in commands(text) if option in words]
    return krea(*words)


@pytest.fixture
def lost(logged_in, service):
    """
    The result of a request that the service took and whose answer was lost.
    """
    service.faults[POST] = [reset_after]
    return logged_in("generate", "an owl")


def test_a_lost_answer_names_the_job_that_it_may_be(lost, service):
    """
    Exit 11, one request, and the id that appeared in the service's list.
    """
    [made] = service.store.jobs()

    assert (11, "") == (lost.code, lost.out)
    assert f"Possible match: {made.job_id} (processing, created 20" in lost.err
    assert 1 == len(service.requests(POST))
    [note, error, *_] = lost.err.splitlines()
    assert re.match("The connection to .* was lost: .* Checking Krea's job list", note)
    assert error.endswith(
        "Krea may have accepted this request; if so, you will be billed."
    )


def test_the_command_it_names_adopts_the_job(lost, logged_in, service):
    """
    Pasted as it stands; from then on the job is one like any other, billed once.
    """
    adopted = paste(logged_in, lost.err, "--adopt")
    saved = logged_in("wait", "-o", "owl.png")

    [made] = service.store.jobs()
    assert (0, f"{made.job_id}\n") == (adopted.code, adopted.out)
    assert (0, True) == (saved.code, Path("owl.png").exists())
    assert "unconfirmed" in logged_in("jobs", "recover").err.lower()
    assert 1 == service.bills


@pytest.mark.parametrize(
    ("output", "rest"), [(["-o", "lost.png"], ""), (["--no-wait"], " -o .")]
)
def test_an_adopted_job_is_saved_where_its_request_said(
    logged_in, service, output, rest
):
    """
    The command that saves it names no other place.
    """
    service.faults[POST] = [reset_after]
    lost = logged_in("generate", "an owl", *output)
    logged_in.is_terminal = True

    adopted = paste(logged_in, lost.err, "--adopt")

    [made] = service.store.jobs()
    assert re.search(f"krea wait {made.job_id}{rest}\\s*$", adopted.out)


def test_a_request_that_was_not_taken_is_sent_once_more(logged_in, service):
    """
    Nothing appeared in the list for half a minute: the person may send it again.
    """
    service.faults[POST] = [reset]

    lost = logged_in("generate", "an owl", "-m", "flux-1-dev", "--seed", "7")
    again = paste(logged_in, lost.err, "--resubmit")
    twice = paste(logged_in, lost.err, "--resubmit")

    [made] = service.store.jobs()
    assert "probably did not accept" in lost.err
    assert 30 == logged_in.clock.now()
    assert (0, f"{made.job_id}\n", 2) == (again.code, again.out, twice.code)
    assert (2, 1) == (len(service.requests(POST)), service.bills)
    assert 7 == made.fields["seed"]


def test_a_second_answer_that_is_lost_is_looked_for_too(logged_in, service):
    """
    The same record, and the job that the second request made.
    """
    service.faults[POST] = [reset, reset_after]

    lost = logged_in("generate", "an owl")
    again = paste(logged_in, lost.err, "--resubmit")
    adopted = paste(logged_in, again.err, "--adopt")

    assert (11, 0) == (again.code, adopted.code)
    assert service.bills == 1


def test_a_job_that_appears_late_is_not_paid_for_again(lost, logged_in, service):
    """
    `--resubmit` looks once more before it sends anything.
    """
    record = json.loads(logged_in("jobs", "recover", "--json").out)["record"]

    result = logged_in("jobs", "recover", record, "--resubmit")

    assert 2 == result.code
    assert service.store.jobs()[0].job_id in result.err
    assert 1 == len(service.requests(POST))


def test_what_is_sent_again_at_once_waits_for_the_job_to_appear(
    logged_in, service, time
):
    """
    The list shows a new job late, and `--timeout` left no time to look for it: it is
    sent again only when it would be there, and so it is not.
    """
    service.faults[POST] = [reset_after]
    service.faults[LIST] = [answer(200, {"items": [], "next_cursor": None})] * 3
    lost = logged_in("generate", "an owl", "--timeout", "1")
    sent_until = time.elapsed
    service.faults[LIST] = [
        lambda handler: (
            answer(200, {"items": [], "next_cursor": None})(handler)
            if time.elapsed < 20
            else SandboxHandler.handle_route(handler, "GET", "/jobs")
        )
    ]

    again = paste(logged_in, lost.err, "--resubmit")

    assert (11, 3, 2) == (lost.code, sent_until, again.code)
    assert 30 == time.elapsed
    assert 1 == len(service.requests(POST))


def test_jobs_of_others_are_no_candidates(logged_in, service, time):
    """
    Not those that the journal knows, nor those made before the request left.
    """
    service.store.add_job(**FOREIGN)
    time.elapsed += 10
    logged_in("generate", "a cat", "--no-wait")
    service.faults[POST] = [reset]

    lost = logged_in("generate", "an owl")

    assert "probably did not accept" in lost.err


FOREIGN = {
    "model": "image/google/nano-banana-pro",
    "medium": "image",
    "image_format": "png",
    "fields": {"prompt": "x"},
}


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_service_may_have_another_time(logged_in, service, time, hours):
    """
    What counts is its own clock, as its answers tell it.
    """
    service.store._clock = lambda: time.wall() + hours * 3600
    service.faults[POST] = [reset_after]

    lost = logged_in("generate", "an owl")

    assert f"Possible match: {service.store.jobs()[0].job_id}" in lost.err


def test_a_clock_that_was_slow_hides_no_job(logged_in, service, time):
    """
    It is set right after the send: the job, by now hours after its request, is still
    found, before those made after it, and nothing is sent again.
    """
    hours = 3 * 3600
    service.store._clock = lambda: time.wall() + hours
    service.faults[POST] = [reset_after]
    service.faults[LIST] = [answer(503)] * 99
    logged_in("generate", "an owl")
    service.faults[LIST] = []
    service.store._clock = time.wall
    time.elapsed += hours + 60
    service.store.add_job(**FOREIGN)

    told = json.loads(logged_in("jobs", "recover", "--json").out)
    again = logged_in("jobs", "recover", "--resubmit")

    other, mine = service.store.jobs()
    assert [mine.job_id, other.job_id] == [job["job_id"] for job in told["candidates"]]
    assert (2, 1) == (again.code, len(service.requests(POST)))


def test_two_candidates_are_both_named(logged_in, service):
    """
    Only the user can tell which is theirs.
    """
    service.faults[POST] = [reset_after]
    service.faults[LIST] = [lambda handler: foreign(service, handler)]

    lost = logged_in("generate", "an owl")

    assert all(job.job_id in lost.err for job in service.store.jobs())
    assert "--adopt JOB" in lost.err


def foreign(service, handler):
    service.store.add_job(**FOREIGN)
    handler.handle_route("GET", "/jobs")


def test_a_list_that_cannot_be_seen_is_told(logged_in, service):
    """
    It is in doubt all the more; half a minute is what is spent on it.
    """
    service.faults[POST] = [reset_after]
    service.faults[LIST] = [answer(503)] * 99

    lost = logged_in("generate", "an owl")

    assert 11 == lost.code
    assert "The search for its job failed" in lost.err


@pytest.mark.parametrize("fault", [answer(500), answer(408), html(), answer(200, {})])
def test_every_answer_that_is_none_is_in_doubt(logged_in, service, fault):
    """
    There may be a job behind it.
    """
    service.faults[POST] = [fault]

    result = logged_in("generate", "an owl", "--json")
    error = json.loads(result.err)["error"]

    assert (11, 1) == (result.code, len(service.requests(POST)))
    assert ("unknown_submission", 36) == (error["code"], len(error["record"]))


def test_the_time_given_bounds_the_looking(logged_in, service):
    """
    `--timeout` is kept, but for one look.
    """
    service.faults[POST] = [reset]

    logged_in("generate", "an owl", "--timeout", "1")

    assert 3 == logged_in.clock.now()


def test_a_person_picks_their_job(logged_in, service):
    """
    At a terminal it is asked, and then goes on as if nothing had been.
    """
    service.faults[POST] = [reset_after]
    logged_in.typed = "1\n"

    result = logged_in("generate", "an owl", "-o", "owl.png", "--color", "never")

    assert (0, True) == (result.code, Path("owl.png").exists())
    words = " ".join(result.err.split())
    assert "Type 1, or press Enter to decide later:" in words
    assert "This costs nothing more." in words
    assert "Enter: decide later." in words
    assert 1 == service.bills


def test_ctrl_c_at_the_question_has_its_own_line(logged_in, service):
    """
    What is told then does not begin behind the question, and says what is so now.
    """
    service.faults[POST] = [reset_after]
    logged_in.typed = "\x03"

    result = logged_in("generate", "an owl", "--color", "never")

    assert 130 == result.code
    assert "decide later: \nerror: Interrupted. One request is unconf" in result.err
    assert "krea jobs recover" in result.err


@pytest.mark.posix  # for time.tzset
def test_a_wrong_answer_is_explained_and_asked_again(logged_in, service, monkeypatch):
    """
    With the time of the job as clocks have it here.
    """
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    real_time.tzset()
    service.faults[POST] = [reset_after]
    logged_in.typed = "x\n1\n"

    result = logged_in("generate", "an owl", "-o", "owl.png", "--color", "never")
    monkeypatch.undo()
    real_time.tzset()

    words = " ".join(result.err.split())
    [made] = service.store.jobs()
    tokyo = datetime.fromtimestamp(made.created_at, timezone(timedelta(hours=9)))
    assert (0, 1) == (result.code, service.bills)
    assert "'x' is not an answer" in words
    assert 2 == words.count("Which job belongs to this request?")
    assert f"{tokyo:%Y-%m-%d %H:%M:%S}" in words


def test_a_person_has_it_sent_again(logged_in, service):
    """
    Only after a plain yes.
    """
    service.faults[POST] = [reset]
    logged_in.typed = "yes\n"

    result = logged_in("generate", "an owl", "-o", "owl.png")

    assert (0, 1) == (result.code, service.bills)


@pytest.mark.parametrize("typed", ["\n", "", "y\n", "0\n", "2\n"])
@pytest.mark.parametrize("fault", [reset, reset_after])
def test_any_other_answer_leaves_it_in_doubt(logged_in, service, fault, typed):
    """
    Nothing is sent and nothing is tied; what was told with the question is not told
    again, but the ways out are.
    """
    service.faults[POST] = [fault]
    logged_in.typed = typed

    result = logged_in("generate", "an owl")

    assert (11, 1) == (result.code, len(service.requests(POST)))
    assert 2 == " ".join(result.err.split()).count("you will be billed")
    assert "still unconfirmed" in result.err
    assert "krea jobs recover" in result.err


def test_nobody_is_asked_in_a_script(logged_in, service):
    """
    CI, --json and -q are no persons, whatever the terminal.
    """
    for words, env in (((), {"CI": "1"}), (("--json",), {}), (("-q",), {})):
        service.faults[POST] = [reset]
        logged_in.typed = "yes\n"

        result = logged_in("generate", "an owl", *words, env=env)

        assert (11, 0) == (result.code, service.bills)


def test_what_was_taken_before_is_collected(logged_in, service):
    """
    One of forty is in doubt: what was on its way with it is saved, the others are not
    sent.
    """
    service.faults[POST] = [None, reset]

    result = logged_in("generate", "an owl", "-n", "40")

    paths = [Path(path) for path in result.out.split()]
    assert 11 == result.code
    assert service.bills == len(paths) == len(service.requests(POST)) - 1
    assert service.bills <= MAX_CONCURRENCY
    assert all(path.exists() for path in paths)


def test_the_next_one_is_reminded(lost, logged_in, service):
    """
    A request in doubt is not forgotten; the new one is sent all the same.
    """
    result = logged_in("generate", "a cat", "--no-wait")

    assert 0 == result.code
    assert "warning: 1 earlier request is unconfirmed" in (result.err)


@pytest.mark.parametrize(
    ("headers", "slept"), [({"Retry-After": "7"}, 7), ({"Retry-After": "0.1"}, 1)]
)
def test_a_busy_service_says_when(logged_in, service, time, headers, slept):
    """
    429 was not accepted: it is waited out, and sent again.
    """
    service.faults[POST] = [answer(429, {"error": "busy"}, headers)] * 2

    result = logged_in("generate", "an owl", "--no-wait")

    assert (0, 1) == (result.code, service.bills)
    assert [slept, slept] == time.slept
    assert f"Retrying in {slept} s." in result.err


def test_a_busy_service_that_does_not_say_when(logged_in, service, time):
    """
    About 5, 15 and 45 s, as the service's own scripts do; then exit 6, nothing paid.
    """
    service.faults[POST] = [answer(429, {"error": "busy"})] * 9

    result = logged_in("generate", "an owl", "--no-wait")

    assert (6, 0) == (result.code, service.bills)
    for expected, slept in zip((5, 15, 45), time.slept, strict=True):
        assert 0.8 * expected <= slept <= 1.2 * expected


def test_a_busy_service_beyond_the_deadline(logged_in, service, time):
    """
    It ends at once, with the time at which it would be of use again.
    """
    service.faults[POST] = [answer(429, {}, {"Retry-After": "99"})]

    result = logged_in("generate", "an owl", "--timeout", "60")

    assert (6, []) == (result.code, time.slept)
    assert "Try again in 99 s" in result.err


def test_without_a_journal(logged_in, service):
    """
    A folder that cannot be written to does not matter then; what is in doubt is told by
    the service's list alone.
    """
    logged_in.env["KREA_STATE_DIR"] = "/dev/null/no"
    refused = logged_in("generate", "an owl")
    service.faults[POST] = [None, reset_after]

    saved = logged_in("generate", "an owl", "--no-journal", "-o", "owl.png")
    lost = logged_in("generate", "an owl", "--no-journal")

    assert (7, 0, 11) == (refused.code, saved.code, lost.code)
    assert 0 < refused.err.index("KREA_STATE_DIR") < refused.err.index("--no-journal")
    assert "krea jobs list --remote" in lost.err
    assert "recover" not in lost.err


@pytest.mark.parametrize(
    ("count", "rest"), [(1, ""), (2, "1 more request was not submitted.")]
)
def test_an_id_that_cannot_be_kept_is_told(
    logged_in, service, monkeypatch, count, rest
):
    """
    The job is paid for: the command that collects it works without the journal.  It is
    counted once, so what was not sent is all the others.
    """
    from krea_cli.errors import JournalError
    from krea_cli.journal.journal import Journal

    def full(*_):
        raise JournalError("The disk is full.")

    monkeypatch.setattr(Journal, "accepted", full)

    result = logged_in("generate", "an owl", "--no-wait", "-n", count)
    [made] = service.store.jobs()

    assert 7 == result.code
    assert f"{rest}" == result.err.splitlines()[0].partition("be recorded.")[2].strip()
    assert f"krea wait {made.job_id} -o .\n" in result.err


@pytest.mark.parametrize("words", [("cancel",), ("wait", "-o", "fox.png"), ("status",)])
def test_the_last_one_in_doubt_is_not_the_one_before(logged_in, service, words):
    """
    What is meant by @last could be cancelled, or saved under a wrong name.
    """
    logged_in("generate", "an owl", "--no-wait")
    service.faults[POST] = [reset]
    logged_in("generate", "a fox")

    result = logged_in(*words)

    assert (2, "") == (result.code, result.out)
    assert "krea jobs recover\n" in result.err
    assert [] == service.requests("DELETE")


@pytest.mark.parametrize(
    ("fault", "code"), [(answer(402, {"error": "empty"}), 5), (reset, 11)]
)
def test_what_was_not_sent_is_told(logged_in, service, fault, code):
    """
    Forty were asked for: some came, one went wrong, the others were never sent.
    """
    service.faults[POST] = [None, fault]

    result = logged_in("generate", "an owl", "-n", "40")

    came = len(result.out.splitlines())
    assert code == result.code
    assert f"{40 - came - 1} more requests were not submitted." in result.err
    # The total falls to the jobs that there are, and never rises again.
    totals = [int(total) for total in re.findall(r"/(\d+) saved", result.err)]
    assert sorted(totals, reverse=True) == totals
    assert not totals or came == totals[-1]
    assert 1 <= came == service.bills <= MAX_CONCURRENCY


def test_an_answer_without_a_job_is_told_with_its_words(logged_in, service):
    """
    A success that reads like a refusal proves neither: exit 11, and the person can see
    what the service said.
    """
    said = {"error": "You have run out of\x1b[2J credits."}
    service.faults[POST] = [answer(200, said)]

    result = logged_in("generate", "an owl")

    assert 11 == result.code
    assert "(You have run out of" in result.err.splitlines()[0]
    assert "\x1b" not in result.err


def test_what_ended_while_one_was_looked_for_is_saved(logged_in, service):
    """
    The search for a job in doubt may take all the time that there is: the others are
    looked at once more, at once, and are not told to be still queued.
    """
    service.faults[POST] = [None, None, reset]

    result = logged_in("generate", "an owl", "-n", "6", "--timeout", "8")

    assert 11 == result.code
    assert "is still" not in result.err
    assert 2 <= service.bills == len(result.out.splitlines())


@pytest.mark.parametrize(
    ("count", "rest"), [(1, ""), (3, " 2 more requests were not submitted.")]
)
def test_the_job_of_a_run_before_is_none_of_this_run(logged_in, service, count, rest):
    """
    The service answers with the job of an earlier request: one request is in doubt,
    and all the others were not sent.
    """
    earlier = json.loads(logged_in("generate", "an owl", "--no-wait", "--json").out)
    service.faults[POST] = [answer(200, {**earlier, "status": "queued"})]

    result = logged_in("generate", "a fox", "-n", count)

    told = result.err.splitlines()[0].partition("you will be billed.")[2]
    assert (11, rest) == (result.code, told.partition(" were not sent.")[0])


def test_the_rest_of_several_keeps_its_names(logged_in, service):
    """
    One of three cannot be had: the command that is named saves it under its own name.
    """

    def lacks_the_second(handler):
        second = sorted(service.store.jobs(), key=lambda job: job.created_at)[1]
        if second.job_id in handler.path:
            return answer(404)(handler)
        return SandboxHandler.handle_route(handler, "GET", handler.path)

    service.faults["GET /results/"] = [lacks_the_second] * 9
    words = ("-n", "3", "-o", "owl-{index}.png")
    first = logged_in("generate", "an owl", *words)
    service.faults["GET /results/"] = []
    before = len(service.requests("GET /results/"))
    there = {path.name for path in Path().glob("owl-*.png")}
    again = paste(logged_in, first.err, "download")

    assert (7, 0) == (first.code, again.code)
    [missing] = {"owl-1.png", "owl-2.png", "owl-3.png"} - there
    assert [missing] == again.out.split()
    assert 2 >= len(service.requests("GET /results/")) - before
    assert 3 == service.bills


def test_an_address_that_is_named_is_the_one_that_is_meant(logged_in, service):
    """
    Whatever KREA_SANDBOX says.
    """
    result = logged_in(
        "jobs", "list", "--remote", "--api-url", service.url, env={"KREA_SANDBOX": "1"}
    )

    assert 0 == result.code
    assert 1 == len(service.requests("GET /jobs"))


def test_nothing_hides_what_is_in_doubt(logged_in, service):
    """
    The token is rejected while the first job is waited for: that of the second request
    nobody knows is more urgent, and told.
    """
    service.faults[POST] = [None, reset_after]
    service.faults["GET /jobs/"] = [answer(401, {"message": "no"})]

    result = logged_in("generate", "an owl", "-n", "2", "--json")
    [error] = [json.loads(line)["error"] for line in result.err.splitlines()]

    assert (11, 11) == (result.code, error["exit_code"])
    assert error["record"][:8] in error["hint"]
    assert "you will be billed" in error["message"]


@pytest.mark.parametrize(
    "said", [{"error": "x"}, {}, {"items": None}, {"items": [{"id": "a"}]}]
)
def test_a_list_that_cannot_be_read_is_no_empty_list(logged_in, service, said):
    """
    Nobody is told that it was probably not accepted, and nothing is sent again.
    """
    service.faults[POST] = [reset_after]
    service.faults[LIST] = [answer(200, said)] * 99

    lost = logged_in("generate", "an owl")
    again = logged_in("jobs", "recover", "--resubmit")

    assert (11, 6) == (lost.code, again.code)
    assert "The search for its job failed" in lost.err
    assert "--resubmit" not in lost.err
    assert 1 == service.bills


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_request_is_in_doubt(logged_in, service, status):
    """
    What stands between may have passed it on.
    """
    service.faults[POST] = [answer(status, {}, {"Location": "/"})]

    result = logged_in("generate", "an owl")

    assert (11, 1) == (result.code, len(service.requests(POST)))


def test_without_its_journal_nothing_more_is_sent(logged_in, service):
    """
    It was moved while krea ran: what is written to it is lost.
    """
    state = Path(logged_in.env["KREA_STATE_DIR"])

    def moved(handler):
        state.rename(state.with_name("moved"))
        handler.handle_route("POST", handler.path)

    service.faults[POST] = [moved]

    result = logged_in("generate", "an owl", "-n", "3", "--no-wait")

    [made] = service.store.jobs()
    assert 7 == result.code
    assert "was moved or deleted" in result.err
    assert f"krea wait {made.job_id}" in result.err


@pytest.mark.parametrize("ahead", [3600, -1800])
def test_the_time_of_an_answer_may_be_wrong(logged_in, service, ahead, monkeypatch):
    """
    A proxy dates it; the jobs go by the service's own time.
    """
    monkeypatch.setattr(
        type(service).handler_class,
        "date_time_string",
        lambda handler, _=None: formatdate(service.store.now() + ahead, usegmt=True),
    )
    service.faults[POST] = [reset_after]

    lost = logged_in("generate", "an owl")

    assert f"Possible match: {service.store.jobs()[0].job_id}" in lost.err


def test_a_request_in_doubt_of_another_service_is_told_of(lost, logged_in):
    """
    Whoever looks at the wrong service learns that it is the wrong one.
    """
    recovered = logged_in("jobs", "recover", "--sandbox")
    checked = logged_in("doctor", "--sandbox", "--json")
    here = logged_in("jobs", "recover")

    found = {row["check"]: row for row in map(json.loads, checked.out.splitlines())}
    where = "leave out --sandbox and unset KREA_SANDBOX."
    assert (0, 1) == (recovered.code, recovered.err.count(where))
    assert "http://127.0.0.1" in recovered.err
    assert where not in here.err
    assert "warning" == found["doubt"]["state"]
    assert "none here, but http://127.0.0.1" in found["doubt"]["message"]
    assert where in found["doubt"]["hint"]


@pytest.mark.parametrize("is_seen", [True, False])
@pytest.mark.parametrize("wrong_by", [600, 4, -600])
def test_a_clock_that_is_corrected_hides_no_job(
    logged_in, service, time, wrong_by, is_seen
):
    """
    It was wrong when the answer was lost, and is right afterwards; whether or not the
    service's list could be seen in between.
    """
    right = logged_in.clock
    logged_in.clock = right._replace(wall=lambda: time.wall() + wrong_by)
    service.faults[POST] = [reset_after]
    service.faults[LIST] = [] if is_seen else [answer(503)] * 99
    logged_in("generate", "an owl", "--timeout", "3")
    service.faults[LIST] = []
    logged_in.clock = right
    time.elapsed += 60

    told = json.loads(logged_in("jobs", "recover", "--json").out)
    again = logged_in("jobs", "recover", "--resubmit")

    [mine] = service.store.jobs()
    assert [mine.job_id] == [job["job_id"] for job in told["candidates"]]
    assert (2, 1) == (again.code, service.bills)


def test_an_empty_page_of_the_list_is_not_its_end(logged_in, service):
    """
    Neither for a lost job nor for the list of all jobs.
    """

    def first_is_empty(handler):
        if "cursor" not in handler.path:
            answer(200, {"items": [], "next_cursor": "2100-01-01T00:00:00.000Z"})(
                handler
            )
        else:
            SandboxHandler.handle_route(handler, "GET", "/jobs")

    service.faults[POST] = [reset_after]
    service.faults[LIST] = [first_is_empty] * 99

    lost = logged_in("generate", "an owl")
    again = logged_in("jobs", "recover", "--resubmit")
    listed = logged_in("jobs", "list", "--remote", "--json")

    [mine] = service.store.jobs()
    assert f"Possible match: {mine.job_id}" in lost.err
    assert (2, 1) == (again.code, service.bills)
    assert mine.job_id == json.loads(listed.out)["job_id"]


def test_another_token_does_not_send_it_again(logged_in, service):
    """
    Its account has no such job, and would be billed for a second one.
    """
    service.faults[POST] = [reset_after]
    logged_in("generate", "an owl")
    service.token = "token-of-another-account"
    service.faults[LIST] = [answer(200, {"items": [], "next_cursor": None})] * 9
    other = {"KREA_API_KEY": service.token}

    told = logged_in("jobs", "recover", env=other)
    again = logged_in("jobs", "recover", "--resubmit", env=other)

    assert "was submitted with another API token" in told.err
    assert "--resubmit" not in told.err
    assert "--forget" in told.err
    assert (2, 1) == (again.code, service.bills)
    assert "another API token" in again.err


def test_many_candidates_are_not_all_told(logged_in, service):
    """
    The likeliest ten, and the command that lists the others.
    """
    logged_in("generate", "a cat", "--no-wait")
    service.faults[POST] = [reset_after]
    for _ in range(11):
        service.store.add_job(**FOREIGN)
    lost = logged_in("generate", "an owl")

    assert 10 == lost.err.count("Possible match: ")
    assert "List all of them: krea jobs recover\n" in lost.err
