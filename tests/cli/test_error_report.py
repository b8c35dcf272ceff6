from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest
from journal.recorded import record

from krea_cli.cli.error_report import (
    report,
    report_interruption,
    with_jobs,
    with_not_submitted,
    with_unconfirmed,
)
from krea_cli.errors import (
    Action,
    BalanceError,
    CombinedError,
    ExitCode,
    JobFailedError,
    ServiceError,
    SignalError,
    Step,
    TargetError,
    UnconfirmedSubmissionError,
    UsageError,
)
from krea_cli.jobs.run_tracker import RunSummary, RunTracker

LOST = record(record="r-lost")
SIGNALS = [signal.SIGINT, signal.SIGTERM]


class Context:
    """
    What a report needs of a run; `cancellable` has the jobs that can be cancelled.
    """

    def __init__(self, *, cancels=False, cancellable=(), no_journal=False):
        self.tracker = RunTracker()
        self.shown, self.asked = [], []
        self.console = SimpleNamespace(error=self.shown.append)
        self.next_steps = SimpleNamespace(explain=lambda error: error)
        self.service = SimpleNamespace(is_sandbox=False)
        self.invocation = SimpleNamespace(
            run=SimpleNamespace(no_journal=no_journal, cancel_on_interrupt=cancels)
        )
        self.jobs = SimpleNamespace(cancel_all=self.cancel_all)
        self._cancellable = cancellable

    def cancel_all(self, job_ids, *, seconds):
        self.asked.append((tuple(job_ids), seconds))
        return [each for each in job_ids if each in self._cancellable]


def test_with_jobs_error_about_a_job_stays_as_it_is():
    error = JobFailedError("It failed.", job_id="j1")

    assert error is with_jobs(error, RunSummary(pending=["j2"], not_submitted=3))


def test_with_jobs_of_a_run_without_jobs_adds_nothing():
    error = with_jobs(UsageError("Wrong."), RunSummary())

    assert ("Wrong.", (), None) == (error.message, error.advice, error.job_id)


def test_with_jobs_names_the_one_that_runs():
    error = with_jobs(BalanceError("No money."), RunSummary(pending=["j1"]))

    assert "No money. Job j1 keeps running." == error.message
    assert (Step(Action.SAVE_LATER, ("j1",)),) == error.advice
    assert "j1" == error.job_id


def test_with_jobs_of_a_completed_job_says_nothing_of_running():
    error = with_jobs(
        BalanceError("No money."), RunSummary(pending=["j1"], completed=["j1"])
    )

    assert "No money. Job j1 is not saved yet." == error.message
    assert (Step(Action.SAVE_LATER, ("j1",)),) == error.advice


def test_with_jobs_nobody_has_seen_says_nothing_of_them():
    """
    They may belong to another service. After a signal the command is still a help.
    """
    unseen = RunSummary(pending=["j1"], unseen=["j1"])

    error = with_jobs(ServiceError("Down."), unseen)
    interrupted = with_jobs(SignalError(signal.SIGINT), unseen)

    assert ("Down.", (), "j1") == (error.message, error.advice, error.job_id)
    assert "Interrupted." == interrupted.message
    assert (Step(Action.SAVE_LATER, ("j1",)),) == interrupted.advice


def test_with_jobs_counts_many_and_names_none():
    summary = RunSummary(
        pending=["j2", "j3", "j4"],
        completed=["j4"],
        saved_count=1,
        count=5,
        is_batch=True,
    )

    error = with_jobs(ServiceError("Down."), summary)

    assert (
        "Down. Saved 1 of 5. 2 jobs keep running and will be billed. "
        "1 completed job is not saved yet."
    ) == error.message
    assert (Step(Action.SAVE_ALL_LATER, ("j2", "j3", "j4")),) == error.advice


@pytest.mark.parametrize(
    ("count", "action"), [(1, "FIND_SAVED"), (2, "FIND_ALL_SAVED")]
)
def test_with_jobs_all_saved_are_found_again(count, action):
    """
    That costs nothing, and says where they are.
    """
    jobs = tuple(f"j{at}" for at in range(count))
    error = with_jobs(
        ServiceError("Down."),
        RunSummary(unreported=jobs, saved_count=count, count=count),
    )

    saved = "Job j0 is saved." if count == 1 else "Saved 2 of 2."
    assert (f"Down. {saved}", "j0") == (error.message, error.job_id)
    assert (Step(Action[action], jobs),) == error.advice


