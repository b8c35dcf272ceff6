"""
Finding, listing and deleting records, and fetching and cancelling several jobs.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from journal.recorded import NOW, record
from operations.stubs import Console, Script, Service, job

from krea_cli.api.models import JobPage
from krea_cli.errors import (
    Action,
    JobAlreadyFinishedError,
    JobDeletedError,
    JobNotVisibleYetError,
    NoTokenError,
    ServerError,
    Step,
    TokenRejectedError,
    UnknownJobError,
    UsageError,
    WaitTimeoutError,
)
from krea_cli.operations import delete_records, list_records
from krea_cli.operations.fetch_jobs import (
    cancel_jobs,
    errors_of_unfinished,
    fetch_jobs,
)

WHOLE = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"


def fetch(service, time, *job_ids, deadline=None):
    return fetch_jobs(service, job_ids, clock=time.clock, deadline=deadline)


def test_fetch_jobs_keeps_the_order_and_each_error(time):
    service = Service(
        j1=["queued"],
        j2=[ServerError("It is down.")],
        j3=[UnknownJobError("No such job.")],
        j4=[JobDeletedError("It is gone.")],
        j5=["failed"],
    )

    jobs, errors = fetch(service, time, "j1", "j2", "j3", "j4", "j5", deadline=9.0)

    assert ["j1", "j5"] == [each.job_id for each in jobs]
    assert [
        ("j2", (Step(Action.CHECK_AGAIN, ("j2",)),)),
        ("j3", ()),
        ("j4", ()),
    ] == [(each.job_id, each.advice) for each in errors]
    assert {9.0} == {deadline for _, deadline in service.fetched}


def test_fetch_jobs_with_a_rejected_token_ends_at_once(time):
    service = Service(j1=[TokenRejectedError("Rejected.")])

    with pytest.raises(NoTokenError):
        fetch(service, time, "j1", "j2")


def test_fetch_jobs_waits_for_a_job_to_appear(time):
    hidden = JobNotVisibleYetError("Not yet.")
    service = Service(j1=[hidden, hidden, "queued"])

    jobs, errors = fetch(service, time, "j1")

    assert (["queued"], []) == ([each.status for each in jobs], errors)
    assert [2.0, 2.0] == time.slept


def test_fetch_jobs_gives_a_job_half_a_minute_to_appear(time):
    service = Service(j1=[JobNotVisibleYetError("Not yet.")])

    _, [error] = fetch(service, time, "j1")

    assert ("Not yet.", 30.0, 16) == (
        error.message,
        time.elapsed,
        len(service.fetched),
    )


def test_fetch_jobs_waits_for_none_past_the_deadline(time):
    service = Service(j1=[JobNotVisibleYetError("Not yet.")])

    _, [error] = fetch(service, time, "j1", deadline=4.0)

    assert ("j1", 4.0) == (error.job_id, time.elapsed)


def test_fetch_jobs_after_the_deadline_looks_at_the_first_only(time):
    service = Service(j1=["queued"], j2=["queued"])
    time.elapsed = 5.0

    jobs, [error] = fetch(service, time, "j1", "j2", deadline=5.0)

    assert ["j1"] == [each.job_id for each in jobs]
    assert isinstance(error, WaitTimeoutError)
    assert ("Timed out before job j2 was checked.", "j2") == (
        error.message,
        error.job_id,
    )


def many(service):
    ids = list(service.scripts)
    service.listed = {each: job(each, "processing") for each in ids[1:]}
    return ids


def test_fetch_jobs_of_many_come_from_the_list(time):
    """
    Only what the list does not have is fetched by itself.
    """
    service = Service(**{f"j{n}": ["queued"] for n in range(40)})

    jobs, errors = fetch(service, time, *many(service))

    assert (40, [], [("j0", None)]) == (len(jobs), errors, service.fetched)


@pytest.mark.parametrize("error", [ServerError("down"), UsageError("no list")])
def test_fetch_jobs_of_many_without_a_list_are_fetched_one_by_one(time, error):
    service = Service(**{f"j{n}": ["queued"] for n in range(40)})
    service.listed = error

    jobs, _ = fetch(service, time, *service.scripts)

    assert (40, 40) == (len(jobs), len(service.fetched))


def test_fetch_jobs_of_few_need_no_list(time):
    service = Service(j1=["queued"])
    service.listed = {"j1": job("j1", "failed")}

    [[found], _] = fetch(service, time, "j1")

    assert "queued" == found.status


def test_errors_of_unfinished_leave_out_what_succeeded():
    jobs = [job("j1", "completed"), job("j2", "failed"), job("j3")]

    assert ["j2", "j3"] == [error.job_id for error in errors_of_unfinished(jobs)]


def test_cancel_jobs_goes_on_after_an_error():
    service = Service(
        j1=["cancelled"],
        j2=[ServerError("It is down.")],
        j3=[UnknownJobError("No such job.")],
        j4=["completed"],
        j5=["processing"],
        j6=["failed"],
    )

    jobs, errors = cancel_jobs(service, [*service.scripts], console=Console())

    assert ["j1", "j4", "j5", "j6"] == [each.job_id for each in jobs]
    assert [
        ("j2", (Step(Action.CANCEL, ("j2",)),)),
        ("j3", ()),
        ("j4", (Step(Action.DOWNLOAD_COMPLETED, ("j4",)),)),
        ("j5", (Step(Action.CHECK_AGAIN, ("j5",)),)),
        ("j6", ("Failed jobs are not billed.",)),
    ] == [(each.job_id, each.advice) for each in errors]
    assert isinstance(errors[2], JobAlreadyFinishedError)


def test_cancel_jobs_without_a_usable_token_leaves_the_rest_alone():
    service = Service(j1=[NoTokenError("No token.")], j2=["cancelled"])

    jobs, [error] = cancel_jobs(service, ["j1", "j2"], console=Console())

    assert ([], ["j1"], ()) == (jobs, service.cancelled, error.advice)


class History:
    """
    A journal with these records, the oldest first.
    """

    def __init__(self, *records):
        self.records = records
        self.asked = []

    def newest(self, *, limit, state=None, since=None):
        self.asked.append((limit, state, since))
        return [each for each in reversed(self.records) if state in (None, each.state)][
            :limit
        ]

    def unconfirmed(self):
        return [each for each in self.records if each.state == "unknown"]

    def records_with_prefix(self, beginning):
        return [
            each
            for each in self.records
            if each.record.startswith(beginning)
            or (each.job_id or "").startswith(beginning)
        ]

    def older_than(self, _time):
        return list(self.records)


def kept(name, state="submitted", **fields):
    return record(record=name, state=state, **{"holder": "elsewhere:1:1"} | fields)


def listed(history, **options):
    defaults = {"now": NOW, "limit": 20, "state": None, "since": None}
    found = list_records.list_recorded(history, **defaults | options)
    return [each.record for each in found]


def test_list_recorded_has_the_newest_first():
    history = History(kept("a"), kept("b", "completed"))

    assert ["b", "a"] == listed(history, limit=5, since=3.0)
    assert [(5, None, 3.0)] == history.asked


def test_list_recorded_of_a_state():
    history = History(kept("a"), kept("b", "completed"), kept("c"))

    assert ["c", "a"] == listed(history, state="submitted")
    assert ["c"] == listed(history, state="submitted", limit=1)


def test_list_recorded_unknown_are_the_unconfirmed_since_then():
    history = History(
        kept("a", "unknown", created_at=NOW - 9),
        kept("b", "unknown", created_at=NOW - 5),
        kept("c", "unknown", created_at=NOW),
    )

    assert ["c", "b"] == listed(history, state="unknown", since=NOW - 5)
    assert ["c"] == listed(history, state="unknown", limit=1)


def test_list_recorded_intended_leaves_out_what_is_unconfirmed_by_now():
    """
    Its request may be on its way for ten minutes; more than the limit are read.
    """
    history = History(
        kept("a", "intended", created_at=NOW - 601),
        kept("b", "intended", created_at=NOW - 599),
    )

    assert ["b"] == listed(history, state="intended", limit=1)
    assert [(1000, "intended", None)] == history.asked
    assert ["intended", "unknown"] == [
        list_records.display_state(each, now=NOW) for each in reversed(history.records)
    ]


def test_list_recorded_refuses_a_state_that_does_not_exist():
    with pytest.raises(UsageError, match="Unknown status 'gone'"):
        listed(History(), state="gone")


class Api:
    def __init__(self, *pages):
        self.script = Script(*pages)

    def jobs(self, **options):
        return self.script(**options)


def remote(api, **options):
    records = SimpleNamespace(with_journal_data=lambda job: job)
    defaults = {"limit": 20, "state": None, "since": None}
    found = list_records.list_remote(lambda: api, records, **defaults | options)
    return [each.job_id for each in found]


def page(*jobs, cursor=None):
    return JobPage(jobs=jobs, cursor=cursor, clock_skew=None)


def test_list_remote_passes_over_empty_pages():
    api = Api(page(cursor="a"), page(cursor="b"), page(job("j1"), cursor="c"))

    assert ["j1"] == remote(api, state="queued")
    assert [None, "a", "b"] == [options["cursor"] for _, options in api.script.calls]
    assert ("queued", 20) == (
        api.script.calls[0][1]["status"],
        api.script.calls[0][1]["limit"],
    )


def test_list_remote_since_keeps_jobs_that_do_not_say_when():
    jobs = (
        job("old", created_at="2026-01-01T00:00:00Z"),
        job("new", created_at="2026-01-02T00:00:00Z"),
        job("silent"),
    )

    assert ["new", "silent"] == remote(Api(page(*jobs)), since=jobs[1].created)


def test_list_remote_ends_after_a_hundred_empty_pages():
    api = Api(*[page(cursor="again")] * 101)

    assert [] == remote(api)
    assert 100 == len(api.script.calls)


@pytest.mark.parametrize("options", [{"limit": 1001}, {"state": "gone"}])
def test_list_remote_refuses_what_the_service_has_not(options):
    with pytest.raises(UsageError):
        remote(Api(), **options)


def test_list_remote_takes_the_most_of_the_service():
    assert [] == remote(Api(page()), limit=1000)


def find(history, *references, resolve=None):
    found = list_records.find_records(history, resolve, references)
    return [each.record for each in found]


def test_find_records_by_beginning_names_each_once():
    history = History(kept("abcdefgh-1", job_id="ijklmnop-1"), kept("abcdxyz0-2"))

    assert ["abcdefgh-1"] == find(history, "abcdefgh", "ijklmnop-1")


def test_find_records_whole_id_is_no_beginning_of_others():
    history = History(kept("abcdefgh-10"), kept("abcdefgh-1"))

    assert ["abcdefgh-1"] == find(history, "abcdefgh-1")


def test_find_records_without_names_are_those_of_the_last_run():
    history = History(kept("r1", job_id="job-of-the-last-1"))

    assert ["r1"] == find(history, resolve=lambda _: ["job-of-the-last-1"])


@pytest.mark.parametrize(
    ("reference", "error", "words"),
    [
        ("abcdefg", UsageError, "is too short"),
        ("abcdefgh", UsageError, "matches 2 records"),
        ("zzzzzzzz", UnknownJobError, "zzzzzzzz is not in the journal"),
    ],
)
def test_find_records_refuses_what_names_no_single_record(reference, error, words):
    history = History(kept("abcdefgh-1"), kept("abcdefgh-2"))

    with pytest.raises(error, match=words):
        find(history, reference)


def test_find_records_of_a_whole_id_leads_to_the_service():
    with pytest.raises(UnknownJobError) as caught:
        find(History(), WHOLE)

    assert (Step(Action.ASK_SERVICE, (WHOLE,)),) == caught.value.advice


LOST = History(kept("abcd-1", "unknown"), kept("abce-2", "unknown"), kept("abcf-3"))


def test_find_unconfirmed_by_beginning():
    assert list(LOST.records[:2]) == list_records.find_unconfirmed(LOST, None)
    assert [LOST.records[0]] == list_records.find_unconfirmed(LOST, "abcd")
    for beginning, reason in (
        ("abc", "too short"),
        ("abcf", "'abcf'"),
        ("zzzz", "'zzzz'"),
    ):
        with pytest.raises(UsageError, match=reason):
            list_records.find_unconfirmed(LOST, beginning)
    alone = History(LOST.records[0])
    with pytest.raises(UsageError, match="too short"):
        list_records.find_unconfirmed(alone, "abc")


def test_single_unconfirmed_is_the_one_there_is():
    assert LOST.records[1] == list_records.single_unconfirmed(LOST, "abce")
    alone = History(LOST.records[0])
    assert LOST.records[0] == list_records.single_unconfirmed(alone, None)
    with pytest.raises(UsageError, match="No unconfirmed requests"):
        list_records.single_unconfirmed(History(), None)
    with pytest.raises(UsageError, match="2 requests are unconfirmed") as caught:
        list_records.single_unconfirmed(LOST, None)
    assert "abcd-1  google/x  an owl" == caught.value.details[0]


def candidate(reference, *candidates, resolved=("resolved",)):
    recovery = SimpleNamespace(candidates=lambda record: [*map(job, candidates)])
    return list_records.find_candidate(
        recovery, lambda _: resolved, LOST.records[0], reference
    )


def test_find_candidate_by_its_beginning():
    assert "abcdefgh-1" == candidate("abcdefgh", "abcdefgh-1", "bcdefghi-2")
    for few in (["abcdefgh-1", "abcdefgh-2"], []):
        assert "resolved" == candidate("abcdefgh", *few)
    assert "resolved" == candidate("abcdefg", "abcdefgh-1")
    assert "resolved" == candidate(WHOLE, WHOLE + "0")
    with pytest.raises(UsageError, match="@last stands for 2 jobs"):
        candidate("@last", resolved=("a", "b"))


def test_parse_time_names_the_option():
    assert list_records.parse_time(None, "--since", now=NOW) is None
    assert NOW - 86400 == list_records.parse_time("1d", "--since", now=NOW)
    with pytest.raises(UsageError, match="--since: "):
        list_records.parse_time("soon", "--since", now=NOW)


def test_parse_past_time_refuses_one_to_come():
    """
    It would mean every record.
    """
    parse = delete_records.parse_past_time
    assert parse(None, "--before", now=NOW) is None
    assert NOW - 86400 == parse("1d", "--before", now=NOW)
    with pytest.raises(UsageError, match="is in the future"):
        parse("2100-01-01", "--before", now=NOW)


def corrupt(*, is_in_flight=False):
    return SimpleNamespace(
        record="r1", message="It cannot be read.", is_in_flight=is_in_flight
    )


def test_find_corrupt_returns_the_records_only_by_force():
    names = {"j1": corrupt()}

    assert {"j1": "r1"} == delete_records.find_corrupt(
        names.get, ["j0", "j1"], force=True
    )
    assert {} == delete_records.find_corrupt(names.get, ["j0"], force=False)
    with pytest.raises(UsageError, match="be billed") as caught:
        delete_records.find_corrupt(names.get, ["j1"], force=False)
    assert Step(Action.FORGET_ANYWAY, ("j1",)) == caught.value.advice[1]


def test_find_corrupt_on_its_way_stays_by_force_too():
    with pytest.raises(UsageError, match="right now"):
        delete_records.find_corrupt(
            {"j1": corrupt(is_in_flight=True)}.get, ["j1"], force=True
        )


@pytest.mark.parametrize("is_forced", [True, False])
def test_records_before_leaves_unfinished_ones_with_a_note(is_forced):
    console = Console()
    history = History(kept("a"), kept("b", "completed"), kept("c"))

    found = delete_records.records_before(
        history, NOW, with_unfinished=is_forced, console=console
    )

    assert (["a", "b", "c"] if is_forced else ["b"]) == [r.record for r in found]
    assert is_forced == (console.notes == [])
    assert is_forced or console.notes[0].startswith("2 records were kept")


@pytest.mark.parametrize(
    ("state", "age", "words"),
    [
        ("intended", 1, "is being submitted right now"),
        ("intended", 700, "is unconfirmed"),
        ("unknown", 1, "is unconfirmed"),
    ],
)
def test_check_deletable_keeps_what_may_be_billed_by_force_too(state, age, words):
    records = [kept("a", "completed"), kept("b", state, created_at=NOW - age)]

    with pytest.raises(UsageError, match=words):
        delete_records.check_deletable(records, now=NOW, allows_unfinished=True)


def test_check_deletable_job_that_may_run_only_by_force():
    records = [kept("a", job_id="j1")]

    delete_records.check_deletable(records, now=NOW, allows_unfinished=True)
    with pytest.raises(UsageError, match="Job j1 may still be running") as caught:
        delete_records.check_deletable(records, now=NOW, allows_unfinished=False)
    assert "j1" == caught.value.job_id
