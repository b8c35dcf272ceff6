from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from journal.recorded import record
from operations.stubs import Console, Script, job

from krea_cli.errors import (
    Action,
    BalanceError,
    InvalidResponseError,
    JournalError,
    ResponseLostError,
    Step,
    UnconfirmedSubmissionError,
)
from krea_cli.jobs.run_tracker import RunTracker
from krea_cli.operations.resolve_unconfirmed import (
    UnconfirmedResolver,
    describe_candidates,
    warn_unconfirmed,
    warn_unconfirmed_elsewhere,
)

RECORD = record(record="r-one")
LOOK = Step(Action.LOOK_AGAIN)
CLOSE = Step(Action.CLOSE, ("r-one",))
RESUBMIT = Step(Action.RESUBMIT, ("r-one",))
ONE, TWO = job("j1", created_at="2026-09-21"), job("j2", "completed")


class Recovery:
    """
    Finds these candidates; what is `sent` again has these outcomes.
    """

    def __init__(self):
        self.found = Script(stays=True)
        self.sent = Script()
        self.adopted = []
        self.is_other_token = False

    def search(self, record, *, until, submitted):
        return self.found(record.record, until, submitted)

    def adopt(self, record, job_id):
        self.adopted.append((record.record, job_id))
        return job(job_id)

    def resubmit(self, record, *, deadline):
        return self.sent(record.record, deadline)

    def has_other_token(self, _record):
        return self.is_other_token


class Prompter:
    """
    A person who answers; `asked` has the questions, and what was shown before each.
    """

    def __init__(self, console, *answers):
        self.answers = list(answers)
        self.asked = []
        self.is_interactive = bool(answers)
        self._console = console

    def ask(self, question):
        self.asked.append((question, list(self._console.notes)))
        return self.answers.pop(0)


class Run:
    def __init__(self, time, *found, answers=(), **options):
        self.console, self.tracker = Console(), RunTracker()
        self.recovery, self.reported = Recovery(), []
        self.recovery.found.left = list(found)
        self.prompter = Prompter(self.console, *answers)
        self.tracker.unconfirmed(RECORD)
        self.resolver = UnconfirmedResolver(
            recovery=self.recovery,
            tracker=self.tracker,
            console=self.console,
            prompter=self.prompter,
            clock=time.clock,
            report=self.reported.append,
            **options,
        )

    def __call__(self, *, deadline=600.0):
        return self.resolver.resolve(lost(), deadline)

    def error(self, **options):
        with pytest.raises(UnconfirmedSubmissionError) as caught:
            self(**options)
        return caught.value


def lost(name="r-one", submitted=1.5):
    error = UnconfirmedSubmissionError(
        "It is unknown.", record=name, submitted=submitted
    )
    error.__cause__ = ResponseLostError("The connection broke.")
    return error


def test_submit_that_is_answered_asks_nothing(time):
    run = Run(time)

    assert ONE == run.resolver.submit(lambda: ONE, deadline=600)
    assert [] == run.recovery.found.calls


def test_submit_that_is_lost_looks_for_the_job(time):
    run = Run(time, [ONE])

    def lose():
        raise lost()

    with pytest.raises(UnconfirmedSubmissionError) as caught:
        run.resolver.submit(lose, deadline=600)

    assert ["Possible match: j1 (queued, created 2026-09-21)"] == caught.value.details
    [note] = run.console.notes
    assert note.startswith("The connection broke. Checking Krea's job list")


def test_submit_with_another_error_raises_it(time):
    def fail():
        raise BalanceError("No money.")

    with pytest.raises(BalanceError):
        Run(time).resolver.submit(fail, deadline=600)