def test_with_jobs_follows_the_hint_of_the_error():
    error = with_jobs(UsageError("Wrong.", hint="Mend it."), RunSummary(pending=["j1"]))

    assert ("Mend it.", Step(Action.SAVE_LATER, ("j1",))) == error.advice


def test_with_jobs_of_a_taken_place_collects_elsewhere():
    error = with_jobs(
        TargetError("It is there.", hint="Use --force."), RunSummary(pending=["j1"])
    )

    assert Step(Action.COLLECT_ELSEWHERE, ("j1",)) == error.advice[-1]


@pytest.mark.parametrize("can_stop", [True, False])
@pytest.mark.parametrize(("count", "action"), [(1, Action.STOP), (2, Action.STOP_ALL)])
def test_with_jobs_after_a_signal_stops_only_what_runs(count, action, can_stop):
    jobs = [f"j{at}" for at in range(count)]
    summary = RunSummary(pending=[*jobs, "done"], completed=["done"], is_batch=True)

    error = with_jobs(SignalError(signal.SIGINT), summary, can_stop=can_stop)

    assert can_stop == (Step(action, tuple(jobs)) in error.advice)


@pytest.mark.parametrize(
    ("count", "words", "pronoun"),
    [(1, "1 request was", "it"), (2, "2 requests were", "them")],
)
def test_with_not_submitted_counts_and_names_the_way(count, words, pronoun):
    error = with_not_submitted(
        BalanceError("No money."), RunSummary(not_submitted=count)
    )

    assert f"No money. {words} not submitted." == error.message
    assert (
        f"To submit {pronoun}, run the same command with -n {count}.",
    ) == error.advice
    assert error.job_id is None


def test_with_not_submitted_without_any_adds_nothing():
    error = BalanceError("No money.")

    assert error is with_not_submitted(error, RunSummary())


@pytest.mark.parametrize("keeps_journal", [True, False])
def test_with_unconfirmed_decides_the_exit_code(keeps_journal):
    error = with_unconfirmed(
        BalanceError("No money."),
        RunSummary(unconfirmed=[LOST]),
        keeps_journal=keeps_journal,
    )

    assert (
        "No money. One request is unconfirmed: if Krea accepted it, you will be billed."
    ) == error.message
    assert (Step(Action.FIND_LOST, ("r-lost",)),) == error.advice
    assert ExitCode.UNKNOWN == error.exit_code
    assert ("r-lost" if keeps_journal else None) == error.record


@pytest.mark.parametrize("number", SIGNALS)
def test_with_unconfirmed_after_a_signal_keeps_its_exit_code(number):
    error = with_unconfirmed(
        SignalError(number), RunSummary(unconfirmed=[LOST]), keeps_journal=True
    )

    assert (128 + number, "r-lost") == (error.exit_code, error.record)
    assert "unconfirmed" in error.message


@pytest.mark.parametrize("is_one_of_several", [True, False])
def test_with_unconfirmed_says_it_once(is_one_of_several):
    error = UnconfirmedSubmissionError("It is unknown.")
    if is_one_of_several:
        error = CombinedError([BalanceError("No money."), error], succeeded=1)

    assert error is with_unconfirmed(
        error, RunSummary(unconfirmed=[LOST]), keeps_journal=True
    )


def test_report_shows_an_error_and_returns_its_code():
    context = Context()
    context.tracker.submitted("j1")
    context.tracker.unconfirmed(LOST)

    assert ExitCode.UNKNOWN == report(BalanceError("No money."), context)

    [shown] = context.shown
    assert "Job j1 keeps running. One request is unconfirmed" in shown.message
    assert "r-lost" == shown.record


def test_report_shows_each_of_several_errors_before_their_sum():
    context = Context()
    errors = [JobFailedError("One.", job_id="j1"), BalanceError("Two.")]

    code = report(CombinedError(errors, succeeded=1), context)

    assert ExitCode.BALANCE == code
    assert ["One.", "Two.", "2 of 3 jobs have errors, shown above."] == [
        error.message for error in context.shown
    ]


