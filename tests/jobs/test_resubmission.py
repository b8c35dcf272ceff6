"""
What is sent, or kept here, when a signal, a secret or a lost answer is in the way.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from journal.recorded import NOW, record
from operations.stubs import Script, job

from krea_cli.api.models import JobPage
from krea_cli.errors import (
    Action,
    DuplicateJobIdError,
    InvalidResponseError,
    JournalError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    Step,
    UnconfirmedSubmissionError,
    UnknownJobError,
    UsageError,
)
from krea_cli.jobs.recovery import Recovery
from krea_cli.jobs.sightings import Sighting
from krea_cli.jobs.submission import RequestSubmitter
from krea_cli.jobs.submit_throttle import SubmitThrottle
from krea_cli.jobs.submitter import Submitter
from krea_cli.requests.request import Request
from krea_cli.runtime import signals
from krea_cli.runtime.signals import Interrupted

LOST = record(record="r1", state="unknown")
MINE = job("j1", created_at="2026-09-21T14:13:21Z")


class Journal:
    """
    Keeps what is noted of each record; `broken` has errors by the name of a method.
    """

    def __init__(self, **broken):
        self.noted, self.broken = [], broken

    def _note(self, method, *about):
        self.noted.append((method, *about))
        if error := self.broken.get(method):
            raise error

    def check(self):
        self._note("check")

    def begin(self, record, *, key=None):
        self._note("begin", record.created_at)

    def accepted(self, record, job_id):
        self._note("accepted", job_id)

    def refused(self, _record):
        self._note("refused")

    def unconfirmed(self, _record):
        self._note("unconfirmed")

    def ended(self, job):
        self._note("ended", job.job_id)

    def with_journal_data(self, job):
        return job


class Run:
    """
    Submits requests to a service with these answers.
    """

    def __init__(self, time, *answers, **broken):
        self.journal, self.answers = Journal(**broken), Script(*answers)
        self.told, self.time = [], time
        self.submitter = Submitter(
            client=SimpleNamespace(submit=self.answers),
            journal=self.journal,
            clock=time.clock,
            throttle=SubmitThrottle(time.clock),
            on_submitted=lambda job_id: self.told.append(("submitted", job_id)),
            on_unconfirmed=lambda record: self.told.append(("unconfirmed",)),
            on_delayed=lambda exc, seconds: self.told.append(("delayed", seconds)),
        )

    def requests(self, *, secret="sk-1", inline=False):
        return RequestSubmitter(
            submitter=self.submitter,
            service="service",
            url_of=lambda image: image,
            fresh_url_of=lambda image: image,
            input_options={"inline": inline},
            is_secret=lambda text: secret in text,
        )

    @property
    def steps(self):
        return [step for step, *_ in self.journal.noted]


@pytest.fixture
def request_of(catalog):
    def make(**options):
        return Request(
            model=catalog["image/google/nano-banana-pro"],
            fields={"prompt": options.pop("prompt", "an owl")},
            **{"webhook": None} | options,
        )

    return make


@pytest.mark.parametrize(
    "place", [{"prompt": "it is sk-1"}, {"webhook": "https://h.test/?t=sk-1"}]
)
def test_prepare_request_with_the_token_sends_nothing(time, request_of, place):
    run = Run(time)

    with pytest.raises(UsageError, match="API token"):
        run.requests().prepare(request_of(**place))
    assert [] == run.journal.noted


def test_prepare_request_checks_that_the_journal_can_be_written(time, request_of):
    run = Run(time)
    run.requests().prepare(request_of(webhook="https://h.test"))
    assert ["check"] == run.steps

    with pytest.raises(JournalError):
        Run(time, check=JournalError("Full.")).requests().prepare(request_of())


def submit(run, request, **options):
    return run.requests().submit(request, "run", **{"deadline": 600.0} | options)


def test_submit_gate_that_is_closed_leaves_no_trace(time, request_of):
    run = Run(time, job())

    def closed():
        raise KeyError

    with pytest.raises(KeyError):
        submit(run, request_of(), before_attempt=closed)
    assert ([], []) == (run.journal.noted, run.answers.calls)


def test_submit_tells_of_the_job_before_it_is_recorded(time, request_of):
    """
    A job whose id cannot be recorded is paid for, too.
    """
    run = Run(time, job("j1"), accepted=JournalError("Full."))

    with pytest.raises(JournalError) as caught:
        submit(run, request_of())

    assert [("submitted", "j1")] == run.told
    assert caught.value.message.startswith("Full. ")
    assert "j1" == caught.value.job_id
    assert (Step(Action.COLLECT_UNRECORDED, ("j1",)),) == caught.value.advice


def test_submit_answered_with_a_job_of_another_record_names_it(time, request_of):
    run = Run(time, job("j9"), accepted=DuplicateJobIdError("Taken."))

    with pytest.raises(DuplicateJobIdError) as caught:
        submit(run, request_of())

    assert "j9" == caught.value.taken_id
    assert caught.value.record is not None
    assert [("submitted", "j9"), ("unconfirmed",)] == run.told


def test_submit_with_a_lost_answer_says_when_it_left(time, request_of):
    """
    A journal that fails now changes nothing: the record says that it was sent.
    """
    time.elapsed = 4.0
    run = Run(time, ServerError("It is down."), unconfirmed=JournalError("Full."))

    with pytest.raises(UnconfirmedSubmissionError, match="billed") as caught:
        submit(run, request_of())

    assert (4.0, [("unconfirmed",)]) == (caught.value.submitted, run.told)
    assert ["begin", "unconfirmed"] == run.steps


def test_submit_rejected_is_no_job(time, request_of):
    run = Run(time, RequestRejectedError("No."), refused=JournalError("Full."))

    with pytest.raises(RequestRejectedError):
        submit(run, request_of())

    assert (["begin", "refused"], []) == (run.steps, run.told)


def test_submit_after_a_429_is_recorded_anew(time, request_of):
    """
    When it was really sent decides which jobs may be its own.
    """
    run = Run(time, RateLimitError("Busy.", retry_after=5.0), job("j1"))

    submit(run, request_of())

    assert [("delayed", 5.0), ("submitted", "j1")] == run.told
    begun = [each[1] for each in run.journal.noted if each[0] == "begin"]
    assert [NOW, NOW + 5.0] == begun


def test_submit_after_a_429_too_long_is_the_error(time, request_of):
    run = Run(time, RateLimitError("Busy.", retry_after=5.0))

    with pytest.raises(RateLimitError):
        submit(run, request_of(), deadline=4.9)
    assert ([], []) == (run.told, time.slept)


def test_submit_after_a_signal_sends_nothing(time, request_of, monkeypatch):
    """
    Python may have lost the exception in a callback.
    """
    monkeypatch.setattr(signals._State, "signum", signal.SIGINT)
    run = Run(time, job())

    with pytest.raises(Interrupted):
        submit(run, request_of())
    assert ([], []) == (run.journal.noted, run.answers.calls)


def test_submit_interrupted_meanwhile_records_the_job(time, request_of, monkeypatch):
    def interrupted():
        monkeypatch.setattr(signals._State, "signum", signal.SIGINT)
        return job("j1")

    run = Run(time, interrupted)

    with pytest.raises(Interrupted):
        submit(run, request_of())
    assert ["begin", "accepted"] == run.steps
    assert [("submitted", "j1")] == run.told


class Listing:
    """
    A service with these pages, one after the other for each look.
    """

    def __init__(self, *pages):
        self.script = Script(*pages, stays=True)

    def jobs(self, *, limit, cursor, deadline):
        return self.script(limit, cursor, deadline)

    def job(self, job_id):
        if job_id == "unknown":
            raise UnknownJobError("No such job.")
        return job(job_id)


def page(*jobs, **facts):
    return JobPage(jobs=jobs, **{"cursor": None, "clock_skew": 0.0} | facts)


def recovery(run, *pages, sent=None, claimed=None, has_other_token=False):
    adopted = []
    made = Recovery(
        client=Listing(*pages),
        journal=run.journal,
        history=SimpleNamespace(
            known_jobs=lambda found: set(),
            claim=lambda record: claimed or record,
            adopt=lambda *names: adopted.append(names),
        ),
        sightings=SimpleNamespace(
            load=lambda record: Sighting(),
            has_known_before=lambda record: False,
            known_before=lambda record, ids: set(),
            save_clock_skew=lambda *_: None,
            keep_jobs=lambda *_: None,
        ),
        submitter=sent or run.submitter,
        clock=run.time.clock,
        has_other_token=lambda record: has_other_token,
    )
    return made, adopted


def resubmit(run, *pages, lost=LOST, **options):
    return recovery(run, *pages, **options)[0].resubmit(lost, deadline=600.0)


def test_resubmit_sends_the_stored_request_once_more(time):
    """
    Not before its first job would have appeared in the list.
    """
    run = Run(time, job("j2"))

    assert "j2" == resubmit(run, page()).job_id

    [((path, body), options)] = run.answers.calls
    assert ("image/google/x", b'{"prompt": "an owl"}', None, "r1") == (
        path,
        b"".join(body.chunks()).replace(b'":"', b'": "'),
        options["webhook"],
        options["key"],
    )
    assert [30.0] == [seconds for seconds in time.slept if seconds]
    assert ["accepted"] == run.steps


def test_resubmit_later_does_not_wait(time):
    time.elapsed = 31.0
    run = Run(time, job("j2"))

    resubmit(run, page())

    assert 31.0 == time.elapsed


@pytest.mark.parametrize(
    ("count", "ways"),
    [
        (
            1,
            (
                Step(Action.ADOPT, ("r1", "m0")),
                Step(Action.CLOSE_IF_NOT_YOURS, ("r1",)),
            ),
        ),
        (
            2,
            (
                Step(Action.ADOPT_ONE, ("r1",)),
                Step(Action.CLOSE_IF_NONE_IS_YOURS, ("r1",)),
            ),
        ),
    ],
)
def test_resubmit_with_jobs_of_its_own_names_the_ways_out(time, count, ways):
    run = Run(time)
    found = [job(f"m{at}", created_at=MINE.created_at) for at in range(count)]

    with pytest.raises(UsageError, match=rf": {count} jobs? may") as caught:
        resubmit(run, page(*found))

    assert ways == caught.value.advice
    assert ("1 jobs" in caught.value.message) is False


def test_resubmit_with_an_unreadable_list_says_that_nothing_was_submitted(time):
    with pytest.raises(InvalidResponseError) as caught:
        resubmit(Run(time), page(is_complete=False))

    assert "Nothing was submitted" in caught.value.message


def test_resubmit_part_of_a_request_sends_nothing(time):
    """
    Images sent inline are not kept: another request would leave.
    """
    run = Run(time)
    part = record({"prompt": "x", "image": "data:image/png;base64,AAAA"}, record="r1")

    with pytest.raises(UsageError, match="again"):
        resubmit(run, page(), lost=part)
    assert ([], [], []) == (run.answers.calls, run.journal.noted, time.slept)


def test_resubmit_with_another_token_sends_nothing(time):
    run = Run(time)

    with pytest.raises(UsageError, match="another API token"):
        resubmit(run, page(), has_other_token=True)
    assert [] == run.answers.calls


def test_resubmit_with_a_candidate_sends_nothing(time):
    run = Run(time)

    with pytest.raises(UsageError, match="Nothing was") as caught:
        resubmit(run, page(MINE))
    assert (["j1"], ["unconfirmed"]) == (caught.value.details, run.steps)
    assert [] == run.answers.calls


def test_resubmit_with_a_list_that_cannot_be_read_sends_nothing(time):
    """
    The record stays as it was.
    """
    run = Run(time)

    with pytest.raises(InvalidResponseError, match="list"):
        resubmit(run, page(is_complete=False))
    assert (["unconfirmed"], []) == (run.steps, run.answers.calls)


def test_resubmit_rejected_leaves_the_first_request_open(time):
    run = Run(time, RequestRejectedError("No."))

    with pytest.raises(RequestRejectedError):
        resubmit(run, page())
    assert ["unconfirmed"] == run.steps


def search(run, *pages, until=600.0):
    return recovery(run, *pages)[0].search(LOST, until=until, submitted=0.0)


def test_search_looks_five_times_in_half_a_minute(time):
    assert [] == search(Run(time), page())
    assert [1.0, 2.0, 5.0, 10.0, 12.0] == time.slept


def test_search_ends_with_the_first_candidates(time):
    assert [MINE] == search(Run(time), page(), page(MINE), page())
    assert 3.0 == time.elapsed


def test_search_looks_a_last_time_at_the_deadline(time):
    search(Run(time), page(), until=2.5)

    assert [1.0, 1.5] == time.slept


def test_search_of_a_list_that_is_back_again_is_no_error(time):
    """
    The last look counts.
    """
    assert [] == search(Run(time), ServerError("down"), page())


def test_search_of_a_list_that_is_gone_is_an_error(time):
    with pytest.raises(ServerError):
        search(Run(time), ServerError("down"))
    assert 30.0 == time.elapsed


def test_adopt_records_the_job_and_how_it_ended(time):
    run = Run(time)
    done = job("j2", "completed", created_at=MINE.created_at)
    made, adopted = recovery(run, page(MINE, done))

    assert "j1" == made.adopt(LOST, "j1").job_id
    assert [] == run.journal.noted
    assert "j2" == made.adopt(LOST, "j2").job_id
    assert [("ended", "j2")] == run.journal.noted
    assert [("r1", "j1"), ("r1", "j2")] == adopted


def test_adopt_refuses_what_is_no_candidate(time):
    made, adopted = recovery(Run(time), page(MINE))

    with pytest.raises(UsageError, match="j7") as caught:
        made.adopt(LOST, "j7")
    assert "created before" in caught.value.message
    assert (Step(Action.DOWNLOAD_FOREIGN, ("j7",)),) == caught.value.advice
    assert [] == adopted


def test_adopt_of_a_job_unknown_to_krea_names_no_download(time):
    made, adopted = recovery(Run(time), page(MINE))

    with pytest.raises(UsageError, match="unknown") as caught:
        made.adopt(LOST, "unknown")

    assert ((), []) == (caught.value.advice, adopted)


@pytest.mark.parametrize("clock_skew", [100.0, 0.0, -100.0])
def test_candidates_are_in_time_by_the_clock_of_the_service(time, clock_skew):
    """
    A job of two seconds before the request is its own, by any clock.
    """
    jobs = [
        job(f"j{early:.0f}", created_at=at(NOW + min(clock_skew, 0.0) - early))
        for early in (0.0, 2.0, 3.0)
    ]

    found = recovery(Run(time), page(*jobs, clock_skew=clock_skew))[0].candidates(
        LOST, submitted=0.0
    )

    assert ["j2", "j0"] == [each.job_id for each in found]


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat()