@pytest.mark.parametrize(
    ("deadline", "until"), [(600.0, 130.0), (110.0, 110.0), (100.0, 103.0)]
)
def test_resolve_searches_half_a_minute_or_until_the_deadline(time, deadline, until):
    """
    There is always time for one look.
    """
    time.elapsed = 100.0
    run = Run(time, [])

    run.error(deadline=deadline)

    assert [(("r-one", until, 1.5), {})] == run.recovery.found.calls


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        ([], (LOOK, RESUBMIT, CLOSE)),
        (
            [ONE],
            (
                Step(Action.ADOPT, ("r-one", "j1")),
                Step(Action.CLOSE_IF_NOT_YOURS, ("r-one",)),
            ),
        ),
        (
            [ONE, TWO],
            (
                Step(Action.ADOPT_ONE, ("r-one",)),
                Step(Action.CLOSE_IF_NONE_IS_YOURS, ("r-one",)),
            ),
        ),
        (
            [ONE] * 10,
            (
                Step(Action.ADOPT_ONE, ("r-one",)),
                Step(Action.CLOSE_IF_NONE_IS_YOURS, ("r-one",)),
            ),
        ),
        (
            [ONE] * 11,
            (
                Step(Action.LIST_CANDIDATES),
                Step(Action.ADOPT_ONE, ("r-one",)),
                Step(Action.CLOSE_IF_NONE_IS_YOURS, ("r-one",)),
            ),
        ),
    ],
)
def test_resolve_names_every_way_out_for_the_candidates(time, found, steps):
    error = Run(time, found).error()

    assert (steps, "r-one") == (error.advice, error.record)


def test_resolve_offers_no_second_request_that_is_not_whole(time):
    run = Run(time, [])
    part = record(record="r-one", request_sha256="another")
    run.tracker.unconfirmed(part)

    assert (LOOK, CLOSE) == run.error().advice


def test_resolve_offers_no_second_request_with_another_token(time):
    run = Run(time, [])
    run.recovery.is_other_token = True

    assert (LOOK, CLOSE) == run.error().advice


def test_resolve_with_a_list_that_cannot_be_read_asks_nobody(time):
    """
    A second request might be a second job; and the record is the only trace of the
    first, so no hint deletes it.
    """
    run = Run(
        time, InvalidResponseError("A part cannot be read."), answers=["yes", "yes"]
    )

    error = run.error()

    assert (LOOK,) == error.advice
    assert ["The search for its job failed: A part cannot be read."] == error.details
    assert [] == run.prompter.asked


def test_resolve_without_a_journal_only_lists_the_jobs(time):
    """
    There is no record that a command could name.
    """
    error = Run(time, [ONE], keeps_journal=False).error()

    assert ((Step(Action.LIST_LOST),), None) == (error.advice, error.record)


def test_resolve_shows_the_candidates_before_it_asks(time):
    run = Run(time, [ONE, TWO], answers=["2"])

    assert "j2" == run().job_id

    [(question, shown)] = run.prompter.asked
    assert (
        "Which job belongs to this request? Type 1 or 2, or press Enter to decide "
        "later: " == question
    )
    assert ["1", "2", "Enter"] == [line.partition(":")[0] for line in shown[1:]]
    assert re.search(r"j1 \(queued, created 2026-09-2. \d\d:\d\d:00\)", shown[1])
    assert "j2 (completed, created at an unknown time)" in shown[2]
    assert ["It is unknown."] == run.console.warnings
    assert [("r-one", "j2")] == run.recovery.adopted
    assert () == run.tracker.summary().unconfirmed


def test_resolve_of_many_candidates_lets_ten_be_chosen(time):
    many = [job(f"j{n}") for n in range(1, 13)]
    run = Run(time, many, answers=["11", "10"])

    assert "j10" == run().job_id
    assert "9 or 10, or press Enter" in run.prompter.asked[0][0]


def test_resolve_left_open_shows_the_lines_only_once(time):
    """
    With Enter, the record stays as it is.
    """
    run = Run(time, [ONE], answers=[""])

    error = run.error()

    assert (
        "The request is still unconfirmed. If Krea accepted it, you will be billed.",
        (),
    ) == (error.message, error.details)
    assert (RECORD,) == run.tracker.summary().unconfirmed
    assert 1 == len(run.prompter.asked)


def test_resolve_asks_three_times_at_most(time):
    run = Run(time, [ONE], answers=["j1", "2", "0", "1"])

    run.error()

    assert (3, []) == (len(run.prompter.asked), run.recovery.adopted)
    reasons = [line for line in run.console.notes if "is not an answer" in line]
    assert ["'j1'", "'2'", "'0'"] == [line.split()[0] for line in reasons]