def test_report_without_a_journal_names_no_record():
    context = Context(no_journal=True)
    context.tracker.unconfirmed(LOST)

    report(BalanceError("No money."), context)

    assert context.shown[0].record is None


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("state", ["none", "pending", "saved", "unsent", "all"])
def test_report_interruption_tells_what_the_run_leaves(number, state):
    """
    After each signal, at each moment of a run.
    """
    context = Context()
    if state in ("pending", "all"):
        context.tracker.submitted("j1")
    if state in ("saved", "all"):
        context.tracker.submitted("j2")
        context.tracker.saved("j2")
    if state in ("unsent", "all"):
        context.tracker.not_submitted(2)

    assert 128 + number == report_interruption(number, context)

    [shown] = context.shown
    assert ("SIGTERM" in shown.message) == (number == signal.SIGTERM)
    assert (state in ("pending", "all")) == ("Job j1 keeps running" in shown.message)
    assert (state in ("pending", "all")) == (Step(Action.STOP, ("j1",)) in shown.advice)
    assert (state in ("saved", "all")) == ("Job j2 is saved" in shown.message)
    assert (state in ("unsent", "all")) == ("-n 2" in (shown.hint or ""))
    assert [] == context.asked


@pytest.mark.parametrize("number", SIGNALS)
def test_report_interruption_of_many_has_four_lines_at_most(number):
    context = Context()
    context.tracker.expect(100)
    context.tracker.submitted(*(f"j{at}" for at in range(50)))
    context.tracker.saved("j0")
    for at in range(4):
        context.tracker.unconfirmed(record(record=f"r-{at}"))
    context.tracker.not_submitted(46)

    report_interruption(number, context)

    [shown] = context.shown
    assert (
        "49 jobs keep running and will be billed. 4 requests are unconfirmed: if Krea "
        "accepted them, you will be billed. 46 requests were not submitted."
    ) in shown.message
    assert "\n" not in shown.message
    running = tuple(f"j{at}" for at in range(1, 50))
    assert (
        Step(Action.SAVE_ALL_LATER, running),
        Step(Action.STOP_ALL, running),
        Step(Action.FIND_LOST),
    ) == shown.advice


def test_report_interruption_cancels_the_jobs_if_that_was_asked_for():
    context = Context(cancels=True, cancellable=["j1", "j2"])
    context.tracker.submitted("j1", "j2")

    assert ExitCode.INTERRUPTED == report_interruption(signal.SIGINT, context)

    [shown] = context.shown
    assert "Interrupted. Cancelled 2 jobs." == shown.message
    assert ((), None) == (shown.advice, shown.job_id)
    assert [(("j1", "j2"), 3.0)] == context.asked


def test_report_interruption_does_not_cancel_what_has_completed():
    context = Context(cancels=True, cancellable=["j1"])
    context.tracker.submitted("j1", "done")
    context.tracker.completed("done")

    report_interruption(signal.SIGINT, context)

    [shown] = context.shown
    assert [(("j1",), 3.0)] == context.asked
    assert "Cancelled 1 job. Job done is not saved yet." in shown.message
    assert (Step(Action.SAVE_LATER, ("done",)),) == shown.advice


def test_report_interruption_names_what_could_not_be_cancelled():
    context = Context(cancels=True, cancellable=["j1"])
    context.tracker.submitted("j1", "j2")

    report_interruption(signal.SIGTERM, context)

    [shown] = context.shown
    assert (
        "Stopped by SIGTERM. Cancelled 1 job. 1 job was not cancelled. "
        "Job j2 keeps running."
    ) == shown.message
    assert (
        Step(Action.CANCEL_REST, ("j2",)),
        Step(Action.SAVE_LATER, ("j2",)),
    ) == shown.advice


def test_report_interruption_that_cancels_nothing_says_so():
    context = Context(cancels=True)
    context.tracker.submitted("j1")

    report_interruption(signal.SIGINT, context)

    assert "Cancelled" not in context.shown[0].message
    assert "1 job was not cancelled." in context.shown[0].message


def test_jobs_of_the_sandbox_keep_running_without_a_bill():
    summary = RunSummary(count=3, pending=["j1", "j2"], is_batch=True)
    said = [
        with_jobs(SignalError(signal.SIGINT), summary, is_billed=is_billed).message
        for is_billed in (True, False)
    ]

    assert ["billed" in words for words in said] == [True, False]
    assert all("keep running" in words for words in said)