def test_resolve_without_candidates_may_send_it_once_more(time):
    run = Run(time, [], answers=["y", "yes"])
    run.recovery.sent.left = [TWO]

    assert TWO == run(deadline=300.0)

    question, shown = run.prompter.asked[0]
    assert question.startswith("Submit it again? It may be billed twice. Type yes")
    assert (
        "Krea's job list shows no job that could belong to this request. Krea probably "
        "did not accept it." == shown[1]
    )
    assert ["yes", "Enter"] == [line.partition(":")[0] for line in shown[2:]]
    assert "both will be billed" in shown[2]
    assert [(("r-one", 300.0), {})] == run.recovery.sent.calls
    assert () == run.tracker.summary().unconfirmed


def test_resolve_without_candidates_sends_nothing_without_a_yes(time):
    run = Run(time, [], answers=[""])

    run.error()

    assert [] == run.recovery.sent.calls


def test_resolve_of_a_second_lost_answer_looks_again(time):
    """
    The candidates of the first are out of date.
    """
    run = Run(time, [], [ONE], answers=["yes", "1"])
    second = record(record="r-two")

    def lose_again():
        run.tracker.unconfirmed(second)
        raise lost("r-two", 40.0)

    run.recovery.sent.left = [lose_again]

    assert "j1" == run().job_id
    assert [("r-two", "j1")] == run.recovery.adopted
    assert () == run.tracker.summary().unconfirmed


def test_resolve_reports_why_a_second_request_was_not_sent(time):
    refused = BalanceError("No money.")
    run = Run(time, [], answers=["yes"])
    run.recovery.sent.left = [refused]

    error = run.error()

    assert [refused] == run.reported
    assert error.message.startswith("The request is still unconfirmed")
    assert (RECORD,) == run.tracker.summary().unconfirmed


def test_resolve_with_a_broken_journal_ends_with_that(time):
    run = Run(time, [], answers=["yes"])
    run.recovery.sent.left = [JournalError("Full.")]

    with pytest.raises(JournalError):
        run()


@pytest.mark.parametrize("hinders", ["may_ask", "nobody", "another token"])
def test_resolve_asks_only_where_somebody_can_decide(time, hinders):
    options = {"may_ask": False} if hinders == "may_ask" else {}
    run = Run(time, [], answers=["yes"], **options)
    run.prompter.is_interactive = hinders != "nobody"
    run.recovery.is_other_token = hinders == "another token"

    run.error()

    assert [] == run.prompter.asked


def test_describe_candidates_tells_ten_at_most():
    assert 10 == len(describe_candidates([ONE] * 12))
    assert "no job that could belong" in describe_candidates([])[0]


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 earlier request is"), (2, "2 earlier requests are")]
)
def test_warn_unconfirmed_counts_the_earlier_requests(count, words):
    console = Console()
    history = SimpleNamespace(unconfirmed=lambda: [RECORD] * count)

    warn_unconfirmed(history, console, SimpleNamespace(recover=lambda: "krea recover"))

    [warning] = console.warnings
    assert warning.startswith(f"{words} unconfirmed")
    assert warning.endswith(": krea recover")


def test_warn_unconfirmed_is_silent_without_any():
    console = Console()
    history = SimpleNamespace(
        unconfirmed=list,
        unconfirmed_elsewhere=lambda: ["https://k.test", "sandbox"],
        service="https://api.krea.ai",
    )

    warn_unconfirmed(history, console, SimpleNamespace(recover=pytest.fail))
    assert [] == console.warnings

    warn_unconfirmed_elsewhere(history, console)
    assert ["Requests to https://k.test are", "Requests to the sandbox are"] == [
        warning.partition(" unconfirmed")[0] for warning in console.warnings
    ]
    assert ["add --api-url https://k.test.", "add --sandbox."] == [
        warning.rpartition(", ")[2] for warning in console.warnings
    ]


@pytest.mark.parametrize("is_other", [True, False])
def test_warn_of_other_token_names_the_record(time, is_other):
    run = Run(time)
    run.recovery.is_other_token = is_other

    run.resolver.warn_of_other_token(RECORD)

    assert is_other == bool(run.console.warnings)
    assert not is_other or "Request r-one was" in run.console.warnings[0]


def test_resolve_of_the_request_of_another_process_is_its_error(time):
    run, error = Run(time), lost("r-of-another")

    with pytest.raises(UnconfirmedSubmissionError) as caught:
        run.resolver.resolve(error, 600)

    assert caught.value is error
    assert [] == run.recovery.found.calls
